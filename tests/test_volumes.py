"""The voxels of a case, and what is said of files that do not fit."""

import nibabel as nib
import numpy as np
import pytest

from scans import affine_of, volume, write_case, write_dataset, write_json_of
from slicewise.dataset import open_dataset
from slicewise.files import write_nifti
from slicewise.volumes import read_header, read_images, read_label


@pytest.fixture
def raw(tmp_path):
    return write_dataset(tmp_path, spacing=(1.0, 2.0, 5.0), channels=("T1", "T2"))


def test_images_are_read_channel_first_in_reverse_axis_order(raw):
    dataset = open_dataset(raw)
    read = read_images(dataset.case("case_00"), reorient=False)
    image, _ = volume((12, 14, 9), 0)
    np.testing.assert_array_equal(read.image[0], image.transpose(2, 1, 0))
    np.testing.assert_array_equal(read.image[1], 2 * image.transpose(2, 1, 0))
    assert read.image.dtype == np.float32
    assert read.spacing == (5.0, 2.0, 1.0)


def test_labels_lie_on_the_image(raw):
    dataset = open_dataset(raw)
    _, label = volume((12, 14, 9), 0)
    read = read_label(dataset.case("case_00"), dataset.labels, reorient=False)
    np.testing.assert_array_equal(read, label.transpose(2, 1, 0))


def test_a_header_tells_the_geometry_without_voxels(raw):
    header = read_header(open_dataset(raw).case("case_00"))
    assert (header.shape, header.orientation) == ((12, 14, 9), "RAS")


def test_cases_of_two_orientations_look_the_same_once_turned(tmp_path):
    image, label = volume((4, 5, 6))
    write_case(tmp_path, "ras", [image], label, affine_of("RAS", (1, 2, 3)))
    turned = image[::-1].transpose(2, 0, 1)
    write_case(
        tmp_path, "slp", [turned], label[::-1].transpose(2, 0, 1), affine_of("SLA", (3, 1, 2))
    )
    dataset = open_dataset(write_json_of(tmp_path, 2))
    first, second = (read_images(dataset.case(name), reorient=True) for name in ("ras", "slp"))
    np.testing.assert_array_equal(first.image, second.image)
    assert first.spacing == second.spacing == (3.0, 2.0, 1.0)


def change_file(raw, kind, **changed):
    """Rewrite a file of case_00 with other voxels or another affine."""
    path = raw.parent / kind / ("case_00_0001.nii.gz" if kind == "imagesTr" else "case_00.nii.gz")
    old = nib.load(path)
    voxels = changed.get("voxels", np.asarray(old.dataobj))
    write_nifti(path, nib.Nifti1Image(voxels, changed.get("affine", old.affine)))


def read_all(raw):
    dataset = open_dataset(raw)
    case = dataset.case("case_00")
    return read_images(case, False), read_label(case, dataset.labels, False)


def test_a_channel_of_another_shape_is_named(raw):
    change_file(raw, "imagesTr", voxels=np.zeros((3, 3, 3), np.float32))
    with pytest.raises(
        ValueError, match=r"case_00.*_0001.*shape \(3, 3, 3\), expected \(12, 14, 9\)"
    ):
        read_all(raw)


def test_a_label_with_another_affine_is_named(raw):
    change_file(raw, "labelsTr", affine=np.diag([1, 2, 4, 1]))
    with pytest.raises(ValueError, match=r"case_00.*labelsTr.*affine"):
        read_all(raw)


def test_label_values_that_dataset_json_lacks_are_named(raw):
    change_file(raw, "labelsTr", voxels=np.full((12, 14, 9), 7, np.uint8))
    with pytest.raises(ValueError, match=r"case_00.*found the values 7, expected .*\[0, 1, 2\]"):
        read_all(raw)


def test_a_missing_file_is_named(raw):
    (raw.parent / "labelsTr/case_00.nii.gz").unlink()
    with pytest.raises(
        ValueError, match=r"case case_00: .*labelsTr/case_00\.nii\.gz: found no such file"
    ):
        read_all(raw)


def test_a_truncated_file_is_named(raw):
    path = raw.parent / "imagesTr/case_00_0000.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"case case_00: .*case_00_0000\.nii\.gz"):
        read_all(raw)


def test_voxels_that_are_not_numbers_are_counted(raw):
    voxels = np.zeros((12, 14, 9), np.float32)
    voxels[0, 0, :2] = np.nan
    change_file(raw, "imagesTr", voxels=voxels)
    with pytest.raises(ValueError, match=r"case_00.*_0001.*found 2 voxels that are nan"):
        read_all(raw)


def test_voxels_whose_deviation_leaves_single_precision_are_refused(raw):
    """Their z-scores would be nan."""
    voxels = np.zeros((12, 14, 9), np.float32)
    voxels[2:4] = -1e20
    change_file(raw, "imagesTr", voxels=voxels)
    with pytest.raises(ValueError, match="252 voxels that are nan, infinite or too large"):
        read_images(open_dataset(raw).case("case_00"), reorient=False)


def test_a_4d_image_is_refused_where_3d_is_due(raw):
    change_file(raw, "imagesTr", voxels=np.zeros((12, 14, 9, 2), np.float32))
    with pytest.raises(ValueError, match="4 dimensions"):
        read_all(raw)
