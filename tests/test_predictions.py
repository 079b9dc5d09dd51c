"""Segmentations and probabilities on disk."""

import nibabel as nib
import numpy as np
import pytest

from golden import record_segmentation as record
from scans import affine_of, write_case, write_dataset
from slicewise.dataset import Case, ImageSource, open_dataset
from slicewise.files import write_npy
from slicewise.labels import parse_labels
from slicewise.predictions import (
    held_out_cases,
    mean_probabilities,
    write_probabilities,
    write_segmentation,
)

CASE = Case("scan", (), None)


@pytest.fixture
def folders(tmp_path):
    """Return the folders of three members with probabilities of one case."""
    for number, member in enumerate(record.members_of(record.PLAIN)):
        write_probabilities(tmp_path / str(number), CASE, member)
    return [tmp_path / str(number) for number in range(3)]


@pytest.mark.parametrize(("name", "labels"), [("plain", record.PLAIN), ("regions", record.REGIONS)])
def test_an_ensemble_is_nnunets(tmp_path, name, labels):
    paths = [tmp_path / str(number) for number in range(3)]
    for path, member in zip(paths, record.members_of(labels), strict=True):
        write_probabilities(path, CASE, member)
    found = mean_probabilities(paths, CASE, (3, 3, 5, 4))
    parsed = parse_labels(labels, record.ORDER if name == "regions" else None)
    with np.load(record.FOLDER / "ensembles.npz", allow_pickle=False) as recorded:
        np.testing.assert_array_equal(found, recorded[f"{name}/mean"])
        np.testing.assert_array_equal(parsed.segment(found), recorded[f"{name}/segmentation"])


def test_probabilities_that_are_missing_are_named(folders):
    (folders[1] / "scan.npy").unlink()
    with pytest.raises(ValueError, match=r"case scan: found no probabilities, expected .*1/scan"):
        mean_probabilities(folders, CASE, (3, 3, 5, 4))


def test_probabilities_that_are_damaged_are_named(folders):
    path = folders[1] / "scan.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"case scan: .*1/scan\.npy: found a damaged array"):
        mean_probabilities(folders, CASE, (3, 3, 5, 4))


@pytest.mark.parametrize("claimed", [b"\xff" * 4, b"\0" * 4, b"\xf0\xff\xff\x7f"])
def test_extensions_of_the_images_header_are_not_looked_at(tmp_path, claimed):
    """nibabel takes as much memory as an extension claims to be long."""
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.float32), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"about the patient"))
    content = bytearray(image.to_bytes())
    content[352:356] = claimed
    path = tmp_path / "scan_0000.nii"
    path.write_bytes(content)
    segmentation = np.ones((4, 5, 6), np.uint8)
    write_segmentation(tmp_path, Case("scan", (ImageSource(path),), None), segmentation)
    written = nib.load(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), segmentation)
    assert not written.header.extensions


def test_probabilities_on_another_grid_are_named(folders):
    write_npy(folders[2] / "scan.npy", np.zeros((3, 3, 4, 5), np.float32))
    with pytest.raises(
        ValueError, match=r"2/scan.npy has shape \(3, 3, 4, 5\), expected \(3, 3, 5"
    ):
        mean_probabilities(folders, CASE, (3, 3, 5, 4))


def test_a_segmentation_lies_on_the_grid_of_its_image(tmp_path):
    affine = affine_of("LIP", (1.5, 1.0, 4.0))
    write_case(tmp_path, "scan", [np.ones((4, 5, 6), np.float32)], np.zeros((4, 5, 6)), affine)
    image = tmp_path / "imagesTr/scan_0000.nii.gz"
    segmentation = np.arange(120, dtype=np.uint16).reshape(4, 5, 6)
    write_segmentation(tmp_path, Case("scan", (ImageSource(image),), None), segmentation)
    found = nib.load(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(found.dataobj, segmentation)
    np.testing.assert_array_equal(found.affine, nib.load(image).affine)
    assert found.get_data_dtype() == np.uint16


def test_cases_are_those_of_the_fold_or_of_the_folder(tmp_path):
    dataset = open_dataset(write_dataset(tmp_path, [(4, 4, 4)] * 3))
    splits = tmp_path / "splits.json"
    splits.write_text('[{"val": ["case_01"]}, {"val": ["case_00", "case_02"]}]')
    held_out = held_out_cases(dataset, splits, "1")
    assert [case.name for case in held_out] == ["case_00", "case_02"]
    new = dataset.new_cases(tmp_path / "imagesTr")
    assert [case.name for case in new] == ["case_00", "case_01", "case_02"]
    assert new[0].label is None


def test_a_folder_without_images_is_named(tmp_path):
    dataset = open_dataset(write_dataset(tmp_path / "raw", [(4, 4, 4)]))
    with pytest.raises(ValueError, match=r"inference\.images: found no \*_0000\.nii\.gz in"):
        dataset.new_cases(tmp_path)
