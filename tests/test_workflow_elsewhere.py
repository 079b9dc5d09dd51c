"""The workflow run from another folder than its own, and what the command line changes."""

import pytest
import yaml

from checkouts import TINY, Checkout, checkout
from scans import write_dataset

TARGETS = (
    "all comparisons evaluate explore_slices export export_nnunet figures fingerprint plan predict "
    "record_provenance train validate write_methods"
)


@pytest.fixture(scope="module")
def places(root, tmp_path_factory):
    """Return a checkout of the workflow, and a folder beside it with a project of the user's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("slicewise", "project"):
        (folder / name).mkdir()
    return checkout(root, folder / "slicewise"), Checkout(folder / "project")


def planned(where: Checkout, *arguments: str) -> str:
    done = where.snakemake(*arguments, "--dry-run", "--quiet", "rules", "host")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_folder_without_a_config_gets_the_default_run(places):
    """By workflow/Snakefile, where the catalogue of workflows looks, that is the same."""
    copy, project = places
    said = planned(project, "--snakefile", str(copy.folder / "workflow/Snakefile"))
    assert "  datasets:    phantom (24 cases)\n" in said
    assert "\neverything  " in said
    assert "\nplot_gallery  " in said


def test_paths_of_a_config_are_those_of_the_folder_it_runs_in(places):
    copy, project = places
    write_dataset(project.folder / "data/Dataset001_Own", [(8, 8, 5)] * 4)
    own = TINY | {"datasets": {"own": {"raw": "data/Dataset001_Own"}}}
    (project.folder / "config").mkdir()
    (project.folder / "config/config.yaml").write_text(yaml.safe_dump(own))
    said = planned(
        copy,
        *("--directory", str(project.folder), "--until", "plan_network", "split_folds"),
        *("--config", "training={epochs: 5}", "cross_validation={run: [0], seeds: [0, 1, 2]}"),
    )
    assert "  datasets:    own (4 cases)\n" in said
    assert "networks:    6, of 1 dataset, 2 experiments, 1 of 2 folds, 3 seeds; epochs: 5," in said
    assert "\nplan_network  " in said
    assert "\nsplit_folds  " in said
    assert "train_fold" not in said


def test_the_targets_are_listed_and_nothing_else_is_said_there(places):
    copy, _ = places
    assert copy.snakemake("--list-target-rules").stdout.split() == TARGETS.split()
