"""What both halves of patches.py do with their batches: describe some, then cut for seconds."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.serving import serve

DESCRIBED = 20
"""Batches that are compared."""


def describe(batches: list[tuple[np.ndarray, np.ndarray]]) -> dict:
    """Return shapes, mean and standard deviation of images and the share of foreground."""
    images, labels = (np.stack(part) for part in zip(*batches, strict=True))
    return {
        "shapes": [list(images.shape[1:]), list(labels.shape[1:])],
        "mean": float(images.mean()),
        "sd": float(images.std()),
        "foreground": float((labels > 0).mean()),
    }


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

    serve(tell, describe([batch() for _ in range(DESCRIBED)]), work)
