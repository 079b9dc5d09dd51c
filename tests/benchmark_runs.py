"""Made-up measurements of the benchmark, to count and to report."""

from benchmarks.lines import Line
from benchmarks.measuring import Measurement, Run

SECONDS = Line("training-48", "training", "a command", target=2)
RATE = Line("patches-a", "patches", "patches", "rate", "patches/s", target=2, memory_target=2)
ABOUT = {
    "processor": "some processor",
    "cores": 2,
    "nnunet_versions": "nnunetv2 2.8.1",
    "slicewise_versions": "torch 2",
}


def measured(wall=1.0, cpu=1.0, peak=100.0, **told):
    return Measurement(wall, cpu, peak, told)


def runs_of(pairs):
    """Return a warm-up that is far off, then pairs of measurements (nnU-Net's, ours)."""
    off = measured(1e6, 1e6, 1e6, amount=1, seconds=1e6, first_s=1e6)
    turns = [(off, off), *pairs]
    return [
        Run(program, "", turn, one)
        for turn, both in enumerate(turns)
        for program, one in zip(("nnunet", "slicewise"), both, strict=True)
    ]
