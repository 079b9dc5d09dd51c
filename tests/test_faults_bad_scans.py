"""Scans that are broken in every known way: script by script, and all of them at once."""

import shutil
from contextlib import suppress

import pytest

import merge_fingerprint
from chain import Chain, analyse
from faults.bad_scans import Workplace, write_whole
from faults.scan_defects import DEFECTS
from faults.spoilt_scans import Scan, cut
from slicewise.problems import ERROR, BadInput, errors_of, read_tables


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_whole(tmp_path_factory.mktemp("whole"), 3)


def problems_of(chain):
    """Return the problems of a dataset, after trying to analyse it."""
    with suppress(BadInput):
        analyse(chain, groups=2)
    return read_tables([chain.validation])


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_bad_scan_is_named_and_stops_the_run_only_if_it_has_to(
    defect, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(merge_fingerprint, "INTENSITY_SAMPLES", 1000)  # all of them take longer
    chain = Chain(shutil.copytree(whole, tmp_path / "raw") / "dataset.json", tmp_path)
    scan = Scan(chain.dataset_json.parent, "case_01")
    defect.spoil(scan)
    problems = problems_of(chain)
    assert defect.judged_rightly(problems, scan.name), problems
    assert {problem.case for problem in problems} == {scan.name}
    assert chain.fingerprint.exists() == (defect.severity != ERROR)


def test_a_whole_dataset_has_no_problem(whole, tmp_path):
    assert problems_of(Chain(whole / "dataset.json", tmp_path)) == []


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("bad"), cases=len(DEFECTS) + 2).prepare()


def test_a_channel_of_a_new_image_that_is_missing_is_left_to_the_job_to_name(place):
    shutil.copytree(place.whole / "imagesTr", place.folder / "new")
    (place.folder / "new/case_01_0000.nii.gz").unlink()
    status, said = place.run("predict", "--dry-run", "--config", "inference={images: new}")
    assert status == 0, said
    assert "predicting new images" in said


def test_all_bad_scans_at_once_are_named_and_the_same_run_goes_on_once_they_are_mended(place):
    scans = {defect: place.scan(number) for number, defect in enumerate(DEFECTS, start=1)}
    for defect, scan in scans.items():
        defect.spoil(scan)
    status, said = place.run("validate")
    assert status != 0
    assert "Traceback" not in said
    assert "MissingInputException" not in said
    problems = place.problems
    for defect, scan in scans.items():
        assert defect.judged_rightly(problems, scan.name), defect.name
    assert f"error: {errors_of(problems)[0]}" in said
    for defect, scan in scans.items():
        if defect.severity == ERROR:
            scan.mend(place.whole)
    status, said = place.run("fingerprint")
    assert status == 0, said
    assert errors_of(place.problems) == []
    assert place.fingerprint.exists()
    new = place.raw / "labelsTr/new.nii.gz"
    new.touch()
    status, said = place.run("fingerprint", "--dry-run")
    assert "validate_dataset" in said
    assert "merge_fingerprint" not in said, "a new warning alone trains again"
    new.unlink()
    cut(place.scan(0).label, 0.5)
    status, said = place.run("validate")
    assert status != 0
    assert f"error: case {place.scan(0).name}" in said
    place.scan(0).mend(place.whole)  # with its old date
    status, said = place.run("validate")
    assert status == 0, said
    assert "warning: case" in said
