"""The training loss: soft Dice plus cross-entropy at every resolution, and the running Dice.

Equal to nnU-Net's DC_and_CE_loss for plain labels and DC_and_BCE_loss for regions (both with
MemoryEfficientSoftDiceLoss, smooth 1e-5) under its DeepSupervisionWrapper. Ignored voxels count in
none of the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from slicewise.labels import PRESENT, Labels

SMOOTH = 1e-5

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits (slice, output, row, column) and a target (slice, row, column) to one number."""


def training_loss(labels: Labels, batch_dice: bool = True) -> Loss:
    """Return the loss for the labels of a dataset.

    With batch_dice it takes one Dice per class over all slices of a batch; without, one per slice.
    """
    if labels.has_regions:
        loss, regions = dice_and_binary_cross_entropy, tuple(labels.classes.values())
        return partial(loss, regions=regions, batch_dice=batch_dice, ignore=labels.ignore)
    return partial(dice_and_cross_entropy, batch_dice=batch_dice, ignore=labels.ignore)


def dice_and_cross_entropy(
    logits: Tensor, target: Tensor, batch_dice: bool = True, ignore: int | None = None
) -> Tensor:
    """Return mean cross-entropy minus the mean soft Dice of the foreground classes, in float32.

    logits (slice, class, row, column); target (slice, row, column), integers from 0 to classes - 1
    and `ignore`.
    """
    log_probability = torch.log_softmax(logits.float(), dim=1)
    known = None if ignore is None else target != ignore
    index = target if known is None else torch.where(known, target, 0)
    # gather, not nll_loss: the latter sums in no fixed order on a GPU
    picked = log_probability.gather(1, index.long().unsqueeze(1))[:, 0]
    if known is None:
        cross_entropy = -picked.mean()
    else:
        cross_entropy = -torch.where(known, picked, 0).sum() / known.sum().clamp_min(1)
    # class by class, so that no mask and no product is larger than one channel
    classes = (
        (channel.exp(), target == label)
        for label, channel in enumerate(log_probability.unbind(1)[1:], start=1)
    )
    return cross_entropy - _mean_dice(classes, known, batch_dice)


def dice_and_binary_cross_entropy(
    logits: Tensor,
    target: Tensor,
    regions: Sequence[tuple[int, ...]],
    batch_dice: bool = True,
    ignore: int | None = None,
) -> Tensor:
    """Return binary cross-entropy minus the mean soft Dice of the regions, in float32.

    logits (slice, region, row, column); target (slice, row, column), the integers that `regions`
    are made of, and `ignore`. The cross-entropy is the mean over regions and voxels; with an ignore
    label it is, as in nnU-Net, the sum over regions of the mean over the voxels that count.
    """
    known = None if ignore is None else target != ignore
    outputs = logits.float().unbind(1)
    members = [is_member(target, values) for values in regions]
    losses = [
        functional.binary_cross_entropy_with_logits(output, member.float(), reduction="none")
        for output, member in zip(outputs, members, strict=True)
    ]
    if known is None:
        cross_entropy = torch.stack([loss.mean() for loss in losses]).mean()
    else:
        summed = torch.stack([torch.where(known, loss, 0).sum() for loss in losses]).sum()
        cross_entropy = summed / known.sum().clamp_min(1)
    classes = ((output.sigmoid(), m) for output, m in zip(outputs, members, strict=True))
    return cross_entropy - _mean_dice(classes, known, batch_dice)


def is_member(target: Tensor, values: tuple[int, ...]) -> Tensor:
    """Return where a target holds one of `values`: bool, of its shape."""
    member = target == values[0]
    for value in values[1:]:
        member = member | (target == value)
    return member


def _mean_dice(
    classes: Iterable[tuple[Tensor, Tensor]], known: Tensor | None, batch_dice: bool
) -> Tensor:
    """Return the mean soft Dice of (probability, truth) pairs, each (slice, row, column).

    Only voxels that are `known` count; None stands for all.
    """
    overlap, total = [], []
    for probability, truth in classes:
        if known is not None:
            probability, truth = torch.where(known, probability, 0), truth & known
        overlap.append(torch.where(truth, probability, 0).sum((1, 2)))
        total.append(probability.sum((1, 2)) + truth.count_nonzero((1, 2)))
    overlap, total = torch.stack(overlap, dim=1), torch.stack(total, dim=1)
    if batch_dice:
        overlap, total = overlap.sum(0), total.sum(0)
    return ((2 * overlap + SMOOTH) / (total + SMOOTH).clamp_min(1e-8)).mean()


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


def deep_supervision_loss(outputs: Sequence[Tensor], target: Tensor, loss: Loss) -> Tensor:
    """Return the weighted sum of `loss` over the heads' logits, finest first.

    outputs, each (slice, output, row, column); target (slice, row, column) at the finest
    resolution. A head of weight zero is left out, so that its weights get no gradient and no decay.
    """
    losses = [
        weight * loss(logits, downsample_target(target, logits.shape[-2:]))
        for weight, logits in zip(deep_supervision_weights(len(outputs)), outputs, strict=True)
        if weight
    ]
    return torch.stack(losses).sum()


@torch.no_grad()
def pseudo_dice_counts(
    logits: Tensor, target: Tensor, labels: Labels
) -> tuple[Tensor, Tensor, Tensor]:
    """Count true positive, false positive and false negative voxels of each foreground class.

    logits (slice, output, row, column); target (slice, row, column). Returns three integer tensors
    (class), summed over the batch without ignored voxels: what nnU-Net's validation_step sums for
    its pseudo Dice.
    """
    known = torch.ones_like(target, dtype=torch.bool)
    if labels.ignore is not None:
        known = target != labels.ignore
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
