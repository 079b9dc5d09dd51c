"""Which slices of a scan are trained on or scored: all, or those that a line of the config names.

Slices are counted and placed as the file stores them, so that the same words choose the same slices
of a file however it is read: `central 20` and `every 2` count along the file's own axis, and a
range in mm is in the coordinate of geometry.slice_positions, position_mm in per_slice.csv.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from slicewise.labels import Labels

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
FORMS = {
    "all": r"all",
    "foreground": r"foreground",
    "central": r"central ([1-9][0-9]{0,8})",
    "every": r"every ([1-9][0-9]{0,8})",
    "range": rf"({NUMBER}) to ({NUMBER}) mm",
}
"""What the words look like, by kind; the pattern of the config's schema is the same."""

ROUNDING_MM = 1e-3
"""A slice this near to an end of a range lies on it: affines are stored in single precision."""


@dataclass(frozen=True)
class Selection:
    """A choice of slices.

    text: as the config says it; kind: one of FORMS; count: N of `central N`, K of `every K`;
    low_mm, high_mm: ends of a range.
    """

    text: str
    kind: str
    count: int = 1
    low_mm: float = -np.inf
    high_mm: float = np.inf

    def __str__(self) -> str:
        return repr(self.text)

    def chosen(self, filled: np.ndarray, position_mm: np.ndarray) -> np.ndarray:
        """Return which slices of a file are chosen: bool (slice).

        filled: whether each slice holds any class in the truth; position_mm: the place of each, as
        geometry.slice_positions gives it. `central N` of fewer than N slices are all; where the
        middle lies between two slices, the one of lower index is in.
        """
        index = np.arange(len(position_mm))
        if self.kind == "foreground":
            return np.array(filled, bool)
        if self.kind == "central":
            first = max(0, (len(index) - self.count) // 2)
            return (index >= first) & (index < first + self.count)
        if self.kind == "every":
            return index % self.count == 0
        low, high = self.low_mm - ROUNDING_MM, self.high_mm + ROUNDING_MM
        return (position_mm >= low) & (position_mm <= high)

    def scored(self, truth: np.ndarray, labels: Labels, position_mm: np.ndarray) -> np.ndarray:
        """Return which slices of a truth (slice, row, column) are chosen: bool (slice).

        Ignored voxels are no foreground; position_mm as in `chosen`.
        """
        filled = ((truth > 0) & labels.annotated(truth)).any(axis=(1, 2))
        return self.chosen(filled, position_mm)


def parse_selection(text: str) -> Selection:
    """Return the selection that a line such as `central 20` or `-20 to 35 mm` names.

    A range may be given from either end. Raises ValueError for any other words.
    """
    for kind, form in FORMS.items():
        match = re.fullmatch(form, text)
        if match and kind == "range":
            return Selection(text, kind, 1, *sorted(map(float, match.groups())))
        if match:
            return Selection(text, kind, *map(int, match.groups()))
    raise ValueError(
        f"slices: found {text!r}, expected all, foreground, central N, every K, or A to B mm, as "
        "in -20 to 35 mm"
    )
