"""Trade in both directions: the same network segments the same scans in both programs.

nnU-Net trains a network shortly, which is brought in here; we train one, which goes out to nnU-Net.
Ten scans that neither has seen are predicted by both programs with each. The recorded models of
tests/golden/trade make the way in and out again: regions, two channels, a residual encoder.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import yaml

from models import MODELS, GoldenModel
from models import bring_in as bring_in_golden
from models import send_out as send_out_golden
from parity import oracle
from parity.comparison import Comparison

ROOT = Path(__file__).resolve().parents[2]
DATASET = "Dataset004_Hippocampus"
TRAINED, PREDICTED = 15, 10
"""Scans to train on and to predict."""

DISAGREEMENT = 0.001
"""Share of a scan's voxels that may differ: 99.9 % must agree."""

LENGTH = {"epochs": 4, "iterations_per_epoch": 80, "validation_iterations": 2, "batch_size": 12}
LEARNING_RATE = 0.1
FEATURES = [12, 24, 48, 96, 96, 96]
"""A short training of a narrow network, long enough to find the hippocampus in every scan."""


def write_generated(folder: Path) -> None:
    """Write generated scans in place of real ones."""
    from scans import write_dataset

    shapes = [(30 + i % 3, 34, 20) for i in range(TRAINED + PREDICTED)]
    write_dataset(folder, shapes, spacing=(1.0, 1.0, 1.0))


def select(data: Path, raw: Path, images: Path) -> None:
    """Take the first scans of a raw dataset to train on and the next ones to predict."""
    content = json.loads((data / "dataset.json").read_text())
    ending = content["file_ending"]
    names = sorted(path.name.removesuffix(ending) for path in (data / "labelsTr").glob("*.nii.gz"))
    for folder in (raw / "imagesTr", raw / "labelsTr", images):
        folder.mkdir(parents=True)
    for name in names[:TRAINED]:
        shutil.copy(data / "labelsTr" / f"{name}{ending}", raw / "labelsTr")
        shutil.copy(data / "imagesTr" / f"{name}_0000{ending}", raw / "imagesTr")
    for name in names[TRAINED : TRAINED + PREDICTED]:
        shutil.copy(data / "imagesTr" / f"{name}_0000{ending}", images)
    content |= {"numTraining": TRAINED}
    (raw / "dataset.json").write_text(json.dumps(content))


def nnunet(python: Path, folder: Path, command: str, **arguments: object) -> None:
    """Run a command of oracle_trade.py, its datasets and models below `folder`."""
    (folder / f"{command}.json").write_text(json.dumps(arguments, default=str))
    oracle.run(python, "oracle_trade", folder, command)


def workflow(folder: Path, experiments: dict, *targets: str) -> Path:
    """Run targets of the workflow on the scans of `folder` and return its results."""
    config = {
        "results": str(folder / "results"),
        "datasets": {"scans": {"raw": str(folder / "nnUNet_raw" / DATASET)}},
        "experiments": experiments,
        "cross_validation": {"run": [0]},
        "training": {**LENGTH, "learning_rate": LEARNING_RATE, "threads": 1},
        "inference": {"images": str(folder / "images")},
        "postprocessing": {"largest_component": "never"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    files = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    settings = ["--cores", "1", "--configfile", str(folder / "config.yaml")]
    command = [sys.executable, "-m", "snakemake", *files, *targets, *settings]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    return folder / "results" / "scans"


def disagreement(pairs: list[tuple[Path, Path]], name: str) -> Comparison:
    """Compare pairs of segmentations; the foreground is counted, so that it is not empty."""
    shares, foreground = [], 0
    for pair in pairs:
        first, second = (np.asarray(nib.load(path).dataobj) for path in pair)
        shares.append(float((first != second).mean()))
        foreground += int((second > 0).sum())
    if not foreground:
        raise RuntimeError(f"{name}: no foreground in {len(shares)} scans, nothing to compare")
    scans = f"{len(shares)} scan{'s' if len(shares) > 1 else ''}"
    name = f"{name}, {scans}, {foreground} foreground voxels"
    return Comparison(name, max(shares), DISAGREEMENT, "of a scan's voxels differ")


def paired(first: Path, second: Path) -> list[tuple[Path, Path]]:
    """Return the segmentations of the same names in two folders."""
    found = sorted(first.glob("*.nii.gz"))
    if len(found) != PREDICTED:
        raise RuntimeError(f"{first}: found {len(found)} segmentations, expected {PREDICTED}")
    return [(path, second / path.name) for path in found]


def model_of(folder: Path) -> Path:
    """Return where nnU-Net leaves its model."""
    return folder / "nnUNet_results" / DATASET / "nnUNetTrainer__nnUNetPlans__2d"


def bring_in(python: Path, folder: Path) -> Comparison:
    """Compare the predictions of a network that nnU-Net trained."""
    settings = {
        "initial_lr": LEARNING_RATE,
        "num_epochs": LENGTH["epochs"],
        "num_iterations_per_epoch": LENGTH["iterations_per_epoch"],
        "num_val_iterations_per_epoch": LENGTH["validation_iterations"],
    }
    changes = {"batch_size": LENGTH["batch_size"], "features_per_stage": FEATURES}
    nnunet(python, folder, "train", dataset=DATASET, fold=0, changes=changes, settings=settings)
    model = model_of(folder)
    arguments = {"model": model, "images": folder / "images", "folds": [0]}
    nnunet(python, folder, "predict", **arguments, predictions=folder / "theirs")
    results = workflow(folder, {"theirs": {"model": {"nnunet": str(model)}}}, "predict", "evaluate")
    name = "trade: nnU-Net's network here"
    return disagreement(paired(results / "theirs" / "predicted", folder / "theirs"), name)


def send_out(python: Path, folder: Path) -> list[Comparison]:
    """Compare the predictions of a network that we trained with nnU-Net's plan.

    Its weights are compared with those that nnU-Net's trainer has after loading them.
    """
    plan = str(model_of(folder) / "plans.json")
    experiments = {"ours": {"planning": {"plans": plan}}}
    results = workflow(folder, experiments, "predict", "export_nnunet")
    exported = results / "ours" / "nnunet" / "seed-0"
    (model,) = (exported / "results").iterdir()
    arguments = {"model": model, "images": folder / "images", "folds": [0]}
    nnunet(python, folder, "predict", **arguments, predictions=folder / "ours")
    name = "trade: our network in nnU-Net"
    predictions = disagreement(paired(results / "ours" / "predicted", folder / "ours"), name)

    weights = folder / "loaded.npz"
    arguments = {"model": model, "preprocessed": exported / "preprocessed", "fold": 0}
    nnunet(python, folder, "load", **arguments, weights=weights)
    content = torch.load(model / "fold_0" / "checkpoint_final.pth", weights_only=True)
    with np.load(weights) as loaded:
        differences = [
            float(np.abs(loaded[name] - array.numpy()).max())
            for name, array in content["network_weights"].items()
        ]
    name = "trade: our checkpoint in nnU-Net's trainer"
    return [predictions, Comparison(name, max(differences), 0.0, "largest weight difference")]


def send_back(python: Path, folder: Path, model: GoldenModel) -> Comparison:
    """Compare what nnU-Net predicts with a recorded model of its own after its way through here."""
    sent = send_out_golden(bring_in_golden(model, folder / model.name))
    predictions = folder / model.name / "predictions"
    arguments = {"model": sent, "images": model.images, "folds": [0], "predictions": predictions}
    nnunet(python, folder, "predict", **arguments)
    pair = (predictions / "case_0.nii.gz", model.prediction)
    return disagreement([pair], f"trade: recorded model ({model.name}) sent back")


def compare(oracle_python: Path, folder: Path, data: Path | None) -> list[Comparison]:
    """Return the comparisons of both directions; without `data` scans are generated."""
    if data is None:
        data = folder / "generated"
        write_generated(data)
    select(data, folder / "nnUNet_raw" / DATASET, folder / "images")
    return [
        *(send_back(oracle_python, folder, model) for model in MODELS),
        bring_in(oracle_python, folder),
        *send_out(oracle_python, folder),
    ]
