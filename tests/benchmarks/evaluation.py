"""Scores of segmentations: nnU-Net's command, and here those of every slice and surfaces too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks import data, measuring
from benchmarks.lines import Result, lines_of
from benchmarks.measuring import Measurement, Run, alternate
from benchmarks.programs import PLANS, Bench, Scans
from parity.preprocessing import differing
from slicewise.files import write_nifti

NOTE = "here of each slice and surface too"


def measure(bench: Bench) -> Iterator[Result]:
    """Measure the validation scans of fold 0 of both datasets.

    nnU-Net's command gives Dice and its like of whole scans, in as many processes as there are
    cores or in one, whichever is quicker. Our workflow runs the rule evaluate_fold, one process,
    with scores of every slice and surface distances as well.
    """
    sets = data.both(bench)
    for name, line in lines_of("evaluation").items():
        if name not in sets:
            yield Result(line)
            continue
        scans = sets[name]
        set_up(scans)
        ways = {
            f"{count} processes": partial(evaluate_with_nnunet, scans, count)
            for count in sorted({bench.cores, 1}, reverse=True)
        }
        here, check = partial(evaluate_here, scans), partial(fault_of, scans)
        runs, fault = alternate(ways, here, bench.pairs, check)
        yield Result(line, runs, NOTE, fault)


def set_up(scans: Scans) -> None:
    """Write segmentations, the true ones moved by a voxel, and links to the truth."""
    scans.prepare()
    for folder in (truth_of(scans), moved_of(scans)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for case in scans.held_out:
        path = scans.raw / "labelsTr" / f"{case}.nii.gz"
        (truth_of(scans) / path.name).symlink_to(path.resolve())
        truth = nib.load(path)
        moved = np.roll(np.asarray(truth.dataobj).astype(np.uint8), (1, 1), axis=(0, 1))
        write_nifti(moved_of(scans) / path.name, nib.Nifti1Image(moved, truth.affine))


def truth_of(scans: Scans) -> Path:
    """Return the folder of the true labels of the validation scans."""
    return scans.folder / "truth"


def moved_of(scans: Scans) -> Path:
    """Return the folder of what is scored: where our workflow has the predictions of the fold."""
    return scans.fold / "predictions"


def evaluate_with_nnunet(scans: Scans, processes: int) -> Measurement:
    """Let nnU-Net score in so many processes."""
    files = ("-djfile", scans.raw / "dataset.json", "-pfile", scans.preprocessed / f"{PLANS}.json")
    folders = (truth_of(scans), moved_of(scans))
    output = ("-o", scans.folder / "summary.json", "-np", processes)
    command = scans.nnunet("evaluate_folder", *folders, *files, *output)
    return measuring.run(command, scans.environment(1), scans.log("evaluation_nnunet"))


def evaluate_here(scans: Scans) -> Measurement:
    """Let our workflow score the fold, with these segmentations in place of a network's."""
    summary = scans.fold / "summary.json"
    summary.unlink(missing_ok=True)
    # without the other rules nothing is trained to predict anew
    command = scans.snakemake({}, summary, "--allowed-rules", "evaluate_fold")
    return measuring.run(command, scans.environment(1), scans.log("evaluation_slicewise"))


def fault_of(scans: Scans, warm_up: list[Run]) -> str:
    """Return how the two summary.json differ, nothing if their values are equal."""
    paths = (scans.fold / "summary.json", scans.folder / "summary.json")
    ours, theirs = (json.loads(path.read_text()) for path in paths)
    for summary in (ours, theirs):
        for case in summary["metric_per_case"]:
            case["reference_file"] = Path(case["reference_file"]).name
    wrong = differing(ours, theirs)
    return f"{wrong} values of summary.json" if wrong else ""
