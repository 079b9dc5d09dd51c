"""What the benchmark of patches says of the batches of either program."""

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.drawing_patches import DESCRIBED, describe
from scans import peak_memory

SHAPE = (8, 2, 64, 64)


def drawing(seed=0):
    """Return what draws image (sample, channel, row, column) and label (sample, row, column)."""
    rng = np.random.default_rng(seed)

    def batch():
        image = rng.normal(3, 2, SHAPE).astype(np.float32)
        return image, rng.integers(-1, 3, (SHAPE[0], *SHAPE[2:])).astype(np.int8)

    return batch


def test_all_batches_are_described_together():
    found, batch = describe(drawing()), drawing()
    images, labels = (
        np.stack(part) for part in zip(*(batch() for _ in range(DESCRIBED)), strict=True)
    )
    assert found["shapes"] == [list(SHAPE), [8, 64, 64]]
    assert found["mean"] == pytest.approx(images.mean(dtype=float), rel=1e-12)
    assert found["sd"] == pytest.approx(images.std(dtype=float), rel=1e-12)
    assert found["foreground"] == pytest.approx((labels > 0).mean(), rel=1e-12)


def test_blurred_and_brightened_patches_are_told_from_plain_ones():
    draw = drawing()

    def changed():
        image, label = draw()
        image[::2] *= 2
        return ndimage.gaussian_filter1d(image, 1, axis=-1), label

    plain, found = describe(drawing()), describe(changed)
    # of independent neighbours: 2 / sqrt(pi) standard deviations
    assert plain["roughness"] == pytest.approx(1.128, abs=0.01)
    assert found["roughness"] < 0.6 * plain["roughness"]
    assert found["contrast_spread"] > 10 * plain["contrast_spread"]


def test_describing_takes_little_more_memory_than_drawing():
    batch = drawing()
    assert peak_memory(describe, batch) < 1.2 * peak_memory(batch)
