"""Truths and predictions as stacks of slices across an axis of their file, as they are scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes

from slicewise import geometry
from slicewise.dataset import Case
from slicewise.labels import Labels
from slicewise.original_grid import read_prediction
from slicewise.volumes import Volume, read_stored_label


@dataclass(frozen=True)
class SliceStack:
    """The grid of a file as a stack of slices across one of its axes.

    axis: file axis that is sliced; spacing: mm (slice, row, column); pixel_mm2 and voxel_mm3: size
    of one pixel and voxel; position_mm: place of each slice along the unit normal of the slices, in
    world coordinates, towards R, A or S; ascending: the index rises in that direction too.
    """

    axis: int
    spacing: tuple[float, float, float]
    pixel_mm2: float
    voxel_mm3: float
    position_mm: np.ndarray
    ascending: bool


def stack_slices(affine: np.ndarray, shape: tuple[int, ...], axis: int) -> SliceStack:
    """Return the slices of a file across `axis`, their distance measured along their normal."""
    rows = [other for other in range(3) if other != axis]
    normal = geometry.slice_normal(affine, axis)
    return SliceStack(
        axis=axis,
        spacing=tuple(voxel_sizes(affine)[[axis, *rows]].tolist()),
        pixel_mm2=float(np.linalg.norm(normal)),
        voxel_mm3=float(normal @ affine[:3, axis]),
        position_mm=geometry.slice_positions(affine, shape[axis], axis),
        ascending=geometry.axis_codes(affine)[axis] in geometry.CANONICAL,
    )


def find_predictions(folder: str | Path, cases: list[str]) -> dict[str, Path]:
    """Return the prediction file of every case; a ValueError names the cases that have none."""
    files = {case: Path(folder) / f"{case}.nii.gz" for case in cases}
    missing = [case for case, path in files.items() if not path.is_file()]
    if missing:
        raise ValueError(
            f"case {', '.join(missing)}: found no prediction, expected {files[missing[0]]}; "
            "predict every case of the fold, since a mean over the others would mislead"
        )
    return files


def in_slices(label: np.ndarray, axis: int) -> np.ndarray:
    """Return a label map (i, j, k) as slices across a file axis (slice, row, column)."""
    return np.ascontiguousarray(np.moveaxis(label, axis, 0))


def read_pair(
    case: Case,
    prediction: Path,
    labels: Labels,
    header: Volume,
    axis: int,
    reorient: bool,
    thickened: Mapping | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read truth and prediction of a case as slices across a file axis (slice, row, column).

    For reorient and thickened see original_grid.read_prediction. Raises ValueError for a missing
    file, another grid than the image's and unknown values.
    """
    truth = read_stored_label(case, labels, header)
    found = read_prediction(case, prediction, labels, header, reorient, thickened)
    return in_slices(truth, axis), in_slices(found, axis)
