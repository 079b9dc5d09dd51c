"""Spatial augmentation of a batch: rotation and scaling, at once.

Images have shape (batch, channel, row, column), labels (batch, row, column) with -1 outside the
nonzero mask and the image. Nothing here is random or changes its input.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from slicewise.preprocessing import OUTSIDE


def sampling_grid(
    angle: np.ndarray,
    scale: np.ndarray,
    patch_size: tuple[int, int],
    image_size: tuple[int, int],
    device: torch.device | None = None,
) -> torch.Tensor:
    """Say where each pixel of the patch comes from, in grid_sample's coordinates.

    angle (batch,) in radians, scale (batch,): > 1 shrinks what is seen. The result (batch, 2, row,
    column) holds the column coordinate, then the row coordinate, each -1 and 1 at the image's outer
    edges. Two planes are faster to fill and to sample than pairs.
    """
    cosine = (np.cos(angle) * scale).astype(np.float32)[:, None]
    sine = (np.sin(angle) * scale).astype(np.float32)[:, None]
    row, column = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in patch_size)
    halves = np.array(image_size[::-1], np.float32)[:, None] / 2
    of_row = np.stack([sine * row, cosine * row], axis=1) / halves
    of_column = np.stack([cosine * column, -sine * column], axis=1) / halves
    of_row, of_column = (torch.from_numpy(each).to(device) for each in (of_row, of_column))
    return of_row[..., None] + of_column[:, :, None]


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
        _set_entries(result, undecided, _vote(*_neighbours(padded, grid, undecided)))
    return result.to(label.dtype)


def _neighbours(
    padded: torch.Tensor, grid: torch.Tensor, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels (4, pixel) and bilinear weights (4, pixel) of each pixel's neighbours.

    The third result (pixel,) says which of the four is nearest. `padded` is the label with one
    pixel of OUTSIDE on each side; pixels are flat indices into (batch, row, column) of the grid.
    They are few: NumPy takes a third of the time that PyTorch would.
    """
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    area = grid.shape[2] * grid.shape[3]
    batch = pixels // area
    plane = pixels + batch * area
    column = (_entries(grid, plane) + 1) * np.float32(width / 2) - np.float32(0.5)
    row = (_entries(grid, plane + area) + 1) * np.float32(height / 2) - np.float32(0.5)
    left, top = np.floor(column).clip(-1, width - 1), np.floor(row).clip(-1, height - 1)

    first = (batch * (height + 2) + top.astype(np.int64) + 1) * (width + 2)
    first += left.astype(np.int64) + 1
    label = _entries(padded, first + np.array([0, 1, width + 2, width + 3])[:, None])
    right, below = column - left, row - top
    above, before = 1 - below, 1 - right
    weight = np.stack([before * above, right * above, before * below, right * below])
    nearest = 2 * (np.rint(row) - top) + np.rint(column) - left
    return label, weight, nearest.astype(np.int64).clip(0, 3)


def _entries(tensor: torch.Tensor, index: np.ndarray) -> np.ndarray:
    """Return the entries at flat indices."""
    if tensor.device.type == "cpu":
        return tensor.numpy().reshape(-1)[index]
    found = tensor.flatten()[torch.from_numpy(index).to(tensor.device)]
    return found.cpu().numpy()


def _set_entries(tensor: torch.Tensor, index: np.ndarray, new: np.ndarray) -> None:
    """Write new entries to flat indices."""
    if tensor.device.type == "cpu":
        tensor.view(-1).numpy()[index] = new
    else:
        index, new = (torch.from_numpy(each).to(tensor.device) for each in (index, new))
        tensor.view(-1).index_copy_(0, index, new)


def _vote(label: np.ndarray, weight: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return each pixel's label (pixel,) from those of its four neighbours (4, pixel).

    A label's score is the weight of the neighbours that carry it, times 1000 and rounded to
    float16, so that near ties become ties. A tie goes to the nearest neighbour's label if it is one
    of the best, else to the smallest of these.
    """
    weight = weight * np.float32(1000)
    result = label[nearest, np.arange(label.shape[1])]
    score = ((label == result) * weight).sum(0).astype(np.float16)
    contested = np.flatnonzero(score < 500)  # elsewhere no label has more than the nearest one's
    if contested.size:
        label, weight = label[:, contested], weight[:, contested]
        scores = ((label[:, None] == label) * weight).sum(1).astype(np.float16)
        best = scores.max(0)
        others = np.where(scores == best, label, np.iinfo(label.dtype).max).min(0)
        result[contested] = np.where(score[contested] == best, result[contested], others)
    return result
