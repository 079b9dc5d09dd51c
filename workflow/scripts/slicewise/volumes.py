"""The voxels of a case: its images and its label read from NIfTI, on one grid, in reading order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slicewise import geometry
from slicewise.dataset import Case, ImageSource
from slicewise.labels import Labels

if TYPE_CHECKING:
    import nibabel as nib
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


def _load(case: str, path: Path) -> nib.Nifti1Image:
    import nibabel as nib

    try:
        return nib.load(path)
    except FileNotFoundError:
        raise ValueError(f"case {case}: {path} is missing") from None
    except (nib.filebasedimages.ImageFileError, OSError, EOFError) as error:
        raise ValueError(f"case {case}: {path} is not a readable NIfTI file ({error})") from None


def _read_channel(case: str, source: ImageSource) -> tuple[nib.Nifti1Image, np.ndarray]:
    """Return a file and one 3D volume of it, float32, in file order."""
    import numpy as np

    file = _load(case, source.path)
    expected = 3 if source.volume is None else 4
    if len(file.shape) != expected:
        raise ValueError(
            f"case {case}: {source.path} has {len(file.shape)} dimensions {file.shape}, "
            f"expected {expected}"
        )
    try:
        voxels = file.dataobj if source.volume is None else file.dataobj[..., source.volume]
        voxels = np.asarray(voxels).astype(np.float32)
    except (OSError, EOFError, IndexError) as error:
        raise ValueError(f"case {case}: {source.path} cannot be read ({error})") from None
    if not np.isfinite(voxels).all():
        count = np.count_nonzero(~np.isfinite(voxels))
        raise ValueError(
            f"case {case}: {source.path} holds {count} voxels that are nan or infinite, expected "
            "numbers; set them to the background's value"
        )
    return file, voxels


def _check_grid(
    case: str, path: Path, file: nib.Nifti1Image, first: nib.Nifti1Image | Volume
) -> None:
    """Raise ValueError when a file does not lie on the grid of the case's first image."""
    import numpy as np

    if file.shape[:3] != first.shape[:3]:
        raise ValueError(
            f"case {case}: {path} has shape {file.shape[:3]}, expected {first.shape[:3]} "
            "as in the case's first image"
        )
    if not np.allclose(file.affine, first.affine, atol=1e-2):
        raise ValueError(
            f"case {case}: {path} has affine {np.round(file.affine, 3).tolist()}, expected "
            f"{np.round(first.affine, 3).tolist()} as in the case's first image"
        )


def _spacing(file: nib.Nifti1Image, orientation: str, reorient: bool) -> tuple[float, ...]:
    """Return the spacing in mm, reading order, of a file stored in `orientation`."""
    zooms = file.header.get_zooms()[:3]
    return tuple(geometry.reading_spacing(zooms, file.affine, orientation, reorient))


def read_header(case: Case) -> Volume:
    """Return the geometry of a case as stored, without its voxels (`image` is empty)."""
    import numpy as np

    file = _load(case.name, case.images[0].path)
    orientation = geometry.axis_codes(file.affine)
    return Volume(
        np.empty(0, np.float32),
        _spacing(file, orientation, reorient=False),
        orientation,
        file.affine,
        tuple(file.shape[:3]),
    )


def read_images(case: Case, reorient: bool) -> Volume:
    """Read all channels of a case in reading order, turned to RAS+ when `reorient`.

    Raises ValueError naming the case and the file for anything that is not a 3D image on one grid.
    """
    import numpy as np

    first, orientation, channels = None, None, []
    for source in case.images:
        file, voxels = _read_channel(case.name, source)
        first = first or file
        orientation = orientation or geometry.axis_codes(first.affine)
        _check_grid(case.name, source.path, file, first)
        channels.append(geometry.to_reading_order(voxels, orientation, reorient))
    # One channel is taken as it is: most images have no other, and may be large.
    image = np.stack(channels) if len(channels) > 1 else np.ascontiguousarray(channels[0])[None]
    return Volume(
        image,
        _spacing(first, orientation, reorient),
        orientation,
        first.affine,
        tuple(first.shape[:3]),
    )


def read_label(
    case: Case, labels: Labels, reorient: bool, volume: Volume | None = None
) -> np.ndarray:
    """Read the label of a case: int16 (z, y, x) in reading order.

    volume: the images of the case or their header, where read already; else the first is opened.
    Raises ValueError for a grid that is not the image's and for values that `labels` lacks.
    """
    import numpy as np

    file, voxels = _read_channel(case.name, ImageSource(case.label))
    _check_grid(case.name, case.label, file, volume or _load(case.name, case.images[0].path))
    with np.errstate(invalid="ignore"):
        label = voxels.astype(np.int16)
    # Labels are 0, 1, 2, ... without gaps.
    wrong = label != voxels
    wrong |= (voxels < 0) | (voxels > labels.stored[-1])
    if wrong.any():
        unknown = np.unique(voxels[wrong]).tolist()
        raise ValueError(
            f"case {case.name}: {case.label} holds {unknown[:5]}, expected only the values of "
            f"dataset.json, {list(labels.stored)}"
        )
    orientation = geometry.axis_codes(file.affine)
    return geometry.to_reading_order(label, orientation, reorient)


def read_stored_label(case: Case, labels: Labels, header: Volume) -> np.ndarray:
    """Read the label of a case as its file has it: int16 (i, j, k); raises what read_label does."""
    return read_label(case, labels, reorient=False, volume=header).transpose(2, 1, 0)
