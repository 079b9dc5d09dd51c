"""What both halves of patches.py do with their batches: describe some, then cut for seconds."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.serving import serve

DESCRIBED = 20
"""Batches that are compared."""


def describe(batch: Callable[[], tuple[np.ndarray, np.ndarray]]) -> dict:
    """Return shapes, mean and standard deviation of images and the share of foreground.

    Two numbers tell augmented from plain patches. roughness: how far neighbours in a row lie apart,
    in standard deviations of the sample, on average over samples; contrast_spread: the standard
    deviation over samples of the sample's own.

    Batches are drawn and let go one by one: the peak of memory is that of drawing.
    """
    added, samples = np.zeros(4), []
    for _ in range(DESCRIBED):
        image, label = batch()
        shapes = [list(image.shape), list(label.shape)]
        added += sums(image, label)
        samples += map(texture, image)
        del image, label
    contrasts, roughness = np.transpose(samples)
    mean, square, foreground = added[:3] / added[3]
    return {
        "shapes": shapes,
        "mean": mean,
        "sd": (square - mean**2) ** 0.5,
        "foreground": foreground,
        "contrast_spread": float(contrasts.std()),
        "roughness": float(roughness.mean()),
    }


def texture(values: np.ndarray) -> tuple[float, float]:
    """Return the standard deviation of a sample (channel, row, column) and its roughness."""
    contrast = float(values.std(dtype=np.float64))
    apart = float(np.abs(np.diff(values, axis=-1)).mean(dtype=np.float64))
    return contrast, apart / contrast if contrast else 0.0


def sums(image: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the sum of voxels and of their squares, how many are foreground, and how many are.

    All over the channels, foreground too. Sample by sample, for which 64 bits take little memory.
    """
    added = np.zeros(4)
    for values, of_values in zip(image, label, strict=True):
        exact, foreground = values.astype(np.float64), np.count_nonzero(of_values > 0)
        added += exact.sum(), np.square(exact).sum(), len(values) * foreground, values.size
    return added


def draw(
    tell: Callable[[dict], None],
    batch: Callable[[], tuple[np.ndarray, np.ndarray]],
    seconds: float,
) -> None:
    """Serve `batch`: image (sample, channel, row, column) and label (sample, row, column)."""

    def work() -> dict:
        amount, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds:
            amount += len(batch()[0])
        return {"amount": amount, "seconds": spent}

    serve(tell, describe(batch), work)
