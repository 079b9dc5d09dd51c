"""Fingerprint, plan and arrays: whole commands of both programs from the raw files on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

from benchmarks import data, measuring
from benchmarks.lines import Result, lines_of
from benchmarks.measuring import Run, alternate
from benchmarks.programs import Bench, Scans
from parity.preprocessing import STATISTICS, array_differences, differing, relative_difference

IMAGE_BOUND = 1e-3
"""Standard deviations that a voxel may differ by, as in tests/parity."""

STATISTICS_BOUND = 1e-5
"""Relative difference of intensity statistics, as in tests/parity."""


def measure(bench: Bench) -> Iterator[Result]:
    """Measure both datasets; of nnU-Net's one command and its three the quicker counts."""
    for name, line in lines_of("preparation").items():
        scans = data.both(bench).get(name)
        if scans is None:
            yield Result(line)
            continue
        ways = {
            "one command": scans.plan_with_nnunet,
            "three commands": partial(scans.plan_with_nnunet, single=False),
        }
        check = partial(fault_of, scans)
        runs, fault = alternate(ways, scans.plan_here, bench.pairs, check)
        yield Result(line, runs, fault=fault)


def fault_of(scans: Scans, warm_up: list[Run]) -> str:
    """Return what differs between the outputs of both programs, nothing if they are equal."""
    kept = scans.folder / "kept"
    keep = scans.oracle("oracle_preparation", scans.preprocessed, kept)
    measuring.run(keep, scans.halves(1), scans.log("oracle_preparation"))
    theirs = {
        "fingerprint": json.loads((kept / "dataset_fingerprint.json").read_text()),
        "plan": json.loads((kept / "plans.json").read_text()),
    }
    ours = {
        "fingerprint": json.loads((scans.results / "dataset_fingerprint.json").read_text()),
        "plan": json.loads(scans.plan.read_text()),
    }
    ours["plan"].pop("slicewise")
    averages = [side["fingerprint"].pop(STATISTICS) for side in (ours, theirs)]
    for side in (ours, theirs):
        del side["plan"][STATISTICS]  # a copy of those in the fingerprint
    faults = [
        f"{wrong} values of the {name}"
        for name in ours
        if (wrong := differing(ours[name], theirs[name]))
    ]
    if (largest := relative_difference(*averages)) > STATISTICS_BOUND:
        faults.append(f"intensity statistics by {largest:.2g}")
    cases = [path.name.removesuffix("_seg.npy") for path in kept.glob("*_seg.npy")]
    exported = SimpleNamespace(cases=cases, arrays=scans.arrays)
    voxels, largest = array_differences(exported, kept)
    if not cases or voxels or largest > IMAGE_BOUND:
        faults.append(f"of {len(cases)} cases {voxels} label voxels, images by {largest:.2g} sd")
    return ", ".join(faults)
