"""All that a config names, looked at before the first job."""

import pytest

from scans import write_dataset
from slicewise.config import load
from slicewise.inputs import new_images, open_inputs
from slicewise.problems import BadInput


def config_of(folder, **changes):
    return load(
        {
            "results": str(folder / "results"),
            "datasets": {"mine": {"raw": str(folder / "raw")}},
            "cross_validation": {"folds": 2, "run": [0]},
        }
        | changes
    )


@pytest.fixture
def raw(tmp_path):
    return write_dataset(tmp_path / "raw", [(6, 7, 4)] * 3).parent


def test_datasets_that_are_sound_are_opened_by_name(tmp_path, raw):
    (name,) = datasets = open_inputs(config_of(tmp_path))
    assert datasets[name].cases == ("case_00", "case_01", "case_02")


def test_problems_of_all_parts_of_a_config_are_told_together(tmp_path):
    nowhere = {"training": {"pretrained": "nowhere.pth"}, "planning": {"plans": "nowhere.json"}}
    with pytest.raises(BadInput) as refused:
        open_inputs(config_of(tmp_path, experiments={"a": nowhere}))
    said = str(refused.value)
    assert said.startswith("3 problems before the first job; nothing was run")
    for part in ("raw/dataset.json: found no such file", "nowhere.json", "nowhere.pth"):
        assert part in said


@pytest.mark.parametrize("results", ["raw/results", ".", "raw"])
def test_results_and_scans_are_kept_apart(tmp_path, raw, results):
    with pytest.raises(BadInput, match=r"overlaps with datasets\.mine\.raw"):
        open_inputs(config_of(tmp_path, results=str(tmp_path / results)))


def test_new_images_that_cannot_be_read_are_left_to_the_job_that_names_them(tmp_path, raw):
    dataset = open_inputs(config_of(tmp_path))["mine"]
    there = raw / "imagesTr/case_01_0000.nii.gz"
    assert str(there) in new_images(dataset, raw / "imagesTr")
    there.unlink()
    there.symlink_to("nowhere")
    assert len(new_images(dataset, raw / "imagesTr")) == 2
    (raw / "imagesTr/a b_0000.nii.gz").touch()
    with pytest.raises(BadInput, match="the case name 'a b'"):
        new_images(dataset, raw / "imagesTr")
