"""Augmentation: against files recorded from nnU-Net (golden/record_augment.py), and as drawn."""

from dataclasses import fields, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import torch

from augmentation import (
    NEUTRAL,
    PATCH,
    RECORDED_DRAWS,
    augmented,
    center_crop,
    golden_batch,
    golden_parameters,
    nothing,
    recorded,
)
from slicewise import augment
from slicewise.randomness import generator

MASKED = (True, False)
DRAWN = 40_000
FIELDS_OF_CLASS = {  # of the transforms as batchgeneratorsv2 calls them
    "SpatialTransform": ("angle", "scale"),
    "GaussianNoiseTransform": ("noise_std", "noise_seed"),
    "GaussianBlurTransform": ("blur_sigma",),
    "MultiplicativeBrightnessTransform": ("brightness",),
    "ContrastTransform": ("contrast",),
    "SimulateLowResolutionTransform": ("resolution",),
    "inverted GammaTransform": ("inverted_gamma",),
    "GammaTransform": ("gamma",),
    "MirrorTransform": ("mirrored",),
}
NOISE_AND_BRIGHTNESS = ("GaussianNoiseTransform", "MultiplicativeBrightnessTransform")
NOT_COMMUTING = [name for name in FIELDS_OF_CLASS if name[:6] not in ("Multip", "Mirror")]
FIELD_OF = {"noise": "noise_std", "blur": "blur_sigma"}


def taken(parameters, samples):
    """Return the parameters of some of the samples."""
    return replace(
        parameters,
        **{field.name: getattr(parameters, field.name)[samples] for field in fields(parameters)},
    )


@cache
def many():
    """Return the parameters of one large batch with two channels."""
    return augment.draw(generator(7, "augmentation"), DRAWN, 2, PATCH)


def applied(name):
    """Return the values drawn for a transform where it applies, and where it does (batch, ...)."""
    values = getattr(many(), FIELD_OF.get(name, name))
    chosen = values != NEUTRAL[FIELD_OF.get(name, name)]
    return values[chosen], chosen


def is_uniform(values, low, high):
    """Compare quantiles with those of a uniform distribution, to 3 percent of its range."""
    shares = np.linspace(0, 1, 21)
    found = (np.quantile(values, shares) - low) / (high - low)
    return found[0] >= 0 and found[-1] <= 1 and np.abs(found - shares).max() < 0.03


# What nnU-Net does to the same patches


def test_rotation_is_that_of_nnunet_for_every_patch_size():
    found = [augment.rotation_range(size) for size in recorded("patch_sizes").tolist()]
    np.testing.assert_allclose(found, recorded("largest_rotations"), rtol=1e-6)


def test_initial_patch_size_is_that_of_nnunet_for_every_patch_size():
    found = [augment.initial_patch_size(size) for size in recorded("patch_sizes").tolist()]
    np.testing.assert_array_equal(found, recorded("initial_sizes"))


def test_whole_chain_equals_that_of_nnunet():
    image, label = augmented(*golden_batch(), golden_parameters(), PATCH, MASKED)
    np.testing.assert_array_equal(label, recorded("chain_label"))
    np.testing.assert_allclose(image, recorded("chain_image"), atol=2e-5)


def in_order(transforms):
    """Apply the transforms of the recorded batch one by one; return its unmasked channel."""
    image, label = golden_batch()
    for name in transforms:
        drawn = {field: getattr(golden_parameters(), field) for field in FIELDS_OF_CLASS[name]}
        parameters = replace(nothing(len(image), 2), **drawn)
        image, label = augmented(image, label, parameters, PATCH, (False, False))
    return image[:, 1]


def test_transforms_one_by_one_in_the_order_of_nnunet_give_the_whole_chain():
    *order, mask, remove = RECORDED_DRAWS["order"].tolist()
    assert (mask, remove) == ("MaskImageTransform", "RemoveLabelTransform")
    together, _ = augmented(*golden_batch(), golden_parameters(), PATCH, MASKED)
    np.testing.assert_allclose(in_order(order), together[:, 1], atol=2e-5)


# Brightness, which follows the noise, and mirroring could stand anywhere after it.
@pytest.mark.parametrize(("one", "other"), [*combinations(NOT_COMMUTING, 2), NOISE_AND_BRIGHTNESS])
def test_another_order_gives_something_else(one, other):
    order = RECORDED_DRAWS["order"].tolist()[:-2]
    i, j = order.index(one), order.index(other)
    order[i], order[j] = other, one
    difference = in_order(order).numpy() - recorded("chain_image")[:, 1]
    assert np.abs(difference).max() > 1e-3


# What is drawn: exact bounds here, distributions and dependences in test_augment_draws.py


@pytest.mark.parametrize("name", recorded("recipe.json")["probability"])
def test_transform_applies_as_often_as_in_nnunet(name):
    _, chosen = applied(name)
    per_channel = recorded("recipe.json")["channel_probability"].get(name, 1)
    channels = 1 if chosen.ndim == 1 else chosen.shape[1]
    none_of_them = (1 - per_channel) ** channels
    expected = recorded("recipe.json")["probability"][name] * (1 - none_of_them)
    assert chosen.reshape(DRAWN, -1).any(1).mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", recorded("recipe.json")["range"])
def test_values_are_uniform_in_the_range_of_nnunet(name):
    assert is_uniform(applied(name)[0], *recorded("recipe.json")["range"][name])


@pytest.mark.parametrize("name", recorded("recipe.json")["factor_range"])
def test_factors_are_as_often_below_one_as_above(name):
    low, high = recorded("recipe.json")["factor_range"][name]
    values, _ = applied(name)
    assert (values < 1).mean() == pytest.approx(0.5, abs=0.02)
    assert is_uniform(values[values < 1], low, 1)
    assert is_uniform(values[values > 1], 1, high)


def test_elongated_patches_turn_by_15_degrees_at_most():
    angle = augment.draw(generator(1), DRAWN, 1, (64, 40)).angle
    assert np.degrees(np.abs(angle).max()) == pytest.approx(15, abs=0.1)


def test_equal_keys_give_equal_results():
    results = [
        augmented(
            *golden_batch(), augment.draw(generator(3, 0, "augment", 5), 8, 2, PATCH), PATCH, MASKED
        )
        for _ in range(2)
    ]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


# What holds for any batch


def test_a_batch_gives_what_its_samples_give_one_by_one():
    image, label = golden_batch()
    together = augmented(image, label, golden_parameters(), PATCH, MASKED)
    for i in range(len(image)):
        one = slice(i, i + 1)
        alone = augmented(image[one], label[one], taken(golden_parameters(), one), PATCH, MASKED)
        np.testing.assert_allclose(alone[0], together[0][one], atol=1e-6)
        assert torch.equal(alone[1], together[1][one])


def test_the_batch_is_augmented_in_place():
    image, label = torch.ones(2, 1, *PATCH), torch.full((2, *PATCH), -1, dtype=torch.int16)
    parameters = replace(nothing(2, 1), brightness=np.full((2, 1), 1.5))
    found, found_label = augment.apply(image, label, None, parameters, (False,))
    assert found is image
    assert found_label is label
    assert (image == 1.5).all()
    assert (label == 0).all()


def test_patches_with_a_margin_stay_as_they_are():
    image, label = golden_batch()
    parameters = replace(golden_parameters(), angle=np.ones(8))
    centre = [center_crop(each, PATCH).contiguous() for each in (image, label)]
    augment.apply(*centre, (image, label), parameters, MASKED)
    np.testing.assert_array_equal(image, recorded("image"))
    np.testing.assert_array_equal(label, recorded("label"))


def test_samples_that_are_rotated_or_scaled_are_resampled():
    parameters = replace(
        nothing(4, 1), angle=np.array([0, 0.1, 0, 0.2]), scale=np.array([1, 1, 0.9, 1.1])
    )
    assert augment.resampled(parameters).tolist() == [1, 2, 3]


def test_without_augmentation_the_centre_remains():
    image, label = golden_batch()
    found, _ = augmented(image, label, nothing(8, 2), PATCH, (False, False))
    assert torch.equal(found, center_crop(image, PATCH))


def test_masked_channels_are_zero_outside_and_others_are_not():
    image, label = torch.ones(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.int16)
    label[:, :2] = -1
    found, _ = augmented(image, label, nothing(1, 2), (4, 4), MASKED)
    assert found.sum((2, 3)).tolist() == [[8, 16]]


def test_small_label_types_pass_through():
    image, label = golden_batch()
    found = augmented(image, label.to(torch.int8), golden_parameters(), PATCH, MASKED)[1]
    assert found.dtype == torch.int8
    np.testing.assert_array_equal(found, recorded("chain_label"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_agree():
    image, label = (each.cuda() for each in golden_batch())
    found, found_label = augmented(image, label, golden_parameters(), PATCH, MASKED)
    np.testing.assert_allclose(found.cpu(), recorded("chain_image"), atol=1e-4)
    assert (found_label.cpu().numpy() != recorded("chain_label")).mean() < 1e-3


# What cannot be


def test_parameters_of_another_batch_size_are_refused():
    with pytest.raises(ValueError, match="drawn for"):
        augmented(*golden_batch(), nothing(7, 2), PATCH, MASKED)


def test_a_label_of_another_shape_is_refused():
    image, label = torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, dtype=torch.int16)
    with pytest.raises(ValueError, match="the label has shape"):
        augment.apply(image, label, None, nothing(1, 1), (False,))


def test_an_image_that_cannot_be_changed_in_place_is_refused():
    """Its planes are no view of it: what is changed in a copy would be lost."""
    image = torch.ones(2, 3, *PATCH).transpose(0, 1)
    label = torch.zeros(3, *PATCH, dtype=torch.int16)
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        augment.apply(image, label, None, nothing(3, 2), MASKED)


@pytest.mark.parametrize("given", [0, 1, 3])
def test_patches_with_a_margin_for_other_samples_are_refused(given):
    image, label = torch.zeros(3, 1, *PATCH), torch.zeros(3, *PATCH, dtype=torch.int16)
    parameters = replace(nothing(3, 1), angle=np.array([0, 0.1, 0.2]))
    wide = image[:given], label[:given]
    with pytest.raises(ValueError, match=f"{given} patches with a margin for 2 samples"):
        augment.apply(image, label, wide, parameters, (False,))


def test_a_mask_flag_is_needed_for_every_channel():
    with pytest.raises(ValueError, match="1 entries for 2 channels"):
        augmented(*golden_batch(), golden_parameters(), PATCH, (True,))
