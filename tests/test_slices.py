"""Exported slices on disk."""

import numpy as np
import pytest

from scans import labels_of
from slicewise.files import write_json, write_npy
from slicewise.preprocessing import CaseGeometry
from slicewise.slices import case_paths, open_case, open_cases, release, slice_table

GEOMETRY = CaseGeometry(
    orientation="RAS",
    reorient=False,
    affine=np.eye(4).tolist(),
    file_shape=(4, 3, 2),
    spacing=(1.0, 1.0, 1.0),
    shape=(2, 3, 4),
    bounding_box=((0, 2), (0, 3), (0, 4)),
    resampled_spacing=(1.0, 1.0, 1.0),
    resampled_shape=(2, 3, 4),
)


@pytest.fixture
def arrays(tmp_path):
    image, label, record = case_paths(tmp_path, "a")
    voxels = np.zeros((2, 3, 4), np.int8)
    voxels[1, 0, :3] = 2
    write_npy(image, np.ones((2, 1, 3, 4), np.float32))
    write_npy(label, voxels)
    table = slice_table(voxels, labels_of(2))
    write_json(record, {"case": "a", "geometry": GEOMETRY.to_json(), "slice_table": table})
    return tmp_path


def test_the_slice_table_has_a_row_of_counts_for_each_class(arrays):
    np.testing.assert_array_equal(open_case(arrays, "a").counts, [[0, 0], [0, 3]])


def test_a_case_comes_with_its_way_back(arrays):
    assert open_case(arrays, "a").geometry == GEOMETRY


def test_pages_that_were_given_back_are_read_again(arrays):
    case = open_case(arrays, "a")
    assert case.label[1].sum() == 6
    release(case)
    assert case.label[1].sum() == 6


def test_cases_are_opened_in_the_given_order(arrays):
    assert [case.name for case in open_cases(arrays, ["a", "a"])] == ["a", "a"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_missing_file_is_named(arrays, index):
    path = case_paths(arrays, "a")[index]
    path.unlink()
    with pytest.raises(ValueError, match=f"case a: .*{path.name} is missing"):
        open_case(arrays, "a")
