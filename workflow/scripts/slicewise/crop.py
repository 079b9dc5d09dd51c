"""The part of an image that is not zero: its mask, and the box around it."""

from __future__ import annotations

import numpy as np


def nonzero_mask(image: np.ndarray) -> np.ndarray:
    """Return where an image (channel, z, y, x) is nonzero in any channel: bool (z, y, x)."""
    mask = image[0] != 0
    for channel in image[1:]:
        mask |= channel != 0
    return mask


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box that holds all true voxels of a mask (z, y, x).

    A mask without any has the box of the whole (nnU-Net: crop_to_nonzero keeps images of zeros).
    """
    plane = mask.any(axis=0)
    occupied = (mask.any(axis=2).any(axis=1), plane.any(axis=1), plane.any(axis=0))
    if not plane.any():
        return tuple(slice(0, size) for size in mask.shape)
    edges = (np.flatnonzero(along)[[0, -1]].tolist() for along in occupied)
    return tuple(slice(first, last + 1) for first, last in edges)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Return a mask (z, y, x) with the holes in it filled; voxels touch by their faces.

    Cropping to the box around a mask changes none of its holes, nor do they change that box.
    """
    if mask.all():
        return mask
    from scipy import ndimage

    regions, count = ndimage.label(~mask)
    outside = np.zeros(count + 1, bool)
    for axis in range(mask.ndim):
        for end in (0, -1):
            outside[regions.take(end, axis=axis)] = True
    outside[0] = False  # the number of the mask itself
    return ~outside[regions]
