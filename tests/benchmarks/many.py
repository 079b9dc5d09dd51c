"""Datasets of very many cases, each with a real header and a few voxels."""

from __future__ import annotations

import gzip
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from evaluate_fold import SLICE_COLUMNS
from scans import affine_of, write_json_of

SHAPE = (16, 16, 6)
CLASSES = 2
EXPERIMENTS = ("coarsest", "finest", "coronal")
RUNS = tuple(product(EXPERIMENTS, range(5), range(3)))
"""Experiment, fold and seed of every training."""

SLICES = 9
"""Scored slices of a case: with CLASSES classes and RUNS, 10,000 cases are 1.62 million rows."""


def tiny_scan(index: int) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Return image and label of a case: noise, and two boxes that are brighter."""
    rng = np.random.default_rng([2027, index])
    low = rng.integers(2, 5, 2)
    label = np.zeros(SHAPE, np.uint8)
    label[low[0] : low[0] + 9, low[1] : low[1] + 9, 1:5] = 1
    label[low[0] + 3 : low[0] + 6, low[1] + 3 : low[1] + 6, 2:4] = 2
    image = (rng.normal(100, 10, SHAPE) + 60 * label).round().astype(np.int16)
    affine = affine_of("RAS", (*[round(float(rng.uniform(0.9, 1.3)), 3)] * 2, 5.0))
    return nib.Nifti1Image(image, affine), nib.Nifti1Image(label, affine)


def write_many(folder: Path, cases: int) -> None:
    """Write a raw dataset in nnU-Net's layout; the same for every call.

    Nothing waits until it is on the disk, which takes longer than the rest.
    """
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True)
    for index in range(cases):
        image, label = tiny_scan(index)
        for path, scan in (
            (folder / "imagesTr" / f"case_{index:05d}_0000.nii.gz", image),
            (folder / "labelsTr" / f"case_{index:05d}.nii.gz", label),
        ):
            path.write_bytes(gzip.compress(scan.to_bytes(), 1, mtime=0))
    write_json_of(folder, cases, classes=CLASSES)


def write_scores(folder: Path, cases: int) -> None:
    """Write made-up scores of RUNS, per slice as Parquet and per case as CSV."""
    unit = ["dataset", "experiment", "fold", "seed", "case", "class", "label"]
    for run in RUNS:
        slices = scores_of(run, range(run[1], cases, 5), SLICES)
        name = "_".join(map(str, run))
        slices.to_parquet(folder / f"per_slice_{name}.parquet", index=False)
        means = slices.groupby(unit, as_index=False)[["dice", "surface_dice", "hd95_mm"]].mean()
        means.assign(status="both").to_csv(folder / f"per_case_{name}.csv", index=False)


def scores_of(run: tuple[str, int, int], cases: range, slices: int) -> pd.DataFrame:
    """Return made-up rows of per_slice.csv: `slices` of each case, CLASSES classes in each.

    run: experiment, fold and seed. Every tenth slice holds nothing.
    """
    experiment, fold, seed = run
    rng = np.random.default_rng([2028, fold, seed, len(experiment)])
    each = slices * CLASSES
    count = len(cases) * each
    number = np.arange(count) % slices
    dice = np.where(number % 10 == 0, np.nan, rng.beta(8, 2, count))
    area = rng.integers(20, 400, (2, count)) * 1.21
    names = [f"class{label}" for label in range(1, CLASSES + 1)]
    place = {"axis": 2, "slice": number, "position_mm": 5.0 * number - 7.125}
    counted = {"tp": rng.integers(1, 400, count), "fp": rng.integers(1, 90, count)}
    return pd.DataFrame(
        {
            **{"dataset": "many", "experiment": experiment, "fold": fold, "seed": seed},
            "case": np.repeat([f"case_{index:05d}" for index in cases], each),
            "class": np.tile(np.repeat(names, slices), len(cases)),
            "label": np.tile(np.repeat(range(1, CLASSES + 1), slices), len(cases)),
            **place,
            "relative_position": number / (slices - 1),
            **counted,
            "fn": counted["fp"],
            **{"area_true_mm2": area[0], "area_predicted_mm2": area[1]},
            **{"dice": dice, "iou": dice / (2 - dice)},
            **{name: rng.gamma(2, 1.5, count) for name in ("hd95_mm", "assd_mm")},
            "surface_dice": dice,
            "status": np.where(np.isnan(dice), "both_empty", "both"),
        }
    )[SLICE_COLUMNS]
