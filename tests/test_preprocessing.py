"""Crop, normalise, resample, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import record_segmentation as record
from preparations import as_volume, preparation
from scans import ORIENTATIONS, labels_of, peak_memory
from slicewise import geometry
from slicewise.labels import parse_labels
from slicewise.preprocessing import (
    OUTSIDE,
    CaseGeometry,
    normalise,
    preprocess,
    restore,
)


@given(
    st.sampled_from(ORIENTATIONS),
    st.booleans(),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.integers(3, 8)] * 3),
    st.integers(0, 9),
)
def test_a_label_comes_back_voxel_for_voxel(orientation, reorient, forward, shape, seed):
    """Export a label and restore it: all 48 orders and flips, every transposition, with a crop."""
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.int16)
    label[1:, :-1, 1:] = rng.integers(0, 3, np.subtract(shape, 1))
    image = (label > 0) + (rng.random(shape) < 0.2)
    plan = preparation(forward=forward)
    volume = as_volume(image, orientation, reorient=reorient)
    read_label = geometry.to_reading_order(label, orientation, reorient)
    _, exported, case = preprocess(volume, read_label, plan, reorient)
    logits = np.stack([exported.clip(0) == value for value in range(3)]).astype(np.float32)
    found, _ = restore(logits, case, plan, labels_of(2))
    np.testing.assert_array_equal(found, label)
    same, probabilities = restore(logits, case, plan, labels_of(2), with_probabilities=True)
    np.testing.assert_array_equal(same, label)
    np.testing.assert_array_equal(probabilities.argmax(0), label)


@given(st.sampled_from([(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (3.0, 1.2, 0.8)]), st.integers(0, 2))
def test_a_smooth_label_survives_resampling(spacing, axis):
    grid = np.indices((24, 20, 16)) - np.array([12, 10, 8]).reshape(3, 1, 1, 1)
    label = ((grid / np.array([9, 7, 6]).reshape(3, 1, 1, 1)) ** 2).sum(0) < 1
    reading = spacing[::-1]
    in_plane = tuple(0.8 * reading[other] for other in range(3) if other != axis)
    plan = preparation(axis, in_plane)
    volume = as_volume(label + 1, spacing=spacing)
    _, exported, case = preprocess(volume, label.transpose(2, 1, 0).astype(np.int16), plan, False)
    logits = np.stack([exported == 0, exported == 1]).astype(np.float32)
    back, _ = restore(logits, case, plan, labels_of(1))
    assert back.shape == label.shape
    assert 2 * (back * label).sum() / (back.sum() + label.sum()) > 0.95


@given(
    st.sampled_from(ORIENTATIONS),
    st.booleans(),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.floats(0.5, 4)] * 3),
    st.tuples(*[st.floats(0.4, 3)] * 2),
    st.integers(0, 2**32),
)
def test_what_is_restored_lies_in_the_box_on_the_grid_of_the_file(
    orientation, reorient, forward, shape, spacing, target, seed
):
    """Whatever the grids, a class that fills the cropped image fills just this box of the file."""
    rng = np.random.default_rng(seed)
    start = rng.integers(shape)
    inside = tuple(map(slice, start, rng.integers(start, shape) + 1))
    image = np.zeros(shape)
    image[inside] = 1
    plan = preparation(spacing=target, forward=forward)
    volume = as_volume(image, orientation, spacing, reorient)
    prepared, exported, case = preprocess(volume, None, plan, reorient)
    assert prepared.shape == (exported.shape[0], 1, *exported.shape[1:])
    logits = np.stack([exported * 0, exported * 0 + 1]).astype(np.float32)
    found, _ = restore(logits, case, plan, labels_of(1))
    np.testing.assert_array_equal(found, image)


def restored(name):
    """Restore the recorded logits of a grid; the result is in reading order, as nnU-Net's is."""
    grid = record.GRIDS[name]
    plan = preparation(spacing=grid.target, forward=grid.forward)
    case = CaseGeometry(
        orientation="RAS",
        reorient=False,
        affine=np.diag([*grid.spacing[::-1], 1]).tolist(),
        file_shape=grid.shape[::-1],
        spacing=grid.transposed_spacing,
        shape=grid.transposed_shape,
        bounding_box=grid.box,
        resampled_spacing=(grid.transposed_spacing[0], *grid.target),
        resampled_shape=grid.exported,
    )
    labels = parse_labels(grid.labels, record.ORDER if grid.labels is record.REGIONS else None)
    logits = record.logits_of(name)
    segmentation, probabilities = restore(logits, case, plan, labels, with_probabilities=True)
    alone, nothing = restore(logits, case, plan, labels)
    np.testing.assert_array_equal(alone, segmentation)
    assert nothing is None
    return segmentation.transpose(2, 1, 0), probabilities.transpose(0, 3, 2, 1)


@pytest.mark.parametrize("name", record.GRIDS)
def test_segmentations_are_nnunets(name):
    with np.load(record.FOLDER / "grids.npz", allow_pickle=False) as recorded:
        np.testing.assert_array_equal(restored(name)[0], recorded[f"{name}/segmentation"])


@pytest.mark.parametrize("name", record.GRIDS)
def test_probabilities_are_nnunets_to_float32_rounding(name):
    found = restored(name)[1]
    with np.load(record.FOLDER / "grids.npz", allow_pickle=False) as recorded:
        expected = recorded[f"{name}/probabilities"]
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_probabilities_have_the_axes_of_the_file_and_background_outside_the_crop():
    image = np.zeros((4, 5, 6))
    image[1:, 2:, :3] = 1
    plan = preparation(axis=1)
    _, exported, case = preprocess(as_volume(image, "LIP", reorient=True), None, plan, True)
    logits = np.stack([exported * 0, exported * 0 + 9]).astype(np.float32)
    segmentation, probabilities = restore(logits, case, plan, labels_of(1), with_probabilities=True)
    np.testing.assert_array_equal(segmentation, image)
    assert probabilities.shape == (2, 4, 5, 6)
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(
        probabilities[:, image == 0].T, [[1, 0]] * int((image == 0).sum())
    )
    np.testing.assert_allclose(probabilities[1][image > 0], 1 / (1 + np.exp(-9)), rtol=1e-6)


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("in_plane", [1.0, 1.3])
def test_restoring_holds_one_stack_for_probabilities_and_none_without(in_plane, regions):
    """Peaks in units of the probabilities; with 16 outputs one is 0.06 of them, 0.12 in float64."""
    image = np.random.default_rng(0).random((64, 56, 24)) + 1
    image[:4] = 0
    plan = preparation(spacing=(in_plane, in_plane))
    _, _, case = preprocess(as_volume(image), None, plan, False)
    named = {"background": 0, "whole": [1, 2]} | {f"class{i}": i for i in range(2, 17)}
    labels = parse_labels(named, range(1, 17)) if regions else labels_of(15)
    logits = np.random.default_rng(1).normal(size=(16, *case.resampled_shape)).astype(np.float32)
    stack = 16 * image.size * np.float32().nbytes
    allowed = 0.2 if in_plane == 1 else 0.5
    alone = peak_memory(restore, logits, case, plan, labels)
    assert alone < allowed * stack
    both = peak_memory(restore, logits, case, plan, labels, with_probabilities=True)
    assert both < (1 + allowed) * stack


@pytest.mark.parametrize("with_probabilities", [False, True])
def test_restoring_leaves_the_logits_alone(with_probabilities):
    plan = preparation()
    _, _, case = preprocess(as_volume(np.ones((5, 6, 4))), None, plan, False)
    logits = np.random.default_rng(0).normal(size=(2, *case.resampled_shape)).astype(np.float32)
    before = logits.copy()
    restore(logits, case, plan, labels_of(1), with_probabilities=with_probabilities)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("with_probabilities", [False, True])
def test_logits_that_would_spread_are_refused(with_probabilities):
    plan = preparation(spacing=(1.3, 1.3))
    _, _, case = preprocess(as_volume(np.ones((20, 20, 4))), None, plan, False)
    logits = np.zeros((2, *case.resampled_shape), np.float32)
    logits[1, 2, 3, 4] = np.inf
    with pytest.raises(ValueError, match=r"found values from 0\.0 to inf"):
        restore(logits, case, plan, labels_of(1), with_probabilities=with_probabilities)


def test_the_geometry_survives_json():
    image = np.zeros((5, 6, 7))
    image[1:4, 2:5, 3:6] = 1
    _, _, case = preprocess(as_volume(image), None, preparation(), False)
    assert CaseGeometry.from_json(case.to_json()) == case


def test_voxels_outside_the_mask_are_marked_in_the_label():
    image = np.zeros((6, 6, 6))
    image[1:5, 1:5, 1:5] = 1
    image[1, 1, 1] = 0
    _, label, _ = preprocess(as_volume(image), np.zeros((6, 6, 6), np.int16), preparation(), False)
    assert label[0, 0, 0] == OUTSIDE
    assert (label == OUTSIDE).sum() == 1


def test_images_are_exported_slice_major_and_contiguous():
    image = np.random.default_rng(0).random((4, 5, 6)) + 1
    exported, label, _ = preprocess(as_volume(image), None, preparation(axis=1), False)
    assert exported.shape == (5, 1, 6, 4)
    assert exported.flags.c_contiguous
    assert exported.dtype == np.float32
    assert label.dtype == np.int8
    np.testing.assert_allclose(exported[2, 0], image[:, 2].T, rtol=1e-6)


def test_z_scores_use_the_whole_image_or_the_mask():
    image = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    whole = normalise(image, "ZScoreNormalization", {}, None)
    np.testing.assert_allclose([whole.mean(), whole.std()], [0, 1], atol=1e-6)
    mask = image > 3
    inside = normalise(image, "ZScoreNormalization", {}, mask)
    np.testing.assert_allclose(inside[mask].mean(), 0, atol=1e-6)
    np.testing.assert_array_equal(inside[~mask], image[~mask])


def test_ct_is_clipped_and_scaled_by_the_dataset():
    intensities = {"percentile_00_5": -50, "percentile_99_5": 50, "mean": 10, "std": 20}
    image = np.array([-1000.0, 0.0, 1000.0])
    np.testing.assert_allclose(
        normalise(image, "CTNormalization", intensities, None), [-3, -0.5, 2]
    )


def test_rescaling_and_rgb_end_between_0_and_1():
    image = np.array([5.0, 10.0, 15.0])
    np.testing.assert_allclose(normalise(image, "RescaleTo01Normalization", {}, None), [0, 0.5, 1])
    np.testing.assert_allclose(normalise(image, "RGBTo01Normalization", {}, None), image / 255)


def test_rgb_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="expected 0 to 255"):
        normalise(np.array([300.0]), "RGBTo01Normalization", {}, None)


def test_normalising_leaves_the_input_alone():
    image = np.arange(8, dtype=np.float32)
    normalise(image, "ZScoreNormalization", {}, None)
    np.testing.assert_array_equal(image, np.arange(8))


def test_an_unknown_scheme_is_named():
    with pytest.raises(ValueError, match="'MyNormalization'"):
        normalise(np.zeros(3), "MyNormalization", {}, None)
