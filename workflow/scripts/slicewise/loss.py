"""The training loss: soft Dice plus cross-entropy at every resolution, and the running Dice.

Equal to nnU-Net's DC_and_CE_loss for plain labels and DC_and_BCE_loss for regions (both with
MemoryEfficientSoftDiceLoss, smooth 1e-5) under its DeepSupervisionWrapper. Ignored voxels count in
none of the sums. It is a function of sums over the slices of a batch, so that a batch may be taken
apart: the sums of its parts, side by side, are those of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from slicewise.labels import PRESENT, Labels

SMOOTH = 1e-5


@dataclass(frozen=True)
class Loss:
    """Cross-entropy minus mean soft Dice, in float32; regions have a binary cross-entropy.

    With batch_dice it takes one Dice per class over all slices of a batch; without, one per slice.
    The cross-entropy is the mean over voxels, and over regions where there are any; with regions
    and an ignore label it is, as in nnU-Net, the sum over regions of the mean over voxels.
    """

    labels: Labels
    batch_dice: bool = True

    def __call__(self, heads: Sequence[Tensor], target: Tensor) -> Tensor:
        """Return the loss of the heads' logits, finest first; see `sums` for their shapes."""
        return self.value(self.sums(heads, target))

    def sums(self, heads: Sequence[Tensor], target: Tensor) -> Tensor:
        """Return what the loss adds up: (head, slice, 2, 1 + class), sums over voxels.

        Index 0 of the last axis belongs to the cross-entropy, the others to the Dice of each class
        but the background. Of the axis before it, index 0 is divided by index 1. heads: logits
        (slice, output, row, column), finest first; target (slice, row, column) at the finest
        resolution, integers. A head of weight zero is left out: its weights get no gradient and no
        decay.
        """
        weights = deep_supervision_weights(len(heads))
        of_head = self._region_sums if self.labels.has_regions else self._class_sums
        return torch.stack(
            [
                of_head(logits.float(), downsample_target(target, logits.shape[-2:]))
                for logits, weight in zip(heads, weights, strict=True)
                if weight
            ]
        )

    def value(self, sums: Tensor) -> Tensor:
        """Return the loss of a batch from its sums, those of its parts joined along the slices."""
        above, below = sums.unbind(2)
        cross_entropy = above[..., 0].sum(1) / below[..., 0].sum(1).clamp_min(1)
        overlap, total = above[..., 1:], below[..., 1:]
        if self.batch_dice:
            overlap, total = overlap.sum(1), total.sum(1)
        dice = (2 * overlap + SMOOTH) / (total + SMOOTH).clamp_min(1e-8)
        losses = cross_entropy - dice.flatten(1).mean(1)
        # with one for the head that the sums leave out; a single head weighs 1 either way
        weights = deep_supervision_weights(len(losses) + 1)
        weighed = [weight * loss for weight, loss in zip(weights, losses, strict=False)]
        return torch.stack(weighed).sum()

    def _class_sums(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sums (slice, 2, 1 + class) of one head with an output for each label."""
        known = is_known(target, self.labels)
        log_probability = torch.log_softmax(logits, dim=1)
        # gather, not nll_loss: the latter sums in no fixed order on a GPU
        index = torch.where(known, target, 0).long().unsqueeze(1)
        picked = torch.where(known, log_probability.gather(1, index)[:, 0], 0)
        sums = [torch.stack((-picked.sum((1, 2)), known.sum((1, 2))), dim=1)]
        # class by class, so that no mask and no product is larger than one channel
        for label, channel in enumerate(log_probability.unbind(1)[1:], start=1):
            sums.append(_dice_sums(channel.exp(), target == label, known))
        return torch.stack(sums, dim=2)

    def _region_sums(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sums (slice, 2, 1 + class) of one head with an output for each region."""
        known = is_known(target, self.labels)
        entropies, sums = [], []
        for output, values in zip(logits.unbind(1), self.labels.classes.values(), strict=True):
            member = is_member(target, values)
            entropy = functional.binary_cross_entropy_with_logits(
                output, member.float(), reduction="none"
            )
            entropies.append(torch.where(known, entropy, 0).sum((1, 2)))
            sums.append(_dice_sums(output.sigmoid(), member, known))
        regions = 1 if self.labels.ignore is not None else len(entropies)
        entropy = torch.stack((sum(entropies), regions * known.sum((1, 2))), dim=1)
        return torch.stack((entropy, *sums), dim=2)


def _dice_sums(probability: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Return the overlap of a class and its two sizes, sums over voxels: (slice, 2).

    All three (slice, row, column), the last two bool. The Dice is twice the first by the second.
    """
    probability, truth = torch.where(known, probability, 0), truth & known
    overlap = torch.where(truth, probability, 0).sum((1, 2))
    return torch.stack((overlap, probability.sum((1, 2)) + truth.sum((1, 2))), dim=1)


def is_known(target: Tensor, labels: Labels) -> Tensor:
    """Return which voxels of a target count, those not ignored: bool, of its shape."""
    if labels.ignore is None:
        return torch.ones_like(target, dtype=torch.bool)
    return target != labels.ignore


def is_member(target: Tensor, values: tuple[int, ...]) -> Tensor:
    """Return where a target holds one of `values`: bool, of its shape."""
    member = target == values[0]
    for value in values[1:]:
        member = member | (target == value)
    return member


def deep_supervision_weights(heads: int) -> tuple[float, ...]:
    """Weigh the heads, finest first: each half the one before, the last zero, together one.

    A network with a single head gives it all the weight (nnU-Net divides by zero there).
    """
    weights = [0.5**head for head in range(max(1, heads - 1))]
    return tuple(weight / sum(weights) for weight in weights) + (0.0,) * (heads - len(weights))


def downsample_target(target: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a view of the labels at a coarser shape (row, column), by the nearest voxel's centre.

    target (slice, row, column). Equal to torch's nearest-exact interpolation for whole factors.
    Raises ValueError if shape does not divide the target's.
    """
    rows, columns = target.shape[-2:]
    if rows % shape[0] or columns % shape[1]:
        raise ValueError(
            f"target: {rows} x {columns} voxels cannot be downsampled to {shape[0]} x {shape[1]}; "
            "expected a shape that divides it, so take patches of the plan's patch_size"
        )
    row, column = rows // shape[0], columns // shape[1]
    return target[..., row // 2 :: row, column // 2 :: column]


@torch.no_grad()
def pseudo_dice_counts(
    logits: Tensor, target: Tensor, labels: Labels
) -> tuple[Tensor, Tensor, Tensor]:
    """Count true positive, false positive and false negative voxels of each foreground class.

    logits (slice, output, row, column); target (slice, row, column). Returns three integer tensors
    (class), summed over the batch without ignored voxels: what nnU-Net's validation_step sums for
    its pseudo Dice.
    """
    known = is_known(target, labels)
    if labels.has_regions:
        predicted = [output.sigmoid() > PRESENT for output in logits.float().unbind(1)]
    else:
        winner = logits.argmax(1)
        predicted = [winner == value for value in labels.values[1:]]
    counts = []
    for found, values in zip(predicted, labels.classes.values(), strict=True):
        true, found = is_member(target, values) & known, found & known
        both = (true & found).sum()
        counts.append(torch.stack((both, found.sum() - both, true.sum() - both)))
    return torch.stack(counts, dim=1).unbind(0)
