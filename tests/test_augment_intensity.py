"""Noise, blur, brightness, contrast, resolution and gamma, against files recorded from nnU-Net."""

import numpy as np
import pytest
import torch

from augmentation import NEUTRAL, PATCH, golden_parameters, recorded, tensor
from slicewise import augment

TRANSFORMS = {
    "blur": ("blur_sigma", augment.blur),
    "brightness": ("brightness", augment.change_brightness),
    "contrast": ("contrast", augment.change_contrast),
    "resolution": ("resolution", augment.lower_resolution),
    "inverted_gamma": (
        "inverted_gamma",
        lambda planes, exponent: augment.change_gamma(planes, exponent, inverted=True),
    ),
    "gamma": ("gamma", augment.change_gamma),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_equals_that_of_nnunet(name):
    field, transform = TRANSFORMS[name]
    planes = tensor("image")[:, :, : PATCH[0], : PATCH[1]].flatten(0, 1)
    values = getattr(golden_parameters(), field).reshape(len(planes), -1)
    chosen = (values != NEUTRAL[field]).any(1)
    found = transform(planes[chosen], torch.from_numpy(values[chosen]).float())
    expected = recorded(name).reshape(len(planes), *PATCH)[chosen]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_noise_equals_that_of_nnunet():
    found = tensor("image")[:, :, : PATCH[0], : PATCH[1]].contiguous()
    augment.add_noise(found, golden_parameters().noise_std, golden_parameters().noise_seed)
    np.testing.assert_allclose(found, recorded("noise"), atol=1e-5)


def test_noise_has_the_standard_deviation_that_was_drawn():
    image = torch.zeros(1, 1, 200, 200)
    augment.add_noise(image, np.array([0.05]), np.array([1]))
    assert float(image.std()) == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("inverted", [False, True])
def test_gamma_leaves_a_constant_image_as_it_is(inverted):
    image = torch.full((1, 6, 6), 3.0)
    assert torch.equal(augment.change_gamma(image, torch.tensor([[1.3]]), inverted), image)


@pytest.mark.parametrize("inverted", [False, True])
def test_gamma_keeps_mean_and_standard_deviation(inverted):
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    found = augment.change_gamma(image, torch.tensor([[0.7], [1.2], [1.5]]), inverted)
    np.testing.assert_allclose(found.mean((1, 2)), image.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(found.std((1, 2)), image.std((1, 2)), atol=1e-5)


@pytest.mark.parametrize("edge", [1, 2, 3])
def test_planes_of_a_few_pixels_are_augmented_too(edge):
    planes = torch.rand(4, edge, 8)
    sigma, share = torch.full((4, 2), 1.0), torch.full((4, 1), 0.5)
    for changed in (augment.blur(planes, sigma), augment.lower_resolution(planes, share)):
        assert changed.shape == planes.shape
        assert changed.isfinite().all()
