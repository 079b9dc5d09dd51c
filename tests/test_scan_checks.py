"""What is said of the scans of a case, and what of real files is no reason to say anything."""

import nibabel as nib
import numpy as np
import pytest

from scans import affine_of, labels_of
from slicewise.nifti import open_nifti
from slicewise.problems import ERROR
from slicewise.scan_checks import check_grid, check_header, check_label

VOXELS = np.zeros((8, 9, 6), np.uint8)
AFFINE = affine_of("RAS", (0.75, 0.75, 3.5), (-170.0, -140.0, 1000.0))


@pytest.fixture
def opened(tmp_path):
    """Return what opens a file of zeros with an affine, after its header is changed."""

    def write(affine=AFFINE, **header):
        file = nib.Nifti1Image(VOXELS, affine)
        for key, value in header.items():
            file.header[key] = value
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.nii"
        path.write_bytes(file.header.binaryblock + bytes(4 + VOXELS.size))
        return open_nifti("a", path)

    return write


def wrong_values(*values):
    """Return what is said of a label with some values, 0 to 2 of which are named."""
    (problem,) = check_label("a", "a.nii", np.float32(values), labels_of(2))
    assert problem.severity == ERROR
    return problem.found, problem.mend


def test_wrong_values_are_shown_with_the_digits_that_make_them_wrong():
    assert wrong_values(0, 1.0000001)[0] == "the values 1.0000001"
    assert wrong_values(0, 2.5, 3)[0] == "the values 2.5, 3"


def test_values_that_were_meant_to_be_whole_are_to_be_rounded():
    """As programs leave them that scale the numbers of a label when they write it."""
    rounding = "round its values to whole numbers"
    assert wrong_values(0, 0.9960785, 2)[1] == rounding
    assert wrong_values(1e-9)[1] == rounding
    assert wrong_values(0, 0.5)[1] != rounding
    assert wrong_values(0, 1.0000001, 7)[1] != rounding


def test_an_origin_rounded_far_from_0_is_the_same(opened):
    rounded = AFFINE.copy()
    rounded[2, 3] += 0.05
    assert list(check_grid("a", opened(rounded), opened())) == []


def test_a_label_of_the_same_shape_may_only_lack_the_affine_of_its_image(opened):
    (problem,) = check_grid("a", opened(np.eye(4)), opened())
    assert "give it the affine of the first image" in problem.mend


def test_a_wrong_spacing_is_said_once(opened):
    file = opened(pixdim=[1, 0.75, 0.75, 0, 0, 0, 0, 0])
    assert [problem.severity for problem in check_header("a", file)] == [ERROR]
