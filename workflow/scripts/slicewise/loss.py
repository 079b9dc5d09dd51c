"""The training loss: soft Dice plus cross-entropy at every resolution, and the running Dice.

Equal to nnU-Net's DC_and_CE_loss (MemoryEfficientSoftDiceLoss, no background, smooth 1e-5) under
its DeepSupervisionWrapper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SMOOTH = 1e-5


def dice_and_cross_entropy(logits: Tensor, target: Tensor, batch_dice: bool = True) -> Tensor:
    """Return mean cross-entropy minus the mean soft Dice of the foreground classes, in float32.

    logits (slice, class, row, column); target (slice, row, column), integers from 0 to classes - 1.
    With batch_dice, one Dice per class over all slices of the batch; without, one per slice.
    """
    log_probability = torch.log_softmax(logits.float(), dim=1)
    # gather, not nll_loss: the latter sums in no fixed order on a GPU
    cross_entropy = -log_probability.gather(1, target.long().unsqueeze(1)).mean()

    overlap, total = [], []
    # class by class, so that no mask and no product is larger than one channel
    for label, channel in enumerate(log_probability.unbind(1)[1:], start=1):
        probability, truth = channel.exp(), target == label
        overlap.append(torch.where(truth, probability, 0).sum((1, 2)))
        total.append(probability.sum((1, 2)) + truth.count_nonzero((1, 2)))
    overlap, total = torch.stack(overlap, dim=1), torch.stack(total, dim=1)
    if batch_dice:
        overlap, total = overlap.sum(0), total.sum(0)
    dice = (2 * overlap + SMOOTH) / (total + SMOOTH).clamp_min(1e-8)
    return cross_entropy - dice.mean()


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


def deep_supervision_loss(
    outputs: Sequence[Tensor], target: Tensor, batch_dice: bool = True
) -> Tensor:
    """Return the weighted sum of dice_and_cross_entropy over the heads' logits, finest first.

    outputs, each (slice, class, row, column); target (slice, row, column) at the finest resolution.
    A head of weight zero is left out, so that its weights get no gradient and no decay.
    """
    losses = [
        weight
        * dice_and_cross_entropy(logits, downsample_target(target, logits.shape[-2:]), batch_dice)
        for weight, logits in zip(deep_supervision_weights(len(outputs)), outputs, strict=True)
        if weight
    ]
    return torch.stack(losses).sum()


@torch.no_grad()
def pseudo_dice_counts(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count true positive, false positive and false negative voxels of each foreground class.

    logits (slice, class, row, column); target (slice, row, column). Returns three integer tensors
    (foreground class), summed over the batch: what nnU-Net's validation_step sums for its pseudo
    Dice.
    """
    classes = logits.shape[1]
    pairs = target.long() * classes + logits.argmax(1)
    confusion = torch.bincount(pairs.flatten(), minlength=classes**2).view(classes, classes)
    hits = confusion.diagonal()
    return hits[1:], (confusion.sum(0) - hits)[1:], (confusion.sum(1) - hits)[1:]
