"""Small slice explorers for tests: datasets on disk, their scores as evaluate_fold writes them."""

import base64
import json
import re
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

import explore_slices
from scans import affine_of, volume, write_case
from slicewise import scoring, slice_stacks
from slicewise.dataset import open_dataset
from slicewise.files import write_nifti, write_parquet

HOSTILE = "</script><img src=x onerror=document.title='run'>"
"""The name of a class that would run, were it ever taken for markup."""

SHAPE, SPACING = (24, 30, 10), (1.5, 1.0, 4.0)
SETTINGS = {"margin_mm": 5, "image_edge": 256, "page_mb": 50}


def write_raw(folder: Path, cases: int, classes: list[str], channels=("MRI",), orientation="RAS"):
    """Write a dataset whose structures are boxes; return its dataset.json."""
    for i in range(cases):
        image, label = volume(SHAPE, seed=i, classes=len(classes))
        images = [image + 100 * channel for channel in range(len(channels))]
        write_case(folder, f"case_{i:03d}", images, label, affine_of(orientation, SPACING))
    content = {
        "channel_names": {str(i): name for i, name in enumerate(channels)},
        "labels": {"background": 0, **{name: i for i, name in enumerate(classes, 1)}},
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }
    path = folder / "dataset.json"
    path.write_text(json.dumps(content))
    return path


def write_run(folder: Path, dataset_json: Path, run: tuple[str, int, int], cases=None) -> Path:
    """Predict each case shifted, each case and run by another step; score it as evaluate_fold does.

    The last structure is found one slice too far. Returns the folder of the run.
    """
    source, (experiment, fold, seed) = open_dataset(dataset_json), run
    target, tables = folder / f"{experiment}-{fold}-{seed}", []
    for i, name in enumerate(cases or source.cases()):
        case = source.case(name)
        stored = nib.load(case.label)
        truth = np.asarray(stored.dataobj)
        shift = (1 + i + seed, int(experiment == "finest"))
        found = np.roll(truth, shift, axis=(0, 1))
        last = int(truth.max())
        found[..., 1:][truth[..., :-1] == last] = last
        write_nifti(
            target / "predictions" / f"{name}.nii.gz", nib.Nifti1Image(found, stored.affine)
        )
        stack = slice_stacks.stack_slices(stored.affine, truth.shape, 2)
        planes = (np.moveaxis(array, 2, 0) for array in (truth, found))
        chosen = np.ones(truth.shape[2], bool)
        rows, _ = scoring.score_case(*planes, source.labels, stack, 1.0, chosen)
        tables.append(rows.assign(case=name, experiment=experiment, fold=fold, seed=seed))
    write_parquet(target / "per_slice.parquet", pd.concat(tables))
    return target


def write_page(folder: Path, page: Path, **settings) -> Path:
    """Write an explorer of hearts, two experiments with two seeds, and of livers, one run."""
    hearts = write_raw(folder / "hearts", 4, ["ventricle", "wall", HOSTILE])
    livers = write_raw(folder / "livers", 3, ["liver"], ("T1", "T2"), "SPL")
    runs = {
        "hearts": [(name, 0, seed) for name in ("coarsest", "finest") for seed in (0, 1)],
        "livers": [("coarsest", 0, 0)],
    }
    done = [
        write_run(folder / f"{name}-runs", path, run)
        for name, path in (("hearts", hearts), ("livers", livers))
        for run in runs[name]
    ]
    explore_slices.main(
        datasets=list(runs),
        dataset_json=[hearts, livers],
        runs=runs,
        per_slice=[path / "per_slice.parquet" for path in done],
        predictions=[path / "predictions" for path in done],
        page=page,
        **SETTINGS | settings,
    )
    return page


ELEMENT = re.compile(r'<script type="application/json" id="([a-z0-9-]+)">(.*?)</script>', re.DOTALL)


def data_of(page):
    """Return what lies in the page as JSON, by the name of its element."""
    return {name: json.loads(text) for name, text in ELEMENT.findall(page)}


def unpacked(packed):
    """Return image levels, truth and predictions of a block, as data.js reads them."""
    content = zlib.decompress(base64.b64decode(packed["data"]))
    kind = np.dtype("u1" if packed["bytes"] == 1 else "<u2")
    size, pixels = int(np.prod(packed["shape"])), int(np.prod(packed["image"]))
    steps = np.frombuffer(content[:pixels], np.uint8).reshape(packed["image"])
    maps = np.frombuffer(content[pixels:], kind).reshape(-1, *packed["shape"])
    assert maps.size == size * (1 + len(packed["runs"]))
    truth, *found = maps
    return np.cumsum(steps, axis=2, dtype=np.uint8), truth, [truth + array for array in found]
