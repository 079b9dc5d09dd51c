"""Where wrong voxels of a class lie: beyond its ends, at its boundary, in another class, elsewhere.

Every wrong voxel is of exactly one kind, the first that fits:

- `ends`: beyond the ends of one of the two, along the axis of scoring: in a slice before the first
  or after the last one that truly shows the class, however far away, or truly of it before the
  prediction begins or after it stops;
- `boundary`: in a slice that truth and prediction both show the class in, and next to the true
  outline or within the tolerance of it;
- `classes`: of one foreground class in truth and of another in the prediction;
- `elsewhere`: all others: false islands, holes, slices between the ends that were missed, and
  structures that were missed or made up as a whole.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from slicewise.crop import bounding_box
from slicewise.metrics import ROUNDING_MM

KINDS = ("ends", "boundary", "classes", "elsewhere")
"""The kinds of wrong voxels; `kinds_of_wrong` numbers them from 1 in this order."""


def kinds_of_wrong(
    true: np.ndarray,
    found: np.ndarray,
    both_foreground: np.ndarray,
    spacing: tuple[float, float],
    tolerance_mm: float,
) -> np.ndarray:
    """Return the kind of each wrong voxel of a class, 0 where it is right: int8, as `true`.

    true, found: where truth and prediction hold the class, bool (slice, row, column), in all slices
    that the file has; both_foreground: where both hold any class, of that shape; spacing: mm (row,
    column); tolerance_mm: from the centre of a pixel to that of the nearest one beyond the true
    outline, in the slice. What lies beyond the array is not of the class.
    """
    wrong = true ^ found
    shown = true.any(axis=(1, 2)) & found.any(axis=(1, 2))
    kinds = np.zeros(true.shape, np.int8)
    for index in np.flatnonzero(wrong.any(axis=(1, 2))):
        kinds[index][wrong[index]] = 4
        kinds[index][wrong[index] & both_foreground[index]] = 3
        if shown[index]:
            box = bounding_box(true[index] | found[index])
            near = near_outline(true[index][box], spacing, tolerance_mm)
            kinds[index][box][wrong[index][box] & near] = 2
    ends = beyond_ends(true.any(axis=(1, 2)), found.any(axis=(1, 2)))
    kinds[ends] = wrong[ends]
    return kinds


def near_outline(mask: np.ndarray, spacing: tuple[float, float], tolerance_mm: float) -> np.ndarray:
    """Return which pixels lie next to the outline of a mask or near it: bool, as `mask`.

    mask: bool (row, column); spacing: mm; tolerance_mm: up to which the nearest pixel on the other
    side counts as near, from centre to centre. Pixels that share an edge with the other side always
    do, however large they are. Beyond the border is outside.
    """
    padded = np.pad(mask, 1)
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing)
    near = outside + inside <= tolerance_mm + ROUNDING_MM
    touching = ndimage.binary_dilation(padded) ^ ndimage.binary_erosion(padded)
    return (near | touching)[1:-1, 1:-1]


def beyond_ends(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return which slices lie beyond the ends of a structure or are missed at them: bool (slice).

    true, found: whether truth and prediction show it in each slice. A structure that is not there,
    or of which the prediction shows nothing between its ends, has no missed ends.
    """
    beyond = np.zeros(len(true), bool)
    if not true.any():
        return beyond
    extent = slice(*_ends(true))
    beyond[: extent.start] = beyond[extent.stop :] = True
    if found[extent].any():
        first, stop = _ends(found[extent])
        beyond[extent][:first] = beyond[extent][stop:] = True
    return beyond


def _ends(shown: np.ndarray) -> tuple[int, int]:
    """Return the first slice that is true, and the one after the last."""
    filled = np.flatnonzero(shown)
    return int(filled[0]), int(filled[-1]) + 1
