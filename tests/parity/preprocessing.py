"""Fingerprint, plan, folds and arrays of whole datasets, each program from the raw files on."""

import json
from pathlib import Path

import numpy as np

from chain import Chain, analyse, export, plan
from golden import datasets
from parity import oracle
from parity.comparison import Comparison
from slicewise.files import read_json
from slicewise.folds import split

REAL = "hippocampus"
STATISTICS = "foreground_intensity_properties_per_channel"
NAMES = {"fingerprint": "dataset_fingerprint.json", "plan": "plans.json"}
FOLDS = 5


def compare(oracle_python: Path, folder: Path, data: Path | None) -> list[Comparison]:
    """Compare on every dataset of golden/recipes.py, and on the real scans in `data`."""
    names = list(datasets.RECIPES)
    for name in names:
        datasets.write(name, folder / name / "raw")
    if data:
        (folder / REAL).mkdir()
        (folder / REAL / "raw").symlink_to(data, target_is_directory=True)
        names.append(REAL)
    oracle.run(oracle_python, "oracle_preprocessing", folder, *names)
    return [row for name in names for row in compare_dataset(name, folder / name)]


def compare_dataset(name: str, folder: Path) -> list[Comparison]:
    """Run our scripts on the dataset in raw/ and compare with what nnU-Net left in nnunet/."""
    chain = Chain(folder / "raw" / "dataset.json", folder)
    theirs = {
        key: json.loads((folder / "nnunet" / file).read_text()) for key, file in NAMES.items()
    }
    plan(analyse(chain, groups=2), dataset_name=theirs["plan"]["dataset_name"])
    export(chain)
    ours = {key: read_json(getattr(chain, key)) for key in NAMES}
    ours["plan"].pop("slicewise")
    averages = [ours["fingerprint"].pop(STATISTICS), theirs["fingerprint"].pop(STATISTICS)]
    # The plan repeats the averages, as the row on the plan would show.
    for plans, statistics in zip((ours, theirs), averages, strict=True):
        plans["plan"][STATISTICS] = plans["plan"][STATISTICS] == statistics
    folds = json.loads((folder / "nnunet" / "splits_final.json").read_text())
    labels, images = array_differences(chain, folder / "nnunet")
    cases = f"{len(chain.cases)} cases"
    return [
        Comparison(
            f"{name}: fingerprint", differing(ours["fingerprint"], theirs["fingerprint"]), 0, VALUES
        ),
        Comparison(
            f"{name}: intensity statistics", relative_difference(*averages), 1e-5, "relative"
        ),
        Comparison(f"{name}: plan", differing(ours["plan"], theirs["plan"]), 0, VALUES),
        Comparison(f"{name}: folds", differing(split(chain.cases, FOLDS), folds), 0, VALUES),
        Comparison(f"{name}: labels of {cases}", labels, 0, "voxels that differ"),
        Comparison(f"{name}: images of {cases}", images, 1e-3, "standard deviations"),
    ]


VALUES = "values that differ"


def differing(ours: object, theirs: object) -> int:
    """Count the values of nested JSON that differ or that only one side has."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        alike = ours.keys() & theirs.keys()
        return len(ours.keys() ^ theirs.keys()) + sum(differing(ours[k], theirs[k]) for k in alike)
    if isinstance(ours, list) and isinstance(theirs, list):
        pairs = zip(ours, theirs, strict=False)
        return abs(len(ours) - len(theirs)) + sum(differing(*pair) for pair in pairs)
    return int(type(ours) is not type(theirs) or ours != theirs)


def relative_difference(ours: dict, theirs: dict) -> float:
    """Return the largest relative difference of channel -> statistic -> value."""
    ours, theirs = (
        {(channel, name): value for channel in side for name, value in side[channel].items()}
        for side in (ours, theirs)
    )
    if ours.keys() != theirs.keys():
        return np.inf
    return max(abs(ours[key] - value) / max(abs(value), 1e-8) for key, value in theirs.items())


def array_differences(chain: Chain, nnunet: Path) -> tuple[int, float]:
    """Return how many label voxels differ, and the images' largest difference.

    The latter is in standard deviations of a channel of nnU-Net's image.
    """
    voxels, largest = 0, 0.0
    for case in chain.cases:
        image, label = (np.load(chain.arrays / f"{case}{part}.npy") for part in ("", "_seg"))
        expected, truth = (np.load(nnunet / f"{case}{part}.npy") for part in ("", "_seg"))
        if image.swapaxes(0, 1).shape != expected.shape or label.shape != truth[0].shape:
            return label.size, np.inf
        voxels += int((label != truth[0]).sum())
        for ours, theirs in zip(image.swapaxes(0, 1), expected, strict=True):
            largest = max(largest, float(np.abs(ours - theirs).max() / theirs.std()))
    return voxels, largest
