"""Resampling of images, labels and logits to another voxel grid, as nnU-Net v2 does it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from slicewise.geometry import is_anisotropic


def resampled_shape(
    shape: Sequence[int], spacing: Sequence[float], target: Sequence[float]
) -> tuple[int, ...]:
    """Return the voxels along each axis after resampling from `spacing` to `target`, both in mm."""
    return tuple(
        round(old / new * size) for old, new, size in zip(spacing, target, shape, strict=True)
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


def resize(array: np.ndarray, shape: Sequence[int], order: int) -> np.ndarray:
    """Return a float array on a grid of `shape`, by splines of `order`, clipped to its range.

    Voxel edges, not centres, of the two grids coincide; outside, the border value continues
    (skimage.transform.resize with mode='edge', anti_aliasing=False).
    """
    if array.shape == tuple(shape):
        return array
    zoom = 1 / (np.asarray(array.shape) / np.asarray(shape))
    resized = ndimage.zoom(array, zoom, order=order, mode="nearest", grid_mode=True)
    return np.clip(resized, array.min(), array.max(), out=resized)


def resize_label(label: np.ndarray, shape: Sequence[int], order: int) -> np.ndarray:
    """Return a label map on a grid of `shape`: at each voxel the label with the largest share.

    Each label's indicator is resized with splines of `order`; where two share the top, the nearest
    voxel's label decides (batchgenerators: resize_segmentation).
    """
    if label.shape == tuple(shape):
        return label
    nearest = resize(label.astype(float), shape, 0)
    best = np.zeros(tuple(shape))
    winner = np.full(tuple(shape), label.min())
    nearest_share = np.zeros(tuple(shape))
    for value in np.unique(label):
        share = resize((label == value).astype(float), shape, order)
        winner[share > best] = value
        np.maximum(best, share, out=best)
        nearest_share[nearest == value] = share[nearest == value]
    tied = (nearest_share == best) & (best > 0)
    winner[tied] = nearest[tied]
    return winner


def _nearest_along(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Return `array` with `size` planes along `axis`, each the nearest of the given ones.

    A plane half-way between two is settled by the rounding of scipy.ndimage.map_coordinates.
    """
    old = array.shape[axis]
    position = old / size * (np.arange(size) + 0.5) - 0.5
    plane = ndimage.map_coordinates(np.arange(old), position[None], order=0, mode="nearest")
    return np.take(array, plane, axis=axis)


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

    Within slices splines of `order`, across a coarse axis the nearest slice. Returns float64 for
    images and the label's own type for labels; an equal shape returns the volume itself.
    """
    if tuple(volume.shape) == tuple(shape):
        return volume
    if order_across != 0:
        raise ValueError(f"plan: found order_z {order_across}, expected 0 (nearest slice)")
    change = resize_label if is_label else resize
    if not is_label:
        volume = volume.astype(float)
    axis = coarse_axis(spacing, target)
    if axis is None:
        return change(volume, shape, order)
    in_plane = [size for i, size in enumerate(shape) if i != axis]
    slices = [change(plane, in_plane, order) for plane in np.moveaxis(volume, axis, 0)]
    return _nearest_along(np.stack(slices, axis), axis, shape[axis])
