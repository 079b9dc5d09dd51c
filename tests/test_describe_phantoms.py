"""The phantoms' dataset.json, as nnU-Net v2 and slicewise read it."""

import json

import pytest

import describe_phantoms
from slicewise.dataset import open_dataset


@pytest.fixture
def dataset_json(tmp_path):
    """Return the dataset.json of three phantoms, in a folder with their images' names."""
    for index in range(3):
        image = tmp_path / "imagesTr" / f"phantom_{index:03d}_0000.nii.gz"
        image.parent.mkdir(exist_ok=True)
        image.touch()
    describe_phantoms.main(cases=3, dataset_json=tmp_path / "dataset.json")
    return tmp_path / "dataset.json"


def test_keys_are_those_that_nnunet_requires(dataset_json):
    content = json.loads(dataset_json.read_text())
    assert content["channel_names"] == {"0": "MRI"}
    assert content["numTraining"] == 3
    assert content["file_ending"] == ".nii.gz"


def test_labels_are_in_the_order_of_acdc(dataset_json):
    expected = {"background": 0, "right_ventricle": 1, "myocardium": 2, "left_ventricle": 3}
    assert json.loads(dataset_json.read_text())["labels"] == expected


def test_description_says_that_the_images_are_synthetic(dataset_json):
    content = json.loads(dataset_json.read_text())
    assert "Synthetic" in content["description"]
    assert content["licence"]


def test_dataset_opens_with_its_cases(dataset_json):
    assert open_dataset(dataset_json).cases() == ["phantom_000", "phantom_001", "phantom_002"]


def test_same_arguments_write_the_same_bytes(dataset_json, tmp_path):
    describe_phantoms.main(cases=3, dataset_json=tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == dataset_json.read_bytes()
