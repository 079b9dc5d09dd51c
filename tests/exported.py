"""Exported cases in memory for tests, made in a few lines."""

import numpy as np

from scans import labels_of
from slicewise.labels import parse_labels
from slicewise.slices import ExportedCase, slice_table

TWO = labels_of(2)
TWO_AND_IGNORE = parse_labels({"background": 0, "class1": 1, "class2": 2, "ignore": 3})


def case_of(label, seed=0, channels=2, labels=TWO):
    """Return an exported case in memory with a random image."""
    image = np.random.default_rng(seed).random((len(label), channels, *label.shape[1:]))
    table = slice_table(label, labels)
    counts = np.array(list(table["classes"].values()))
    annotated = np.array(table["annotated"]) if "annotated" in table else None
    return ExportedCase("case", image.astype(np.float32), label, counts, None, annotated)


def ellipsoid(shape=(8, 20, 16)):
    """Return a label (slice, row, column) with class 1 in the middle slices and class 2 in one."""
    label = np.zeros(shape, np.int8)
    label[2:6, 5:12, 4:10] = 1
    label[3, 15:18, 12:14] = 2
    return label
