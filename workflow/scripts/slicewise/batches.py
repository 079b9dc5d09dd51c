"""Batches of augmented patches, the same whatever prepares them and whenever."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from slicewise import augment, patches
from slicewise.device import to_device
from slicewise.distributed import ALONE, Ranks
from slicewise.labels import Labels
from slicewise.randomness import generator
from slicewise.slices import ExportedCase

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Prepared:
    """A batch as it is read, before its augmentation.

    image (batch, channel, row, column) and label (batch, row, column) have the plan's patch size.
    parameters: how it is augmented, None for not at all; wide: image and label with a margin of the
    samples that are rotated or scaled, None where there are none.
    """

    image: Tensor
    label: Tensor
    wide: tuple[Tensor, Tensor] | None = None
    parameters: augment.Parameters | None = None

    def to(self, device: torch.device) -> Prepared:
        """Return the batch on a device; copies from pinned memory go on in the background."""
        return self._each(partial(to_device, device=device))

    def pinned(self) -> Prepared:
        """Return the batch in memory that a GPU copies from by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, move: Callable[[Tensor], Tensor]) -> Prepared:
        wide = None if self.wide is None else (move(self.wide[0]), move(self.wide[1]))
        return Prepared(move(self.image), move(self.label), wide, self.parameters)


@dataclass(frozen=True)
class Batches:
    """A stream of batches; batch i depends on (seed, fold, purpose, i) and on nothing else.

    cases: exported cases to draw from; labels: what their labels mean; patch: (row, column)
    voxels; oversample: share of a batch that must hold foreground; augmented: whether to augment;
    masked_channels: which channels are 0 outside the nonzero mask; empty: the share of a batch from
    slices without foreground, None to leave it to chance; ranks: the processes that
    share each batch, of which this one makes its part.
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
    ranks: Ranks = ALONE

    @cached_property
    def sampler(self) -> patches.Sampler:
        """Return what draws and cuts the patches, made before the first batch is."""
        return patches.Sampler(self.cases, self.labels, self.empty)

    def prepare(self, index: int) -> Prepared:
        """Draw a batch and its augmentation, and read its part.

        Only samples that are rotated or scaled are read with the margin of the initial patch size;
        the others are the centres of such patches.
        """
        rng = generator(self.seed, self.fold, self.purpose, index)
        positions, read = self._draw(rng)
        positions = positions[self.ranks.part]
        if not self.augmented:
            return Prepared(*self._cut(positions, self.patch))
        drawn = augment.draw(rng, self.batch_size, self.sampler.channels, self.patch)
        parameters = drawn.of(self.ranks.part)
        turned = augment.resampled(parameters)
        wide = self._cut(positions[turned], read) if len(turned) else None
        row, column = augment.centre_start(read, self.patch)
        positions["row"] += row
        positions["column"] += column
        return Prepared(*self._cut(positions, self.patch), wide, parameters)

    def slices(self, index: int) -> list[tuple[ExportedCase, int]]:
        """Return where all samples of a batch come from: a case and an index of its slices each."""
        positions, _ = self._draw(generator(self.seed, self.fold, self.purpose, index))
        return [(self.cases[number], of_slice) for number, of_slice, *_ in positions.tolist()]

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, int]]:
        """Draw the positions of a batch, of patches of the size (row, column) that is read."""
        read = augment.initial_patch_size(self.patch) if self.augmented else self.patch
        return self.sampler.draw(rng, self.batch_size, read, self.patch, self.oversample), read

    def _cut(self, positions: np.ndarray, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        image, label = self.sampler.cut(positions, size)
        return torch.from_numpy(image), torch.from_numpy(label)

    def finish(self, batch: Prepared) -> tuple[Tensor, Tensor]:
        """Augment a batch in place, on the device where it is; return its image and label."""
        if batch.parameters is None:
            return batch.image, batch.label.clamp_(min=0)
        return augment.apply(
            batch.image, batch.label, batch.wide, batch.parameters, self.masked_channels
        )

    def batch(self, index: int) -> tuple[Tensor, Tensor]:
        """Return image (batch, channel, row, column) and label (batch, row, column) of a batch."""
        return self.finish(self.prepare(index))

    def stream(
        self, indices: range, workers: int, device: torch.device = CPU
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of `indices` in order, `workers` threads preparing the next ones.

        For the CPU the threads augment too. On any other device a batch is augmented where it is
        used, when its turn comes.
        """
        _ = self.sampler  # made here, once for all threads: nothing else keeps it to one
        if device.type == "cpu":
            yield from ahead(self.batch, indices, workers)
            return
        for batch in ahead(lambda index: self._staged(index, device), indices, workers):
            yield self.finish(batch.to(device))

    def _staged(self, index: int, device: torch.device) -> Prepared:
        """Return a batch ready to be copied to a device."""
        batch = self.prepare(index)
        return batch.pinned() if device.type == "cuda" else batch


def ahead(make: Callable[[int], object], indices: range, workers: int) -> Iterator:
    """Yield what `make` makes of each index, in order; `workers` threads are at the next ones."""
    if workers == 0:
        yield from map(make, indices)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(make, index) for index in indices[: 2 * workers]]
        for index in indices[2 * workers :]:
            yield waiting.pop(0).result()
            waiting.append(pool.submit(make, index))
        while waiting:
            yield waiting.pop(0).result()
