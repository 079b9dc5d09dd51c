"""Wrong documents are named: `faults.document_defects`, tried without Snakemake but for a few."""

import pytest

import plan_arrays
from faults import bad_documents
from faults.bad_documents import (
    ALL,
    CHECKPOINTS,
    RECORDS,
    SCRIPTS,
    copied,
    fresh,
    message,
    rename,
)
from faults.document_defects import CONFIGS, FOLDS, NAMES
from models import PLAIN, bring_in
from scans import write_dataset
from slicewise.files import write_json
from slicewise.folds import split


def named(defects):
    return pytest.mark.parametrize("defect", defects, ids=[defect.name for defect in defects])


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return fresh(tmp_path_factory.mktemp("few") / "run")


@pytest.fixture
def run(few, tmp_path):
    return copied(few, tmp_path / "run")


def test_documents_without_a_defect_are_fine(run):
    assert message(run, {}) == ""


@named(ALL)
def test_a_defect_is_named_before_the_first_job(run, defect):
    said = message(run, defect.spoil(run) or {})
    assert [word for word in defect.words if word not in said] == []
    assert said.isprintable() or all(line.isprintable() for line in said.splitlines())


@named(CHECKPOINTS)
def test_a_wrong_checkpoint_is_named(run, defect, tmp_path):
    defect.spoil(run)
    path = run.folder / "model/fold_0/checkpoint_final.pth"
    with pytest.raises(ValueError, match=r"checkpoint_final\.pth") as refused:
        bring_in(PLAIN, tmp_path / "imported", model_checkpoint=path)
    assert [word for word in defect.words if word not in str(refused.value)] == []


@named(RECORDS)
def test_a_file_of_a_former_stage_that_was_changed_is_named(run, defect):
    results = run.folder / "results/mine"
    results.mkdir(parents=True)
    orientation = {"reorient": False, "orientation": "RAS", "orientations": {"RAS": 4}}
    write_json(results / "orientation.json", orientation)
    write_json(
        results / "dataset_fingerprint.json",
        {"spacings": [[3, 1, 1]], "shapes_after_crop": [[4, 4, 4]]},
    )
    defect.spoil(run)
    with pytest.raises(ValueError, match="delete it") as refused:
        plan_arrays.main(
            dataset_json=run.raw / "dataset.json",
            fingerprint=results / "dataset_fingerprint.json",
            orientation=results / "orientation.json",
            slice_axis="coarsest",
            in_plane_order="stored",
            overwrite_target_spacing=None,
            plans=None,
            preprocessing=results / "preprocessing.json",
        )
    assert [word for word in defect.words if word not in str(refused.value)] == []


def test_several_are_named_at_once_through_snakemake(few, tmp_path):
    figure = bad_documents.all_at_once(copied(few, tmp_path / "run"))
    assert figure.holds, figure.line()


def test_nothing_is_named_where_nothing_is_wrong_through_snakemake(run):
    outcome = bad_documents.snakemake(run, {}, "--dry-run")
    assert outcome.code == 0, outcome.said
    assert "ends with exit code 0" in outcome.faults(["no such words"])
    assert "does not say 'no such words'" in outcome.faults(["no such words"])


def test_names_of_every_script_are_fine(tmp_path):
    run = fresh(tmp_path)
    rename(run, SCRIPTS)
    assert message(run, {}) == ""


def test_folds_of_the_users_own_are_fine(run):
    write_json(run.raw / "splits_final.json", split([f"case_{i:02d}" for i in range(4)], 2))
    assert message(run, {}) == ""


def test_two_datasets_are_both_looked_at(run):
    write_dataset(run.folder / "other", [(8, 8, 4)])
    datasets = {"mine": {"raw": "nowhere"}, "other": {"raw": str(run.folder / "other")}}
    said = message(run, {"datasets": datasets})
    assert "nowhere/dataset.json: found no such file" in said
    assert "other/dataset.json: found 1 cases, expected at least 2" in said
    assert "2 problems before the first job; nothing was run" in said


def test_the_tables_are_not_empty():
    assert min(map(len, (NAMES, FOLDS, CONFIGS, CHECKPOINTS, RECORDS))) > 5
    assert len({defect.name for defect in [*ALL, *CHECKPOINTS, *RECORDS]}) > 180
