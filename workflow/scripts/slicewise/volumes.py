"""The voxels of a case: its images and its label read from NIfTI, on one grid, in reading order.

A case may be examined, which gives all its problems, or read, which raises those that are errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from slicewise import geometry, scan_checks
from slicewise.dataset import Case
from slicewise.labels import Labels
from slicewise.nifti import NiftiFile, open_nifti
from slicewise.problems import BadInput, Problem, errors_of, refuse_errors

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Volume:
    """The images of one case in reading order.

    image: float32 (channel, z, y, x); spacing: mm (z, y, x); orientation: letters of the file's
    axes as stored; affine and shape: those of the file.
    """

    image: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    affine: np.ndarray
    shape: tuple[int, ...]


@dataclass
class _Images:
    """What was found of the images of a case.

    first: the first file whose grid can be used, or None; channels: those on such a grid, in
    reading order; problems: of all files.
    """

    first: NiftiFile | None = None
    channels: list[np.ndarray] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def volume(self, reorient: bool) -> Volume:
        """Return the images as a volume, where none of them has an error."""
        import numpy as np

        # One channel is taken as it is: most images have no other, and may be large.
        several = len(self.channels) > 1
        image = np.stack(self.channels) if several else np.ascontiguousarray(self.channels[0])[None]
        return _volume(image, self.first, reorient)


def _volume(image: np.ndarray, file: NiftiFile, reorient: bool) -> Volume:
    """Return a volume with the geometry of a file."""
    spacing = geometry.reading_spacing(file.zooms, file.affine, file.orientation, reorient)
    return Volume(image, tuple(spacing), file.orientation, file.affine, tuple(file.shape[:3]))


def _open(
    case: str, path: Path, volumes: int, first: scan_checks.Grid | None
) -> tuple[NiftiFile | None, bool, list[Problem]]:
    """Return a file of a case, whether it has a grid that can be used, and the problems of both.

    volumes: how many it has to hold if it is 4D, else 0; first: the grid that it has to lie on,
    where that is known.
    """
    try:
        file = open_nifti(case, path)
    except BadInput as bad:
        return None, False, bad.problems
    problems = list(scan_checks.check_header(case, file, volumes))
    usable = not errors_of(problems)
    if usable and first is not None:
        # What is odd about a grid is said once, of the file that the others are held against.
        problems = list(scan_checks.check_grid(case, file, first))
        if isinstance(first, NiftiFile):
            problems += scan_checks.check_same_spacing(case, file, first)
    problems += scan_checks.check_scaling(case, file)
    return file, usable, problems


def _examine_images(case: Case, reorient: bool) -> _Images:
    """Look at every channel of a case, whatever is wrong with the others."""
    import numpy as np

    found, path = _Images(), None
    for source in case.images:
        volumes = 0 if source.volume is None else len(case.images)
        if source.path != path:  # the volumes of a 4D file are read at once
            path = source.path
            file, usable, problems = _open(case.name, path, volumes, found.first)
            found.problems += problems
            if usable and found.first is None:
                found.first = replace(file, stored=None)  # or its bytes would stay in memory
        if file is None or len(file.shape) != 3 + bool(volumes):
            continue
        if volumes and source.volume >= file.shape[3]:
            continue
        channel = file.values(source.volume).astype(np.float32, copy=False)
        found.problems += scan_checks.check_image(case.name, path, channel)
        if usable:
            orientation = found.first.orientation
            found.channels.append(geometry.to_reading_order(channel, orientation, reorient))
    return found


def _examine_label(
    case: Case, labels: Labels, reorient: bool, first: scan_checks.Grid | None
) -> tuple[np.ndarray | None, list[Problem]]:
    """Look at the label of a case and return it, int16 in reading order, with its problems.

    first: what it has to lie on, where that is known. None for a label with an error.
    """
    import numpy as np

    file, _, problems = _open(case.name, case.label, 0, first)
    if file is not None:
        voxels = file.values()
        problems += scan_checks.check_label(case.name, case.label, voxels, labels)
    if errors_of(problems):
        return None, problems
    label = geometry.to_reading_order(voxels.astype(np.int16), file.orientation, reorient)
    return label, problems


def examine(
    case: Case, labels: Labels, reorient: bool
) -> tuple[Volume | None, np.ndarray | None, list[Problem]]:
    """Return the images and the label of a case and all their problems.

    Both are as `read_images` and `read_label` return them; where an error is among the problems
    there are none. Whatever can still be looked at, is.
    """
    images = _examine_images(case, reorient)
    label, problems = _examine_label(case, labels, reorient, images.first)
    problems = images.problems + problems
    if errors_of(problems):
        return None, None, problems
    return images.volume(reorient), label, problems


def read_header(case: Case) -> Volume:
    """Return the geometry of a case as stored, without its voxels (`image` is empty)."""
    import numpy as np

    return _volume(np.empty(0, np.float32), _first_header(case), reorient=False)


def _first_header(case: Case) -> NiftiFile:
    """Return the first image of a case without its voxels; raises BadInput for a bad header."""
    source = case.images[0]
    file = open_nifti(case.name, source.path, header_only=True)
    volumes = 0 if source.volume is None else len(case.images)
    refuse_errors(scan_checks.check_header(case.name, file, volumes))
    return file


def read_images(case: Case, reorient: bool) -> Volume:
    """Read all channels of a case in reading order, turned to RAS+ when `reorient`.

    Raises BadInput naming the case and the file for anything that is not a 3D image on one grid.
    """
    images = _examine_images(case, reorient)
    refuse_errors(images.problems)
    return images.volume(reorient)


def read_label(
    case: Case, labels: Labels, reorient: bool, volume: Volume | None = None
) -> np.ndarray:
    """Read the label of a case: int16 (z, y, x) in reading order.

    volume: the images of the case or their header, where read already; else the first is opened.
    Raises BadInput for a grid that is not the image's and for values that `labels` lacks.
    """
    label, problems = _examine_label(case, labels, reorient, volume or _first_header(case))
    refuse_errors(problems)
    return label


def read_stored_label(case: Case, labels: Labels, header: Volume) -> np.ndarray:
    """Read the label of a case as its file has it: int16 (i, j, k); raises what read_label does."""
    return read_label(case, labels, reorient=False, volume=header).transpose(2, 1, 0)
