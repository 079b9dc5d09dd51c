"""Logits of whole volumes from 2D networks, tile by tile.

Every slice is cut into overlapping tiles of the patch size, each tile is seen in its four mirrored
forms, and the overlaps are averaged under a Gaussian that trusts the centre of a tile most. This is
nnU-Net's sliding window with two differences. nnU-Net sends one tile of one slice through the
network at a time, and shares the work of each layer between the threads of a CPU; here a batch
holds the same tile of many slices and mirrored forms, and on a CPU each thread takes batches of its
own, small enough for its cache. And nnU-Net adds up in half precision, which rounds the faint
weights near a corner to a few significant digits and overflows above 65504; here sums are single
precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from slicewise.device import autocast, memory_format, side_by_side

FLIPS = ((), (2,), (3,), (2, 3))
"""The mirrored forms of a (slice, channel, row, column) batch, in nnU-Net's order."""

GAUSSIAN_SIGMA = 1 / 8
"""Standard deviation of the tile weights as a share of the patch (nnU-Net: sigma_scale)."""

GAUSSIAN_PEAK = 10.0
"""Weight at the centre of a tile (nnU-Net: value_scaling_factor); it cancels in the average."""

PIXELS_AT_ONCE = {"cpu": 20_000, "cuda": 2**19, "mps": 2**19}
"""Pixels of all tiles that a network sees at once. On one CPU core eight tiles of 56 x 40 are as
fast as any number, and small batches keep memory low; a GPU wants many."""


def tile_starts(size: int, tile: int, step: float) -> list[int]:
    """Return where the tiles along one axis start, the first at 0 and the last at the far edge.

    Tiles are spread evenly, at most `step` * `tile` voxels apart before rounding (nnU-Net:
    compute_steps_for_sliding_window). `size` and `tile` are in voxels. Raises ValueError for an
    axis shorter than the tile and a step outside (0, 1].
    """
    if not 0 < tile <= size:
        raise ValueError(f"found an axis of {size} voxels and a tile of {tile}; pad it to the tile")
    if not 0 < step <= 1:
        raise ValueError(f"inference.tile_step: found {step}, expected more than 0 and at most 1")
    room = size - tile
    steps = math.ceil(room / (tile * step))
    return [round(room / steps * i) for i in range(steps + 1)] if steps else [0]


def gaussian_weights(patch_size: Sequence[int]) -> np.ndarray:
    """Return the weights of a tile's pixels, float32 (row, column), 10 at pixel size // 2.

    They are nnU-Net's compute_gaussian in single precision: at most half a patch, four standard
    deviations, lies between the centre and an edge, so its filter is nowhere cut off, no weight is
    0 (the least is about 10 * exp(-16) = 1e-6) and nothing needs its guard against zeros.
    """
    distances = [(np.arange(size) - size // 2) / (size * GAUSSIAN_SIGMA) for size in patch_size]
    row, column = (np.exp(-0.5 * distance**2) for distance in distances)
    return (GAUSSIAN_PEAK * np.outer(row, column)).astype(np.float32)


@dataclass(frozen=True)
class Tiling:
    """How every slice of a volume is padded, cut into tiles and put together again.

    `padding`: voxels added (before, after) the rows and the columns; `inside`: the index that takes
    them off again; `tiles`: indices (..., row, column) into padded slices; `weights`: those of one
    tile (row, column); `coverage`: their sum over all tiles (row, column) of a padded slice.
    """

    padding: tuple[tuple[int, int], tuple[int, int]]
    inside: tuple
    tiles: tuple[tuple, ...]
    weights: np.ndarray
    coverage: np.ndarray


def tiling(
    plane: Sequence[int], patch_size: Sequence[int], tile_step: float, gaussian: bool
) -> Tiling:
    """Return the tiling of slices of `plane` (row, column) voxels.

    Slices smaller than the patch are padded on both sides; the odd voxel goes after the slice
    (nnU-Net: pad_nd_image).
    """
    missing = [max(tile - size, 0) for size, tile in zip(plane, patch_size, strict=True)]
    padding = tuple((voxels // 2, voxels - voxels // 2) for voxels in missing)
    inside = tuple(
        slice(before, before + size) for size, (before, _) in zip(plane, padding, strict=True)
    )
    padded = [size + voxels for size, voxels in zip(plane, missing, strict=True)]
    tiles = tuple(
        (..., slice(row, row + patch_size[0]), slice(column, column + patch_size[1]))
        for row in tile_starts(padded[0], patch_size[0], tile_step)
        for column in tile_starts(padded[1], patch_size[1], tile_step)
    )
    weights = gaussian_weights(patch_size) if gaussian else np.ones(patch_size, np.float32)
    coverage = np.zeros(padded, np.float32)
    for tile in tiles:
        coverage[tile] += weights
    return Tiling(padding, (..., *inside), tiles, weights, coverage)


def predict_logits(
    volume: np.ndarray,
    networks: Sequence[nn.Module],
    patch_size: Sequence[int],
    *,
    mirroring: bool,
    tile_step: float,
    gaussian: bool,
    batch_size: int | None,
    device: torch.device,
) -> np.ndarray:
    """Return the logits of a volume, averaged over networks: float32 (class, slice, row, column).

    `volume` (slice, channel, row, column) may be a read-only memory map: a few slices are read at a
    time, and besides the result only what they need is held. `networks` map float32 (slice,
    channel, row, column) of `patch_size` to logits (slice, class, row, column) of the same rows and
    columns; they are moved to `device` and put in evaluation mode. They see `batch_size` tiles at
    once, mirrored forms counted; None takes as many as PIXELS_AT_ONCE says. On a CPU torch's
    threads work side by side, each on other slices. On CUDA networks run under autocast, as in
    nnU-Net.

    Raises ValueError for an argument of the wrong form, a network that returns anything else
    (deep supervision left on, for example), and logits that are not finite.
    """
    _check_arguments(volume, networks, patch_size, batch_size)
    cut = tiling(volume.shape[2:], patch_size, tile_step, gaussian)
    layout = memory_format(device)
    networks = [network.to(device, memory_format=layout).eval() for network in networks]
    flips = FLIPS if mirroring else FLIPS[:1]
    at_once = batch_size or max(1, PIXELS_AT_ONCE[device.type] // math.prod(patch_size))
    batches = _batches(len(volume), max(1, at_once // len(flips)))

    def logits_of(batch: tuple[int, int]) -> np.ndarray:
        first, last = batch
        images = np.pad(volume[first:last], ((0, 0), (0, 0), *cut.padding))
        images = torch.from_numpy(images.astype(np.float32, copy=False)).to(device)
        mean = _average_tiles(images, networks, cut, flips, at_once)[cut.inside]
        if not mean.isfinite().all():
            raise ValueError(
                f"slices {first} to {last - 1}: found logits that are not finite; look for nan and "
                "very large values in the image and in the weights of the networks"
            )
        return mean.transpose(0, 1).cpu().numpy()

    result = None
    with side_by_side(device, len(batches)) as each:
        for (first, last), logits in zip(batches, each(logits_of, batches), strict=True):
            if result is None:
                result = np.empty((len(logits), len(volume), *volume.shape[2:]), np.float32)
            result[:, first:last] = logits
    return result


@torch.inference_mode()
def _average_tiles(
    images: torch.Tensor,
    networks: Sequence[nn.Module],
    cut: Tiling,
    flips: Sequence[tuple[int, ...]],
    at_once: int,
) -> torch.Tensor:
    """Return the weighted mean of the tiles' logits (slice, class, row, column), still padded."""
    total = None
    weights = torch.from_numpy(cut.weights).to(images.device)
    for tile in cut.tiles:
        logits = _mean_logits(images[tile], networks, flips, at_once)
        if total is None:
            total = images.new_zeros((*logits.shape[:2], *images.shape[2:]))
        total[tile] += logits.mul_(weights)
    return total.div_(torch.from_numpy(cut.coverage).to(images.device))


def _mean_logits(
    tile: torch.Tensor,
    networks: Sequence[nn.Module],
    flips: Sequence[tuple[int, ...]],
    at_once: int,
) -> torch.Tensor:
    """Return the float32 logits of one tile of many slices, averaged over flips and networks.

    A batch holds as many mirrored forms of all slices as `at_once` has room for, one at least.
    """
    total = None
    step = max(1, at_once // len(tile))
    for network in networks:
        known = allowed_flips(network, flips)
        for forms in (known[i : i + step] for i in range(0, len(known), step)):
            batch = torch.cat([tile.flip(form) for form in forms])
            with autocast(tile.device, mixed_precision=True):
                logits = network(batch)
            _check_logits(logits, batch)
            for form, part in zip(forms, logits.float().chunk(len(forms)), strict=True):
                mean = part.flip(form).div_(len(known))
                total = mean if total is None else total.add_(mean)
    return total.div_(len(networks))


def allowed_flips(network: nn.Module, flips: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the mirrored forms that a network was trained to see (nnU-Net: allowed axes)."""
    axes = {axis + 2 for axis in getattr(network, "mirror_axes", (0, 1))}
    return [flip for flip in flips if axes.issuperset(flip)]


def _batches(slices: int, batch_size: int) -> list[tuple[int, int]]:
    """Return (first, last + 1) of as few batches as will do, their sizes at most one apart."""
    count = math.ceil(slices / batch_size)
    return [(i * slices // count, (i + 1) * slices // count) for i in range(count)]


def _check_arguments(
    volume: np.ndarray,
    networks: Sequence[nn.Module],
    patch_size: Sequence[int],
    batch_size: int | None,
) -> None:
    if volume.ndim != 4 or 0 in volume.shape:
        raise ValueError(
            f"found a volume of shape {volume.shape}, expected (slice, channel, row, column)"
        )
    if len(patch_size) != 2:
        raise ValueError(f"found the patch size {list(patch_size)}, expected rows and columns")
    if len(networks) == 0:
        raise ValueError("found no network to predict with, expected at least one")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"found a batch size of {batch_size}, expected at least one tile")


def _check_logits(logits: torch.Tensor, tile: torch.Tensor) -> None:
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[2:] != tuple(tile.shape[2:]):
        raise ValueError(
            f"a network returned {shape} for tiles of shape {tuple(tile.shape)}, expected a tensor "
            "(slice, class, row, column) of their rows and columns; turn deep supervision off"
        )
