"""What an augmented patch is measured by, for nnU-Net's patches and ours alike.

Needs only NumPy: record_augment_draws.py imports it beside nnU-Net, the tests beside slicewise.
"""

from pathlib import Path

import numpy as np

PATCH, LONG_PATCH = (28, 20), (24, 14)  # LONG_PATCH is so elongated that rotation is limited
BATCH = 10  # consecutive samples that are drawn as one batch
MASKED = (True, False)
LABELS = (1, 2, 3)
IGNORED = (4, 127, 255)  # the value to ignore in each of the labels that hold one
REGIONS = {"whole": (1, 2, 3), "core": (2, 3)}
OF_A_CHANNEL = (
    "mean",
    "standard deviation",
    "smallest",
    "largest",
    "gradient energy along rows",
    "gradient energy along columns",
    "share of zeros",
    "correlation with the patch as it was",
)
MEASURES = (
    *(f"{name}, channel {channel}" for channel in (0, 1) for name in OF_A_CHANNEL),
    *(f"share of label {value}" for value in LABELS),
    "share of pixels that keep their label",
)


def middle(array, patch):
    """Return the central patch of the last two axes (row, column)."""
    row, column = (
        size // 2 - edge // 2 for size, edge in zip(array.shape[-2:], patch, strict=True)
    )
    return array[..., row : row + patch[0], column : column + patch[1]]


def fixed_patch(size):
    """Return the image (channel, row, column) and label (row, column) that all transforms meet."""
    folder = Path(__file__).parent / "augment"
    image, label = np.load(folder / "image.npy")[0], np.load(folder / "label.npy")[0]
    return middle(image, size), middle(label, size).astype(np.int16)


def of_a_channel(plane, before):
    """Return (measure, n) of planes (n, row, column) that were `before` (row, column)."""
    pixels = plane.reshape(len(plane), -1)
    centred = pixels - pixels.mean(1, keepdims=True)
    reference = before.ravel() - before.mean()
    length = np.sqrt((centred**2).sum(1) * (reference**2).sum())
    return [
        pixels.mean(1),
        pixels.std(1),
        pixels.min(1),
        pixels.max(1),
        (np.diff(plane, axis=1) ** 2).mean((1, 2)),
        (np.diff(plane, axis=2) ** 2).mean((1, 2)),
        (pixels == 0).mean(1),
        centred @ reference / np.maximum(length, 1e-12),
    ]


def measure(image, label, image_before, label_before):
    """Return what MEASURES names, (measure, n) float16, each row in ascending order.

    image (n, channel, row, column) and label (n, row, column) are augmented patches;
    image_before (channel, row, column) and label_before (row, column) the patch as it was.
    """
    image, before = image.astype(float), image_before.astype(float)
    rows = [
        row
        for channel, plane in enumerate(before)
        for row in of_a_channel(image[:, channel], plane)
    ]
    rows += [(label == value).mean((1, 2)) for value in LABELS]
    rows += [(label == np.maximum(label_before, 0)).mean((1, 2))]
    return np.sort(np.stack(rows), axis=1).astype(np.float16)
