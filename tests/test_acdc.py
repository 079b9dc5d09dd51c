"""ACDC in nnU-Net's layout: the frames that are labelled, and folds that keep patients whole."""

import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from slicewise.acdc import convert
from slicewise.dataset import open_dataset
from slicewise.files import write_nifti
from slicewise.folds import read_given_folds
from slicewise.problems import BadInput

HELD_OUT = [[7, 8, 11], [2, 4, 9], [1, 12], [3, 5], [6, 10]]
"""The patients that nnU-Net 2.8.1 holds out of twelve (create_ACDC_split), fold by fold."""


def write_patient(folder, number, frames=(1, 12)):
    name = f"patient{number:03d}"
    patient = folder / name
    patient.mkdir(parents=True)
    (patient / "Info.cfg").write_text(f"ED: {frames[0]}\n")
    (patient / f"{name}_4d.nii.gz").write_bytes(b"the whole cine")
    for frame in frames:
        image = np.full((3, 4, 2), 100 * number + frame, np.int16)
        for ending, voxels in (("", image), ("_gt", image % 4)):
            path = patient / f"{name}_frame{frame:02d}{ending}.nii.gz"
            write_nifti(path, nib.Nifti1Image(voxels, np.eye(4)))


@pytest.fixture
def source(tmp_path):
    for number in range(1, 13):
        write_patient(tmp_path / "database" / "training", number)
    write_patient(tmp_path / "database" / "testing", 101)
    return tmp_path / "database"


def test_every_labelled_frame_is_a_case(source, tmp_path):
    target = tmp_path / "Dataset027_ACDC"
    assert convert(source, target) == 24
    dataset = open_dataset(target / "dataset.json")
    assert len(dataset.cases()) == dataset.content["numTraining"] == 24
    assert dataset.channel_names == ["cineMRI"]
    assert dataset.named_labels == {"background": 0, "RV": 1, "MLV": 2, "LVC": 3}
    case = dataset.case("patient007_frame12")
    patient = source / "training" / "patient007"
    assert case.images[0].path.read_bytes() == (patient / "patient007_frame12.nii.gz").read_bytes()
    assert case.label.read_bytes() == (patient / "patient007_frame12_gt.nii.gz").read_bytes()
    assert [path.name for path in sorted((target / "imagesTs").iterdir())] == [
        "patient101_frame01_0000.nii.gz",
        "patient101_frame12_0000.nii.gz",
    ]


def test_the_folds_are_nnunets_and_keep_patients_whole(source, tmp_path):
    target = tmp_path / "Dataset027_ACDC"
    convert(source / "training", target)
    cases = open_dataset(target / "dataset.json").cases()
    splits = read_given_folds(target / "splits_final.json", cases, 5)
    for parts, held_out in zip(splits, HELD_OUT, strict=True):
        assert parts["val"] == [f"patient{p:03d}_frame{f}" for p in held_out for f in ("01", "12")]
        assert sorted(parts["train"] + parts["val"]) == cases


def refused(source, target):
    with pytest.raises(BadInput) as caught:
        convert(source, target)
    return str(caught.value)


def test_a_folder_without_patients_is_named(tmp_path):
    assert "found 0 patients, expected patient001/" in refused(tmp_path, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_frames_without_labels_are_named(source, tmp_path):
    missing = source / "training" / "patient003" / "patient003_frame01_gt.nii.gz"
    missing.unlink()
    said = refused(source, tmp_path / "target")
    assert f"case patient003_frame01: {missing}: found no such file" in said


def test_a_folder_that_is_there_is_left_alone(source, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    assert "found something by this name" in refused(source, target)
    assert list(target.iterdir()) == []


def test_the_command_of_the_config_converts(root, source, tmp_path):
    (line,) = (
        line.strip("# ")
        for line in (root / "config" / "acdc.yaml").read_text().splitlines()
        if "-m slicewise.acdc" in line
    )
    setting, *_, there, target = line.split()
    assert target in (root / "config" / "acdc.yaml").read_text().partition("datasets:")[2]
    assert setting == "PYTHONPATH=workflow/scripts"
    assert there == "data/ACDC/database"
    done = subprocess.run(
        [sys.executable, "-m", "slicewise.acdc", source, tmp_path / "target"],
        env={"PYTHONPATH": str(root / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"24 cases in {tmp_path / 'target'}\n"
