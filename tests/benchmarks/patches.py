"""Training patches from disk, cut only and with the full augmentation: one process, one thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import data
from benchmarks.lines import Line, Result, lines_of
from benchmarks.measuring import Run, Worker, alternate
from benchmarks.programs import Bench, Scans

SECONDS = 3
"""How long a program cuts patches each time that it is its turn."""

BATCH = 48
BOUNDS = {"mean": 0.1, "sd": 0.1, "foreground": 0.3, "contrast_spread": 0.25, "roughness": 0.06}
"""What patches of the two programs may differ by: the mean of their intensities in standard
deviations, the others relatively. They are drawn at random, which changes the roughness by less
than 0.02; augmentation changes it by 0.13 (hippocampus) to 0.17."""


def measure(bench: Bench) -> Iterator[Result]:
    """Measure both datasets, each without augmentation and with all of it."""
    lines, sets = lines_of("patches"), data.both(bench)
    for key, line in lines.items():
        name, kind = key.split("-")
        measured = name in sets
        yield measure_line(line, sets[name], kind) if measured else Result(line)


def measure_line(line: Line, scans: Scans, kind: str) -> Result:
    """Measure patches of one kind, `crop` or `augmented`, at the plan's patch size."""
    scans.prepare()
    rows, columns = scans.planned["patch_size"]
    given = (kind, BATCH, SECONDS)
    theirs = scans.oracle("oracle_patches", scans.name, *given)
    ours = scans.own_half("own_patches", scans.raw, scans.results, scans.arrays, *given)
    environment, log = scans.halves(threads=1), scans.log
    with (
        Worker(theirs, environment, log("patches_nnunet")) as nnunet,
        Worker(ours, environment, log("patches_slicewise")) as slicewise,
    ):
        check = partial(fault_of, nnunet.ready, slicewise.ready)
        runs, fault = alternate({"": nnunet.ask}, slicewise.ask, scans.bench.pairs, check)
    return Result(line, runs, f"{rows} × {columns}", fault)


def fault_of(theirs: dict, ours: dict, warm_up: list[Run]) -> str:
    """Return what differs between the patches of both programs beyond chance."""
    faults = []
    if theirs["shapes"] != ours["shapes"]:
        faults.append(f"shapes {ours['shapes']}, expected {theirs['shapes']}")
    apart = {name: abs(ours[name] / theirs[name] - 1) for name in BOUNDS if name != "mean"}
    apart["mean"] = abs(ours["mean"] - theirs["mean"]) / theirs["sd"]
    for name, bound in BOUNDS.items():
        if not apart[name] <= bound:
            faults.append(f"{name} {ours[name]:.3g}, expected {theirs[name]:.3g}")
    return ", ".join(faults)
