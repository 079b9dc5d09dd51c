"""Decide on cross-validated cases whether to keep only the largest component of the foreground.

First of all labels together, then of each class by itself, each on top of the steps before it
(nnU-Net: determine_postprocessing). The first is kept where it raises the mean foreground Dice and
lowers that of no class; the others where they raise the Dice of their class. With several seeds
every case counts once for each: new images are predicted by all networks together, so that one
decision has to suit all. Ignored voxels and slices that are not evaluated do not count.
"""

import math
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from scipy import ndimage

from slicewise import geometry
from slicewise.dataset import Case, open_dataset
from slicewise.files import write_json
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.metrics import dice
from slicewise.postprocessing import keep_largest
from slicewise.records import read_fingerprint, read_folds, read_orientation
from slicewise.selection import Selection, parse_selection
from slicewise.volumes import read_header, read_stored_label

FOREGROUND = "foreground"


class Spool:
    """Packed label maps one after the other in a file, since every step looks at all cases.

    In memory those of 10,000 cases and three seeds come to a gigabyte.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file

    def put(self, label: np.ndarray) -> "Packed":
        """Keep a label map, in the smallest type that holds its values."""
        small = label.astype(np.min_scalar_type(label.max()))
        content = zlib.compress(small.tobytes(), 1)
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(content)
        return Packed(self, start, len(content), small.shape, small.dtype.str)

    def read(self, start: int, length: int) -> bytes:
        """Return some bytes of the file."""
        self._file.seek(start)
        return self._file.read(length)


@dataclass(frozen=True, slots=True)
class Packed:
    """A label map in a spool: where its bytes lie, and how they are to be read."""

    spool: Spool
    start: int
    length: int
    shape: tuple[int, ...]
    kind: str

    def open(self) -> np.ndarray:
        """Return the label map, read-only."""
        content = zlib.decompress(self.spool.read(self.start, self.length))
        return np.frombuffer(content, self.kind).reshape(self.shape)


def crop(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both label maps (i, j, k) cut to the box of what either holds, a voxel at least."""
    boxes = ndimage.find_objects(((truth > 0) | (prediction > 0)).astype(np.uint8))
    box = boxes[0] if boxes else (slice(1), slice(1), slice(1))
    return truth[box], prediction[box]


def uncounted(labels: Labels) -> int:
    """Return the value of voxels that do not count: one above the labels, where ignore is too."""
    return labels.values[-1] + 1


def class_dice(truth: np.ndarray, prediction: np.ndarray, labels: Labels) -> np.ndarray:
    """Return the Dice of every class or region (class), nan where both are empty.

    Voxels whose truth is one above the highest label do not count.
    """
    size = uncounted(labels) + 1
    joint = np.bincount(
        truth.ravel().astype(np.intp) * size + prediction.ravel(), minlength=size**2
    )
    joint = joint.reshape(size, size)
    joint[-1] = 0
    members = [list(values) for values in labels.classes.values()]
    both = np.array([joint[np.ix_(values, values)].sum() for values in members])
    true = np.array([joint[values].sum() for values in members])
    found = np.array([joint[:, values].sum() for values in members])
    return dice(both, found - both, true - both)


def mean_dice(scores: np.ndarray) -> np.ndarray:
    """Return the mean of each class over the cases that have one; scores: (case, class)."""
    present = np.count_nonzero(~np.isnan(scores), axis=0)
    sums = np.nansum(scores, axis=0)
    return np.divide(sums, present, out=np.full(len(sums), np.nan), where=present > 0)


def decide(
    truths: Sequence[Packed], predictions: Sequence[Packed], labels: Labels, tries: bool
) -> tuple[list[dict], np.ndarray, np.ndarray]:
    """Return the steps that were tried and the mean Dice (class) before and after those kept.

    Without `tries` there is no step. A step names the labels that it takes together, the mean Dice
    that decides on it, and whether it is kept. Where no case has a class, the mean foreground Dice
    does not exist and all labels together are left as they are, as in nnU-Net.
    """
    of_classes = labels.classes.items() if len(labels.classes) > 1 else ()
    candidates = [(FOREGROUND, labels.values[1:]), *of_classes] if tries else []
    before = current = mean_dice(_scores(truths, predictions, labels, ()))
    steps = []
    for place, (name, values) in enumerate(candidates):
        found = mean_dice(_scores(truths, predictions, labels, values))
        if place == 0:
            old, new = current.mean(), found.mean()
            kept = new > old and not (found < current).any()
        else:
            old, new = current[place - 1], found[place - 1]
            kept = new > old
        steps.append({"name": name, "labels": list(values), "kept": bool(kept)})
        steps[-1] |= {"dice_before": number(old), "dice_after": number(new)}
        if kept:
            current = found
            predictions = [p.spool.put(keep_largest(p.open(), values)) for p in predictions]
    return steps, before, current


def _scores(
    truths: Sequence[Packed], predictions: Sequence[Packed], labels: Labels, values: Sequence[int]
) -> np.ndarray:
    """Return the Dice of every case and class (case, class) once `values` are one connected part.

    The changed predictions are not held: packing them takes longer than making them again, which
    only a step that is kept asks for.
    """
    pairs = zip(truths, predictions, strict=True)
    return np.stack(
        [class_dice(t.open(), keep_largest(p.open(), values), labels) for t, p in pairs]
    )


def number(value: float) -> float | None:
    """Return a Dice for JSON, which has no nan: None where it does not exist."""
    return None if math.isnan(value) else float(value)


def means(scores: np.ndarray, labels: Labels) -> dict:
    """Return the mean Dice (class) as postprocessing.json holds it."""
    of_classes = zip(labels.classes, map(number, scores), strict=True)
    return {"foreground_mean": number(scores.mean()), "mean": dict(of_classes)}


def read_pair(
    case: Case,
    prediction: Path,
    labels: Labels,
    axis_of: Callable[[str], int],
    selection: Selection,
    spool: Spool,
) -> tuple[Packed, Packed]:
    """Read truth and prediction of a case into a spool.

    axis_of: a file's orientation -> its sliced axis.
    """
    header = read_header(case)
    axis = axis_of(header.orientation)
    places = geometry.slice_positions(header.affine, header.shape[axis], axis)
    truth, found = (
        read_stored_label(replace(case, label=path), labels, header)
        for path in (case.label, prediction)
    )
    truth = hide_unscored(truth, places, axis, selection, labels)
    return tuple(map(spool.put, crop(truth, found)))


def hide_unscored(
    truth: np.ndarray, position_mm: np.ndarray, axis: int, selection: Selection, labels: Labels
) -> np.ndarray:
    """Return a truth (i, j, k) in which slices across `axis` that are not scored do not count.

    position_mm: the place of each slice, as geometry.slice_positions gives it.
    """
    slices = np.moveaxis(truth.copy(), axis, 0)
    slices[~selection.scored(slices, labels, position_mm)] = uncounted(labels)
    return np.moveaxis(slices, 0, axis)


def main(
    *,
    dataset_json,
    splits,
    fingerprint,
    orientation,
    predictions,
    experiment,
    runs,
    slice_axis,
    slices,
    largest_component,
    postprocessing,
):
    """Write postprocessing.json; predictions (folders) are in the order of `runs`: fold, seed.

    As in the evaluation only the `slices` across `slice_axis` are scored.
    """
    dataset, folds = open_dataset(dataset_json), read_folds(splits)
    labels, selection = dataset.labels, parse_selection(slices)
    axis_of = partial(
        geometry.sliced_axis,
        slice_axis,
        geometry.target_spacing(read_fingerprint(fingerprint)),
        reorient=read_orientation(orientation)["reorient"],
    )
    cases = [
        (name, Path(folder) / f"{name}.nii.gz")
        for (fold, _), folder in zip(runs, predictions, strict=True)
        for name in folds[fold]["val"]
    ]
    with TemporaryFile(dir=Path(postprocessing).parent) as file:
        spool = Spool(file)
        pairs = [
            read_pair(dataset.case(name), path, labels, axis_of, selection, spool)
            for name, path in cases
        ]
        steps, before, after = decide(
            *zip(*pairs, strict=True), labels, largest_component == "auto"
        )
    content = {
        "experiment": experiment,
        "folds": sorted({fold for fold, _ in runs}),
        "seeds": sorted({seed for _, seed in runs}),
        "cases": len({name for name, _ in cases}),
        "largest_component": largest_component,
        "steps": steps,
        "before": means(before, labels),
        "after": means(after, labels),
    }
    write_json(postprocessing, content)
    for step in steps:
        logger.info(
            "largest component of %s: %s", step["name"], "kept" if step["kept"] else "no gain"
        )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
