"""What the numbers in a label file mean: classes, regions made of several of them, and ignore.

With plain labels a network has one output for each label, the background first, and the largest
wins. With regions ("whole": [1, 2]) it has one output for each region, which may overlap; each is
yes or no by itself (nnU-Net: LabelManager).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from slicewise.problems import error

BACKGROUND = "background"
IGNORE = "ignore"

FORMULA = re.compile(r"(^|[,;\t\r\n])\s*[=+@-]")
"""A name that a spreadsheet runs as a formula when it opens a table, by itself or in a part."""

PRESENT = 0.5
"""Probability above which a voxel belongs to a region (nnU-Net)."""


@dataclass(frozen=True)
class Labels:
    """The labels of a dataset.

    values: all of a label file but `ignore`: 0 (background), 1, ...; classes: name of each
    foreground class or region -> the values that make it up, in the order of the network's outputs;
    written: with regions, the value that each writes into a segmentation, later ones over earlier
    ones, else None; ignore: the value of voxels that nobody annotated, or None; keys: what nnU-Net
    calls each class in summary.json, "1" or "(1, 2)".
    """

    values: tuple[int, ...]
    classes: dict[str, tuple[int, ...]]
    written: tuple[int, ...] | None
    ignore: int | None
    keys: tuple[str, ...]

    @property
    def has_regions(self) -> bool:
        """Say whether classes may overlap, each with an output of its own."""
        return self.written is not None

    @property
    def outputs(self) -> int:
        """Return how many channels the network puts out."""
        return len(self.classes) + (not self.has_regions)

    @property
    def stored(self) -> tuple[int, ...]:
        """Return every value that a label file may hold."""
        return self.values if self.ignore is None else (*self.values, self.ignore)

    def mask(self, label: np.ndarray, name: str) -> np.ndarray:
        """Return where a label map of any shape holds a class: bool, of its shape."""
        values = self.classes[name]
        return label == values[0] if len(values) == 1 else np.isin(label, values)

    def annotated(self, label: np.ndarray) -> np.ndarray:
        """Return where a label map of any shape is not ignored: bool, of its shape."""
        return np.ones(label.shape, bool) if self.ignore is None else label != self.ignore

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability of each output: float32 (output, ...), like `logits`."""
        from scipy.special import expit, softmax

        logits = logits.astype(np.float32, copy=False)
        return expit(logits) if self.has_regions else softmax(logits, axis=0)

    def decide(self, logits: Iterable[np.ndarray]) -> np.ndarray:
        """Return the segmentation that logits (output, ...) decide on, as `segment` does.

        Where probabilities round to the same number, logits still tell plain labels apart.
        """
        return self.segment(map(self.probabilities, logits) if self.has_regions else logits)

    def segment(self, probabilities: Iterable[np.ndarray]) -> np.ndarray:
        """Return the segmentation that probabilities (output, ...) decide on, in whole numbers.

        uint8, or uint16 where a label is above 255. Of equal probabilities the first label wins.
        Outputs are looked at one by one, so that an iterator need not hold all of them.
        """
        kind = np.uint8 if self.values[-1] <= np.iinfo(np.uint8).max else np.uint16
        segmentation = None
        for value, probability in zip(self.written or self.values, probabilities, strict=True):
            if segmentation is None:
                segmentation = np.zeros(probability.shape, kind)
                highest = PRESENT if self.has_regions else probability.copy()
            segmentation[probability > highest] = value
            if not self.has_regions:
                np.maximum(highest, probability, out=highest)
        return segmentation

    def nothing(self, shape: Sequence[int]) -> np.ndarray:
        """Return the probabilities of background and nothing else: float32 (output, *shape)."""
        probabilities = np.zeros((self.outputs, *shape), np.float32)
        if not self.has_regions:
            probabilities[0] = 1
        return probabilities


def parse_labels(labels: Mapping, regions_class_order: Sequence[int] | None = None) -> Labels:
    """Return the labels of a dataset.json in nnU-Net's form: name -> value or list of values.

    Raises ValueError saying what was found and what is expected, as nnU-Net's checks do.
    """
    members = {name: _members(name, value) for name, value in labels.items()}
    if members.get(BACKGROUND) != (0,) or isinstance(labels[BACKGROUND], list):
        found = f"background = {labels[BACKGROUND]!r}" if BACKGROUND in labels else "no background"
        raise error("", "labels", found, '"background": 0')
    ignore = labels.get(IGNORE)
    if isinstance(ignore, list):
        raise error("", "labels.ignore", f"{ignore}", "one integer, never a region")
    foreground = {
        name: values for name, values in members.items() if name != IGNORE and set(values) != {0}
    }
    if not foreground:
        raise error("", "labels", "no foreground", "at least one class beside the background")
    known = sorted({0, *(value for values in foreground.values() for value in values)})
    _check_consecutive(known, ignore)
    if any(len(values) > 1 for values in foreground.values()):
        written = _written(regions_class_order, foreground, known)
        keys = tuple(
            str(tuple(labels[name]) if isinstance(labels[name], list) else labels[name])
            for name in foreground
        )
    else:
        foreground = dict(sorted(foreground.items(), key=lambda item: item[1]))
        written, keys = None, tuple(str(value) for (value,) in foreground.values())
        if len(keys) != len(set(keys)):
            raise error("", "labels", f"{dict(labels)}", "a value of its own for each")
    return Labels(tuple(known), foreground, written, ignore, keys)


def _members(name: str, value: object) -> tuple[int, ...]:
    """Return the values that an entry of dataset.json stands for."""
    if FORMULA.search(name):
        expected = "no =, +, - or @ in front, which a spreadsheet runs as a formula"
        raise error("", "labels", f"the name {name!r}", expected, "name it otherwise")
    values = value if isinstance(value, list) else [value]
    if not values or not all(type(one) is int and one >= 0 for one in values):
        expected = "an integer from 0 up or, for a region, a list of them"
        raise error("", "labels", f"{name!r} = {value!r}", expected)
    return tuple(values)


def _check_consecutive(known: list[int], ignore: int | None) -> None:
    """Raise ValueError unless the values are 0, 1, 2, ... and ignore, if any, the next one."""
    gaps = [after for before, after in pairwise(known) if after - before != 1]
    if gaps:
        raise error("", "labels", f"{gaps} after a gap", "consecutive order (0, 1, 2, ...)")
    if ignore is not None and ignore != known[-1] + 1:
        expected = f"{known[-1] + 1}, one above the highest label"
        raise error("", "labels.ignore", f"{ignore}", expected)


def _written(
    order: Sequence[int] | None, regions: dict[str, tuple[int, ...]], known: list[int]
) -> tuple[int, ...]:
    """Return which value each region writes; a ValueError says why an order does not serve."""
    if order is None:
        expected = f"with regions: the label that each of {list(regions)} writes, in that order"
        raise error("", "regions_class_order", "nothing", expected)
    if len(order) != len(regions) or not set(order) <= set(known) - {0}:
        expected = f"a label from {known[1:]} for each of {list(regions)}"
        raise error("", "regions_class_order", f"{list(order)}", expected)
    return tuple(order)
