"""Datasets of thick slices in the workflow: which jobs there are, and a run without a training."""

import re
import shutil

import pandas as pd
import pytest

from checkouts import checkout
from slicewise.files import read_json

CUBES = {"phantom": {"cases": 4, "thick_axis": "mixed", "spacing": [4.0, 4.0, 4.0]}}
STUDY = {"kind": "anisotropy", "datasets": ["cube", "thick"], "reference": "coarsest"}
SCORES = "results/thick_0x2/coarsest/fold-0_seed-0"


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """Return a checkout with cubes and what has slices of theirs twice as thick."""
    checked_out = checkout(root, tmp_path_factory.mktemp("anisotropy"))
    thick = {"thicken": {"of": "cube", "axis": [0], "factor": [2]}}
    datasets = {"cube": CUBES, "thick": thick}
    checked_out.configure(datasets=datasets, studies={"thickness": STUDY})
    return checked_out


@pytest.fixture(scope="module")
def scored(made):
    """Let thick labels stand for predictions of theirs, and score them."""
    given = ("--configfile", "tiny.yaml")
    wanted = ("thick_0x2/ceiling.csv", "thick_0x2/raw/dataset.json")
    wanted += ("thick_0x2/splits_final.json", "cube/splits_final.json")
    done = made.snakemake(*(f"results/{path}" for path in wanted), *given)
    assert done.returncode == 0, done.stdout + done.stderr
    results = made.folder / "results"
    held_out = read_json(results / "thick_0x2/splits_final.json")[0]["val"]
    (made.folder / SCORES / "predictions").mkdir(parents=True)
    for case in held_out:
        name = f"{case}.nii.gz"
        shutil.copy(
            results / "thick_0x2/raw/labelsTr" / name, made.folder / SCORES / "predictions" / name
        )
    done = made.snakemake(f"{SCORES}/per_case.csv", "--allowed-rules", "evaluate_fold", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    return results


def test_a_study_makes_thick_slices_trains_on_them_and_draws_one_figure(made):
    jobs = made.jobs("evaluate", "figures", "results/figures/thick_0x2_dice_profile.svg")
    assert (jobs["make_phantoms"], jobs["thicken_cases"], jobs["describe_thickened"]) == (1, 1, 1)
    assert jobs["train_fold"] == 2 * 2 * 2  # datasets, experiments, folds
    assert jobs["evaluate_fold"] == 2 * 3 * 2
    assert (jobs["score_ceiling"], jobs["compare_anisotropy"], jobs["plot_anisotropy"]) == (1, 1, 1)
    # Thick slices have figures of their own for who asks for them only.
    assert (jobs["plot_gallery"], jobs["plot_dice_profile"]) == (1, 2)


def test_networks_of_other_studies_stand_for_thin_slices_where_they_run_alike(made):
    """Here sagittal runs with one fold of the two, and plain is trained otherwise."""
    planes = {name: {"planning": {"slice_axis": name}} for name in ("axial", "sagittal")}
    experiments = {"coarsest": {}, **planes, "plain": {"training": {"augmentation": "none"}}}
    studies = {"thickness": {**STUDY, "experiments": ["coarsest"]}}
    studies["planes"] = {"datasets": ["cube"], "experiments": ["axial", "plain"]}
    studies["fewer"] = {"datasets": ["cube"], "experiments": ["sagittal"], "folds": [0]}
    thick = {"thicken": {"of": "cube", "axis": [0], "factor": [2]}}
    datasets = {"cube": CUBES, "thick": thick}
    made.configure(datasets=datasets, experiments=experiments, studies=studies)
    table = "results/tables/cube_thickness.csv"
    done = made.snakemake(table, "--dry-run", "--configfile", "tiny.yaml")
    made.configure(datasets=datasets, studies={"thickness": STUDY})
    assert done.returncode == 0, done.stdout + done.stderr
    trained = set(re.findall(r"results/(\S+)/fold-\d_seed-0/per_case.csv", done.stdout))
    assert trained == {"cube/coarsest", "cube/axial", "thick_0x2/coarsest"}


def test_folds_are_those_of_the_thin_slices(scored):
    thin, thick = (read_json(scored / name / "splits_final.json") for name in ("cube", "thick_0x2"))
    assert thin == thick


def test_a_thick_dataset_describes_itself(scored):
    content = read_json(scored / "thick_0x2/raw/dataset.json")
    assert content["numTraining"] == 4
    assert content["labels"] == read_json(scored / "cube/raw/dataset.json")["labels"]


def test_thick_slices_are_scored_on_the_thin_ones_and_reach_the_ceiling(scored):
    found = pd.read_csv(scored.parent / SCORES / "per_case.csv")
    ceiling = pd.read_csv(scored / "thick_0x2/ceiling.csv")
    assert len(ceiling) == 4 * 3
    both = found.merge(ceiling, on=["case", "class"], suffixes=("", "_ceiling"))
    assert len(both) == len(found) == 2 * 3
    pd.testing.assert_series_equal(both["dice"], both["dice_ceiling"], check_names=False)
    assert both["dice"].between(0.5, 0.999).all()
    slices = pd.read_csv(scored.parent / SCORES / "per_slice.csv")
    assert slices["position_mm"].diff().abs().mode().iloc[0] == pytest.approx(4.0, abs=1e-3)
