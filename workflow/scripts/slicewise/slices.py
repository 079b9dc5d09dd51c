"""Exported slices on disk: the slice table of a case, and arrays opened without reading them."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slicewise.files import read_json
from slicewise.labels import Labels
from slicewise.preprocessing import CaseGeometry


@dataclass(frozen=True)
class ExportedCase:
    """One case as exported.

    image: float32 (slice, channel, row, column) and label: integer (slice, row, column), both
    read-only memory maps; counts: voxels of each foreground class in each slice (class, slice);
    annotated: voxels in each slice that are not ignored (slice), None without an ignore label.
    """

    name: str
    image: np.ndarray
    label: np.ndarray
    counts: np.ndarray
    geometry: CaseGeometry
    annotated: np.ndarray | None = None


def slice_table(label: np.ndarray, labels: Labels) -> dict:
    """Return how many voxels of each class each slice of a label (slice, row, column) holds.

    {"classes": {name: [...]}}, with an ignore label also {"annotated": [...]}, one number a slice.
    """
    table: dict = {
        "classes": {
            name: labels.mask(label, name).sum(axis=(1, 2)).tolist() for name in labels.classes
        }
    }
    if labels.ignore is not None:
        table["annotated"] = labels.annotated(label).sum(axis=(1, 2)).tolist()
    return table


def case_paths(arrays: str | Path, name: str) -> tuple[Path, Path, Path]:
    """Return where the image, the label and the geometry of an exported case lie."""
    folder = Path(arrays)
    return folder / f"{name}.npy", folder / f"{name}_seg.npy", folder / f"{name}.json"


def open_case(arrays: str | Path, name: str) -> ExportedCase:
    """Open one exported case; its voxels stay on disk until they are used.

    Raises ValueError naming the case and the file that is missing.
    """
    image, label, record = case_paths(arrays, name)
    for path in (image, label, record):
        if not path.exists():
            raise ValueError(
                f"case {name}: {path} is missing; delete the manifests beside it to export again"
            )
    content = read_json(record)
    table = content["slice_table"]
    return ExportedCase(
        name,
        np.load(image, mmap_mode="r", allow_pickle=False),
        np.load(label, mmap_mode="r", allow_pickle=False),
        np.array(list(table["classes"].values()), dtype=np.int64),
        CaseGeometry.from_json(content["geometry"]),
        np.array(table["annotated"], dtype=np.int64) if "annotated" in table else None,
    )


def release(case: ExportedCase) -> None:
    """Give the pages of a case that were read back to the system, which may keep them cached.

    Without it the resident memory of a training would grow to the size of its dataset.
    """
    for array in (case.image, case.label):
        if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            array.base.madvise(mmap.MADV_DONTNEED)


def open_cases(arrays: str | Path, names: Sequence[str]) -> list[ExportedCase]:
    """Open several exported cases in the given order."""
    return [open_case(arrays, name) for name in names]
