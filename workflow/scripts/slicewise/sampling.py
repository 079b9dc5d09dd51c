"""Which case, slice and voxel each sample of a batch is about, drawn for a whole batch at once.

The tables behind it hold a number for each class and slice; no volume is opened for a draw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slicewise.slices import ExportedCase


class Ragged:
    """Lists of numbers of different lengths, end to end, to draw from many of them at once.

    values: all of them; length, first: how many numbers each list has, and where it begins (list).
    """

    def __init__(self, lists: Sequence[np.ndarray]):
        self.values = np.concatenate(lists)
        self.length = np.array([len(each) for each in lists])
        self.first = np.cumsum(self.length) - self.length

    def draw(self, rng: np.random.Generator, wanted: np.ndarray) -> np.ndarray:
        """Draw an entry of the list that each sample wants (sample); none of them may be empty."""
        return self.values[self.first[wanted] + rng.integers(self.length[wanted])]


class Pool:
    """Cases to draw from: a member is one of them, counted in the pool.

    number: each member's index in the dataset; drawable: the slices of each that may be drawn;
    classes: the classes that each has; has_annotated: whether each knows of voxels that are not
    ignored (all per member). Voxels are drawn by their kind, of which there are `kinds`: a class
    or, with the number after the last class, whatever is annotated. A run is one kind of one
    member, a number for each of its slices; runs lie end to end, kind by kind, then member by
    member. first: where each run begins, and the end; before: how many voxels, of all runs, lie
    before each slice, and all of them.
    """

    def __init__(self, members: Sequence[tuple[int, ExportedCase]]):
        cases = [case for _, case in members]
        self.number = np.array([number for number, _ in members])
        self.drawable = Ragged([case.drawable for case in cases])
        self.classes = Ragged([np.flatnonzero(case.counts.any(axis=1)) for case in cases])
        self.has_annotated = np.array(
            [case.annotated is not None and bool(case.annotated.any()) for case in cases]
        )
        self.kinds = len(cases[0].counts) + 1
        slices = np.repeat([len(case.label) for case in cases], self.kinds)
        self.first = np.zeros(len(slices) + 1, np.int64)
        np.cumsum(slices, out=self.first[1:])
        # Member by member into the whole table, which is by far the largest.
        self.before = np.zeros(self.first[-1] + 1, np.int64)
        for member, case in enumerate(cases):
            start, end = self.first[[member * self.kinds, (member + 1) * self.kinds]]
            counts = np.zeros((self.kinds, len(case.label)), np.int64)
            counts[:-1] = case.counts
            if case.annotated is not None:
                counts[-1] = case.annotated
            after = np.cumsum(counts, out=self.before[start + 1 : end + 1])
            after += self.before[start]

    def draw_kind(
        self, rng: np.random.Generator, member: np.ndarray, forced: np.ndarray
    ) -> np.ndarray:
        """Draw the kind of voxel that each patch is centred on, -1 where on none (sample).

        member: of each sample; forced: whether it must hold a class. Classes that a member has are
        drawn alike, however small they are.
        """
        kind = np.where(self.has_annotated[member], self.kinds - 1, -1)
        (of_class,) = np.nonzero(forced & (self.classes.length[member] > 0))
        kind[of_class] = self.classes.draw(rng, member[of_class])
        return kind

    def draw_voxel(
        self, rng: np.random.Generator, member: np.ndarray, kind: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw a voxel of a kind in each member: its slice, and its rank among those of the slice.

        All (sample); each member must have voxels of its kind.
        """
        run = member * self.kinds + kind
        drawn = rng.integers(self.before[self.first[run]], self.before[self.first[run + 1]])
        found = np.searchsorted(self.before, drawn, side="right") - 1
        return found - self.first[run], drawn - self.before[found]
