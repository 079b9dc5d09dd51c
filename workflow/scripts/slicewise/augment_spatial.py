"""Spatial augmentation of a batch: centre crop, rotation and scaling, mirroring.

Images have shape (batch, channel, row, column), labels (batch, row, column) with -1 outside the
nonzero mask and the image. Nothing here is random; only `mirror` changes its input.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from slicewise.preprocessing import OUTSIDE


def center_crop(tensor: torch.Tensor, patch_size: tuple[int, int]) -> torch.Tensor:
    """View the central patch of the last two axes (row, column).

    Offsets are size // 2 - patch // 2 per axis, as in batchgeneratorsv2's crop_tensor.
    Raises ValueError if the patch is larger than the tensor.
    """
    sizes = tuple(tensor.shape[-2:])
    if any(patch > size for patch, size in zip(patch_size, sizes, strict=True)):
        raise ValueError(
            f"the patch (row, column) {tuple(patch_size)} is larger than the image {sizes}: "
            "read patches of augment.initial_patch_size"
        )
    row, column = (size // 2 - patch // 2 for patch, size in zip(patch_size, sizes, strict=True))
    return tensor[..., row : row + patch_size[0], column : column + patch_size[1]]


def sampling_grid(
    angle: torch.Tensor,
    scale: torch.Tensor,
    patch_size: tuple[int, int],
    image_size: tuple[int, int],
) -> torch.Tensor:
    """Say where each pixel of the patch comes from, in grid_sample's coordinates.

    angle (batch,) in radians and scale (batch,) are float64; scale > 1 shrinks what is seen. The
    result (batch, 2, row, column) holds the column coordinate, then the row coordinate, each -1 and
    1 at the image's outer edges. Two planes are faster to fill and to sample than pairs.
    """
    cosine = (angle.cos() * scale).float()[:, None, None]
    sine = (angle.sin() * scale).float()[:, None, None]
    row, column = (
        torch.arange(size, device=angle.device, dtype=torch.float32) - (size - 1) / 2
        for size in patch_size
    )
    row = row[:, None]
    grid = torch.empty(len(angle), 2, *patch_size, device=angle.device)
    torch.add(sine * row, cosine * column, out=grid[:, 0])
    torch.sub(cosine * row, sine * column, out=grid[:, 1])
    grid[:, 0] /= image_size[1] / 2
    grid[:, 1] /= image_size[0] / 2
    return grid


def resample_image(image: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Interpolate an image (batch, channel, row, column) bilinearly, with 0 outside."""
    return functional.grid_sample(image, grid.permute(0, 2, 3, 1), align_corners=False)


def resample_label(label: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Give each pixel the label with the largest bilinear weight, with -1 outside.

    Equals interpolating an indicator image of every label, as batchgeneratorsv2's SpatialTransform
    does, but costs the same for any number of labels: a pixel whose four neighbours agree, as
    nearly all do, takes their label by one look-up, and only the others are put to a vote.
    """
    small = label.to(torch.int8) if label.amax() < 127 else label  # compares several times faster
    padded = functional.pad(small, (1, 1, 1, 1), value=OUTSIDE)
    corner = padded[:, :-1, :-1]
    beside = padded[:, :, 1:] != padded[:, :, :-1]
    mixed = beside[:, :-1] | beside[:, 1:] | (padded[:, 1:, :-1] != corner)

    # Entry (i, j) of the code stands for the four pixels around the point (i, j) - 1/2: their label
    # counted from OUTSIDE, or -1 (all bits set) if they differ. With align_corners those points are
    # one apart, so the nearest entry is that of the enclosing square.
    code = (corner - OUTSIDE) | -mixed.to(small.dtype)
    code = functional.grid_sample(
        code[:, None].float(), grid.permute(0, 2, 3, 1), mode="nearest", align_corners=True
    )[:, 0].to(small.dtype)
    result = code + OUTSIDE
    undecided = np.flatnonzero(code.cpu().numpy() < 0)  # several times faster than torch's nonzero
    if undecided.size:
        undecided = torch.from_numpy(undecided).to(grid.device)
        result.view(-1)[undecided] = _vote(*_neighbours(padded, grid, undecided))
    return result.to(label.dtype)


def _neighbours(
    padded: torch.Tensor, grid: torch.Tensor, pixels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return labels (4, pixel) and bilinear weights (4, pixel) of each pixel's neighbours.

    The third result (pixel,) says which of the four is nearest. `padded` is the label with one
    pixel of OUTSIDE on each side; pixels are flat indices into (batch, row, column) of the grid.
    """
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    area = grid.shape[2] * grid.shape[3]
    batch = pixels // area
    plane = pixels + batch * area
    column = (grid.flatten().index_select(0, plane) + 1) * (width / 2) - 0.5
    row = (grid.flatten().index_select(0, plane + area) + 1) * (height / 2) - 0.5
    left, top = column.floor().clamp_(-1, width - 1), row.floor().clamp_(-1, height - 1)

    first = (batch * (height + 2) + top.long() + 1) * (width + 2) + left.long() + 1
    steps = torch.tensor([0, 1, width + 2, width + 3], device=pixels.device)[:, None]
    label = padded.flatten().index_select(0, (first + steps).flatten()).view(4, -1)
    right, below = column - left, row - top
    above, before = 1 - below, 1 - right
    weight = torch.stack([before * above, right * above, before * below, right * below])
    nearest = (2 * (row.round() - top) + column.round() - left).long().clamp_(0, 3)
    return label, weight, nearest


def _vote(label: torch.Tensor, weight: torch.Tensor, nearest: torch.Tensor) -> torch.Tensor:
    """Return each pixel's label (pixel,) from those of its four neighbours (4, pixel).

    A label's score is the weight of the neighbours that carry it, times 1000 and rounded to
    float16, so that near ties become ties. A tie goes to the nearest neighbour's label if it is one
    of the best, else to the smallest of these.
    """
    weight = weight * 1000
    result = label.gather(0, nearest[None])[0]
    score = ((label == result) * weight).sum(0).half()
    contested = (score < 500).nonzero()[:, 0]  # elsewhere no label has more than the nearest one's
    if len(contested):
        label, weight = label[:, contested], weight[:, contested]
        scores = ((label[:, None] == label) * weight).sum(1).half()
        best = scores.amax(0)
        others = torch.where(scores == best, label, torch.iinfo(label.dtype).max).amin(0)
        result[contested] = torch.where(score[contested] == best, result[contested], others)
    return result


def mirror(tensor: torch.Tensor, mirrored: np.ndarray) -> None:
    """Flip samples in place along the last two axes where mirrored (batch, 2: row, column) is set.

    One by one, which is faster on the CPU than gathering those with equal axes.
    """
    for sample in np.flatnonzero(mirrored.any(1)):
        axes = [axis for axis, flip in zip((-2, -1), mirrored[sample], strict=True) if flip]
        tensor[sample] = tensor[sample].flip(axes)
