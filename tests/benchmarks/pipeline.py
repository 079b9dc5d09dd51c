"""The whole of it: raw files, fingerprint, plan, arrays, training, prediction, scores of a fold."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import yaml

from benchmarks import data, measuring
from benchmarks.lines import Result, lines_of
from benchmarks.measuring import Measurement, Run, alternate
from benchmarks.programs import PLANS, TESTS, Bench, Scans, in_turn
from parity.preprocessing import differing
from slicewise.config import load

SCANS = 40
LENGTH = {"epochs": 1, "iterations_per_epoch": 10, "validation_iterations": 2}
"""A training that is far too short to learn: all of nnU-Net's share takes about a minute."""


def measure(bench: Bench) -> Iterator[Result]:
    """Measure fold 0 of some of the hippocampus scans."""
    (line,) = lines_of("pipeline").values()
    scans = data.hippocampus(bench, SCANS)
    if scans is None:
        yield Result(line)
        return
    ways = {"": partial(run_nnunet, scans)}
    runs, fault = alternate(ways, partial(run_here, scans), bench.pairs, partial(fault_of, scans))
    note = f"{LENGTH['iterations_per_epoch']} iterations of batch {scans.planned['batch_size']}"
    yield Result(line, runs, note, fault)


def run_nnunet(scans: Scans) -> Measurement:
    """Run nnU-Net's command that prepares and then the one that trains and validates a fold."""
    shutil.rmtree(scans.model, ignore_errors=True)
    prepare = scans.nnunet_preparation()
    lengths = [f"{name}={value}" for name, value in LENGTH.items()]
    train = scans.oracle("oracle_pipeline", *lengths, scans.number, "2d", 0, "-device", "cpu")
    environment = scans.environment(scans.bench.cores, (TESTS,))
    return measuring.run(in_turn(prepare, train), environment, scans.log("pipeline_nnunet"))


def run_here(scans: Scans) -> Measurement:
    """Let our workflow make the scores of the fold."""
    shutil.rmtree(scans.own, ignore_errors=True)
    command = scans.snakemake({"training": LENGTH}, scans.fold / "summary.json")
    environment = scans.environment(scans.bench.cores)
    return measuring.run(command, environment, scans.log("pipeline_slicewise"))


def fault_of(scans: Scans, warm_up: list[Run]) -> str:
    """Return what differs of plan, folds, length of training and scored cases, or is no result.

    Networks are drawn at random, so predictions differ; they are to be there with known labels.
    """
    validation = scans.model / "fold_0" / "validation"
    plans = (scans.plan, scans.preprocessed / f"{PLANS}.json")
    mine, its = (json.loads(path.read_text())["configurations"]["2d"] for path in plans)
    folds = (scans.results / "splits_final.json", scans.preprocessed / "splits_final.json")
    summaries = (scans.fold / "summary.json", validation / "summary.json")
    compared = {
        "plan": (mine, its),
        "folds": tuple(json.loads(path.read_text()) for path in folds),
        "length": (own_length(scans), nnunet_length(scans)),
        "scored voxels": tuple(true_voxels(json.loads(path.read_text())) for path in summaries),
    }
    wrong = {name: differing(*sides) for name, sides in compared.items()}
    faults = [f"{count} values of the {name}" for name, count in wrong.items() if count]
    for program, folder in {"slicewise": scans.fold / "predictions", "nnU-Net": validation}.items():
        if bad := bad_predictions(scans, folder):
            faults.append(f"no segmentation by {program} of {', '.join(bad)}")
    return ", ".join(faults)


def own_length(scans: Scans) -> list[int]:
    """Return the epochs of our training and the iterations of each."""
    epochs = len(pd.read_csv(scans.fold / "history.csv"))
    config = load(yaml.safe_load((scans.own / "config.yaml").read_text()))
    return [epochs, config["training"]["iterations_per_epoch"]]


def nnunet_length(scans: Scans) -> list[int]:
    """Return the epochs of nnU-Net's training and the iterations of each."""
    fold = scans.model / "fold_0"
    (log,) = fold.glob("training_log_*.txt")
    epochs = len(re.findall(r": Epoch \d+ *$", log.read_text(), re.MULTILINE))
    settings = json.loads((fold / "debug.json").read_text())
    return [epochs, int(settings["num_iterations_per_epoch"])]


def bad_predictions(scans: Scans, folder: Path) -> list[str]:
    """Return the validation cases without a segmentation of their shape and of known labels."""
    labels = list(json.loads((scans.raw / "dataset.json").read_text())["labels"].values())
    bad = []
    for case in scans.held_out:
        path, truth = folder / f"{case}.nii.gz", scans.raw / "labelsTr" / f"{case}.nii.gz"
        if not path.exists():
            bad.append(case)
            continue
        found = np.asarray(nib.load(path).dataobj)
        if found.shape != nib.load(truth).shape or not np.isin(found, labels).all():
            bad.append(case)
    return bad


def true_voxels(summary: dict) -> list:
    """Return how many voxels each class has in the truth of each scored case."""
    return [
        {label: scores["n_ref"] for label, scores in case["metrics"].items()}
        for case in summary["metric_per_case"]
    ]
