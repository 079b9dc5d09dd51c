"""Keeping the largest connected part."""

import json

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as arrays

from slicewise.postprocessing import keep_largest, largest_component, postprocess, read_steps

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=5))


def mask_of(*places, shape=(4, 4, 4)):
    mask = np.zeros(shape, np.uint8)
    for place in places:
        mask[place] = 1
    return mask


def test_the_smaller_part_goes():
    mask = mask_of((0, 0, 0), (0, 0, 1), (3, 3, 3))
    np.testing.assert_array_equal(largest_component(mask), mask_of((0, 0, 0), (0, 0, 1)))


def test_voxels_that_touch_at_a_corner_are_connected():
    mask = mask_of((0, 0, 0), (1, 1, 1), (2, 2, 2))
    np.testing.assert_array_equal(largest_component(mask), mask)


def test_parts_of_equal_size_all_stay():
    mask = mask_of((0, 0, 0), (3, 3, 3))
    np.testing.assert_array_equal(largest_component(mask), mask)


def test_nothing_has_no_largest_part():
    assert not largest_component(mask_of()).any()


@given(masks)
def test_what_is_kept_is_part_of_the_mask_and_stays_as_it_is(mask):
    kept = largest_component(mask)
    assert not (kept & ~mask).any()
    assert kept.any() == mask.any()
    np.testing.assert_array_equal(largest_component(kept), kept)


def test_labels_together_are_one_part():
    label = mask_of((0, 0, 0), (3, 3, 3))
    label[0, 0, 1] = 2
    expected = label.copy()
    expected[3, 3, 3] = 0
    np.testing.assert_array_equal(keep_largest(label, (1, 2)), expected)


def test_other_labels_stay_and_the_input_too():
    label = mask_of((0, 0, 0), (0, 0, 1), (3, 3, 3))
    label[2, 2, 2] = 2
    before = label.copy()
    found = keep_largest(label, (1,))
    assert found[2, 2, 2] == 2
    assert found[3, 3, 3] == 0
    np.testing.assert_array_equal(label, before)
    assert found.dtype == label.dtype


@given(masks)
def test_the_rest_of_the_volume_changes_nothing(mask):
    """Only the box of the labels is looked at."""
    label = np.pad(mask, 2).astype(np.uint8)
    expected = np.pad(largest_component(mask), 2)
    np.testing.assert_array_equal(keep_largest(label, (1,)) == 1, expected)


def test_steps_that_were_not_kept_are_not_applied(tmp_path):
    path = tmp_path / "postprocessing.json"
    steps = [{"labels": [1, 2], "kept": False}, {"labels": [2], "kept": True}]
    path.write_text(json.dumps({"steps": steps}))
    label = mask_of((0, 0, 0), (0, 0, 1), (3, 3, 3)) * 2
    label[3, 0, 0] = 1
    found = postprocess(label, read_steps(path))
    assert (found[3, 3, 3], found[0, 0, 0], found[3, 0, 0]) == (0, 2, 1)
