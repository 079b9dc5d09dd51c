"""Axes, spacings and orientations: which axis is sliced, and how an array was turned.

Three orders of axes meet here. The *file* order is that of the NIfTI array (i, j, k). The *reading*
order is its reverse (z, y, x), in which nnU-Net counts axes; a dataset of mixed orientations is
turned to RAS+ before it is reversed. The *slice* order has the sliced axis in front: reading order
after `transpose_forward`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ANISOTROPY_THRESHOLD = 3
"""A spacing this many times another is anisotropic (nnU-Net: ANISO_THRESHOLD)."""

ANATOMICAL_PLANES = {"axial": "IS", "coronal": "PA", "sagittal": "LR"}
"""The two letters of the axis that runs through each plane."""

CANONICAL = "RAS"

SAME_SPACING = 1e-3
"""Spacings are equal that differ by less than this share: headers round them."""


def is_anisotropic(spacing: Sequence[float]) -> bool:
    """Say whether the largest spacing is more than three times the smallest."""
    return bool(np.max(spacing) / np.min(spacing) > ANISOTROPY_THRESHOLD)


def target_spacing(fingerprint: dict, overwrite: Sequence[float] | None = None) -> np.ndarray:
    """Return the spacing in mm (reading order) that nnU-Net resamples a dataset to.

    It is `overwrite` where that is given, and else the median of the cases, but the 10th percentile
    along an axis that has both more than three times the spacing of the others and less than a
    third of their voxels: the median would blur the few slices of such an axis (nnU-Net:
    determine_fullres_target_spacing).
    """
    if overwrite is not None:
        return np.array(overwrite, dtype=np.float64)
    spacings = np.vstack(fingerprint["spacings"])
    target = np.percentile(spacings, 50, 0)
    size = np.percentile(np.vstack(fingerprint["shapes_after_crop"]), 50, 0)
    coarse = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != coarse]
    coarsest_of_others = max(target[others])
    few_voxels = size[coarse] * ANISOTROPY_THRESHOLD < min(size[others])
    if target[coarse] > ANISOTROPY_THRESHOLD * coarsest_of_others and few_voxels:
        finer = np.percentile(spacings[:, coarse], 10)
        if finer < coarsest_of_others:
            finer = coarsest_of_others + 1e-5
        target[coarse] = finer
    return target


def slice_axis(policy: str | int, spacing: Sequence[float], orientation: str) -> int:
    """Return the axis (reading order) that a policy slices across.

    `policy` is coarsest (nnU-Net's rule) or finest, an axis 0, 1 or 2, or a plane: axial, coronal
    or sagittal. `spacing` is in mm, reading order; `orientation` names the file axes as arrays are
    read, for example RAS. Of equal spacings the first axis wins, as in nnU-Net.
    """
    if policy == "coarsest":
        return int(np.argmax(spacing))
    if policy == "finest":
        return int(np.argmin(spacing))
    if policy in ANATOMICAL_PLANES:
        letters = ANATOMICAL_PLANES[str(policy)]
        return 2 - next(i for i, letter in enumerate(orientation) if letter in letters)
    if str(policy) in ("0", "1", "2"):
        return int(policy)
    raise ValueError(
        f"planning.slice_axis: found {policy!r}, expected coarsest, finest, axial, coronal, "
        "sagittal, 0, 1 or 2"
    )


def transposition(axis: int, spacing: Sequence[float] | None = None) -> tuple[list[int], list[int]]:
    """Return (forward, backward): `axis` to the front, the others behind it, and the way back.

    The others stay in order, as in nnU-Net's code; with a `spacing` in mm (reading order) the finer
    one comes last, as its documentation says (its issue 1661). Of equal spacings the order stays.
    """
    row, column = (other for other in range(3) if other != axis)
    if spacing is not None and spacing[row] < (1 - SAME_SPACING) * spacing[column]:
        row, column = column, row
    forward = [axis, row, column]
    return forward, [forward.index(i) for i in range(3)]


def axis_codes(affine: np.ndarray) -> str:
    """Return the letters of the file axes of an affine, for example RAS or LPI."""
    import nibabel as nib

    return "".join(nib.aff2axcodes(affine))


def to_canonical(orientation: str) -> list[tuple[int, int]]:
    """Return for each of R, A and S the file axis that runs along it and its sign (1 or -1).

    Raises ValueError when the letters do not name three different axes.
    """
    opposite = str.maketrans("LPI", CANONICAL)
    along = orientation.translate(opposite)
    if sorted(along) != sorted(CANONICAL):
        raise ValueError(
            f"orientation {orientation!r} does not name three axes, such as RAS or LPI"
        )
    return [
        (along.index(letter), 1 if orientation[along.index(letter)] == letter else -1)
        for letter in CANONICAL
    ]


def nifti_axis(axis: int, orientation: str, reorient: bool) -> int:
    """Return the file axis behind an axis in reading order, for a file stored in `orientation`."""
    file_axis = 2 - axis
    return to_canonical(orientation)[file_axis][0] if reorient else file_axis


def slice_normal(affine: np.ndarray, axis: int) -> np.ndarray:
    """Return the normal of the slices across a file axis, as long as a pixel is large in mm2.

    It points along rising indices. Where the affine shears (a tilted gantry), it is not the
    direction of the sliced axis.
    """
    columns = affine[:3, :3]
    normal = np.cross(*(columns[:, other] for other in range(3) if other != axis))
    return normal * np.sign(normal @ columns[:, axis])


def slice_positions(affine: np.ndarray, slices: int, axis: int) -> np.ndarray:
    """Return the place in mm of each of so many slices across a file axis.

    It is measured in world coordinates along the unit normal of the slices, towards R, A or S,
    whichever way the file is stored: the same plane of a patient has one place.
    """
    normal = slice_normal(affine, axis)
    normal = normal / np.linalg.norm(normal)
    if axis_codes(affine)[axis] not in CANONICAL:
        normal = -normal
    return normal @ affine[:3, 3] + normal @ affine[:3, axis] * np.arange(slices)


def sliced_axis(
    policy: str | int, spacing: Sequence[float], orientation: str, reorient: bool
) -> int:
    """Return the axis of a file stored in `orientation` that a policy slices across."""
    read_as = CANONICAL if reorient else orientation
    return nifti_axis(slice_axis(policy, spacing, read_as), orientation, reorient)


def to_reading_order(array: np.ndarray, orientation: str, reorient: bool) -> np.ndarray:
    """Return a view of a file's array (i, j, k) in reading order, turned to RAS+ if asked."""
    if reorient:
        turns = to_canonical(orientation)
        array = array.transpose([axis for axis, _ in turns])
        array = array[tuple(slice(None, None, sign) for _, sign in turns)]
    return array.transpose(2, 1, 0)


def reading_spacing(
    zooms: Sequence[float], affine: np.ndarray, orientation: str, reorient: bool
) -> list[float]:
    """Return the spacing in mm of a file in reading order.

    zooms: those of its header, (i, j, k). A file that is turned gets them anew from its affine, in
    single precision, as nibabel's as_reoriented does it for nnU-Net's NibabelIOWithReorient.
    """
    spacing = [float(zoom) for zoom in zooms]
    if reorient and orientation != CANONICAL:
        columns = np.sqrt((affine[:3, :3] ** 2).sum(axis=0)).astype(np.float32)
        spacing = [float(columns[axis]) for axis, _ in to_canonical(orientation)]
    return spacing[::-1]
