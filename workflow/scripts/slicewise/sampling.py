"""Which case, slice and voxel each sample of a batch is about, drawn for a whole batch at once.

The tables behind it hold a number for each class and slice; no volume is opened for a draw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slicewise.slices import ExportedCase


class Ragged:
    """Lists of numbers of different lengths, end to end, to draw from many of them at once."""

    def __init__(self, lists: Sequence[np.ndarray]):
        self.values = np.concatenate(lists)
        self.length = np.array([len(each) for each in lists])
        self.first = np.cumsum(self.length) - self.length

    def draw(self, rng: np.random.Generator, chosen: np.ndarray) -> np.ndarray:
        """Draw an entry of each list that `chosen` (sample) names; none of them may be empty."""
        return self.values[self.first[chosen] + rng.integers(self.length[chosen])]


class Pool:
    """Cases to draw from, each with its index in the dataset.

    case: those indices; size: (case, 2: row, column) voxels; drawable: the slices of each case that
    may be drawn; classes: the classes that each has. Voxels are drawn by their kind, a class or,
    with the number after the last class, whatever is annotated.
    """

    def __init__(self, members: Sequence[tuple[int, ExportedCase]]):
        cases = [case for _, case in members]
        self.case = np.array([index for index, _ in members])
        self.size = np.array([case.label.shape[1:] for case in cases])
        self.drawable = Ragged([case.drawable for case in cases])
        self.classes = Ragged([np.flatnonzero(case.counts.any(axis=1)) for case in cases])
        annotated = [
            np.zeros(len(case.label), int) if case.annotated is None else case.annotated
            for case in cases
        ]
        self.has_annotated = np.array([each.any() for each in annotated])
        # All kinds of all cases one after the other, each a run of slices: where each run begins,
        # and how many voxels lie before each slice.
        counts = [
            np.vstack([case.counts, each]) for case, each in zip(cases, annotated, strict=True)
        ]
        self.kinds = len(counts[0])
        slices = np.repeat([len(case.label) for case in cases], self.kinds)
        self.first = np.concatenate([[0], np.cumsum(slices)])
        self.before = np.concatenate([[0], np.cumsum(np.concatenate([c.ravel() for c in counts]))])

    def draw_kind(
        self, rng: np.random.Generator, member: np.ndarray, forced: np.ndarray
    ) -> np.ndarray:
        """Draw the kind of voxel that each patch is centred on, -1 where on none (sample).

        member: the case of each sample, counted in the pool; forced: whether it must hold a class.
        Classes that a case has are drawn alike, however small they are.
        """
        kind = np.where(self.has_annotated[member], self.kinds - 1, -1)
        forced = np.flatnonzero(forced & (self.classes.length[member] > 0))
        kind[forced] = self.classes.draw(rng, member[forced])
        return kind

    def draw_voxel(
        self, rng: np.random.Generator, member: np.ndarray, kind: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw a voxel of a kind in each case: its slice, and its rank among those of the slice."""
        run = member * self.kinds + kind
        drawn = rng.integers(self.before[self.first[run]], self.before[self.first[run + 1]])
        found = np.searchsorted(self.before, drawn, side="right") - 1
        return found - self.first[run], drawn - self.before[found]
