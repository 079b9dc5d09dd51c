"""Datasets of archives: when they are opened, and what they may not name."""

import pytest

from scans import write_dataset
from slicewise.config import load
from slicewise.files import read_json, write_json
from slicewise.inputs import open_inputs
from slicewise.problems import BadInput
from slicewise.unpacked import Datasets, open_unpacked

CONFIG = {
    "datasets": {"d": {"archive": "https://example.org/a.zip", "sha256": "0" * 64}},
    "cross_validation": {"folds": 2},
    "execution": {"cases_per_job": 16},
}


def test_an_archive_is_opened_when_it_is_asked_for_and_once(tmp_path):
    raw = write_dataset(tmp_path / "unpacked/Dataset009_Spleen", [(4, 4, 4)] * 2)
    asked = []

    def unpacked(name):
        asked.append(name)
        return str(tmp_path / "unpacked")

    datasets = Datasets(CONFIG, {}, unpacked)
    assert (list(datasets), len(datasets), asked) == (["d"], 1, [])
    assert datasets["d"].cases == ("case_00", "case_01")
    assert datasets["d"].json_path == raw
    assert datasets["d"].title == "Dataset009_Spleen"
    assert asked == ["d"]


def test_thick_slices_of_an_archives_scans_wait_for_it_too(tmp_path):
    write_dataset(tmp_path / "unpacked", [(4, 4, 4)] * 2, channels=("CT", "PET"))
    thick = {"thicken": {"of": "d", "axis": 0, "factor": 2, "profile": "box"}}
    config = {**CONFIG, "results": "out", "datasets": {"thick": thick, **CONFIG["datasets"]}}
    asked = []

    def unpacked(name):
        asked.append(name)
        return str(tmp_path / "unpacked")

    datasets = Datasets(config, {}, unpacked)
    assert asked == []
    assert datasets["thick"].cases == ("case_00", "case_01")
    assert datasets["thick"].origin is datasets["d"]
    assert datasets["thick"].groups == datasets["d"].groups
    assert datasets["thick"].source.channel_names == ["CT", "PET"]
    assert datasets["thick"].source.content["labels"] == datasets["d"].source.named_labels
    assert asked == ["d"]


@pytest.mark.parametrize("path", ["../../x.nii.gz", "/etc/x.nii.gz", "a/../../../x.nii.gz"])
@pytest.mark.parametrize("kind", ["images", "label"])
def test_a_dataset_from_an_archive_names_no_file_elsewhere(tmp_path, path, kind):
    raw = write_dataset(tmp_path / "unpacked/Task09", [(4, 4, 4)])
    entry = {"images": ["imagesTr/case_00_0000.nii.gz"], "label": "labelsTr/case_00.nii.gz"}
    content = read_json(raw) | {"dataset": {"a": entry}}
    write_json(raw, content)
    assert open_unpacked(tmp_path / "unpacked", 1).cases() == ["a"]
    entry[kind] = path if kind == "label" else [path]
    write_json(raw, content)
    with pytest.raises(BadInput, match=r"case a: .*found the file .*, expected a file of the"):
        open_unpacked(tmp_path / "unpacked", 1)


def test_all_that_is_wrong_with_it_is_told(tmp_path):
    raw = write_dataset(tmp_path / "unpacked", [(4, 4, 4)])
    write_json(raw, read_json(raw) | {"numTraining": 7})
    with pytest.raises(BadInput, match=r"(?s)2 problems.*numTraining 7.*found 1 case"):
        open_unpacked(tmp_path / "unpacked", 2)


def test_an_archive_among_the_results_is_refused(tmp_path, monkeypatch):
    """A run deletes there what it makes anew."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/mine").mkdir(parents=True)
    (tmp_path / "results/mine/raw.zip").touch()
    given = {"archive": "results/mine/raw.zip", "sha256": "0" * 64}
    with pytest.raises(BadInput, match=r"overlaps with datasets\.mine\.archive"):
        open_inputs(load({"datasets": {"mine": given}}))
