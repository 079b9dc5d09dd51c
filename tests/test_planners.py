"""Patch, batch and network of every planner; golden/presets.json holds them to nnU-Net's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise.planners import PLANNERS, plan_batch, plan_patch, scale_patch
from slicewise.topology import conv_feature_map_size, pool_and_kernel_sizes

DEFAULT = PLANNERS["default"]

of_each = pytest.mark.parametrize("planner", PLANNERS.values(), ids=PLANNERS)


def test_the_patch_is_the_median_slice_padded_to_what_the_strides_divide():
    _, patch, _ = plan_patch(DEFAULT, np.ones(2), [50.0, 35.0], 3, DEFAULT.capacity(None))
    assert patch == (56, 40)


@of_each
@pytest.mark.parametrize("share", [0.25, 1, 3])
def test_as_many_samples_of_a_large_patch_as_the_planner_asks_for_fit_in_memory(planner, share):
    capacity = planner.capacity(share * planner.gpu_memory_gb)
    _, patch, estimate = plan_patch(planner, np.ones(2), [3000.0, 900.0], 3, capacity)
    assert estimate / 12 * planner.patch_samples <= capacity
    assert plan_batch(planner, estimate, capacity, 1e12, patch) >= planner.patch_samples


@of_each
@pytest.mark.parametrize(
    ("scale", "patch", "stages"),
    [(0.25, (20, 20), 3), (0.5, (40, 40), 4), (0.7, (56, 56), 4), (0.75, (64, 64), 5)],
)
def test_a_scaled_patch_has_a_network_of_its_own(planner, scale, patch, stages):
    network, found, estimate = scale_patch(planner, np.ones(2), (80, 80), scale, 3)
    assert (found, network.n_stages) == (patch, stages)
    assert estimate == conv_feature_map_size(network, patch, 3)
    assert network == planner.architecture(pool_and_kernel_sizes((1, 1), [80 * scale] * 2))


def test_rounding_errors_make_no_patch_larger():
    assert scale_patch(DEFAULT, np.ones(2), (100, 100), 0.56, 3)[1] == (56, 56)


def test_a_patch_shrinks_to_what_can_be_halved_once_and_no_further():
    network, patch, _ = scale_patch(DEFAULT, np.ones(2), (80, 56), 0.01, 3)
    assert (patch, network.n_stages) == ((8, 8), 2)


def test_a_scale_that_leaves_nothing_to_halve_is_refused():
    found = r"planning\.patch_scale: found 0\.25, .* 16 x 4 voxels one of 8 x 4, .* give more"
    with pytest.raises(ValueError, match=found):
        scale_patch(DEFAULT, np.ones(2), (16, 4), 0.25, 3)


@given(
    st.tuples(*[st.floats(0.1, 6)] * 2),
    st.tuples(*[st.floats(8, 500)] * 2),
    st.sampled_from(list(PLANNERS.values())),
    st.floats(0.01, 1),
)
def test_a_scaled_patch_is_divided_by_its_strides_and_no_larger_than_the_whole(
    spacing, size, planner, scale
):
    whole = pool_and_kernel_sizes(spacing, size).patch_size
    try:
        network, patch, _ = scale_patch(planner, np.array(spacing), whole, scale, 3)
    except ValueError:
        return
    assert network.n_stages > 1
    assert not any(edge % by for edge, by in zip(patch, divisor_of(network), strict=True))
    assert all(scale * edge <= part + 1e-6 for part, edge in zip(patch, whole, strict=True))
    assert np.less_equal(patch, whole).all()


@of_each
def test_memory_that_no_patch_fits_in_is_refused(planner):
    with pytest.raises(ValueError, match=r"planning\.gpu_memory_gb: too small for .* give more"):
        plan_patch(planner, np.ones(2), [300.0, 300.0], 3, planner.capacity(1e-6))


@given(
    st.tuples(*[st.floats(0.1, 6)] * 2),
    st.tuples(*[st.floats(8, 500)] * 2),
    st.integers(2, 30),
    st.sampled_from(list(PLANNERS.values())),
    st.tuples(*[st.floats(0.01, 2)] * 2),
)
def test_more_memory_never_makes_a_patch_smaller(spacing, size, classes, planner, shares):
    """What fits in less memory fits in more, and is divided by the strides of its network."""
    less, more = (planner.capacity(share * planner.gpu_memory_gb) for share in sorted(shares))
    try:
        network, patch, estimate = plan_patch(planner, np.array(spacing), size, classes, less)
    except ValueError:
        return
    assert estimate == conv_feature_map_size(network, patch, classes)
    assert estimate / 12 * planner.patch_samples <= less
    assert plan_batch(planner, estimate, less, 1e9, patch) >= 2
    assert not any(edge % by for edge, by in zip(patch, divisor_of(network), strict=True))
    _, larger, _ = plan_patch(planner, np.array(spacing), size, classes, more)
    assert np.less_equal(patch, larger).all()


def divisor_of(network):
    """Return what the strides of a network divide rows and columns by."""
    return [math.prod(steps) for steps in zip(*network.strides, strict=True)]


@of_each
@pytest.mark.parametrize(
    ("spacing", "size"), [((0.68, 0.08), (526, 2.5)), ((0.08, 0.68), (2.5, 526))]
)
def test_a_narrow_patch_does_not_shrink_to_nothing(planner, spacing, size):
    capacity = planner.capacity(1e-4 * planner.gpu_memory_gb)
    with pytest.raises(ValueError, match=r"planning\.gpu_memory_gb: too small for .* give more"):
        plan_patch(planner, np.array(spacing), size, 3, capacity)


@of_each
def test_without_a_target_the_planners_own_memory_is_filled(planner):
    assert planner.capacity(None) == planner.capacity(planner.gpu_memory_gb)
    assert planner.capacity(None) == planner.reference


@pytest.mark.parametrize(("name", "batch"), [("default", 10), ("resenc_m", 200)])
def test_a_batch_covers_at_most_the_planners_share_of_the_dataset(name, batch):
    assert plan_batch(PLANNERS[name], 10**6, 85e6, 100_000, (50, 10)) == batch


@of_each
def test_a_batch_holds_two_at_least(planner):
    assert plan_batch(planner, 10**9, 1e6, 1.0, (50, 10)) == 2


@pytest.mark.parametrize(
    ("name", "blocks", "decoder"),
    [("default", (2,) * 6, (2,) * 5), ("resenc_l", (1, 3, 4, 6, 6, 6), (1,) * 5)],
)
def test_stages_have_as_many_blocks_as_the_planner_says(name, blocks, decoder):
    network = PLANNERS[name].architecture(pool_and_kernel_sizes((1, 1), (128, 128)))
    assert network.n_blocks_per_stage == blocks
    assert network.n_conv_per_stage_decoder == decoder
    assert network.features_per_stage == (32, 64, 128, 256, 512, 512)
