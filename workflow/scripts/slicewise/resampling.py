"""Resampling of images, labels and logits to another voxel grid, as nnU-Net v2 does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import product

import numpy as np

from slicewise.geometry import is_anisotropic

BLOCK = 64
"""Voxels of the new grid that are computed together."""

NEGLIGIBLE = 1e-18
"""Weights below this are left out: with any number of voxels they stay below float64 rounding."""


def resampled_shape(
    shape: Sequence[int], spacing: Sequence[float], target: Sequence[float]
) -> tuple[int, ...]:
    """Return the voxels along each axis after resampling from `spacing` to `target`, both in mm.

    What is thinner than half a voxel of the target keeps one, where nnU-Net fails.
    """
    return tuple(
        max(1, round(old / new * size))
        for old, new, size in zip(spacing, target, shape, strict=True)
    )


def coarse_axis(spacing: Sequence[float], target: Sequence[float]) -> int | None:
    """Return the axis to resample apart from the others, or None.

    An axis is treated apart where the spacing before (or else after) is anisotropic and one axis
    alone is the coarsest (nnU-Net: determine_do_sep_z_and_axis).
    """
    for candidate in (spacing, target):
        if is_anisotropic(candidate):
            coarsest = np.flatnonzero(np.max(candidate) / np.asarray(candidate) == 1)
            return int(coarsest[0]) if len(coarsest) == 1 else None
    return None


def resize(
    array: np.ndarray,
    shape: Sequence[int],
    order: int,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return an array of floats on a grid of `shape`, by splines of `order`, in its own type.

    Voxel edges, not centres, of the two grids coincide; outside, the border value continues. The
    result is computed in float64 and clipped to `limits`, by default the range of the array
    (skimage.transform.resize with mode='edge', anti_aliasing=False). Raises ValueError for values
    that are not finite: they would spread over all that is computed with them.
    """
    if array.shape == tuple(shape):
        return array
    low, high = limits or (array.min(), array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"resampling: found values from {low} to {high}, expected finite numbers")
    resized = array.astype(np.float64)
    for axis, size in enumerate(shape):
        resized = _resize_along(resized, axis, size, order)
    return np.clip(resized, low, high, out=resized).astype(array.dtype, copy=False)


def _resize_along(array: np.ndarray, axis: int, size: int, order: int) -> np.ndarray:
    """Return a float64 array with `size` voxels along one axis, by splines of `order`."""
    if array.shape[axis] == size:
        return array
    before, after = (math.prod(part) for part in (array.shape[:axis], array.shape[axis + 1 :]))
    rows = array.reshape(before, array.shape[axis], after)
    resized = np.empty((before, size, after))
    for made, used, weights in _spline_blocks(array.shape[axis], size, order):
        if after == 1:
            np.matmul(rows[:, used, 0], weights.T, out=resized[:, made, 0])
        else:
            np.matmul(weights, rows[:, used], out=resized[:, made])
    return resized.reshape(*array.shape[:axis], size, *array.shape[axis + 1 :])


@lru_cache(maxsize=16)
def _spline_blocks(old: int, new: int, order: int) -> list[tuple[slice, slice, np.ndarray]]:
    """Return the matrix of `_spline_weights` in blocks: rows, the columns that they use, weights.

    A voxel of the new grid depends on few of the old one.
    """
    weights, blocks = _spline_weights(old, new, order), []
    for start in range(0, new, BLOCK):
        rows = weights[start : start + BLOCK]
        used = np.flatnonzero((np.abs(rows) > NEGLIGIBLE).any(axis=0))
        columns = slice(used[0], used[-1] + 1)
        blocks.append((slice(start, start + len(rows)), columns, rows[:, columns].copy()))
    return blocks


def _spline_weights(old: int, new: int, order: int) -> np.ndarray:
    """Return what each of `new` voxels in a row takes from each of `old`: (new, old).

    Splines are linear in the voxels, so the weights are what scipy.ndimage.zoom makes of unit
    vectors, and separable, so a volume can be treated one axis after the other.
    """
    return _zoom(np.eye(old), (new, old), order)


def _zoom(array: np.ndarray, shape: Sequence[int], order: int) -> np.ndarray:
    """Return a float64 array on a grid of `shape`, by splines of `order`."""
    # Scipy takes longer to import than most datasets that need no resampling take to export.
    from scipy import ndimage

    zoom = 1 / (np.asarray(array.shape) / np.asarray(shape))
    return ndimage.zoom(array, zoom, order=order, mode="nearest", grid_mode=True)


@lru_cache(maxsize=16)
def _nearest_voxels(old: int, new: int) -> np.ndarray:
    """Return the old voxel that splines of order 0 take for each of `new` voxels in a row."""
    return _zoom(np.arange(float(old)), (new,), 0).astype(np.intp)


def resize_label(label: np.ndarray, shape: Sequence[int], order: int) -> np.ndarray:
    """Return a label map on a grid of `shape`: at each voxel the label with the largest share.

    Each label's indicator is resized with splines of `order`; where two share the top, the nearest
    voxel's label decides, and else the smaller one (batchgenerators: resize_segmentation).
    """
    if label.shape == tuple(shape):
        return label
    sizes = list(zip(label.shape, shape, strict=True))
    nearest = _at(label, [_nearest_voxels(old, new) for old, new in sizes])
    if order == 1:
        return _linear_vote(label, nearest)
    best = np.zeros(tuple(shape))
    winner = np.full(tuple(shape), label.min())
    nearest_share = np.zeros(tuple(shape))
    for value in np.unique(label):
        share = np.clip(_zoom((label == value).astype(float), shape, order), 0, 1)
        winner[share > best] = value
        np.maximum(best, share, out=best)
        nearest_share[nearest == value] = share[nearest == value]
    tied = (nearest_share == best) & (best > 0)
    winner[tied] = nearest[tied]
    return winner


def _linear_vote(label: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return `resize_label` of order 1, given the nearest labels on the new grid.

    Only where the neighbours of a voxel differ is there anything to vote on. Shares are summed as
    scipy.ndimage.zoom does, product by product, so that ties are those of nnU-Net to the bit.
    """
    sizes = zip(label.shape, nearest.shape, strict=True)
    corners = list(product(*(_linear_taps(old, new) for old, new in sizes)))
    around = [_at(label, [voxels for voxels, _ in corner]) for corner in corners]
    mixed = np.nonzero(np.logical_or.reduce([values != around[0] for values in around[1:]]))
    around = [values[mixed] for values in around]
    weights = [
        math.prod(of_axis[index] for (_, of_axis), index in zip(corner, mixed, strict=True))
        for corner in corners
    ]
    best = np.zeros(len(mixed[0]))
    winner = nearest[mixed]
    nearest_share = _share(winner, around, weights)
    for values in around:
        share = _share(values, around, weights)
        wins = (share > best) | ((share == best) & (values < winner))
        winner[wins] = values[wins]
        np.maximum(best, share, out=best)
    voted = nearest.copy()
    voted[mixed] = np.where(nearest_share == best, nearest[mixed], winner)
    return voted


def _at(array: np.ndarray, voxels: Sequence[np.ndarray]) -> np.ndarray:
    """Return an array at the given indices of each axis: array[np.ix_(*voxels)], but faster."""
    for axis, index in enumerate(voxels):
        array = array.take(index, axis=axis)
    return array


def _share(values: np.ndarray, around: list, weights: list) -> np.ndarray:
    """Return the sum of the weights of the neighbours that hold `values`."""
    share = np.zeros(len(values))
    for neighbours, weight in zip(around, weights, strict=True):
        share += np.where(neighbours == values, weight, 0)
    return share


@lru_cache(maxsize=16)
def _linear_taps(old: int, new: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return the voxel before each of `new` ones in a row and the one after, each with its weights.

    Beyond a border both are the voxel at the border.
    """
    position = (np.arange(new) + 0.5) * (old / new) - 0.5
    before = np.floor(position)
    share = position - before
    voxels = [np.clip(index, 0, old - 1).astype(np.intp) for index in (before, before + 1)]
    return (voxels[0], 1 - share), (voxels[1], share)


def _nearest_along(old: int, new: int) -> np.ndarray:
    """Return for each of `new` planes the index of the nearest of `old` ones.

    A plane half-way between two is settled by the rounding of scipy.ndimage.map_coordinates.
    """
    from scipy import ndimage

    position = old / new * (np.arange(new) + 0.5) - 0.5
    return ndimage.map_coordinates(np.arange(old), position[None], order=0, mode="nearest")


def resample(
    volume: np.ndarray,
    shape: Sequence[int],
    spacing: Sequence[float],
    target: Sequence[float],
    *,
    order: int,
    is_label: bool,
    order_across: int = 0,
) -> np.ndarray:
    """Resample one volume of three axes to `shape`; spacings in mm in the order of the axes.

    Within slices splines of `order`, across a coarse axis the nearest slice. Returns the volume's
    own type, and the volume itself for an equal shape. Raises ValueError for a first axis, that of
    the slices, which changes without being coarse: no 2D plan asks for that.
    """
    if tuple(volume.shape) == tuple(shape):
        return volume
    if order_across != 0:
        raise ValueError(f"plan: found order_z {order_across}, expected 0 (nearest slice)")
    axis, change = coarse_axis(spacing, target), resize_label if is_label else resize
    if axis is None and volume.shape[0] != shape[0]:
        raise ValueError(
            f"resampling: found {volume.shape[0]} slices before and {shape[0]} after, expected as "
            "many: a 2D plan leaves the spacing of slices as it is"
        )
    if axis is None:
        # Nothing mixes along an axis that stays as it is: plane by plane needs less memory.
        axis = 0
        if not is_label:
            change = partial(resize, limits=(volume.min(), volume.max()))
    in_plane = [size for i, size in enumerate(shape) if i != axis]
    resampled = np.empty(shape, volume.dtype)
    planes, made = np.moveaxis(volume, axis, 0), np.moveaxis(resampled, axis, 0)
    sources = _nearest_along(len(planes), len(made))
    for source in np.unique(sources):
        made[sources == source] = change(planes[source], in_plane, order)
    return resampled
