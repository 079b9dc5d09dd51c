"""Decide on cross-validated cases whether to keep only the largest component of the foreground.

First of all labels together, then of each class by itself, each on top of the steps before it
(nnU-Net: determine_postprocessing). The first is kept where it raises the mean foreground Dice and
lowers that of no class; the others where they raise the Dice of their class. With several seeds
every case counts once for each: new images are predicted by all networks together, so that one
decision has to suit all.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from slicewise.dataset import Dataset, open_dataset, read_label
from slicewise.files import read_json, write_json
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.metrics import dice
from slicewise.postprocessing import keep_largest

FOREGROUND = "foreground"


@dataclass(frozen=True)
class Packed:
    """A label map in few bytes: all cases of a cross-validation are held at once."""

    content: bytes
    shape: tuple[int, ...]
    kind: str

    @classmethod
    def of(cls, label: np.ndarray) -> "Packed":
        """Return a packed copy of a label map."""
        return cls(zlib.compress(label.tobytes(), 1), label.shape, label.dtype.str)

    def open(self) -> np.ndarray:
        """Return the label map, read-only."""
        return np.frombuffer(zlib.decompress(self.content), self.kind).reshape(self.shape)


def crop(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both label maps (z, y, x) cut to the box of what either holds, a voxel at least."""
    boxes = ndimage.find_objects(((truth > 0) | (prediction > 0)).astype(np.uint8))
    box = boxes[0] if boxes else (slice(1), slice(1), slice(1))
    return truth[box], prediction[box]


def class_dice(truth: np.ndarray, prediction: np.ndarray, labels: Labels) -> np.ndarray:
    """Return the Dice of every class or region (class), nan where both are empty.

    Voxels that hold the ignore label in the truth do not count.
    """
    size = 1 + max(labels.stored)
    joint = np.bincount(
        truth.ravel().astype(np.intp) * size + prediction.ravel(), minlength=size**2
    )
    joint = joint.reshape(size, size)
    if labels.ignore is not None:
        joint[labels.ignore] = 0
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
    names = list(labels.classes)
    candidates = {FOREGROUND: labels.values[1:]} | (labels.classes if len(names) > 1 else {})
    before = current = mean_dice(_scores(truths, predictions, labels))
    steps = []
    for place, (name, values) in enumerate(candidates.items() if tries else ()):
        changed = [Packed.of(keep_largest(packed.open(), values)) for packed in predictions]
        found = mean_dice(_scores(truths, changed, labels))
        if place == 0:
            old, new = current.mean(), found.mean()
            kept = new > old and not (found < current).any()
        else:
            old, new = current[place - 1], found[place - 1]
            kept = new > old
        steps.append({"name": name, "labels": list(values), "kept": bool(kept)})
        steps[-1] |= {"dice_before": number(old), "dice_after": number(new)}
        if kept:
            predictions, current = changed, found
    return steps, before, current


def _scores(truths: Sequence[Packed], found: Sequence[Packed], labels: Labels) -> np.ndarray:
    """Return the Dice of every case and class (case, class)."""
    pairs = zip(truths, found, strict=True)
    return np.stack([class_dice(truth.open(), other.open(), labels) for truth, other in pairs])


def number(value: float) -> float | None:
    """Return a Dice for JSON, which has no nan: None where it does not exist."""
    return None if math.isnan(value) else float(value)


def means(scores: np.ndarray, labels: Labels) -> dict:
    """Return the mean Dice (class) as postprocessing.json holds it."""
    of_classes = zip(labels.classes, map(number, scores), strict=True)
    return {"foreground_mean": number(scores.mean()), "mean": dict(of_classes)}


def read_pairs(
    dataset: Dataset, cases: Sequence[tuple[str, Path]]
) -> tuple[list[Packed], list[Packed]]:
    """Return the truths and the predictions of some cases; cases: name and prediction file."""
    truths, predictions = [], []
    for name, path in cases:
        case = dataset.case(name)
        truth = read_label(case, dataset.labels, reorient=False)
        prediction = read_label(replace(case, label=path), dataset.labels, reorient=False)
        for held, label in zip((truths, predictions), crop(truth, prediction), strict=True):
            held.append(Packed.of(label))
    return truths, predictions


def main(
    *,
    dataset_json,
    splits,
    predictions,
    experiment,
    runs,
    largest_component,
    postprocessing,
):
    """Write postprocessing.json; predictions (folders) are in the order of `runs`: fold, seed."""
    dataset = open_dataset(dataset_json)
    folds = read_json(splits)
    cases = [
        (name, Path(folder) / f"{name}.nii.gz")
        for (fold, _), folder in zip(runs, predictions, strict=True)
        for name in folds[fold]["val"]
    ]
    pairs = read_pairs(dataset, cases)
    steps, before, after = decide(*pairs, dataset.labels, largest_component == "auto")
    content = {
        "experiment": experiment,
        "folds": sorted({fold for fold, _ in runs}),
        "seeds": sorted({seed for _, seed in runs}),
        "cases": len({name for name, _ in cases}),
        "largest_component": largest_component,
        "steps": steps,
        "before": means(before, dataset.labels),
        "after": means(after, dataset.labels),
    }
    write_json(postprocessing, content)
    for step in steps:
        logger.info(
            "largest component of %s: %s", step["name"], "kept" if step["kept"] else "no gain"
        )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
