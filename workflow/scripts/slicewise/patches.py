"""Patches of single slices: where to cut them, and how to cut them without opening volumes.

Positions are drawn for a whole batch at once; of the files only the rows of its patches are read,
and the slices in which a patch's centre is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slicewise.labels import Labels
from slicewise.preprocessing import OUTSIDE
from slicewise.problems import BadInput, error
from slicewise.reading import SliceReader
from slicewise.sampling import Pool
from slicewise.slices import EXPORT_ANEW, ExportedCase

POSITION = np.dtype([(name, np.int64) for name in ("case", "slice", "row", "column")])
"""Where one patch lies: index of the case and slice, and its first row and column.

The first row and column may be negative and the patch may reach past the slice.
"""


def start_range(
    size: np.ndarray, read: np.ndarray, patch: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest start of a patch, for each of the axes given.

    `size` voxels are there, `read` are cut and `patch` remain after augmentation. Patches reach
    past the border by half of what augmentation may take away, and slices smaller than `read` are
    padded on both sides (nnU-Net: nnUNetDataLoader.get_bbox).
    """
    pad = read - np.minimum(patch, size)
    return -(pad // 2) - pad % 2, size + pad // 2 + pad % 2 - read


def is_forced(sample: np.ndarray, batch_size: int, oversample: float) -> np.ndarray:
    """Say which samples of a batch must hold foreground: the last `oversample` of the batch."""
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


def _fewer_voxels(case: ExportedCase, name: str | None, index: int, count: int) -> BadInput:
    """Return the error of a slice table that names more voxels than the label of its case has."""
    found = f"{count} voxels {f'of {name}' if name else 'annotated'} in slice {index}"
    path = getattr(case.label, "filename", "its exported label")
    return error(case.name, path, found, "as many as its slice table says", EXPORT_ANEW)


class Sampler:
    """Draws and cuts the patches of a stream of batches: its tables, and its files at hand.

    images, segmentations: readers of all cases, each by its number in the dataset; size: (case, 2:
    row, column) voxels; empty: the share of a batch from slices without foreground, None to leave
    it to chance; pools: what is drawn from, all cases or, with a share, those that have empty
    slices and those that have filled ones.
    """

    def __init__(
        self, cases: Sequence[ExportedCase], labels: Labels, empty: EmptyShare | None = None
    ):
        self.cases, self.labels, self.empty = cases, labels, empty
        self.images = SliceReader([case.image for case in cases])
        self.segmentations = SliceReader([case.label for case in cases])
        self.channels = cases[0].image.shape[1]
        self.size = np.array([case.label.shape[1:] for case in cases])
        # OUTSIDE, and every label that a loss asks for: 257 wraps to 1 where int8 is compared.
        declared = np.min_scalar_type(OUTSIDE - max(labels.stored))
        types = {case.label.dtype for case in cases}
        self.label_type = np.result_type(np.int8, declared, *types)
        groups = [list(enumerate(cases))] if empty is None else [empty.empty, empty.filled]
        self.pools = [Pool(group) if group else None for group in groups]

    def draw(
        self,
        rng: np.random.Generator,
        batch_size: int,
        read: tuple[int, int],
        patch: tuple[int, int],
        oversample: float,
    ) -> np.ndarray:
        """Draw the positions of a batch with nnU-Net's probabilities: POSITION (batch).

        Cases are drawn with replacement, then a slice uniformly, or for the last `oversample` of
        the batch a voxel of a class as the patch's centre. With an ignore label every other patch
        has an annotated voxel as its centre. `read` and `patch`: (row, column) voxels before and
        after augmentation. Forced samples always have foreground where there is any.
        """
        sample = np.arange(batch_size)
        forced = is_forced(sample, batch_size, oversample)
        if self.empty is None:
            return self._draw_from(self.pools[0], rng, forced, read, patch)
        empty, filled = self.pools
        share = round(batch_size * self.empty.share)
        without = np.full(batch_size, True) if filled is None else (sample < share) & ~forced
        positions = np.empty(batch_size, POSITION)
        for pool, its_own in ((empty, without), (filled, ~without)):
            if its_own.any():
                positions[its_own] = self._draw_from(pool, rng, forced[its_own], read, patch)
        return positions

    def _draw_from(
        self,
        pool: Pool,
        rng: np.random.Generator,
        forced: np.ndarray,
        read: tuple[int, int],
        patch: tuple[int, int],
    ) -> np.ndarray:
        """Draw positions from the cases of a pool, for samples that are forced or not."""
        member = rng.integers(len(pool.number), size=len(forced))
        number = pool.number[member]
        low, high = start_range(self.size[number], np.array(read), np.array(patch))
        start = rng.integers(low, high + 1)
        index = pool.drawable.draw(rng, member)
        kind = pool.draw_kind(rng, member, forced)
        (centred,) = np.nonzero(kind >= 0)
        if len(centred):
            index[centred], rank = pool.draw_voxel(rng, member[centred], kind[centred])
            centre = self._find(number[centred], index[centred], kind[centred], rank)
            start[centred] = np.maximum(low[centred], centre - np.array(read) // 2)
        positions = np.empty(len(forced), POSITION)
        positions["case"], positions["slice"] = number, index
        positions["row"], positions["column"] = start.T
        return positions

    def _find(
        self, number: np.ndarray, index: np.ndarray, kind: np.ndarray, rank: np.ndarray
    ) -> np.ndarray:
        """Return where voxels lie (sample, 2: row, column) in slices, given by number and index.

        rank: of each among the slice's voxels of its kind, which counts as Pool's does.
        """
        names = [*self.labels.classes, None]
        found = np.empty((len(number), 2), np.int64)
        wanted = zip(*(each.tolist() for each in (number, index, kind, rank)), strict=True)
        for sample, (of_case, of_slice, of_kind, nth) in enumerate(wanted):
            label = self.segmentations.rows(of_case, of_slice, 0, self.size[of_case, 0])
            name = names[of_kind]
            mask = self.labels.annotated(label) if name is None else self.labels.mask(label, name)
            places = np.flatnonzero(mask)
            if nth >= len(places):
                raise _fewer_voxels(self.cases[of_case], name, of_slice, len(places))
            found[sample] = divmod(places[nth], label.shape[1])
        return found

    def cut(self, positions: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Cut patches of `size` (row, column): image and label of the POSITIONs (batch).

        image: float32 (batch, channel, row, column); label: (batch, row, column), the smallest
        integers that hold the dataset's labels and its files. Outside the slice the image is 0,
        the label -1.
        """
        start = np.stack([positions["row"], positions["column"]], axis=1)
        # Where the slice begins and ends in the patch.
        low = np.clip(-start, 0, size)
        high = np.clip(self.size[positions["case"]] - start, 0, size)
        image = np.empty((len(positions), self.channels, *size), np.float32)
        label = np.empty((len(positions), *size), self.label_type)
        padded = ((low > 0) | (high < size)).any(axis=1)
        image[padded], label[padded] = 0, OUTSIDE
        places = zip(positions.tolist(), low.tolist(), high.tolist(), strict=True)
        for sample, (position, (top, left), (bottom, right)) in enumerate(places):
            number, index, row, column = position
            if top == bottom or left == right:
                continue
            inside = ..., slice(top, bottom), slice(left, right)
            rows, columns = (row + top, row + bottom), slice(column + left, column + right)
            image[sample][inside] = self.images.rows(number, index, *rows)[..., columns]
            label[sample][inside] = self.segmentations.rows(number, index, *rows)[..., columns]
        return image, label
