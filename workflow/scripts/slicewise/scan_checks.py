"""What is looked at in the scans of a case, and how each oddity is judged.

An error is what nnU-Net refuses or what leads to wrong or no training; a warning is what both can
live with but its owner should know. Every check yields its problems and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from slicewise.labels import Labels
from slicewise.nifti import NiftiFile
from slicewise.problems import WARNING, Problem, wrong

SPACING_MM = (1e-3, 1e3)
"""Spacings that a scan may have. A voxel below a micrometre or above a metre is of no scanner but
of a header in another unit, and resampled to the spacing of the others it would be thousands of
times as large. (nnU-Net itself writes 999 across natural images.)"""

SAME_AFFINE_MM = 1e-2
"""Numbers of two affines that differ by less are the same: real headers round them."""

SAME_SPACING = 1e-3
"""Spacings are equal that differ by less than this share: headers round them."""

DRIFT_VOXELS = 0.1
"""How far apart two affines may put a corner of two volumes before it is worth a word."""

SHEAR = 1e-2
"""The cosine between two axes from which on they are not taken to be at right angles."""

FLAT = 1e-3
"""Unit axes that span less than this volume lie in a plane: the affine has no inverse."""

LARGEST = 1e14
"""Values that voxels have at most: the squares of larger ones, added up for a standard deviation,
leave single precision."""

SHOWN_VALUES = 5

NEARLY_WHOLE = 1e-2
"""How far scaling and averaging leave a label's values from the whole numbers that they were."""

AFFINE = "mend sform and qform in its header"
RESAMPLE = "resample it to the first image, or take the case out"
ALIGN = f"if it was made on that, give it the affine of the first image; else {RESAMPLE}"
ROUND = "round its values to whole numbers"


class Grid(Protocol):
    """Where voxels lie: a file, or what was read of one."""

    shape: tuple[int, ...]
    affine: np.ndarray
    orientation: str


def check_header(case: str, file: NiftiFile, channels: int = 0) -> Iterator[Problem]:
    """Look at the grid of a header: axes, spacing and affine.

    channels: how many volumes a 4D file has to hold, 0 for a 3D file.
    """
    error, warning = _problems_of(case, file.path)
    shape = file.shape
    if len(shape) != 3 + bool(channels):
        expected = f"4 dimensions, the last for {channels} channels" if channels else "3 dimensions"
        mend = "write each volume as a 3D file of its own" if len(shape) > 3 else "write it as 3D"
        yield error(f"{len(shape)} dimensions {shape}", expected, mend)
        if len(shape) < 3:
            return
    elif channels and shape[3] != channels:
        yield error(f"{shape[3]} channels", f"{channels}, as in dataset.json", "mend one of both")
    elif 1 in shape[:3]:
        mend = "take it out unless it is meant to be one"
        yield warning(f"one slice, a shape of {shape[:3]}", "a volume of several slices", mend)
    yield from _check_spacing(file, error)
    yield from _check_affine(file, error, warning)


def check_scaling(case: str, file: NiftiFile) -> Iterator[Problem]:
    """Look at how stored values are scaled. By the standard a slope of 0 is no scaling."""
    if np.isnan(file.header["scl_slope"]):
        mend = "it is taken for 0, which scales nothing"
        yield Problem(WARNING, case, str(file.path), "scl_slope nan", "a number", mend)


def _problems_of(case: str, path: Path) -> tuple[partial, partial]:
    """Return what makes an error and what makes a warning about a file."""
    return partial(wrong, path, case=case), partial(Problem, WARNING, case, str(path))


def _check_spacing(file: NiftiFile, error: partial) -> Iterator[Problem]:
    """Look at the spacing that is stored, before nibabel makes 1 of 0 and 2 of -2."""
    smallest, largest = SPACING_MM
    pixdim = np.array(file.pixdim)
    if not ((pixdim >= smallest) & (pixdim <= largest)).all():  # false for nan, too
        yield error(
            f"a spacing of {_numbers(pixdim)} mm",
            f"{smallest:g} to {largest:g} mm along each axis",
            "mend pixdim in its header, and its affine",
        )


def _check_affine(file: NiftiFile, error: partial, warning: partial) -> Iterator[Problem]:
    """Look at whether an affine can be used, and at whether header and affine agree."""
    columns = file.affine[:3, :3]
    lengths = np.sqrt((columns**2).sum(axis=0))
    if not np.isfinite(file.affine).all() or not lengths.all():
        yield error(
            f"the affine {_numbers(file.affine)}", "one of numbers, with three axes", AFFINE
        )
        return
    axes = columns / lengths
    if abs(np.linalg.det(axes)) < FLAT or "?" in file.orientation:
        yield error(f"the affine {_numbers(file.affine)}", "one that has an inverse", AFFINE)
        return
    if not file.header["sform_code"] and not file.header["qform_code"]:
        yield warning(
            "neither sform_code nor qform_code",
            "an affine that says where left, front and top are",
            f"it is taken to be stored as {file.orientation}",
        )
    if np.abs(axes.T @ axes - np.eye(3)).max() > SHEAR:
        yield warning(
            "an affine with axes that are not at right angles",
            "three that are",
            "distances in mm are taken as if they were",
        )
    as_stored = np.array_equal(file.zooms, file.pixdim)  # else it is an error, named above
    if as_stored and not np.allclose(lengths, file.zooms, rtol=1e-2, atol=0):
        yield warning(
            f"a spacing of {_numbers(file.zooms)} mm in pixdim, {_numbers(lengths)} in the affine",
            "the same in both",
            "pixdim is used, as by nnU-Net",
        )


def check_grid(case: str, file: NiftiFile, first: Grid) -> Iterator[Problem]:
    """Look at whether a file lies on the grid of the case's first image."""
    error, warning = _problems_of(case, file.path)
    as_there = "as in the case's first image"
    if file.shape[:3] != first.shape[:3]:
        yield error(f"shape {file.shape[:3]}", f"{first.shape[:3]} {as_there}", RESAMPLE)
    drift = _drift(file, first)
    same = drift <= DRIFT_VOXELS or np.allclose(file.affine, first.affine, atol=SAME_AFFINE_MM)
    if not same or file.orientation != first.orientation:
        found = f"affine {_numbers(file.affine)} ({file.orientation})"
        expected = f"{_numbers(first.affine)} ({first.orientation}) {as_there}"
        yield error(found, expected, ALIGN if file.shape[:3] == first.shape[:3] else RESAMPLE)
    elif drift > DRIFT_VOXELS:
        yield warning(
            f"an affine that differs by up to {drift:.2g} voxels",
            f"the same {as_there}",
            "it is taken for rounding",
        )


def _drift(file: NiftiFile, first: Grid) -> float:
    """Return how far apart two affines put a corner of a file at most, in voxels."""
    corners = np.array([*np.ndindex(2, 2, 2)]) * file.shape[:3]
    change = (file.affine - first.affine)[:3]
    apart = np.linalg.norm(corners @ change[:, :3].T + change[:, 3], axis=1).max()
    return apart / min(np.linalg.norm(first.affine[:3, :3], axis=0))


def check_same_spacing(case: str, file: NiftiFile, first: NiftiFile) -> Iterator[Problem]:
    """Look at whether a header says the spacing of the first image's, as nnU-Net demands."""
    if not np.allclose(file.zooms, first.zooms, rtol=SAME_SPACING, atol=0):
        error, _ = _problems_of(case, file.path)
        yield error(
            f"a spacing of {_numbers(file.zooms)} mm",
            f"{_numbers(first.zooms)} mm as in the case's first image",
            "mend pixdim in its header",
        )


def check_image(case: str, path: Path, image: np.ndarray) -> Iterator[Problem]:
    """Look at the voxels of one channel, of any shape: numbers, and not all the same."""
    lowest, highest = image.min(), image.max()
    if not (lowest >= -LARGEST and highest <= LARGEST):  # so for nan, too
        yield _not_finite(case, path, image)
    elif lowest == highest:
        found = "zeros in all voxels" if lowest == 0 else f"{lowest:g} in all voxels"
        mend = "take the case out unless it is meant to be empty"
        yield Problem(WARNING, case, str(path), found, "an image", mend)


def _not_finite(case: str, path: Path, voxels: np.ndarray) -> Problem:
    count = np.count_nonzero(~(np.abs(voxels) <= LARGEST))
    found = f"{count} voxels that are nan, infinite or too large for single precision"
    mend = "set them to the background's value"
    return wrong(path, found, "numbers", mend, case)


def check_label(case: str, path: Path, voxels: np.ndarray, labels: Labels) -> Iterator[Problem]:
    """Look at the values of a label, of any shape: the whole numbers of dataset.json."""
    error, warning = _problems_of(case, path)
    lowest, highest = voxels.min(), voxels.max()
    last = labels.stored[-1]  # labels are 0, 1, 2, ... without gaps
    whole = voxels.dtype.kind in "iu"
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        yield _not_finite(case, path, voxels)
    elif lowest < 0 or highest > last or not (whole or (voxels == np.rint(voxels)).all()):
        wrong = np.unique(voxels)
        wrong = wrong[(wrong != np.rint(wrong)) | (wrong < 0) | (wrong > last)]
        more = ", ..." if len(wrong) > SHOWN_VALUES else ""
        found = ", ".join(map(_exact, wrong[:SHOWN_VALUES]))
        expected = f"only those of dataset.json, {list(labels.stored)}"
        meant = np.rint(wrong)
        rounded = (np.abs(wrong - meant) < NEARLY_WHOLE) & (meant >= 0) & (meant <= last)
        mend = ROUND if rounded.all() else "mend the label, or name them in dataset.json"
        yield error(f"the values {found}{more}", expected, mend)
    elif highest == 0 or (highest == labels.ignore and not voxels[voxels != labels.ignore].any()):
        found = "background and ignored voxels" if highest else "background"
        yield warning(f"nothing but {found}", "a class or more", "check that none is to be seen")


def _numbers(values: Sequence) -> list:
    """Return numbers short enough to read."""
    rounded = np.vectorize(lambda value: float(f"{value:.6g}"), otypes=[float])(values)
    return rounded.tolist()


def _exact(value: np.number) -> str:
    """Return a number in as many digits as tell it from its neighbours."""
    short = f"{value:g}"
    return short if float(short) == value else str(value)
