"""Batches of augmented patches, the same whatever prepares them and whenever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from slicewise import augment, patches
from slicewise.augment_spatial import center_crop
from slicewise.labels import Labels
from slicewise.randomness import generator
from slicewise.slices import ExportedCase, release


@dataclass(frozen=True)
class Batches:
    """A stream of batches; batch i depends on (seed, fold, purpose, i) and on nothing else.

    cases: exported cases to draw from; labels: what their labels mean; patch: (row, column)
    voxels; oversample: share of a batch that must hold foreground; augmented: whether to augment;
    masked_channels: which channels are 0 outside the nonzero mask; empty: the share of a batch from
    slices without foreground, None to leave it to chance.
    """

    cases: Sequence[ExportedCase]
    labels: Labels
    batch_size: int
    patch: tuple[int, int]
    oversample: float
    augmented: bool
    masked_channels: Sequence[bool]
    seed: int
    fold: int
    purpose: str
    empty: patches.EmptyShare | None = None

    def batch(self, index: int) -> tuple[Tensor, Tensor]:
        """Return image (batch, channel, row, column) and label (batch, row, column) of a batch."""
        rng = generator(self.seed, self.fold, self.purpose, index)
        read = augment.initial_patch_size(self.patch) if self.augmented else self.patch
        positions = patches.draw(
            rng,
            self.cases,
            self.labels,
            self.batch_size,
            read,
            self.patch,
            self.oversample,
            self.empty,
        )
        image, label = map(torch.from_numpy, patches.cut(self.cases, positions, read))
        for case in {position.case for position in positions}:
            release(self.cases[case])
        if not self.augmented:
            return image, label.clamp_(min=0)
        parameters = augment.draw(rng, self.batch_size, image.shape[1], self.patch)
        chosen = augment.resampled(parameters)
        wide = image[chosen], label[chosen]
        image, label = (center_crop(each, self.patch).contiguous() for each in (image, label))
        return augment.apply(image, label, wide, parameters, self.masked_channels)

    def stream(self, indices: range, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of `indices` in order, `workers` threads preparing the next ones."""
        if workers == 0:
            yield from map(self.batch, indices)
            return
        with ThreadPoolExecutor(workers) as pool:
            ahead = 2 * workers
            waiting = [pool.submit(self.batch, index) for index in indices[:ahead]]
            for index in range(len(indices)):
                yield waiting.pop(0).result()
                if index + ahead < len(indices):
                    waiting.append(pool.submit(self.batch, indices[index + ahead]))
