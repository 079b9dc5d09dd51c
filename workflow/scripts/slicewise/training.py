"""One training: a network, its optimiser and its history, and what a step and a check of it do.

Stochastic gradient descent with Nesterov momentum, clipped gradients and a polynomial learning
rate, as nnUNetTrainer has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from slicewise.device import autocast, memory_format, micro_batch_size, to_device
from slicewise.distributed import ALONE, Ranks
from slicewise.loss import Loss, pseudo_dice_counts

POLYNOMIAL_EXPONENT = 0.9
"""Of the learning rate (nnU-Net: PolyLRScheduler)."""


def learning_rate(initial: float, epoch: int, epochs: int) -> float:
    """Return the learning rate of an epoch, falling to zero after the last."""
    return initial * (1 - epoch / epochs) ** POLYNOMIAL_EXPONENT


class Training:
    """A network, its optimiser and its history: what a checkpoint holds and a step changes.

    ranks: the processes that it runs in; each has all of this, and takes its own part of a batch.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: dict,
        device: torch.device,
        loss: Loss,
        ranks: Ranks = ALONE,
    ):
        self.settings = settings
        self.device = device
        self.loss = loss
        self.ranks = ranks
        self.network = network.to(device, memory_format=memory_format(device))
        self.network.deep_supervision = settings["deep_supervision"]
        # Shares its weights with the network, whose names of them stay as they are. Each size of a
        # part gets a graph: one for all would take over at a moment that a resumed run changes.
        compiled = settings["compile"]
        self.forward = torch.compile(self.network, dynamic=False) if compiled else self.network
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=settings["learning_rate"],
            momentum=settings["momentum"],
            weight_decay=settings["weight_decay"],
            nesterov=settings["momentum"] > 0,
        )
        scaled = settings["mixed_precision"] and device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.history: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []  # of the steps of the epoch that is under way
        self.skipped: list[int] = []  # which of them changed no weight
        self.skipped_in_a_row = 0

    def parts(self, batch: tuple) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return a batch in parts as even as can be, each small enough for the memory.

        A batch is images (slice, channel, row, column) and their labels (slice, row, column).
        """
        image, target = (to_device(part, self.device) for part in batch)
        image = image.to(memory_format=memory_format(self.device))
        size = self.settings["micro_batch_size"]
        size = size or micro_batch_size(self.device, image.shape[2:]) or len(image)
        count = math.ceil(len(image) / size)
        return list(zip(image.tensor_split(count), target.tensor_split(count), strict=True))

    def heads(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of images at the resolutions that are trained on, finest first."""
        with autocast(self.device, self.settings["mixed_precision"]):
            output = self.forward(image)
        return output if self.settings["deep_supervision"] else [output]

    def step(self, batch: tuple) -> torch.Tensor:
        """Take one step of stochastic gradient descent on a batch and return its loss.

        Several processes take it together, each with its part of the batch, and are alike after it.
        The loss is a function of sums over the whole batch. The first parts go through the network
        twice: once for their sums, and, when the gradient of the loss with respect to these is
        known, once more for that of the weights, which is thus exact. The others wait for it with
        their feature maps. Where the loss or the gradient is not finite, the step is skipped:
        weights and momentum stay as they are.
        """
        self.optimizer.zero_grad(set_to_none=True)
        parts = self.parts(batch)
        # whoever sets the size is short of memory; else half the batch may wait, which saves time
        twice = parts[:-1] if self.settings["micro_batch_size"] else parts[: len(parts) // 2]
        with torch.inference_mode():
            sums = [self.loss.sums(self.heads(image), target) for image, target in twice]
        waiting = [
            self.loss.sums(self.heads(image), target) for image, target in parts[len(twice) :]
        ]
        own = torch.cat([*sums, *(part.detach() for part in waiting)], dim=1)
        whole = self.ranks.gather(own).requires_grad_()
        loss = self.loss.value(whole)
        self.scaler.scale(loss).backward()
        own = whole.grad[:, self.ranks.part]
        gradients = list(own.split([len(target) for _, target in parts], dim=1))
        while waiting:
            waiting.pop().backward(gradients.pop())
        for (image, target), gradient in zip(twice, gradients, strict=True):
            self.loss.sums(self.heads(image), target).backward(gradient)
        self.ranks.add_gradients(self.network.parameters())
        self.scaler.unscale_(self.optimizer)
        clipping = self.settings["gradient_clipping"]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), clipping)
        loss = loss.detach()
        if torch.isfinite(loss + norm):  # where a GPU is waited for, once in a step
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.skipped_in_a_row = 0
        else:
            self._skip(loss)
        self.losses.append(loss)
        return loss

    def _skip(self, loss: torch.Tensor) -> None:
        """Count a step that is not taken, and let the scaler of 16 bits adapt.

        It starts high and halves its scale at each gradient that overflows, which is how it finds
        one that fits: such a step is none of those in a row while the scale falls, down to 1. A
        loss that is not finite would be so at every scale, so the scale stays.
        """
        self.skipped.append(len(self.losses))
        scale = self.scaler.get_scale()  # 1 where nothing is scaled
        self.scaler.update(None if torch.isfinite(loss) else scale)
        if not 1 <= self.scaler.get_scale() < scale:
            self.skipped_in_a_row += 1

    def end_epoch(self) -> tuple[float, int]:
        """Return the mean loss of the steps that were taken, and how many were skipped.

        The mean is nan where all were. The next epoch begins.
        """
        losses = torch.stack(self.losses)
        taken = np.setdiff1d(np.arange(len(losses)), self.skipped)
        found = losses[torch.from_numpy(taken).to(losses.device)].mean().item(), len(self.skipped)
        self.losses, self.skipped = [], []
        return found

    @torch.inference_mode()
    def validate(self, batches: Iterable[tuple]) -> tuple[float, np.ndarray]:
        """Return the mean loss and the Dice of each class over all voxels of `batches`.

        Several processes check together, each with its own part of every batch.

        A class that neither the truth nor the prediction holds has a Dice of nan.
        """
        self.network.eval()
        losses, counts = [], 0
        for batch in batches:
            sums = []
            for image, target in self.parts(batch):
                heads = self.heads(image)
                sums.append(self.loss.sums(heads, target))
                counts = counts + torch.stack(
                    pseudo_dice_counts(heads[0], target, self.loss.labels)
                )
            losses.append(self.loss.value(self.ranks.gather(torch.cat(sums, dim=1))))
        self.network.train()
        hits, false, missed = self.ranks.add(counts).cpu().double().numpy()
        with np.errstate(invalid="ignore"):
            return torch.stack(losses).mean().item(), 2 * hits / (2 * hits + false + missed)

    def state(self) -> dict:
        """Return what a checkpoint needs to go on, after any step."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
            "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
        }

    def restore(self, state: dict) -> None:
        """Go on from the state of a checkpoint; one of another network is a ValueError or worse."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for weights, found in self.optimizer.state.items():
            momentum = found["momentum_buffer"]
            if momentum is not None and momentum.shape != weights.shape:
                raise ValueError(f"a momentum of shape {tuple(momentum.shape)}")
        self.scaler.load_state_dict(state["scaler"])
        self.history = list(state["history"])
        self.losses = list(state["losses"].to(self.device))
        self.skipped = list(state["skipped"])
        self.skipped_in_a_row = int(state["skipped_in_a_row"])
