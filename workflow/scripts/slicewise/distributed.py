"""What the processes of one training tell each other: each has a device and a part of every batch.

The loss is a function of sums over the slices of the whole batch. So the processes gather these
sums (nnU-Net gathers those of its Dice alone: AllGatherGrad), each takes the gradient of the whole
loss with respect to its own slices, and the gradients of the weights are added up. They thus take
the step of one process, but for rounding. torch's DistributedDataParallel does not do this for it:
it adds gradients up in other groups in its first step than in those that follow, so that three
processes or more that go on from a checkpoint would round otherwise than if they had not stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Ranks:
    """The processes of one training, seen from one of them; a single one has nobody to ask.

    rank: its number, from 0; count: how many there are; batch_size: slices of a whole batch, of
    which each has a part as even as can be; told: the file where their job writes the number of the
    signal that it was told to end by.
    """

    rank: int = 0
    count: int = 1
    batch_size: int | None = None
    told: Path | None = None

    def of_batches(self, batch_size: int) -> Ranks:
        """Return them with batches of a size; raises ValueError if one would have nothing to do."""
        if batch_size < self.count:
            raise ValueError(
                f"training.devices: found {self.count}, expected at most {batch_size}, the slices "
                "of a batch (training.batch_size, or where that is null batch_size of plans.json), "
                "of which each device takes some"
            )
        return replace(self, batch_size=batch_size)

    @property
    def part(self) -> slice:
        """Return which samples of a batch are those of this process."""
        if self.count == 1:
            return slice(None)
        of_each, more = divmod(self.batch_size, self.count)
        start = self.rank * of_each + min(self.rank, more)
        return slice(start, start + of_each + (self.rank < more))

    def gather(self, sums: Tensor) -> Tensor:
        """Return the sums (head, slice, ...) of a whole batch, from those of each one's slices."""
        if self.count == 1:
            return sums
        heads, _, *rest = sums.shape
        whole = sums.new_zeros(heads, self.batch_size, *rest)
        whole[:, self.part] = sums
        return self.add(whole)

    def add(self, tensor: Tensor) -> Tensor:
        """Return the sum of what each process has; the tensor is changed."""
        if self.count > 1:
            distributed.all_reduce(tensor)
        return tensor

    def add_gradients(self, weights: Iterable[Tensor]) -> None:
        """Add up the gradients of weights, all at once; the same weights have one everywhere."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        summed = self.add(torch.cat([gradient.flatten() for gradient in gradients]))
        pieces = summed.split([gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view(gradient.shape))

    def agree(self, number: int) -> int:
        """Return the largest of the numbers that each process was told to end by; 0 for none.

        All wait for the last of them.
        """
        if self.count == 1:
            return number
        if self.told and self.told.exists():
            number = int(self.told.read_text() or 0)
        largest = torch.tensor(number)  # on the CPU, so that no GPU is waited for
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return int(largest)


ALONE = Ranks()
