"""What the methods say of the augmentation is what slicewise.augment draws."""

import math

import numpy as np
import pytest

from slicewise import augment
from slicewise.methods_augmentation import AUGMENTATION, ELONGATED, ELONGATED_ROTATION, ROTATION
from slicewise.randomness import generator

SAMPLES, CHANNELS = 20_000, 2
NEUTRAL = {"angle": 0, "noise_std": 0, "blur_sigma": 0, "mirrored": 0}


@pytest.fixture(scope="module")
def drawn():
    return augment.draw(generator(0, "methods"), SAMPLES, CHANNELS, (64, 64))


@pytest.mark.parametrize("transform", AUGMENTATION, ids=lambda one: one.name)
def test_probabilities_and_ranges_are_those_that_are_drawn(drawn, transform):
    values = np.asarray(getattr(drawn, transform.name), float)
    if transform.name == "angle":
        values = np.degrees(values)
    values = values.reshape(SAMPLES, -1)
    applied = values != NEUTRAL.get(transform.name, 1)
    share = applied.mean()
    # Channels of a sample go together, so that it counts as one; four standard errors.
    expected = transform.probability * transform.each
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / SAMPLES)
    found, width = values[applied], transform.high - transform.low
    assert transform.low <= found.min() <= transform.low + 0.01 * width
    assert transform.high - 0.01 * width <= found.max() <= transform.high


def test_every_transform_is_described_and_in_order():
    order = [name for name in augment.Parameters.__dataclass_fields__ if name != "noise_seed"]
    assert [transform.name for transform in AUGMENTATION] == order


@pytest.mark.parametrize(("patch", "degrees"), [((64, 64), ROTATION), ((64, 96), ROTATION),
                                                ((64, 97), ELONGATED_ROTATION)])  # fmt: skip
def test_elongated_patches_are_rotated_less(patch, degrees):

    assert math.degrees(augment.rotation_range(patch)) == pytest.approx(degrees)
    assert (patch[1] / patch[0] > ELONGATED) == (degrees == ELONGATED_ROTATION)
