"""Scans packed for a web page: image, truth and predictions of a case in one compressed block.

The page's data.js reads them back.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes

from slicewise.dataset import Case
from slicewise.display import OPPOSITE, first_is_vertical, sides, upright
from slicewise.labels import Labels
from slicewise.nifti import open_nifti
from slicewise.problems import error
from slicewise.volumes import read_header, read_stored_label

LEVELS = 256
"""Grey levels of a packed image: one byte each."""

BINS = 4096
"""Bins of the histogram that grey levels are chosen by."""

OUTLIERS = 0.02
"""Percent of an image's voxels below the darkest grey level, and above the brightest."""

WINDOW = (0.5, 99.5)
"""Percentiles of an image that are shown as black and white at first, as in the figures."""


@dataclass(frozen=True)
class Stack:
    """One case as slices (slice, row, column), turned upright and cut to what it shows.

    image: of the first channel; truth: label values, 0 where nobody annotated; predictions: the
    same by the number of their run; first: index in the file of the first slice; spacing: mm
    (slice, row, column); towards: the patient's sides that slices, rows and columns run to.
    """

    image: np.ndarray
    truth: np.ndarray
    predictions: dict[int, np.ndarray]
    first: int
    spacing: tuple[float, float, float]
    towards: str


def read_stack(
    case: Case, labels: Labels, axis: int, predictions: Mapping[int, Path], margin_mm: float | None
) -> Stack:
    """Read a case across a file axis, cut to its structures and so many mm around them.

    The structures are those of the truth and of all predictions (a file by the number of each run);
    None keeps whole scans. Raises BadInput for files that are missing, damaged or on another grid.
    """
    header = read_header(case)
    for path in predictions.values():
        if not path.is_file():
            mend = "delete its folder, and the next run predicts it again"
            raise error(case.name, path, "no prediction", "one of each case that is scored", mend)
    letters = header.orientation[axis] + header.orientation.replace(header.orientation[axis], "")
    spacing = voxel_sizes(header.affine)[[axis, *(i for i in range(3) if i != axis)]]
    if not first_is_vertical(letters[1:]):
        spacing = spacing[[0, 2, 1]]
    truth, *found = (
        _turned(read_stored_label(replace(case, label=path), labels, header), axis, letters)
        for path in (case.label, *predictions.values())
    )
    known = labels.annotated(truth)
    truth, *found = (np.where(known, array, 0) for array in (truth, *found))
    box = structure_box((truth, *found), spacing, margin_mm)
    source = case.images[0]
    image = _turned(open_nifti(case.name, source.path).values(source.volume), axis, letters)
    top, left = sides(letters[1:])
    return Stack(
        np.nan_to_num(image[box].astype(np.float32)),
        truth[box],
        {run: array[box] for run, array in zip(predictions, found, strict=True)},
        box[0].start,
        tuple(spacing.tolist()),
        letters[0] + OPPOSITE[top] + OPPOSITE[left],
    )


def _turned(volume: np.ndarray, axis: int, letters: str) -> np.ndarray:
    """Return a volume (i, j, k) as upright slices; letters: of the sliced axis and the others."""
    return upright(np.moveaxis(volume, axis, 0), letters[1:])


def structure_box(
    maps: Sequence[np.ndarray], spacing: Sequence[float], margin_mm: float | None
) -> tuple[slice, ...]:
    """Return the box around all that label maps (slice, row, column) show, and a margin about it.

    The margin is at least one voxel. Maps that show nothing, or no margin, give the whole.
    """
    shape, box = maps[0].shape, []
    for axis, mm in enumerate(spacing):
        others = tuple(i for i in range(3) if i != axis)
        shown = np.flatnonzero(np.any([(array > 0).any(axis=others) for array in maps], axis=0))
        if margin_mm is None or not len(shown):
            box.append(slice(0, shape[axis]))
            continue
        margin = max(1, round(margin_mm / mm))
        first, last = int(shown[0]) - margin, int(shown[-1]) + margin
        box.append(slice(max(0, first), min(shape[axis], last + 1)))
    return tuple(box)


def grey_levels(image: np.ndarray) -> np.ndarray:
    """Return the up to 256 rising values, float64, that stand for those of an image.

    An image that has no more keeps its own. Else they lie closest where its voxels are most: their
    density goes with the cube root of the voxels', which makes the mean squared error least (Panter
    and Dite 1951). So air and table of a CT take few levels and soft tissue many.
    """
    distinct = np.unique(image)
    if len(distinct) <= LEVELS:
        return distinct.astype(np.float64)
    ends = np.percentile(image, [OUTLIERS, 100 - OUTLIERS])
    if ends[0] == ends[1]:
        ends = distinct[[0, -1]]
    counts, edges = np.histogram(image, BINS, ends)
    share = np.concatenate([[0], np.cumsum(np.cbrt(counts))])
    return np.interp(np.linspace(0, 1, LEVELS), share / share[-1], edges)


def nearest_level(image: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the index, uint8, of the grey level that is nearest to each value of an image."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, image).astype(np.uint8)


def coarser(image: np.ndarray, edge: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return an image (slice, row, column) of at most `edge` rows and columns, and its factors.

    Blocks of whole numbers of pixels become their mean; the last block of a row is filled up with
    its last pixel.
    """
    factors = tuple(-(-size // edge) for size in image.shape[1:])
    if factors == (1, 1):
        return image, factors
    missing = [(0, -size % n) for size, n in zip(image.shape[1:], factors, strict=True)]
    padded = np.pad(image, [(0, 0), *missing], mode="edge")
    slices, rows, columns = padded.shape
    blocks = padded.reshape(slices, rows // factors[0], factors[0], columns // factors[1], -1)
    return blocks.mean(axis=(2, 4), dtype=np.float64), factors


def pack(stack: Stack, edge: int) -> dict[str, Any]:
    """Return a case as JSON: what its numbers mean, and the block of all voxels in base64.

    The block is deflated: bytes of the image, each less its left neighbour, then the truth, then
    each prediction less the truth. Those two have the full grid and `bytes` to a voxel; the image
    has at most `edge` rows and columns. `clipped` says whether values lie below the first and above
    the last of the grey levels.
    """
    image, factors = coarser(stack.image, edge)
    levels = grey_levels(image)
    index = nearest_level(image, levels)
    kind = np.dtype("u1") if max(map(np.max, _maps(stack))) < 256 else np.dtype("<u2")
    truth = stack.truth.astype(kind)
    parts = [np.diff(index, axis=2, prepend=np.uint8(0)), truth]
    parts += [array.astype(kind) - truth for array in stack.predictions.values()]
    content = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return {
        "first": stack.first,
        "shape": list(truth.shape),
        "image": list(image.shape),
        "factors": list(factors),
        "bytes": kind.itemsize,
        "runs": list(stack.predictions),
        "spacing": [_short(mm) for mm in stack.spacing],
        "towards": stack.towards,
        "levels": [_short(value) for value in levels],
        "clipped": [bool(image.min() < levels[0]), bool(image.max() > levels[-1])],
        "window": [_short(value) for value in np.percentile(image, WINDOW)],
        "data": deflated(content),
    }


def _maps(stack: Stack) -> list[np.ndarray]:
    return [stack.truth, *stack.predictions.values()]


def _short(number: float) -> float:
    """Return a number with the digits that a page can show."""
    return float(f"{number:.6g}")


def deflated(content: bytes) -> str:
    """Return bytes as zlib packs them best, in base64."""
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")
