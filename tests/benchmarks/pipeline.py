"""The whole of it: raw files, fingerprint, plan, arrays, training, prediction, scores of a fold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial

from benchmarks import data, measuring
from benchmarks.lines import Result, lines_of
from benchmarks.measuring import Measurement, Run, alternate
from benchmarks.programs import TESTS, Bench, Scans, in_turn
from parity.preprocessing import differing

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
    for folder in (scans.preprocessed, scans.model):
        shutil.rmtree(folder, ignore_errors=True)
    scans.preprocessed.parent.mkdir(exist_ok=True)
    cores = scans.bench.cores
    prepare = scans.nnunet(
        "plan_and_preprocess", "-d", scans.number, "-c", "2d", "-np", cores, "-npfp", cores
    )
    lengths = [f"{name}={value}" for name, value in LENGTH.items()]
    train = scans.oracle("oracle_pipeline", *lengths, scans.number, "2d", 0, "-device", "cpu")
    environment = scans.environment(cores, (TESTS,))
    return measuring.run(in_turn(prepare, train), environment, scans.log("pipeline_nnunet"))


def run_here(scans: Scans) -> Measurement:
    """Let our workflow make the scores of the fold."""
    shutil.rmtree(scans.own, ignore_errors=True)
    command = scans.snakemake({"training": LENGTH}, scans.fold / "summary.json")
    environment = scans.environment(scans.bench.cores)
    return measuring.run(command, environment, scans.log("pipeline_slicewise"))


def fault_of(scans: Scans, warm_up: list[Run]) -> str:
    """Return what differs of plan, folds and scored cases; networks are drawn at random."""
    summaries = (
        scans.fold / "summary.json",
        scans.model / "fold_0" / "validation" / "summary.json",
    )
    ours, theirs = (json.loads(path.read_text()) for path in summaries)
    plans = (scans.plan, scans.preprocessed / "nnUNetPlans.json")
    mine, its = (json.loads(path.read_text())["configurations"]["2d"] for path in plans)
    folds = (scans.results / "splits_final.json", scans.preprocessed / "splits_final.json")
    compared = {
        "plan": (mine, its),
        "folds": tuple(json.loads(path.read_text()) for path in folds),
        "scored voxels": tuple(map(true_voxels, (ours, theirs))),
    }
    wrong = {name: differing(*sides) for name, sides in compared.items()}
    return ", ".join(f"{count} values of the {name}" for name, count in wrong.items() if count)


def true_voxels(summary: dict) -> list:
    """Return how many voxels each class has in the truth of each scored case."""
    return [
        {label: scores["n_ref"] for label, scores in case["metrics"].items()}
        for case in summary["metric_per_case"]
    ]
