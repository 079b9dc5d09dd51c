"""Rotation, scaling, cropping and mirroring, against files recorded from nnU-Net."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from augmentation import (
    PATCH,
    RECORDED_DRAWS,
    augmented,
    center_crop,
    golden_batch,
    golden_parameters,
    nothing,
    random_label,
    recorded,
)
from golden.effects import IGNORED, REGIONS
from slicewise import augment, augment_spatial
from slicewise.labels import parse_labels

sizes = st.tuples(st.integers(6, 40), st.integers(6, 40))


def vote_by_indicators(label, grid):
    """Resample as nnU-Net words it: the label whose interpolated indicator is largest."""
    pairs = grid.permute(0, 2, 3, 1)
    shifted = label.float()[:, None] + 1  # so that padding with 0 is padding with -1
    values = torch.unique(label[label >= 0])
    scores = [
        functional.grid_sample((shifted == value + 1).float(), pairs, align_corners=False)[:, 0]
        for value in values
    ]
    scores = torch.stack([1 - sum(scores), *scores])
    return torch.cat([torch.tensor([-1]), values])[scores.argmax(0)], scores.topk(2, 0).values


def test_centre_crop_starts_where_nnunet_starts():
    crops = recorded("crops.json")
    found = [
        int(center_crop(torch.arange(size[0] * size[1]).view(size), patch)[0, 0])
        for size, patch in zip(crops["size"], crops["patch"], strict=True)
    ]
    assert found == crops["first"]


def test_rotated_and_scaled_images_equal_those_of_nnunet():
    parameters = golden_parameters()
    only_spatial = {name: getattr(parameters, name) for name in ("angle", "scale")}
    found, _ = augmented(
        *golden_batch(), replace(nothing(8, 2), **only_spatial), PATCH, (False, False)
    )
    np.testing.assert_allclose(found, recorded("spatial_image"), atol=1e-5)


def test_rotated_and_scaled_labels_are_those_of_nnunet():
    parameters = golden_parameters()
    image, label = golden_batch()
    grid = augment_spatial.sampling_grid(parameters.angle, parameters.scale, PATCH, image.shape[2:])
    found = augment_spatial.resample_label(label, grid)
    moved = (parameters.angle != 0) | (parameters.scale != 1)
    np.testing.assert_array_equal(found[moved], recorded("spatial_label")[moved])


@pytest.mark.parametrize("number", range(len(IGNORED)))
def test_labels_with_an_ignore_value_are_those_of_nnunet(number):
    one = slice(number, number + 1)
    label = torch.from_numpy(RECORDED_DRAWS["ignore/before"][one])
    angle, scale = RECORDED_DRAWS["ignore/angle_and_scale"][one].T
    grid = augment_spatial.sampling_grid(angle, scale, PATCH, label.shape[1:])
    found = augment_spatial.resample_label(label, grid)
    np.testing.assert_array_equal(found, RECORDED_DRAWS["ignore/after"][one])
    assert (found == IGNORED[number]).any()


def test_pixels_outside_become_background_and_ignored_ones_stay_ignored():
    label = torch.tensor([[[-1, 0], [2, 3]]], dtype=torch.int8)
    _, found = augmented(torch.zeros(1, 1, 2, 2), label, nothing(1, 1), (2, 2), (False,))
    assert found.tolist() == [[[0, 0], [2, 3]]]


def test_regions_and_ignored_pixels_of_an_augmented_label_are_those_of_nnunet():
    label = torch.from_numpy(RECORDED_DRAWS["ignore/before"][:1])
    angle, scale = RECORDED_DRAWS["ignore/angle_and_scale"][:1].T
    parameters = replace(nothing(1, 1), angle=angle, scale=scale)
    image = torch.zeros(label.shape)[:, None]
    _, found = augmented(image, label, parameters, PATCH, (False,))
    named = {name: list(values) for name, values in REGIONS.items()}
    labels = parse_labels({"background": 0, **named, "ignore": IGNORED[0]}, [1, 2])
    regions = [labels.mask(found[0].numpy(), name) for name in named]
    ignored = found[0].numpy() == labels.ignore
    np.testing.assert_array_equal([*regions, ignored], RECORDED_DRAWS["ignore/regions"])


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 6), sizes)
def test_labels_gain_no_value(seed, labels, patch):
    size = augment.initial_patch_size(patch)
    label = random_label(seed, 4, size, labels)
    parameters = augment.draw(np.random.default_rng(seed), 4, 1, patch)
    parameters = replace(parameters, scale=np.linspace(0.7, 1.4, 4))
    _, found = augmented(torch.zeros(4, 1, *size), label, parameters, patch, (False,))
    assert set(found.unique().tolist()) <= set(label.clamp(min=0).unique().tolist()) | {0}


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 5, 200, 3000]), sizes)
def test_labels_go_to_the_largest_interpolated_indicator(seed, labels, patch):
    rng = np.random.default_rng(seed)
    size = augment.initial_patch_size(patch)
    label = random_label(seed, 2, size, labels)
    angle, scale = rng.uniform(-np.pi, np.pi, 2), rng.uniform(0.7, 1.4, 2)
    grid = augment_spatial.sampling_grid(angle, scale, patch, size)
    expected, best_two = vote_by_indicators(label, grid)
    clear = best_two[0] - best_two[1] > 1e-3  # float16 rounds closer ones to a tie
    found = augment_spatial.resample_label(label, grid)
    assert torch.equal(found[clear].long(), expected[clear])


def test_a_tie_goes_to_the_nearest_neighbour():
    label = torch.tensor([[[3, 0], [3, 0]]], dtype=torch.int16)
    columns = torch.tensor([-0.0001, 0.0001])  # just left and right of the middle
    grid = torch.stack([columns, torch.zeros(2)]).view(1, 2, 1, 2)
    assert augment_spatial.resample_label(label, grid).flatten().tolist() == [3, 0]


def test_labels_of_unmasked_images_are_those_of_nnunet():
    drawn = {name: getattr(golden_parameters(), name) for name in ("angle", "scale")}
    parameters = replace(nothing(8, 2), **drawn)
    _, found = augmented(*golden_batch(), parameters, PATCH, (False, False))
    np.testing.assert_array_equal(found, recorded("spatial_label").clip(min=0))


@pytest.mark.parametrize("filled", [[], [1], [0, 2]])
def test_labels_without_foreground_stay_without(filled):
    image, label = golden_batch()
    image, label = image[:3], label[:3].clamp(max=0)
    label[filled] = golden_batch()[1][filled]
    parameters = replace(nothing(3, 2), angle=np.array([0.3, 1, 2]))
    _, found = augmented(image, label, parameters, PATCH, (False, False))
    _, expected = augmented(image, label, parameters, PATCH, (True, False))
    assert torch.equal(found, expected)
    assert [int(each.any()) for each in found] == [int(i in filled) for i in range(3)]


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(3, 20), st.sampled_from([1, 2, 3]))
def test_quarter_turns_move_pixels_from_columns_to_rows(seed, half, turns):
    patch = (2 * half, 2 * half)
    label = random_label(seed, 1, patch, 5)
    image = torch.rand(1, 1, *patch, generator=torch.Generator().manual_seed(seed))
    parameters = replace(nothing(1, 1), angle=np.array([turns * np.pi / 2]))
    found, found_label = augmented(image, label, parameters, patch, (False,))
    np.testing.assert_allclose(found, image.rot90(turns, (3, 2)), atol=1e-4)
    assert torch.equal(found_label, label.rot90(turns, (2, 1)).clamp(min=0))


@settings(max_examples=10)
@given(st.floats(0.7, 1.4))
def test_scaling_divides_areas_by_its_square(scale):
    label = torch.zeros(1, 120, 120, dtype=torch.int16)
    label[:, 40:80, 40:80] = 1
    parameters = replace(nothing(1, 1), scale=np.array([scale]))
    image = torch.zeros(1, 1, 120, 120)
    _, found = augmented(image, label, parameters, (90, 90), (False,))
    assert int(found.sum()) ** 0.5 == pytest.approx(40 / scale, abs=1.5)


@given(st.integers(0, 1000), sizes)
def test_mirrored_twice_is_as_before(seed, size):
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.random((5, 2, *size)))
    twice = image.clone()
    for _ in range(2):
        augment.mirror(twice, np.random.default_rng(seed).random((5, 2)) < 0.5)
    assert torch.equal(twice, image)


def test_mirroring_flips_image_and_label_alike():
    label = torch.arange(6, dtype=torch.int16).view(1, 2, 3)
    parameters = replace(nothing(1, 1), mirrored=np.array([[True, False]]))
    image, label = augmented(label[:, None].float(), label, parameters, (2, 3), (False,))
    assert label.tolist() == [[[3, 4, 5], [0, 1, 2]]]
    assert torch.equal(image[:, 0], label.float())
