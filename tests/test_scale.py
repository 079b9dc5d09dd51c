"""What a run of very many cases comes to, on datasets that hold no voxels."""

from pathlib import Path

from checkouts import checkout
from scans import write_json_of
from slicewise.dataset import Case, Dataset
from slicewise.runs import MAX_GROUPS

CASES = 1000


def empty_dataset(folder: Path) -> Path:
    """Write a raw dataset of CASES cases whose files are empty; return its dataset.json."""
    for kind, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        (folder / kind).mkdir(parents=True)
        for index in range(CASES):
            (folder / kind / f"case_{index:05d}{ending}").touch()
    return write_json_of(folder, CASES)


def test_a_thousand_cases_are_a_few_hundred_jobs_in_every_stage(root, tmp_path):
    empty_dataset(tmp_path / "raw")
    made = checkout(root, tmp_path)
    names = ("coarsest", "finest", "coronal")
    made.configure(
        datasets={"many": {"raw": "raw"}},
        experiments={name: {"planning": {"slice_axis": name}} for name in names},
        ensembles={},
        cross_validation={"folds": 5, "run": [0, 1, 2, 3, 4], "seeds": [0, 1, 2]},
        execution={"cases_per_job": 1},
    )
    jobs = made.jobs()
    assert 200 < jobs.pop("analyze_cases") <= MAX_GROUPS
    assert 200 < jobs.pop("hash_cases") <= MAX_GROUPS
    assert 3 * 200 < jobs.pop("export_cases") <= 3 * MAX_GROUPS
    of_runs = ("train_fold", "predict_fold", "evaluate_fold", "locate_errors")
    assert {jobs.pop(name) for name in of_runs} == {45}
    assert sum(jobs.values()) < 30


def test_listing_the_cases_makes_none_of_them(tmp_path, monkeypatch):
    """Every job's process lists all names; the files of all would take longer than the rest."""
    dataset, made = Dataset(empty_dataset(tmp_path)), []
    original = Case.__init__
    monkeypatch.setattr(
        Case, "__init__", lambda case, *given: made.append(case) or original(case, *given)
    )
    assert len(dataset.cases()) == CASES
    assert made == []
    assert dataset.case("case_00007").label == tmp_path / "labelsTr/case_00007.nii.gz"
    assert len(made) == 1
