"""Steps of training on the CPU: the plan's network, the same weights, the same batch."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import data
from benchmarks.lines import Line, Result, lines_of
from benchmarks.measuring import Run, Worker, alternate
from benchmarks.programs import Bench, Scans

STEPS = {"48": 3, "planned": 2}
"""Steps in a turn; one at the planned batch takes many seconds. The second shows what the first
did to the weights."""

LOSS_BOUND = 1e-4
"""Relative difference of the losses; sums in single precision differ by less than 1e-6."""


def measure(bench: Bench) -> Iterator[Result]:
    """Measure both batch sizes on the hippocampus scans."""
    lines, scans = lines_of("training"), data.hippocampus(bench)
    if scans is None:
        yield from map(Result, lines.values())
        return
    scans.prepare()
    sizes = {"48": 48, "planned": scans.planned["batch_size"]}
    for key, line in lines.items():
        yield measure_line(line, scans, sizes[key], STEPS[key])


def measure_line(line: Line, scans: Scans, batch_size: int, steps: int) -> Result:
    """Measure steps with batches of one size, each program with all cores."""
    start = scans.folder / f"start_{batch_size}.npz"
    theirs = scans.oracle("oracle_training", scans.name, "cpu", batch_size, steps, start)
    ours = scans.own_half("own_training", scans.raw, scans.results, "cpu", steps, start)
    environment, log = scans.halves(scans.bench.cores), scans.log
    with (
        Worker(theirs, environment, log("training_nnunet")) as nnunet,
        Worker(ours, environment, log("training_slicewise")) as slicewise,
    ):
        runs, fault = alternate({"": nnunet.ask}, slicewise.ask, scans.bench.pairs, fault_of)
    rows, columns = scans.planned["patch_size"]
    return Result(line, runs, f"{batch_size} images of {rows} × {columns}", fault)


def fault_of(warm_up: list[Run]) -> str:
    """Return how the losses of the first and the last step differ, nothing if they are equal."""
    told = {run.program: run.measurement.told for run in warm_up}
    faults = []
    for name in ("first", "last"):
        theirs, ours = (told[program][name] for program in ("nnunet", "slicewise"))
        if not abs(ours - theirs) <= LOSS_BOUND * abs(theirs):
            faults.append(f"{name} loss {ours:.7g}, expected {theirs:.7g}")
    return ", ".join(faults)
