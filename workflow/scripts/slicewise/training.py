"""One training: a network, its optimiser and its history, and what a step and a check of it do.

Stochastic gradient descent with Nesterov momentum, clipped gradients and a polynomial learning
rate, as nnUNetTrainer has them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from slicewise.device import autocast, memory_format
from slicewise.labels import Labels
from slicewise.loss import Loss, deep_supervision_loss, pseudo_dice_counts

POLYNOMIAL_EXPONENT = 0.9
"""Of the learning rate (nnU-Net: PolyLRScheduler)."""


def learning_rate(initial: float, epoch: int, epochs: int) -> float:
    """Return the learning rate of an epoch, falling to zero after the last."""
    return initial * (1 - epoch / epochs) ** POLYNOMIAL_EXPONENT


class Training:
    """A network, its optimiser and its history: what a checkpoint holds and a step changes."""

    def __init__(
        self, network: nn.Module, settings: dict, device: torch.device, labels: Labels, loss: Loss
    ):
        self.settings = settings
        self.device = device
        self.labels = labels
        self.loss = loss
        self.network = network.to(device, memory_format=memory_format(device))
        self.network.deep_supervision = settings["deep_supervision"]
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

    def forward(self, batch: tuple) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the loss, the logits at full resolution and the target of a batch."""
        image, target = (part.to(self.device, non_blocking=True) for part in batch)
        image = image.to(memory_format=memory_format(self.device))
        with autocast(self.device, self.settings["mixed_precision"]):
            output = self.network(image)
            if not self.settings["deep_supervision"]:
                return self.loss(output, target), output, target
            return deep_supervision_loss(output, target, self.loss), output[0], target

    def step(self, batch: tuple) -> torch.Tensor:
        """Take one step of stochastic gradient descent and return its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, *_ = self.forward(batch)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings["gradient_clipping"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    @torch.no_grad()
    def validate(self, batches: Iterable[tuple]) -> tuple[float, np.ndarray]:
        """Return the mean loss and the Dice of each class over all voxels of `batches`.

        A class that neither the truth nor the prediction holds has a Dice of nan.
        """
        self.network.eval()
        losses, counts = [], 0
        for batch in batches:
            loss, logits, target = self.forward(batch)
            losses.append(loss)
            found = torch.stack(pseudo_dice_counts(logits, target, self.labels))
            counts = counts + found.cpu().double()
        self.network.train()
        hits, false, missed = counts.numpy()
        with np.errstate(invalid="ignore"):
            return torch.stack(losses).mean().item(), 2 * hits / (2 * hits + false + missed)

    def state(self) -> dict:
        """Return what a checkpoint needs to go on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
        }

    def restore(self, state: dict) -> None:
        """Go on from the state of a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.history = state["history"]
