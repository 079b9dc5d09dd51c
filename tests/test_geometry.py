"""Axes, spacings and orientations."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scans import ORIENTATIONS, affine_of
from slicewise import geometry

orientations = st.sampled_from(ORIENTATIONS)
shapes = st.tuples(*[st.integers(1, 6)] * 3)


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@given(orientations, shapes)
def test_turning_to_ras_is_that_of_nibabel(orientation, shape):
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    image = nib.Nifti1Image(array, affine_of(orientation, (1.0, 2.0, 3.0)))
    canonical = nib.as_closest_canonical(image)
    read = geometry.to_reading_order(array, orientation, reorient=True)
    np.testing.assert_array_equal(read, np.asarray(canonical.dataobj).transpose(2, 1, 0))
    zooms = image.header.get_zooms()
    spacing = geometry.reading_spacing(zooms, image.affine, orientation, reorient=True)
    np.testing.assert_array_equal(spacing, canonical.header.get_zooms()[::-1])


@given(orientations, shapes, st.tuples(*[st.floats(0.1, 10)] * 3), st.data())
def test_a_voxel_turned_to_ras_lies_where_its_affine_says(orientation, shape, spacing, data):
    voxel = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    array, affine = np.zeros(shape, bool), affine_of(orientation, spacing)
    array[voxel] = True
    read = geometry.to_reading_order(array, orientation, reorient=True)
    turned = geometry.reading_spacing(spacing, affine, orientation, reorient=True)
    corners = np.argwhere(np.ones((2, 2, 2))) * (np.array(shape) - 1)
    nearest = nib.affines.apply_affine(affine, corners).min(axis=0)
    place = nib.affines.apply_affine(affine, voxel) - nearest
    np.testing.assert_allclose((np.argwhere(read)[0] * turned)[::-1], place, rtol=1e-6, atol=1e-9)


@given(orientations, st.booleans(), shapes, st.permutations([0, 1, 2]))
def test_what_is_written_in_reading_order_is_in_its_place_in_the_file(
    orientation, reorient, shape, forward
):
    array = np.arange(np.prod(shape)).reshape(shape)
    copy = np.zeros_like(array)
    read, written = (
        geometry.to_reading_order(one, orientation, reorient).transpose(forward)
        for one in (array, copy)
    )
    written[:] = read
    np.testing.assert_array_equal(copy, array)


@given(
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(*[st.floats(0.1, 10)] * 3),
    orientations,
    st.integers(0, 2),
    st.tuples(*[st.integers(0, 40)] * 3),
)
def test_every_voxel_has_the_place_of_its_slice(turns, spacing, orientation, axis, voxel):
    """The place is along the normal of the slices, for any rotation."""
    affine = affine_of(orientation, spacing)
    affine[:3, :3] = nib.eulerangles.euler2mat(*turns) @ affine[:3, :3]
    places = geometry.slice_positions(affine, 41, axis)
    normal = affine[:3, axis] / np.linalg.norm(affine[:3, axis])
    if geometry.axis_codes(affine)[axis] not in "RAS":
        normal = -normal
    world = nib.affines.apply_affine(affine, voxel)
    np.testing.assert_allclose(places[voxel[axis]], normal @ world, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.abs(np.diff(places)), spacing[axis], rtol=1e-6)


@given(orientations, st.booleans(), st.integers(0, 2))
def test_nifti_axis_points_at_the_file_axis_behind_a_reading_axis(orientation, reorient, axis):
    shape = (2, 3, 4)
    read = geometry.to_reading_order(np.zeros(shape), orientation, reorient)
    assert shape[geometry.nifti_axis(axis, orientation, reorient)] == read.shape[axis]


@given(orientations)
def test_axis_codes_read_the_affine(orientation):
    assert geometry.axis_codes(affine_of(orientation, (1, 2, 3))) == orientation


@given(orientations)
def test_planes_are_named_by_the_axis_that_runs_through_them(orientation):
    for plane, letters in (("axial", "SI"), ("coronal", "AP"), ("sagittal", "RL")):
        axis = geometry.slice_axis(plane, (1, 1, 1), orientation)
        assert orientation[2 - axis] in letters


@pytest.mark.parametrize(("policy", "axis"), [("coarsest", 1), ("finest", 2), (0, 0), ("2", 2)])
def test_policies_choose_their_axis(policy, axis):
    assert geometry.slice_axis(policy, (2.0, 5.0, 1.0), "RAS") == axis


def test_of_equal_spacings_the_first_axis_wins():
    assert geometry.slice_axis("coarsest", (1.0, 1.0, 1.0), "RAS") == 0


def test_an_unknown_policy_is_named():
    with pytest.raises(ValueError, match="slice_axis: found 'thickest', expected coarsest"):
        geometry.slice_axis("thickest", (1, 1, 1), "RAS")


@given(st.integers(0, 2))
def test_transposition_puts_the_axis_in_front_and_undoes_itself(axis):
    forward, backward = geometry.transposition(axis)
    assert forward[0] == axis
    assert forward[1] < forward[2]
    assert [forward[i] for i in backward] == [0, 1, 2]


@pytest.mark.parametrize(
    ("axis", "spacing", "forward"),
    [
        (0, (5.0, 1.0, 2.0), [0, 2, 1]),
        (0, (5.0, 2.0, 1.0), [0, 1, 2]),
        (1, (0.44, 0.48, 0.48), [1, 2, 0]),
        (2, (1.0, 2.0, 5.0), [2, 1, 0]),
        (0, (5.0, 0.8, 0.80000001), [0, 1, 2]),
        (2, (1.0, 1.0, 1.0), [2, 0, 1]),
    ],
)
def test_the_finest_axis_comes_last_on_request(axis, spacing, forward):
    assert geometry.transposition(axis, spacing)[0] == forward


@given(st.integers(0, 2), st.tuples(*[st.floats(0.1, 10)] * 3))
def test_a_transposition_by_spacing_undoes_itself(axis, spacing):
    forward, backward = geometry.transposition(axis, spacing)
    assert forward[0] == axis
    assert [forward[i] for i in backward] == [0, 1, 2]
    assert spacing[forward[2]] <= spacing[forward[1]] * 1.002


def test_a_target_spacing_of_ones_own_is_taken_as_it_is():
    found = geometry.target_spacing({"spacings": [[3, 1, 1]]}, overwrite=[2, 0.5, 4])
    assert found.tolist() == [2.0, 0.5, 4.0]


def test_target_spacing_is_the_median():
    fingerprint = {
        "spacings": [[2, 1, 1], [3, 1, 1], [4, 2, 1]],
        "shapes_after_crop": [[50] * 3] * 3,
    }
    np.testing.assert_array_equal(geometry.target_spacing(fingerprint), [3, 1, 1])


def test_a_coarse_axis_of_few_slices_takes_the_10th_percentile():
    fingerprint = {
        "spacings": [[5.0 + i, 1, 1] for i in range(11)],
        "shapes_after_crop": [[10, 200, 200]] * 11,
    }
    np.testing.assert_allclose(geometry.target_spacing(fingerprint), [6, 1, 1])


def test_the_10th_percentile_never_falls_below_the_other_axes():
    spacings = [[0.5, 1, 1]] * 3 + [[8.0, 1, 1]] * 8
    fingerprint = {"spacings": spacings, "shapes_after_crop": [[10, 200, 200]] * 11}
    np.testing.assert_allclose(geometry.target_spacing(fingerprint), [1 + 1e-5, 1, 1])


def test_many_slices_keep_the_median():
    fingerprint = {
        "spacings": [[5.0 + i, 1, 1] for i in range(11)],
        "shapes_after_crop": [[80, 200, 200]] * 11,
    }
    np.testing.assert_allclose(geometry.target_spacing(fingerprint), [10, 1, 1])


def test_letters_that_name_no_three_axes_are_refused():
    with pytest.raises(ValueError, match="'RRS'"):
        geometry.to_canonical("RRS")
