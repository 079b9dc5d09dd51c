"""The lines of the benchmark's table: what is compared, in which unit, and the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.measuring import Measurement, Pair, Run, Spread, paired, spread

STAGES = (
    "preparation",
    "patches",
    "training",
    "prediction",
    "evaluation",
    "pipeline",
    "gpu",
)
"""Modules of this package, each with a function `measure`, in the order they are run."""

Quantity = Literal["wall", "first", "rate"]


@dataclass(frozen=True)
class Line:
    """A line of the table.

    quantity: `wall`, seconds of a whole command; `first`, seconds to the first result; `rate`,
    units a second. target: how many times as fast as nnU-Net slicewise is to be; target_s: the
    seconds that it may take; memory_target: how many times less memory at the peak; part: whether
    the line is of a part of a command only, whose CPU time and memory another line has.
    """

    key: str
    stage: str
    title: str
    quantity: Quantity = "wall"
    unit: str = "s"
    target: float | None = None
    target_s: float | None = None
    memory_target: float | None = None
    part: bool = False

    def value(self, measurement: Measurement) -> float:
        """Return what is compared, in `unit`."""
        if self.quantity == "wall":
            return measurement.wall_s
        if self.quantity == "first":
            return measurement.told["first_s"]
        return measurement.told["amount"] / measurement.told["seconds"]

    def cpu(self, measurement: Measurement) -> float:
        """Return the CPU seconds of a whole command, or of one unit where units are counted."""
        units = measurement.told["amount"] if self.quantity == "rate" else 1
        return measurement.cpu_s / units

    def speed(self, pair: Pair) -> float:
        """Return how many times as fast slicewise is."""
        theirs, ours = self.value(pair.nnunet), self.value(pair.slicewise)
        return ours / theirs if self.quantity == "rate" else theirs / ours


def _patches(dataset: str, kind: str, title: str, target: float) -> Line:
    key = f"patches-{dataset}-{kind}"
    return Line(key, "patches", f"patches, {dataset}: {title}", "rate", "patches/s", target)


def _prediction(dataset: str, title: str) -> tuple[Line, Line, Line]:
    key, stage, title = f"prediction-{dataset}", "prediction", f"prediction, {title}"
    return (
        Line(f"{key}-first", stage, f"{title}: first slice", "first", target_s=4, part=True),
        Line(f"{key}-rate", stage, f"{title}: from there on", "rate", "slices/s", 3, part=True),
        Line(key, stage, f"{title}: whole command"),
    )


LINES = (
    Line(
        "preparation-hippocampus",
        "preparation",
        "fingerprint, plan, arrays: 200 hippocampus scans",
        target=6,
    ),
    Line(
        "preparation-anisotropic",
        "preparation",
        "fingerprint, plan, arrays: 16 anisotropic scans",
        target=6,
        memory_target=4,
    ),
    _patches("hippocampus", "crop", "cut", 25),
    _patches("hippocampus", "augmented", "cut and augmented", 10),
    _patches("anisotropic", "crop", "cut", 25),
    _patches("anisotropic", "augmented", "cut and augmented", 10),
    Line("training-48", "training", "training step", "rate", "images/s", target=1),
    Line(
        "training-planned",
        "training",
        "training step, planned batch",
        "rate",
        "images/s",
        target=2,
        memory_target=2,
    ),
    *_prediction("hippocampus", "10 hippocampus scans"),
    *_prediction("anisotropic", "2 anisotropic scans"),
    Line("evaluation-hippocampus", "evaluation", "scores, 40 hippocampus scans", target=0.5),
    Line("evaluation-anisotropic", "evaluation", "scores, 4 anisotropic scans", target=0.5),
    Line("pipeline", "pipeline", "raw files to scores, 40 hippocampus scans", target=1.5),
    Line("gpu", "gpu", "one GPU, an epoch at the planned batch", "rate", "images/s", target=5),
)


@dataclass(frozen=True)
class Result:
    """What came of a line: its runs, a note for its title, and the fault of its outputs, if any."""

    line: Line
    runs: Sequence[Run] = ()
    note: str = ""
    fault: str = ""

    @property
    def pairs(self) -> list[Pair]:
        """Return the pairs that count: none where the outputs are at fault."""
        return [] if self.fault else paired(self.runs)

    @property
    def speed(self) -> Spread:
        """Return how many times as fast slicewise is, over all pairs."""
        return spread([self.line.speed(pair) for pair in self.pairs])

    @property
    def memory(self) -> Spread:
        """Return how many times as much memory nnU-Net takes at its peak, over all pairs."""
        return spread([pair.nnunet.peak_mib / pair.slicewise.peak_mib for pair in self.pairs])


def lines_of(stage: str) -> dict[str, Line]:
    """Return the lines of a stage by their keys without the name of the stage."""
    return {line.key.removeprefix(f"{stage}-"): line for line in LINES if line.stage == stage}
