"""Resampling of images and labels to another voxel grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from slicewise.resampling import coarse_axis, resample, resampled_shape, resize, resize_label

shapes = st.tuples(*[st.integers(2, 9)] * 3)


def zoomed(array, shape, order):
    """Resize by scipy alone, as skimage.transform.resize does."""
    zoom = 1 / (np.asarray(array.shape) / np.asarray(shape))
    made = ndimage.zoom(array, zoom, order=order, mode="nearest", grid_mode=True)
    return np.clip(made, array.min(), array.max())


def voted(label, shape, order):
    """Resize a label map one indicator after the other, as nnU-Net does."""
    nearest = zoomed(label.astype(float), shape, 0)
    shares = {
        value: zoomed((label == value).astype(float), shape, order) for value in np.unique(label)
    }
    best = np.max(list(shares.values()), axis=0)
    winner = np.full(shape, 99)
    for value in reversed(shares):
        winner[shares[value] == best] = value
    for value, share in shares.items():
        winner[(nearest == value) & (share == best)] = value
    return winner


def test_shape_follows_the_spacing():
    assert resampled_shape((10, 20, 30), (5.0, 1.0, 0.5), (2.5, 1.0, 1.0)) == (20, 20, 15)


@pytest.mark.parametrize(
    ("spacing", "target", "axis"),
    [
        ((1, 1, 1), (1, 1, 1), None),
        ((8, 1, 1), (8, 1, 1), 0),
        ((1, 8, 1), (1, 1, 1), 1),
        ((1, 1, 1), (1, 1, 8), 2),
        ((0.2, 1, 1), (1, 1, 1), None),
    ],
)
def test_one_coarse_axis_is_treated_apart(spacing, target, axis):
    assert coarse_axis(spacing, target) == axis


@given(shapes, shapes, st.sampled_from([0, 1, 3]))
def test_a_constant_image_stays_constant(shape, new_shape, order):
    resized = resize(np.full(shape, 7.0), new_shape, order)
    assert resized.shape == new_shape
    np.testing.assert_allclose(resized, 7)


@given(shapes, shapes, st.integers(0, 99))
def test_an_image_keeps_its_range(shape, new_shape, seed):
    image = np.random.default_rng(seed).normal(size=shape)
    resized = resize(image, new_shape, 3)
    assert image.min() <= resized.min()
    assert resized.max() <= image.max()


@given(shapes, shapes, st.sampled_from([0, 1, 2, 3, 5]), st.integers(0, 99))
def test_an_image_is_resized_as_scipy_does_it(shape, new_shape, order, seed):
    image = np.random.default_rng(seed).normal(size=shape)
    expected = zoomed(image, new_shape, order)
    np.testing.assert_allclose(resize(image, new_shape, order), expected, atol=1e-13)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", [(97, 310), (193, 200), (130, 500)])
def test_large_planes_are_resized_as_scipy_does_it(order, shape):
    image = np.random.default_rng(order).normal(size=(200, 333))
    expected = zoomed(image, shape, order)
    np.testing.assert_allclose(resize(image, shape, order), expected, atol=1e-13)


def test_limits_other_than_an_images_own_are_kept():
    image = np.random.default_rng(0).normal(size=(9, 9))
    resized = resize(image, (20, 20), 3, (-0.5, 0.5))
    assert (resized.min(), resized.max()) == (-0.5, 0.5)


@given(
    st.lists(st.tuples(st.integers(1, 14), st.integers(1, 30)), min_size=2, max_size=3),
    st.sampled_from([1, 1, 0, 3]),
    st.integers(2, 5),
    st.integers(0, 99),
)
def test_votes_and_ties_are_those_of_scipys_shares(sizes, order, values, seed):
    shape, new_shape = zip(*sizes, strict=True)
    label = np.random.default_rng(seed).integers(-1, values - 1, shape).astype(np.int16)
    np.testing.assert_array_equal(
        resize_label(label, new_shape, order), voted(label, new_shape, order)
    )


@pytest.mark.parametrize(
    ("shape", "new_shape"), [((512, 20), (20, 512)), ((200, 333), (401, 97)), ((35, 51), (48, 60))]
)
def test_votes_on_large_planes_are_those_of_scipys_shares(shape, new_shape):
    label = np.random.default_rng(0).integers(-1, 3, shape).astype(np.int16)
    np.testing.assert_array_equal(resize_label(label, new_shape, 1), voted(label, new_shape, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("spacing", [(1, 1, 1), (8, 1, 1)])
def test_values_that_are_not_finite_are_refused(value, spacing):
    volume = np.zeros((4, 20, 20), np.float32)
    volume[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"found values from .*, expected finite numbers"):
        resample(volume, (4, 27, 31), spacing, spacing, order=1, is_label=False)


def test_slices_that_would_be_mixed_are_refused():
    with pytest.raises(ValueError, match="found 4 slices before and 6 after, expected as many"):
        resample(np.zeros((4, 9, 9)), (6, 9, 9), (3, 1, 1), (2, 1, 1), order=1, is_label=False)


def test_an_unchanged_number_of_slices_does_not_change_what_an_image_is_clipped_to():
    volume = np.random.default_rng(0).normal(size=(4, 20, 20))
    volume[0] *= 3
    resampled = resample(volume, (4, 27, 31), (1, 1, 1), (1, 1, 1), order=3, is_label=False)
    np.testing.assert_allclose(resampled, zoomed(volume, (4, 27, 31), 3), atol=1e-13)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_an_image_keeps_its_type(kind):
    volume = np.random.default_rng(0).normal(size=(4, 20, 20)).astype(kind)
    resampled = resample(volume, (4, 27, 31), (1, 1, 1), (1, 1, 1), order=3, is_label=False)
    assert resampled.dtype == kind


@given(shapes, shapes, st.integers(0, 99))
def test_a_label_gains_no_values(shape, new_shape, seed):
    label = np.random.default_rng(seed).integers(-1, 4, shape).astype(np.int16)
    resized = resize_label(label, new_shape, 1)
    assert set(np.unique(resized)) <= set(np.unique(label))
    assert resized.dtype == label.dtype


def test_a_label_of_whole_factors_repeats_its_voxels():
    label = np.array([[0, 1], [2, -1]])
    np.testing.assert_array_equal(resize_label(label, (6, 6), 1), label.repeat(3, 0).repeat(3, 1))


def test_across_a_coarse_axis_slices_are_copied_not_mixed():
    volume = np.stack([np.full((4, 4), value) for value in (0.0, 10.0, 20.0)])
    resampled = resample(volume, (6, 4, 4), (8, 1, 1), (4, 1, 1), order=3, is_label=False)
    assert set(np.unique(resampled)) == {0.0, 10.0, 20.0}
    np.testing.assert_array_equal(resampled[:, 0, 0], [0, 0, 10, 10, 20, 20])


def test_an_equal_shape_is_left_alone():
    volume = np.zeros((3, 4, 5), np.int8)
    same = resample(volume, (3, 4, 5), (1, 1, 1), (1.01, 1, 1), order=3, is_label=True)
    assert same is volume
