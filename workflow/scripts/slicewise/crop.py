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
    """Return the smallest box that holds all true voxels of a mask, of any number of axes.

    A mask without any has the box of the whole (nnU-Net: crop_to_nonzero keeps images of zeros).
    """
    box, rest = [], mask
    while rest.ndim:
        occupied = rest
        while occupied.ndim > 1:  # axis by axis, which is faster than all at once
            occupied = occupied.any(axis=-1)
        filled = np.flatnonzero(occupied)
        if not len(filled):
            return tuple(slice(0, size) for size in mask.shape)
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
        rest = rest.any(axis=0)
    return tuple(box)


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
