"""In-plane extents of structures: as the analysis of scans wrote them, and on a plan's grid."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

import numpy as np

from slicewise import geometry


def read_extents(paths: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each case with the rows that analyze_cases wrote of it, without its name.

    The rows of a case lie together: no more than those of one are held.
    """
    for path in paths:
        with open(path, encoding="utf-8", newline="") as file:
            for case, rows in groupby(islice(csv.reader(file), 1, None), key=itemgetter(0)):
                yield case, np.array([row[1:] for row in rows], dtype=np.int64)


def read_spacing(path: str) -> dict[str, dict[str, str]]:
    """Return the row of spacing.csv of each case."""
    with open(path, encoding="utf-8", newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def extents_on_grid(
    extents: Iterable[tuple[str, np.ndarray]],
    cases: dict[str, dict[str, str]],
    transpose_forward: Sequence[int],
    target: Sequence[float],
    reorient: bool,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each case with rows of label, row and column extent in voxels of a plan's grid.

    extents: each case with its rows of label, axis, slice, first and second, axes as stored; cases:
    the row of spacing.csv of each; transpose_forward and target: a plan's axes and its spacing in
    mm (row, column).
    """
    slice_axis, *in_plane = transpose_forward
    for name, rows in extents:
        case = cases[name]
        stored = [
            2 - geometry.nifti_axis(axis, case["orientation"], reorient)
            for axis in (slice_axis, *in_plane)
        ]
        rows = rows[rows[:, 1] == stored[0]]
        row, column = (3, 4) if stored[1] < stored[2] else (4, 3)
        scale = [
            float(case[f"spacing_{axis}_mm"]) / edge
            for axis, edge in zip(in_plane, target, strict=True)
        ]
        sizes = (rows[:, 0], rows[:, row] * scale[0], rows[:, column] * scale[1])
        yield name, np.column_stack(sizes)
