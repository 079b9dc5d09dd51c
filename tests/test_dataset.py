"""Raw datasets in two layouts, and what is said of a dataset.json that does not serve."""

import json

import nibabel as nib
import numpy as np
import pytest

from scans import volume, write_dataset, write_decathlon, write_json_of
from slicewise.dataset import open_dataset
from slicewise.files import write_nifti
from slicewise.volumes import read_images


@pytest.fixture
def raw(tmp_path):
    return write_dataset(tmp_path, spacing=(1.0, 2.0, 5.0), channels=("T1", "T2"))


def test_cases_of_nnunets_layout_are_listed_in_order(raw):
    assert open_dataset(raw).cases() == ["case_00", "case_01", "case_02", "case_03"]


def test_channels_and_labels_come_from_dataset_json(raw):
    dataset = open_dataset(raw)
    assert dataset.channel_names == ["T1", "T2"]
    assert dataset.labels.values == (0, 1, 2)
    assert dataset.labels.classes == {"class1": (1,), "class2": (2,)}


def test_the_decathlons_4d_images_are_split_by_channel(tmp_path):
    image, label = volume((6, 7, 8))
    both = np.stack([image, 2 * image], axis=-1)
    write_nifti(tmp_path / "imagesTr/prostate_00.nii.gz", nib.Nifti1Image(both, np.eye(4)))
    write_nifti(tmp_path / "labelsTr/prostate_00.nii.gz", nib.Nifti1Image(label, np.eye(4)))
    entry = {"image": "./imagesTr/prostate_00.nii.gz", "label": "./labelsTr/prostate_00.nii.gz"}
    content = {
        "modality": {"0": "T2", "1": "ADC"},
        "labels": {"0": "background", "1": "PZ", "2": "TZ"},
        "numTraining": 1,
        "training": [entry],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path / "dataset.json")
    assert dataset.cases() == ["prostate_00"]
    assert dataset.labels.classes == {"PZ": (1,), "TZ": (2,)}
    read = read_images(dataset.case("prostate_00"), reorient=False).image
    np.testing.assert_array_equal(read, np.stack([image, 2 * image]).transpose(0, 3, 2, 1))


def test_labels_by_name_are_understood_in_the_decathlons_layout(tmp_path):
    path = write_decathlon(tmp_path)
    regions = {"labels": {"background": 0, "whole": [1, 2], "TZ": 2}, "regions_class_order": [1, 2]}
    path.write_text(json.dumps(json.loads(path.read_text()) | regions))
    assert open_dataset(path).labels.classes == {"whole": (1, 2), "TZ": (2,)}


def test_a_listing_in_dataset_json_is_followed(tmp_path):
    path = write_dataset(tmp_path, shapes=[(5, 5, 5)] * 2)
    content = json.loads(path.read_text())
    listed = {"images": ["imagesTr/case_01_0000.nii.gz"], "label": "labelsTr/case_01.nii.gz"}
    path.write_text(json.dumps(content | {"dataset": {"only": listed}}))
    assert open_dataset(path).cases() == ["only"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": {"background": 0, "a": 2}},
            r"found labels: \[2\] after a gap, expected consecutive order",
        ),
        (
            {"labels": {"background": 0, "whole": [1, 2]}},
            "found regions_class_order: nothing, expected with regions",
        ),
        ({"labels": {}}, "no labels"),
        ({"channel_names": {}}, "no channel_names"),
    ],
)
def test_what_dataset_json_lacks_is_said(tmp_path, change, message):
    path = write_dataset(tmp_path, shapes=[(5, 5, 5)])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    dataset = open_dataset(path)
    with pytest.raises(ValueError, match=message):
        _ = dataset.labels, dataset.channel_names


def test_a_folder_without_cases_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no cases.*CASE_0000\.nii\.gz"):
        open_dataset(write_json_of(tmp_path, 0)).cases()


def test_a_folder_with_files_of_another_ending_says_so(tmp_path):
    path = write_json_of(tmp_path, 0)
    (tmp_path / "imagesTr").mkdir()
    for name in ("a_0000.nrrd", "b_0000.nrrd", ".hidden"):
        (tmp_path / "imagesTr" / name).touch()
    with pytest.raises(ValueError, match=r"no cases among 2 files \(a_0000\.nrrd, b_0000\.nrrd\)"):
        open_dataset(path).cases()
    with pytest.raises(ValueError, match=r"inference\.images: .*among 2 files \(a_0000\.nrrd"):
        open_dataset(path).new_cases(tmp_path / "imagesTr")


def test_a_folder_of_new_images_that_is_none_is_named(raw):
    for path in (raw, raw.with_name("nowhere")):
        with pytest.raises(ValueError, match=rf"images: found {path}, which is no folder"):
            open_dataset(raw).new_cases(path)


def test_a_case_without_its_first_channel_is_a_case(raw):
    (raw.parent / "imagesTr/case_01_0000.nii.gz").unlink()
    assert "case_01" in open_dataset(raw).cases()


def test_files_that_belong_to_no_case_are_listed(raw):
    assert open_dataset(raw).unused_files() == []
    odd = [raw.parent / f"imagesTr/{name}.nii.gz" for name in ("case_00_0002", "case_07")]
    odd.append(raw.parent / "labelsTr/case_09.nii.gz")
    for path in (*odd, raw.parent / "labelsTr/._case_00.nii.gz", raw.parent / "labelsTr/notes.txt"):
        path.touch()
    assert open_dataset(raw).unused_files() == list(map(str, odd))


def test_files_that_a_list_leaves_out_are_left_out_on_purpose(tmp_path):
    path = write_decathlon(tmp_path)
    (tmp_path / "labelsTr/prostate_99.nii.gz").touch()
    assert open_dataset(path).unused_files() == []
