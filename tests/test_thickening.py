"""Thick slices of thin ones and back: what both conserve, whatever the array and the slices."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scans import affine_of, labels_of
from slicewise import thickening
from slicewise.labels import parse_labels

few = settings(max_examples=40)
THREE = labels_of(2)
REGIONS = parse_labels({"background": 0, "whole": [1, 2], "core": 2}, [1, 2])
IGNORING = parse_labels({"background": 0, "a": 1, "b": 2, "ignore": 3})

shapes = st.tuples(*[st.integers(1, 9)] * 3)
axes = st.integers(0, 2)
factors = st.integers(1, 7)
profiles = st.sampled_from(thickening.PROFILES)


def images(shape):
    return arrays.arrays(np.float32, shape, elements=st.floats(-1000, 1000, width=32))


def label_maps(shape, most=2):
    return arrays.arrays(np.int16, shape, elements=st.integers(0, most))


def thick_image(image, factor, axis, profile="box"):
    weights = thickening.profile_weights(image.shape[axis], factor, profile)
    return thickening.average(image, weights, axis)


def thick_label(label, factor, axis, labels=THREE, profile="box"):
    weights = thickening.profile_weights(label.shape[axis], factor, profile)
    return thickening.thicken_label(label, labels, weights, axis)


def column(*values):
    """Return a label map of one column of voxels along the last axis."""
    return np.array([[values]], np.int16)


# Weights and places


@few
@given(st.integers(1, 40), st.integers(1, 20), profiles)
def test_a_thick_slice_is_a_mean_of_what_it_sees(slices, factor, profile):
    weights = thickening.profile_weights(slices, factor, profile)
    assert weights.shape == (-(-slices // factor), slices)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@few
@given(st.integers(1, 40), st.integers(1, 20))
def test_a_thin_slice_takes_all_from_thick_ones(slices, factor):
    weights = thickening.interpolation_weights(slices, factor)
    assert weights.shape == (slices, -(-slices // factor))
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@few
@given(st.integers(1, 40), st.integers(1, 20), profiles)
def test_a_mirrored_scan_has_mirrored_slices(slices, factor, profile):
    for weights in (
        thickening.profile_weights(slices, factor, profile),
        thickening.interpolation_weights(slices, factor),
    ):
        np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-12)


def test_slabs_that_reach_beyond_see_what_lies_inside():
    """Seven slices by three: slabs from -1 to 2, 2 to 5 and 5 to 8, edges of slices at 0 and 7."""
    weights = thickening.profile_weights(7, 3, "box")
    third = 1 / 3
    expected = [
        [0.5, 0.5, 0, 0, 0, 0, 0],
        [0, 0, third, third, third, 0, 0],
        [0, 0, 0, 0, 0, 0.5, 0.5],
    ]
    np.testing.assert_allclose(weights, expected, atol=1e-12)


def test_a_thin_slice_that_the_edge_of_a_slab_cuts_counts_in_both():
    """Three slices by two: slabs from -0.5 to 1.5 and 1.5 to 3.5."""
    expected = [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]
    np.testing.assert_allclose(thickening.profile_weights(3, 2, "box"), expected)


def test_a_gaussian_has_half_its_height_half_a_thickness_from_its_centre():
    """Of very thin slices; those of a scan average it over their own thickness."""
    row = thickening.profile_weights(4 * 101, 101, "gaussian")[1]
    height = row / row.max()
    centre = thickening.centres(4 * 101, 101)[1]
    near = np.abs(np.arange(len(row)) - centre)
    assert height[near.argmin()] == 1
    np.testing.assert_allclose(height[np.abs(near - 50.5) <= 0.5], 0.5, atol=0.01)
    assert not height[near > 1.5 * 101 + 1].any()


@few
@given(st.integers(1, 40), st.integers(1, 20))
def test_centres_are_a_thickness_apart_around_the_middle_of_the_scan(slices, factor):
    centres = thickening.centres(slices, factor)
    np.testing.assert_allclose(np.diff(centres), factor)
    assert centres.mean() == pytest.approx((slices - 1) / 2)
    assert centres[0] - factor / 2 <= -0.5
    assert centres[0] + factor / 2 > -0.5


@few
@given(shapes, axes, factors, st.sampled_from(["RAS", "LPI", "SRA", "PIR"]))
def test_a_slab_lies_in_the_world_where_its_thin_slices_are(shape, axis, factor, orientation):
    affine = affine_of(orientation, (1.5, 0.7, 2.0))
    thick, thick_shape = thickening.thick_grid(affine, shape, factor, axis)
    weights = thickening.profile_weights(shape[axis], factor, "box")
    places = np.indices(shape).reshape(3, -1)
    worlds = (affine[:3, :3] @ places + affine[:3, 3:]).reshape(3, *shape)
    found = np.indices(thick_shape).reshape(3, -1)
    found = (thick[:3, :3] @ found + thick[:3, 3:]).reshape(3, *thick_shape)
    whole = [k for k, row in enumerate(weights) if np.count_nonzero(row == row.max()) == factor]
    for component, expected in zip(found, worlds, strict=True):
        mean = thickening.average(expected, weights, axis)
        np.testing.assert_allclose(
            np.take(component, whole, axis), np.take(mean, whole, axis), atol=1e-4
        )


@few
@given(shapes, axes, factors)
def test_the_middle_and_the_size_of_a_voxel_stay_where_they_are(shape, axis, factor):
    affine = affine_of("LSP", (1.5, 0.7, 2.0))
    thick, thick_shape = thickening.thick_grid(affine, shape, factor, axis)
    middles = [
        nib.affines.apply_affine(one, (np.array(size) - 1) / 2)
        for one, size in ((affine, shape), (thick, thick_shape))
    ]
    np.testing.assert_allclose(*middles, atol=1e-9)
    ratio = nib.affines.voxel_sizes(thick) / nib.affines.voxel_sizes(affine)
    np.testing.assert_allclose(ratio, [factor if i == axis else 1 for i in range(3)])


# Images


@few
@given(shapes, axes, factors, profiles, st.floats(-1000, 1000, width=32))
def test_a_constant_image_stays_constant(shape, axis, factor, profile, value):
    thick = thick_image(np.full(shape, value, np.float32), factor, axis, profile)
    np.testing.assert_allclose(thick, value, rtol=1e-6)


@few
@given(shapes.flatmap(images), axes, factors)
def test_the_mean_is_conserved_as_each_slab_counts_by_what_it_holds(image, axis, factor):
    slices = image.shape[axis]
    thick = thick_image(image, factor, axis)
    middle = thickening.centres(slices, factor)
    ends = np.clip([middle - factor / 2, middle + factor / 2], -0.5, slices - 0.5)
    within = np.moveaxis(thick, axis, -1) @ (ends[1] - ends[0])
    np.testing.assert_allclose(within, image.sum(axis=axis), rtol=1e-4, atol=1e-2)


@few
@given(shapes.flatmap(images), axes)
def test_a_factor_of_one_changes_nothing(image, axis):
    np.testing.assert_array_equal(thick_image(image, 1, axis), image)


@few
@given(shapes.flatmap(images), axes, factors, profiles, st.permutations(range(3)))
def test_an_image_is_thickened_alike_however_it_is_stored(image, axis, factor, profile, order):
    thick = thick_image(image, factor, axis, profile)
    turned = thick_image(image.transpose(order), factor, order.index(axis), profile)
    np.testing.assert_array_equal(turned, thick.transpose(order))
    for flipped in range(3):
        other = thick_image(np.flip(image, flipped), factor, axis, profile)
        np.testing.assert_allclose(np.flip(other, flipped), thick, rtol=1e-5, atol=1e-3)


@few
@given(shapes.flatmap(images), axes, factors, profiles)
def test_a_thick_slice_has_no_value_that_none_of_the_thin_ones_has(image, axis, factor, profile):
    thick = thick_image(image, factor, axis, profile)
    slack = 1e-5 * np.abs(image).max()
    assert thick.min() >= image.min() - slack
    assert thick.max() <= image.max() + slack


def test_means_of_whole_numbers_are_not_rounded():
    assert thick_image(column(1, 2, 2, 3, 3, 3), 3, 2).ravel() == pytest.approx([5 / 3, 3])


def test_empty_background_further_than_the_profile_sees_stays_empty():
    image = np.zeros((1, 1, 40), np.float32)
    image[..., 20:] = 1000
    thick = thick_image(image, 4, 2, "gaussian").ravel()
    assert not thick[:3].any()
    assert (thick[5:] > 0).all()


# Labels


@few
@given(shapes.flatmap(label_maps), axes, factors, profiles)
def test_the_label_of_a_thick_slice_fills_most_of_it(label, axis, factor, profile):
    weights = thickening.profile_weights(label.shape[axis], factor, profile)
    thick = thickening.thicken_label(label, THREE, weights, axis)
    shares = np.stack([thickening.average(label == value, weights, axis) for value in range(3)])
    chosen = np.take_along_axis(shares, thick[None].astype(int), axis=0)[0]
    np.testing.assert_allclose(chosen, shares.max(axis=0), atol=thickening.CLOSE)


@few
@given(shapes.flatmap(label_maps), axes, factors, profiles, st.permutations(range(3)))
def test_a_label_is_thickened_alike_however_it_is_stored(label, axis, factor, profile, order):
    thick = thick_label(label, factor, axis, profile=profile)
    turned = thick_label(label.transpose(order), factor, order.index(axis), profile=profile)
    np.testing.assert_array_equal(turned, thick.transpose(order))
    for flipped in range(3):
        other = thick_label(np.flip(label, flipped), factor, axis, profile=profile)
        np.testing.assert_array_equal(np.flip(other, flipped), thick)


@few
@given(shapes.flatmap(label_maps), axes)
def test_a_factor_of_one_changes_no_label(label, axis):
    for labels in (THREE, REGIONS):
        np.testing.assert_array_equal(thick_label(label, 1, axis, labels), label)


@pytest.mark.parametrize(
    ("values", "winner"), [((0, 1), 0), ((2, 1), 1), ((0, 0, 1, 2), 0), ((1, 2, 0), 0)]
)
def test_of_equal_shares_alone_in_a_slice_the_lower_value_wins(values, winner):
    for order in (values, values[::-1]):
        assert thick_label(column(*order), len(values), 2).ravel() == [winner]


def test_of_equal_shares_the_class_wins_that_has_more_around():
    """Two rows of three columns, each two thin slices; the one in the middle of a row is half 1."""
    label = np.zeros((2, 3, 2), np.int16)
    label[0, 1, 0] = label[1, 1, 0] = 1
    label[:, 2] = 1
    assert thick_label(label, 2, 2)[..., 0].tolist() == [[0, 0, 1], [0, 0, 1]]
    label[0, 0, 0] = 1
    assert thick_label(label, 2, 2)[..., 0].tolist() == [[0, 1, 1], [0, 1, 1]]
    for labels in (THREE, REGIONS):
        flipped = thick_label(label[..., ::-1], 2, 2, labels)[..., 0]
        assert flipped.tolist() == [[0, 1, 1], [0, 1, 1]]


def test_what_is_half_full_is_not_all_lost_to_the_background():
    """Where two slices become one every other voxel at a border is half full."""
    points = (np.indices((40, 40, 40)).T - (19.3, 20.1, 19.8)) / (12, 9, 10)
    label = ((points**2).sum(axis=-1) < 1).astype(np.int16)
    weights = thickening.profile_weights(40, 2, "box")
    thick = thickening.majority(label, THREE, weights, 0)
    lost = 1 - 2 * thick.sum() / label.sum()
    half = (thickening.average(label == 1, weights, 0) == 0.5).sum() / label.sum()
    assert 0 < lost < 0.55 * half
    assert half > 0.07


def test_equal_shares_are_equal_whatever_the_order_they_are_added_up_in():
    for values in ((1, 1, 1, 2, 2, 2), (2, 1, 2, 1, 2, 1), (2, 2, 2, 1, 1, 1)):
        assert thick_label(column(*values), 6, 2).ravel() == [1]


def test_a_region_is_there_where_it_fills_more_than_half_whatever_label_fills_most():
    """Background fills most of it, but less than the whole, which is half core."""
    values = column(0, 0, 1, 2, 1)
    assert thick_label(values, 5, 2, THREE).ravel() == [0]
    assert thick_label(values, 5, 2, REGIONS).ravel() == [1]
    assert thick_label(column(0, 1, 2, 2, 2), 5, 2, REGIONS).ravel() == [2]
    assert thick_label(column(0, 0, 1, 2), 4, 2, REGIONS).ravel() == [0]


def test_a_thick_voxel_is_ignored_where_less_than_half_of_it_is_annotated():
    assert thick_label(column(3, 3, 3, 1), 4, 2, IGNORING).ravel() == [3]
    assert thick_label(column(3, 3, 0, 1), 4, 2, IGNORING).ravel() == [0]
    assert thick_label(column(3, 0, 1, 1), 4, 2, IGNORING).ravel() == [1]
    assert thick_label(column(3, 3, 3, 3), 4, 2, IGNORING).ravel() == [3]


def test_regions_are_measured_by_what_is_annotated():
    labels = parse_labels(
        {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}, regions_class_order=[1, 2]
    )
    assert thick_label(column(3, 3, 0, 1, 1), 5, 2, labels).ravel() == [1]


def test_an_ignored_value_above_all_bytes_is_kept():
    many = parse_labels({f"c{i}": i for i in range(1, 256)} | {"background": 0, "ignore": 256})
    thick = thick_label(column(256, 256, 255, 255, 255, 255), 2, 2, many)
    assert thick.ravel().tolist() == [256, 255, 255]


# Back on the thin slices


@few
@given(st.integers(1, 30), st.integers(1, 12), axes, label_maps((4, 5)))
def test_what_is_constant_along_the_axis_comes_back_as_it_was(slices, factor, axis, plane):
    label = np.stack([plane] * slices, axis=axis)
    for labels in (THREE, REGIONS):
        thick = thick_label(label, factor, axis, labels)
        back = thickening.put_back(thick, labels, slices, factor, axis)
        np.testing.assert_array_equal(back, label)


@few
@given(st.integers(1, 9), st.integers(1, 7), st.data())
def test_a_thin_slice_takes_the_label_of_the_slab_that_it_lies_in(count, factor, data):
    thick = data.draw(label_maps((2, count, 3)))
    back = thickening.put_back(thick, THREE, count * factor, factor, 1)
    np.testing.assert_array_equal(back, np.repeat(thick, factor, axis=1))


def test_a_thin_slice_in_two_slabs_is_decided_on_as_equal_shares_are():
    for values in ((2, 1), (1, 2)):
        back = thickening.put_back(column(*values), THREE, 3, 2, 2).ravel()
        assert back.tolist() == [values[0], 1, values[1]]
        back = thickening.put_back(column(*values), REGIONS, 3, 2, 2).ravel()
        assert back.tolist() == [values[0], 1, values[1]]
    assert thickening.put_back(column(1, 0), THREE, 3, 2, 2).ravel().tolist() == [1, 0, 0]


@few
@given(shapes.flatmap(label_maps), axes, factors)
def test_putting_back_a_factor_of_one_changes_nothing(label, axis, factor):
    back = thickening.put_back(label, THREE, label.shape[axis], 1, axis)
    np.testing.assert_array_equal(back, label)


@few
@given(st.integers(1, 20), st.integers(2, 7), st.data())
def test_putting_back_follows_a_flip(slices, factor, data):
    thick = data.draw(label_maps((2, -(-slices // factor), 2)))
    back = thickening.put_back(thick, THREE, slices, factor, 1)
    flipped = thickening.put_back(thick[:, ::-1], THREE, slices, factor, 1)
    np.testing.assert_array_equal(flipped[:, ::-1], back)
