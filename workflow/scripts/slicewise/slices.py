"""Exported slices on disk: the slice table of a case, and arrays opened without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slicewise import geometry
from slicewise.documents import read_document
from slicewise.files import allow_open_files, open_array
from slicewise.job import logger
from slicewise.labels import Labels
from slicewise.preprocessing import CaseGeometry
from slicewise.problems import error
from slicewise.selection import Selection

EXPORT_ANEW = "delete the manifests beside it, and the next run exports anew"


@dataclass(frozen=True)
class ExportedCase:
    """One case as exported.

    image: float32 (slice, channel, row, column) and label: integer (slice, row, column), both
    read-only memory maps; counts: voxels of each foreground class in each slice (class, slice);
    annotated: voxels in each slice that are not ignored (slice), None without an ignore label;
    slices: indices of the slices that may be drawn, None for all of them.
    """

    name: str
    image: np.ndarray
    label: np.ndarray
    counts: np.ndarray
    geometry: CaseGeometry
    annotated: np.ndarray | None = None
    slices: np.ndarray | None = None

    @property
    def drawable(self) -> np.ndarray:
        """Return the indices of the slices that may be drawn."""
        return np.arange(len(self.label)) if self.slices is None else self.slices

    @property
    def filled(self) -> np.ndarray:
        """Return the indices of the drawable slices that hold foreground."""
        return np.flatnonzero(self.counts.any(axis=0))

    @property
    def empty(self) -> np.ndarray:
        """Return the indices of the drawable slices without foreground.

        A slice that is ignored altogether is not known to have none.
        """
        empty = np.setdiff1d(self.drawable, self.filled)
        return empty if self.annotated is None else empty[self.annotated[empty] > 0]

    @property
    def has_annotation(self) -> bool:
        """Say whether any drawable slice holds a voxel that is not ignored."""
        return bool(len(self.drawable)) if self.annotated is None else bool(self.annotated.any())

    def limited(self, slices: np.ndarray) -> ExportedCase:
        """Return the case with `slices` (indices) as all that may be drawn and all that counts."""
        kept = np.isin(np.arange(len(self.label)), slices)
        annotated = None if self.annotated is None else self.annotated * kept
        return replace(self, counts=self.counts * kept, annotated=annotated, slices=slices)


def slice_table(label: np.ndarray, labels: Labels) -> dict:
    """Return how many voxels of each class each slice of a label (slice, row, column) holds.

    {"classes": {name: [...]}}, with an ignore label also {"annotated": [...]}, one number a slice.
    """
    table: dict = {
        "classes": {
            name: np.count_nonzero(labels.mask(label, name), axis=(1, 2)).tolist()
            for name in labels.classes
        }
    }
    if labels.ignore is not None:
        table["annotated"] = np.count_nonzero(labels.annotated(label), axis=(1, 2)).tolist()
    return table


def case_paths(arrays: str | Path, name: str) -> tuple[Path, Path, Path]:
    """Return where the image, the label and the geometry of an exported case lie."""
    folder = Path(arrays)
    return folder / f"{name}.npy", folder / f"{name}_seg.npy", folder / f"{name}.json"


def open_case(arrays: str | Path, name: str) -> ExportedCase:
    """Open one exported case; its voxels stay on disk until they are used.

    Raises BadInput naming the case and the file that is missing, damaged or of another case.
    """
    image_path, label_path, record = case_paths(arrays, name)
    image, label = (open_array(name, path, EXPORT_ANEW) for path in (image_path, label_path))
    content = read_document(record, "what an export writes", EXPORT_ANEW)
    try:
        table = content["slice_table"]
        case = ExportedCase(
            name,
            image,
            label,
            np.array(list(table["classes"].values()), dtype=np.int64),
            CaseGeometry.from_json(content["geometry"]),
            np.array(table["annotated"], dtype=np.int64) if "annotated" in table else None,
        )
    except (LookupError, AttributeError, TypeError, ValueError, OverflowError) as damage:
        found = f"a record that cannot be followed ({damage!r:.80})"
        raise error(name, record, found, "what an export writes", EXPORT_ANEW) from None
    _check_agreement(case, image_path, record)
    return case


def _check_agreement(case: ExportedCase, image_path: Path, record: Path) -> None:
    """Raise BadInput unless the arrays of a case and its record are of the same slices."""
    shape = case.label.shape
    alike = case.image.ndim == 4 and (len(case.image), *case.image.shape[2:]) == shape
    if (
        not alike
        or not case.image.size
        or case.image.dtype != np.float32
        or case.label.dtype.kind not in "iu"
    ):
        found = f"{case.image.dtype} of {case.image.shape}, beside a label, {case.label.dtype} of "
        expected = "float32 (slice, channel, row, column) on the grid of the label"
        raise error(case.name, image_path, f"{found}{shape}", expected, EXPORT_ANEW)
    tables = [case.counts] if case.annotated is None else [case.counts, case.annotated[None]]
    in_order = all(
        table.ndim == 2 and table.shape[1] == len(case.label) and table.min(initial=0) >= 0
        for table in tables
    )
    if not in_order or case.geometry.resampled_shape != shape:
        found = f"a slice table or a geometry that is not of {shape} voxels"
        raise error(case.name, record, found, "those of the exported label", EXPORT_ANEW)


def open_cases(arrays: str | Path, names: Sequence[str]) -> list[ExportedCase]:
    """Open several exported cases in the given order.

    Raises ValueError when the system does not allow so many open files, or one is missing.
    """
    # Each map of a file keeps it open, and a case has two: an image and a label.
    allow_open_files(2 * len(names), f"{len(names)} cases are opened at once")
    return [open_case(arrays, name) for name in names]


def stored_slices(case: CaseGeometry, axis: int) -> tuple[int, np.ndarray]:
    """Return the file axis that an exported case is sliced across and its slices' indices there.

    axis: the sliced axis in reading order. The exported stack is cropped, and runs against the
    file's where the scan was turned to RAS+.
    """
    stored = geometry.nifti_axis(axis, case.orientation, case.reorient)
    indices = np.arange(*case.bounding_box[0])
    if case.reorient and geometry.to_canonical(case.orientation)[2 - axis][1] < 0:
        indices = case.shape[0] - 1 - indices
    return stored, indices


def choose_slices(case: ExportedCase, selection: Selection, axis: int) -> np.ndarray:
    """Return the indices of the slices of an exported case that a selection chooses.

    axis: the sliced axis in reading order. What is cropped away holds no foreground but counts as
    slices of the file.
    """
    stored, indices = stored_slices(case.geometry, axis)
    count = case.geometry.file_shape[stored]
    filled = np.zeros(count, bool)
    filled[indices] = case.counts.any(axis=0)
    place = geometry.slice_positions(np.array(case.geometry.affine), count, stored)
    return np.flatnonzero(selection.chosen(filled, place)[indices])


def choose_cases(
    cases: Sequence[ExportedCase], selection: Selection, axis: int
) -> list[ExportedCase]:
    """Return the cases limited to the chosen slices, without those that are left with none.

    axis: the sliced axis in reading order. Slices that nobody annotated are as good as none. Raises
    ValueError when no case is left.
    """
    if selection.kind == "all":
        return list(cases)
    chosen = [case.limited(choose_slices(case, selection, axis)) for case in cases]
    kept = [case for case in chosen if case.has_annotation]
    without = [case.name for case in chosen if not case.has_annotation]
    if not kept:
        raise ValueError(
            f"training.slices: found {selection}, which chooses no annotated slice of the cases "
            f"{', '.join(without)}; choose others"
        )
    if without:
        logger.warning(
            "training.slices: no annotated slice of %s is chosen by %s: left out of these batches",
            ", ".join(without),
            selection,
        )
    total = sum(len(case.label) for case in cases)
    logger.info("drawing from %d of %d slices", sum(len(case.drawable) for case in kept), total)
    return kept
