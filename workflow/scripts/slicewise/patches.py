"""Patches of single slices: where to cut them, and how to cut them without opening volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from slicewise.labels import Labels
from slicewise.preprocessing import OUTSIDE
from slicewise.slices import ExportedCase


@dataclass(frozen=True)
class Position:
    """Where one patch lies: index of the case and slice, and its first row and column.

    The first row and column may be negative and the patch may reach past the slice.
    """

    case: int
    slice: int
    row: int
    column: int


def start_range(size: int, read: int, patch: int) -> tuple[int, int]:
    """Return the smallest and largest start of a patch along one axis.

    `size` voxels are there, `read` are cut and `patch` remain after augmentation. Patches reach
    past the border by half of what augmentation may take away, and slices smaller than `read` are
    padded on both sides (nnU-Net: nnUNetDataLoader.get_bbox).
    """
    pad = max(read - patch, read - size)
    return -(pad // 2) - pad % 2, size + pad // 2 + pad % 2 - read


def is_forced(sample: int, batch_size: int, oversample: float) -> bool:
    """Say whether a sample of a batch must hold foreground: the last `oversample` of the batch."""
    return sample >= round(batch_size * (1 - oversample))


@dataclass(frozen=True)
class EmptyShare:
    """How much of a batch comes from slices without foreground, and the cases that have such.

    share: of a batch, its first samples; empty, filled: index of a case and that case limited to
    its slices without foreground, or to those with it. Cases without such slices are left out.
    """

    share: float
    empty: Sequence[tuple[int, ExportedCase]]
    filled: Sequence[tuple[int, ExportedCase]]

    def pool(self, sample: int, batch_size: int) -> Sequence[tuple[int, ExportedCase]]:
        """Return the cases that a sample of a batch is drawn from."""
        return self.empty if sample < round(batch_size * self.share) else self.filled


def empty_share(cases: Sequence[ExportedCase], share: float) -> EmptyShare:
    """Return the share with the cases that serve it; a ValueError says which slices there are none.

    A share of 0 needs no empty slices, a share of 1 none with foreground.
    """
    empty = [(i, case.limited(case.empty)) for i, case in enumerate(cases) if len(case.empty)]
    filled = [(i, case.limited(case.filled)) for i, case in enumerate(cases) if len(case.filled)]
    for found, needed, kind in ((empty, share, "without"), (filled, 1 - share, "with")):
        if needed > 0 and not found:
            raise ValueError(
                f"training.empty_slices: found {share:g}, which needs slices {kind} foreground; "
                f"none of {len(cases)} cases has one among training.slices; set it to null to take "
                "slices as they come"
            )
    return EmptyShare(share, empty, filled)


def _foreground_voxel(
    rng: np.random.Generator, case: ExportedCase, labels: Labels
) -> tuple[int, int, int] | None:
    """Draw a class that the case has, then one of its voxels, each with the same probability.

    Returns (slice, row, column), or None for a case without foreground.
    """
    present = np.flatnonzero(case.counts.any(axis=1))
    if len(present) == 0:
        return None
    index = present[rng.integers(len(present))]
    name = list(labels.classes)[index]
    return _voxel(rng, case.counts[index], case, lambda label: labels.mask(label, name))


def _annotated_voxel(
    rng: np.random.Generator, case: ExportedCase, labels: Labels
) -> tuple[int, int, int] | None:
    """Draw a voxel that is not ignored, as (slice, row, column), or None where there is none."""
    if case.annotated is None or not case.annotated.any():
        return None
    return _voxel(rng, case.annotated, case, labels.annotated)


def _voxel(
    rng: np.random.Generator, counts: np.ndarray, case: ExportedCase, mask: Callable
) -> tuple[int, int, int]:
    """Draw one of the voxels (slice, row, column) that a mask holds, of which `counts` (slice) are.

    The slice follows from the counts; only that slice of the label is read.
    """
    cumulative = np.cumsum(counts)
    rank = rng.integers(cumulative[-1])
    chosen = int(np.searchsorted(cumulative, rank, side="right"))
    rank -= cumulative[chosen - 1] if chosen else 0
    voxel = np.flatnonzero(mask(case.label[chosen]))[rank]
    return chosen, *(int(i) for i in np.unravel_index(voxel, case.label.shape[1:]))


def draw(
    rng: np.random.Generator,
    cases: Sequence[ExportedCase],
    labels: Labels,
    batch_size: int,
    read: tuple[int, int],
    patch: tuple[int, int],
    oversample: float,
    empty: EmptyShare | None = None,
) -> list[Position]:
    """Draw the positions of a batch with nnU-Net's probabilities.

    Cases are drawn with replacement, then a slice uniformly, or for the last `oversample` of the
    batch a voxel of a class as the patch's centre. With an ignore label every other patch has an
    annotated voxel as its centre. `read` and `patch`: (row, column) voxels before and after
    augmentation; `empty`: the share from slices without foreground, None to leave it to chance.
    Forced samples always have foreground where there is any.
    """
    positions = []
    for sample, index in enumerate(rng.integers(len(cases), size=batch_size)):
        case = cases[index]
        forced = is_forced(sample, batch_size, oversample)
        if empty is not None:
            pool = empty.filled if forced else empty.pool(sample, batch_size)
            index, case = pool[rng.integers(len(pool))]
        ranges = [
            start_range(*axis) for axis in zip(case.label.shape[1:], read, patch, strict=True)
        ]
        voxel = _foreground_voxel(rng, case, labels) if forced else None
        if voxel is None:
            voxel = _annotated_voxel(rng, case, labels)
        if voxel is None:
            chosen = case.drawable[rng.integers(len(case.drawable))]
            row, column = (rng.integers(low, high + 1) for low, high in ranges)
        else:
            chosen = voxel[0]
            row, column = (
                max(low, centre - edge // 2)
                for (low, _), centre, edge in zip(ranges, voxel[1:], read, strict=True)
            )
        positions.append(Position(int(index), int(chosen), int(row), int(column)))
    return positions


def cut(
    cases: Sequence[ExportedCase], positions: Sequence[Position], read: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Cut patches: image float32 (batch, channel, row, column), label int16 (batch, row, column).

    Only the rows of each patch are read. Outside the slice the image is 0 and the label -1.
    """
    channels = cases[0].image.shape[1]
    image = np.zeros((len(positions), channels, *read), np.float32)
    label = np.full((len(positions), *read), OUTSIDE, np.int16)
    for sample, at in enumerate(positions):
        case = cases[at.case]
        rows, columns = case.label.shape[1:]
        top, bottom = np.clip([at.row, at.row + read[0]], 0, rows)
        left, right = np.clip([at.column, at.column + read[1]], 0, columns)
        if top == bottom or left == right:
            continue
        inside = (
            slice(top - at.row, bottom - at.row),
            slice(left - at.column, right - at.column),
        )
        image[(sample, slice(None), *inside)] = case.image[at.slice, :, top:bottom, left:right]
        label[(sample, *inside)] = case.label[at.slice, top:bottom, left:right]
    return image, label
