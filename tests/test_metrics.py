"""Overlap and surface scores: shapes with known answers, and what must hold for any two masks."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from slicewise import metrics

SURFACE_DISTANCE = [
    # seed, blocks, voxels per block, spacing: HD95, ASSD, surface Dice at 2 mm
    (0, (9, 11), 1, (1.0, 1.0), (1.0, 0.09994636289330382, 1.0)),
    (1, (9, 11), 1, (10.0, 1.4), (2.8, 0.45815915077769565, 0.9449420718564081)),
    (2, (6, 5), 3, (0.7, 1.25), (3.2649655434629015, 0.7179399117992677, 0.795977101318811)),
    (3, (12, 4), 2, (1.5, 6.0), (6.0, 1.3563539853438857, 0.6852448258390371)),
]
"""Scores of DeepMind's surface-distance 0.1; ASSD is its two averages, weighted by area."""

MASKS = arrays.arrays(bool, (5, 6))
PAIRS = st.tuples(MASKS, MASKS).filter(lambda pair: pair[0].any() and pair[1].any())
SPACINGS = st.tuples(*[st.sampled_from([0.5, 1.0, 1.25, 7.0])] * 2)
SOLIDS = arrays.arrays(bool, (3, 3, 4))


def noise(seed: int, blocks: tuple[int, int], scale: int) -> np.ndarray:
    """Return two masks of random blocks (mask, row, column)."""
    masks = np.random.RandomState(seed).randint(0, 2, size=(2, *blocks)).astype(bool)
    return masks.repeat(scale, axis=1).repeat(scale, axis=2)


def ball(shape: tuple[int, ...], spacing: tuple[float, ...], centre, radius: float) -> np.ndarray:
    """Return the voxels whose centres lie within a disc or sphere; centre and radius in mm."""
    axes = [(np.arange(n) + 0.5) * step for n, step in zip(shape, spacing, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    return sum((x - c) ** 2 for x, c in zip(grid, centre, strict=True)) <= radius**2


def pixels(*indices: tuple[int, int]) -> np.ndarray:
    """Return a mask of 8 x 8 pixels that holds the pixels named."""
    mask = np.zeros((8, 8), bool)
    for index in indices:
        mask[index] = True
    return mask


def scores(truth, prediction, spacing=(1.0, 1.0), tolerance_mm=1.0) -> tuple[float, float, float]:
    return astuple(metrics.surface_scores(truth, prediction, spacing, tolerance_mm))


def counts_of(truth: np.ndarray, prediction: np.ndarray) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives of two masks."""
    return tuple(
        int(both.sum()) for both in (truth & prediction, ~truth & prediction, truth & ~prediction)
    )


# Overlap


def test_counts_are_those_of_each_slice():
    random = np.random.default_rng(0)
    truth, prediction = random.random((2, 5, 6, 7)) < 0.4
    found = np.stack(metrics.overlap_counts(truth, prediction), axis=-1)
    expected = [counts_of(*pair) for pair in zip(truth, prediction, strict=True)]
    np.testing.assert_array_equal(found, expected)


def test_dice_and_iou_of_known_counts():
    assert (metrics.dice(6, 2, 4), metrics.iou(6, 2, 4)) == (12 / 18, 6 / 12)


def test_dice_and_iou_of_nothing_are_nan():
    assert np.isnan([metrics.dice(0, 0, 0), metrics.iou(0, 0, 0)]).all()


@pytest.mark.parametrize("counts", [(0, 0, 3), (0, 3, 0)])
def test_dice_and_iou_against_an_empty_mask_are_zero(counts):
    assert (metrics.dice(*counts), metrics.iou(*counts)) == (0, 0)


def test_status_names_the_masks_that_hold_voxels():
    tp, fp, fn = [1, 0, 0, 0, 0], [0, 2, 0, 2, 0], [0, 2, 2, 0, 0]
    expected = ["both", "both", "truth_only", "prediction_only", "both_empty"]
    assert metrics.status(tp, fp, fn).tolist() == expected


@given(st.tuples(*[st.integers(0, 10**6)] * 3).filter(any))
def test_dice_is_symmetric_and_between_0_and_1(counts):
    tp, fp, fn = counts
    assert 0 <= metrics.iou(tp, fp, fn) <= metrics.dice(tp, fp, fn) <= 1
    assert metrics.dice(tp, fp, fn) == metrics.dice(tp, fn, fp)


# Surfaces with known answers


@pytest.mark.parametrize(("seed", "blocks", "scale", "spacing", "expected"), SURFACE_DISTANCE)
def test_2d_scores_are_those_of_surface_distance(seed, blocks, scale, spacing, expected):
    assert scores(*noise(seed, blocks, scale), spacing, 2.0) == pytest.approx(expected, rel=1e-12)


def test_3d_scores_are_near_those_of_surface_distance():
    shape, spacing = (12, 50, 50), (5.0, 1.0, 1.0)
    truth = ball(shape, spacing, (30, 25, 25), 20)
    prediction = ball(shape, spacing, (32, 27, 24), 18)
    expected = (5.0, 1.4891012531630323, 0.6859261959007283)
    assert scores(truth, prediction, spacing, 2.0) == pytest.approx(expected, rel=0.02)


def test_two_pixels_five_apart():
    # Corners at columns 0, 1 and 5, 6: half of each surface is 4 mm away, half is 5 mm.
    assert scores(pixels((0, 0)), pixels((0, 5)), tolerance_mm=4.0) == (5.0, 4.5, 0.5)


@pytest.mark.parametrize(("tolerance", "expected"), [(3.9, 0.0), (4.0, 0.5), (5.0, 1.0)])
def test_surface_dice_counts_what_lies_within_the_tolerance(tolerance, expected):
    assert scores(pixels((0, 0)), pixels((0, 5)), tolerance_mm=tolerance)[2] == expected


def test_a_distance_of_the_tolerance_lies_within_it_despite_float32_spacing():
    spacing = (1.0, float(np.float32(0.3)))
    assert scores(pixels((0, 0)), pixels((0, 3)), spacing, tolerance_mm=0.9)[2] == 1.0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slab_moved_by_one_slice_is_one_spacing_away(axis):
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 4.0
    truth = np.zeros((20, 20, 20), bool)
    truth[4:14, 4:14, 4:14] = True
    assert scores(truth, np.roll(truth, 1, axis), spacing)[0] == 4.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 3.0), (1.0, 1.0, 1.0), (3.0, 1.0, 1.0)])
def test_concentric_balls_are_the_difference_of_their_radii_apart_within_a_voxel(spacing):
    shape = [int(80 / step) for step in spacing]
    balls = [ball(shape, spacing, [40] * len(spacing), radius) for radius in (30, 20)]
    assert scores(*balls, spacing)[:2] == pytest.approx((10, 10), abs=max(spacing))


def test_hd95_leaves_out_a_far_twentieth_of_the_surface_and_no_more():
    truth = np.zeros((120, 120), bool)
    truth[10:50, 10:50] = True
    speck, block = truth.copy(), truth.copy()
    speck[100, 100] = True
    block[100:105, 100:105] = True
    assert scores(truth, speck)[0] == 0
    assert scores(truth, block)[0] > 70


def test_hd95_is_the_larger_direction():
    truth = np.zeros((40, 40), bool)
    truth[2:6, 2:6] = True
    both_blocks = truth.copy()
    both_blocks[30:34, 2:6] = True
    assert scores(truth, both_blocks)[0] > 20


def test_surface_dice_weighs_an_edge_by_its_length_not_its_pixels():
    # 40 rows of 1 mm, 4 columns of 10 mm: moving one 40 mm edge moves a quarter of the outline.
    truth = np.zeros((60, 6), bool)
    truth[10:50, 1:5] = True
    prediction = truth.copy()
    prediction[45:50] = False
    assert scores(truth, prediction, (1.0, 10.0))[2] == pytest.approx(0.75, abs=0.04)


def test_lengths_around_a_rectangle_cut_its_corners_as_marching_squares():
    mask = np.zeros((9, 9), bool)
    mask[2:6, 3:8] = True
    lengths = metrics.surface_elements(mask, (2.0, 3.0))[1]
    expected = 2 * 3 * 2.0 + 2 * 4 * 3.0 + 4 * np.hypot(1.0, 1.5)
    assert lengths.sum() == pytest.approx(expected)


def test_areas_of_a_diagonal_plane_are_exact():
    axes = np.indices((30, 30, 30)).sum(axis=0)
    positions, areas = metrics.surface_elements(axes < 44, (1.0, 1.0, 1.0))
    inside = (positions[:, :2] > 12).all(axis=1) & (positions[:, :2] < 18).all(axis=1)
    inside &= (positions[:, 2] > 0) & (positions[:, 2] < 30)
    assert areas[inside].sum() == pytest.approx(25 * np.sqrt(3))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)])
def test_areas_of_a_sphere_are_near(spacing):
    shape = [int(60 / step) for step in spacing]
    areas = metrics.surface_elements(ball(shape, spacing, [30] * 3, 25), spacing)[1]
    assert areas.sum() == pytest.approx(4 * np.pi * 25**2, rel=0.12)


def test_beyond_the_border_is_outside():
    full = np.ones((4, 6), bool)
    positions = metrics.surface_elements(full, (1.0, 1.0))[0]
    np.testing.assert_array_equal(positions.min(axis=0), (0, 0))
    np.testing.assert_array_equal(positions.max(axis=0), (4, 6))


def by_hand(truth, prediction, spacing, tolerance_mm):
    """Score two masks by all distances between all elements, sorted and added up one by one."""
    (true, areas), (found, others) = (
        metrics.surface_elements(mask, spacing) for mask in (truth, prediction)
    )
    apart = np.linalg.norm(true[:, None] - found, axis=-1)
    directed = [(apart.min(axis=1), areas), (apart.min(axis=0), others)]
    reached = []
    for distances, weights in directed:
        total = 0.0
        for distance, weight in sorted(zip(distances, weights, strict=True)):
            total += weight
            if total >= 0.95 * weights.sum() * (1 - 1e-9):
                reached.append(distance)
                break
    far, weights = (np.concatenate(parts) for parts in zip(*directed, strict=True))
    within = weights[far <= tolerance_mm + metrics.ROUNDING_MM].sum()
    return max(reached), far @ weights / weights.sum(), within / weights.sum()


# Many slices at once


@given(arrays.arrays(bool, (4, 5, 6)), arrays.arrays(bool, (4, 5, 6)), SPACINGS)
def test_slices_scored_together_are_those_scored_alone(truth, prediction, spacing):
    together = metrics.surface_scores_by_slice(truth, prediction, spacing, 1.0)
    alone = [scores(*pair, spacing) for pair in zip(truth, prediction, strict=True)]
    np.testing.assert_array_equal([astuple(score) for score in together], alone)


@given(PAIRS, SPACINGS, st.sampled_from([0.0, 1.0, 2.5]))
def test_scores_are_those_of_all_distances_between_all_elements(pair, spacing, tolerance):
    expected = by_hand(*pair, spacing, tolerance)
    assert scores(*pair, spacing, tolerance) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(SOLIDS.filter(np.any), SOLIDS.filter(np.any), st.tuples(SPACINGS, st.just(3.5)))
def test_scores_of_solids_are_those_of_all_distances(truth, prediction, spacing):
    spacing = (*spacing[0], spacing[1])
    expected = by_hand(truth, prediction, spacing, 1.0)
    assert scores(truth, prediction, spacing) == pytest.approx(expected, rel=1e-9, abs=1e-9)


# Empty masks


def test_two_empty_masks_have_no_scores():
    assert np.isnan(scores(pixels(), pixels())).all()


@pytest.mark.parametrize("swap", [False, True])
def test_against_an_empty_mask_no_distance_exists_and_no_surface_agrees(swap):
    pair = [pixels((2, 2)), pixels()]
    np.testing.assert_equal(scores(*(pair[::-1] if swap else pair)), (np.nan, np.nan, 0.0))


# Any two masks


@given(MASKS.filter(np.any), SPACINGS)
def test_identical_masks_agree_wholly(mask, spacing):
    assert scores(mask, mask, spacing, tolerance_mm=0.0) == (0.0, 0.0, 1.0)


@given(PAIRS, SPACINGS)
def test_scores_are_symmetric(pair, spacing):
    assert scores(*pair, spacing) == scores(*pair[::-1], spacing)


@given(PAIRS, SPACINGS)
def test_scores_are_within_bounds(pair, spacing):
    hd95, assd, surface_dice = scores(*pair, spacing)
    longest = np.hypot(5 * spacing[0], 6 * spacing[1])
    assert 0 <= hd95 <= longest
    assert 0 <= assd <= longest
    assert 0 <= surface_dice <= 1


@given(SOLIDS, SOLIDS)
def test_the_counts_of_slices_add_up_to_those_of_the_volume(truth, prediction):
    whole = [int(counts.sum()) for counts in metrics.overlap_counts(truth, prediction)]
    assert tuple(whole) == counts_of(truth, prediction)
    shared, either = (truth & prediction).sum(), truth.sum() + prediction.sum()
    if either:
        assert metrics.dice(*whole) == 2 * shared / either
    else:
        assert np.isnan(metrics.dice(*whole))


@given(PAIRS, SPACINGS, st.sampled_from([0, 1, (0, 1)]))
def test_scores_do_not_depend_on_the_directions_of_the_axes(pair, spacing, axes):
    flipped = [np.flip(mask, axes) for mask in pair]
    assert scores(*flipped, spacing) == pytest.approx(scores(*pair, spacing), rel=1e-9, abs=1e-9)


@given(PAIRS, SPACINGS, st.sampled_from([0.1, 0.7, 3.0]))
def test_distances_scale_with_the_spacing(pair, spacing, factor):
    hd95, assd, _ = scores(*pair, spacing)
    scaled = scores(*pair, [factor * step for step in spacing])
    assert scaled[:2] == pytest.approx((factor * hd95, factor * assd))


@given(PAIRS, SPACINGS)
def test_scores_do_not_depend_on_the_order_of_the_axes_or_on_a_margin(pair, spacing):
    moved = [np.pad(mask.T, ((3, 1), (0, 4))) for mask in pair]
    assert scores(*moved, spacing[::-1]) == pytest.approx(scores(*pair, spacing))
