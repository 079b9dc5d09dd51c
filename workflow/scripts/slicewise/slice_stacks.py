"""Truths and predictions as stacks of slices across an axis of their file, as they are scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes

from slicewise import geometry
from slicewise.dataset import Case, Dataset
from slicewise.labels import Labels
from slicewise.original_grid import read_prediction
from slicewise.records import read_fingerprint, read_fold, read_orientation
from slicewise.selection import Selection
from slicewise.volumes import Volume, read_header, read_stored_label


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


@dataclass(frozen=True)
class HeldOut:
    """A held-out case of a fold as its slices are scored.

    path: of the prediction; truth, prediction: (slice, row, column); chosen: which slices count,
    bool (slice).
    """

    case: Case
    path: Path
    truth: np.ndarray
    prediction: np.ndarray
    stack: SliceStack
    chosen: np.ndarray


def held_out(
    source: Dataset,
    predictions: str | Path,
    *,
    splits: str | Path,
    fold: int,
    fingerprint: str | Path,
    orientation: str | Path,
    slice_axis: str | int,
    selection: Selection,
    thickened: Mapping | None,
) -> Iterator[HeldOut]:
    """Yield the held-out cases of a fold one by one, across the axis that `slice_axis` names.

    thickened: how the slices of the predicted scans were made of those of `source`, if they were.
    Raises ValueError as find_predictions and read_pair do.
    """
    reorient = read_orientation(orientation)["reorient"]
    spacing = geometry.target_spacing(read_fingerprint(fingerprint))
    cases = read_fold(splits, fold, "val")["val"]
    for name, path in find_predictions(predictions, cases).items():
        case = source.case(name)
        header = read_header(case)
        axis = geometry.sliced_axis(slice_axis, spacing, header.orientation, reorient)
        pair = read_pair(case, path, source.labels, header, axis, reorient, thickened)
        stack = stack_slices(header.affine, header.shape, axis)
        chosen = selection.scored(pair[0], source.labels, stack.position_mm)
        yield HeldOut(case, path, *pair, stack, chosen)
