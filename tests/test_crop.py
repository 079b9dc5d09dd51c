"""The part of an image that is not zero."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from slicewise.crop import bounding_box, fill_holes, nonzero_mask


def test_the_mask_spans_all_channels():
    image = np.zeros((2, 6, 6, 6))
    image[0, 1:5, 1:5, 1:5] = 1
    image[1, 0, 2, 2] = -5
    mask = nonzero_mask(image)
    assert mask.sum() == 64 + 1
    assert bounding_box(mask) == (slice(0, 5), slice(1, 5), slice(1, 5))


def test_an_image_of_zeros_is_kept_whole():
    box = bounding_box(nonzero_mask(np.zeros((1, 3, 4, 5))))
    assert box == (slice(0, 3), slice(0, 4), slice(0, 5))


@given(st.tuples(*[st.integers(1, 6)] * 3), st.sampled_from([0.02, 0.5, 0.9]), st.integers(0, 99))
def test_holes_are_the_same_before_and_after_the_crop(shape, share, seed):
    mask = np.random.default_rng(seed).random(shape) < share
    filled = ndimage.binary_fill_holes(mask)
    box = bounding_box(mask)
    assert bounding_box(filled) == box
    np.testing.assert_array_equal(fill_holes(mask[box]), filled[box])
    if mask.any():
        assert box == ndimage.find_objects(filled.astype(int))[0]
