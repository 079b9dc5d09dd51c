"""An epoch of training on one GPU at the planned batch, batches cut and augmented beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data
from benchmarks.lines import Result, lines_of
from benchmarks.measuring import Worker, alternate
from benchmarks.programs import Bench

ITERATIONS = 250
PROBE = "import sys, torch; sys.exit(not torch.cuda.is_available())"


def has_cuda(python: str | Path) -> bool:
    """Say whether the PyTorch of an environment finds a CUDA device."""
    return subprocess.run([python, "-c", PROBE], capture_output=True).returncode == 0


def measure(bench: Bench) -> Iterator[Result]:
    """Measure the hippocampus scans where both programs find a GPU; else nothing is measured.

    The batches of an epoch are drawn at random in each program, so that no output is compared: the
    steps and the batches are those of the stages `training` and `patches`, which do.
    """
    (line,) = lines_of("gpu").values()
    scans = data.hippocampus(bench)
    if scans is None or not all(map(has_cuda, (sys.executable, bench.python))):
        yield Result(line)
        return
    scans.prepare()
    theirs = scans.oracle("oracle_training", scans.name, "cuda", 0, ITERATIONS)
    ours = scans.own_half(
        "own_training", scans.raw, scans.results, "cuda", ITERATIONS, scans.arrays
    )
    environment, log = scans.halves(threads=1), scans.log
    with (
        Worker(theirs, environment, log("gpu_nnunet")) as nnunet,
        Worker(ours, environment, log("gpu_slicewise")) as slicewise,
    ):
        runs, fault = alternate({"": nnunet.ask}, slicewise.ask, bench.pairs)
    yield Result(line, runs, f"batch {scans.planned['batch_size']}", fault)
