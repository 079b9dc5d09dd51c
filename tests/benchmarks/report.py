"""What is kept of a benchmark: every run in a file for each stage, and a summary of the lines."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.lines import LINES, Result
from slicewise.files import write_csv

MEASURED, NOT_MEASURED, FAILED = "measured", "not measured", "failed"
VERSIONS = (
    "import json, platform, importlib.metadata as m;"
    "names = ('nnunetv2', 'torch', 'numpy', 'snakemake');"
    "there = {d.metadata['Name'] for d in m.distributions()};"
    "print(json.dumps({'python': platform.python_version()}"
    " | {n: m.version(n) for n in names if n in there}))"
)


def machine(python: Path, cores: int) -> dict[str, object]:
    """Return what the numbers were measured on: processor, cores, and versions of both programs."""
    sides = {"nnunet": python, "slicewise": sys.executable}
    found: dict[str, object] = {"processor": processor(), "cores": cores}
    for side, executable in sides.items():
        answer = subprocess.run([executable, "-c", VERSIONS], capture_output=True, text=True)
        versions = json.loads(answer.stdout) if answer.returncode == 0 else {}
        found[f"{side}_versions"] = " ".join(f"{name} {v}" for name, v in versions.items())
    return found


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or os.uname().machine


def runs_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return a row for every run of every line: the warm-up is pair 0 and does not count."""
    rows = [
        {
            "line": result.line.key,
            "program": run.program,
            "variant": run.variant,
            "pair": run.turn,
            "counted": bool(run.turn),
            "wall_s": run.measurement.wall_s,
            "cpu_s": run.measurement.cpu_s,
            "peak_mib": run.measurement.peak_mib,
            "value": result.line.value(run.measurement),
            "unit": result.line.unit,
        }
        for result in results
        for run in result.runs
    ]
    columns = ["line", "program", "variant", "pair", "counted", "wall_s", "cpu_s", "peak_mib"]
    return pd.DataFrame(rows, columns=[*columns, "value", "unit"])


def summary_row(result: Result, about: Mapping[str, object]) -> dict[str, object]:
    """Return the row of a line: medians of both programs and of the pairs' ratios.

    cpu_s is that of a whole command or, where a line is of units a second, of one unit.
    """
    line, pairs = result.line, result.pairs
    row: dict[str, object] = {
        "line": line.key,
        "stage": line.stage,
        "title": f"{line.title} ({result.note})" if result.note else line.title,
        "status": NOT_MEASURED,
        "unit": line.unit,
    }
    if result.fault:
        row["status"] = result.fault
    if not pairs:
        return row
    speed, memory = result.speed, result.memory
    for program in ("nnunet", "slicewise"):
        runs = [getattr(pair, program) for pair in pairs]
        row[program] = median(map(line.value, runs))
        row[f"{program}_wall_s"] = median(one.wall_s for one in runs)
        if line.part:
            continue
        row[f"{program}_cpu_s"] = median(map(line.cpu, runs))
        row[f"{program}_peak_mib"] = median(one.peak_mib for one in runs)
    target = row["nnunet"] / line.target_s if line.target_s else line.target
    row |= {"status": MEASURED, "pairs": len(pairs)}
    row |= {"speed": speed.median, "speed_low": speed.low, "speed_high": speed.high}
    row |= {"target": target, "target_s": line.target_s}
    if not line.part:
        row |= {"memory": memory.median, "memory_low": memory.low, "memory_high": memory.high}
    row["memory_target"] = line.memory_target
    row["reached"] = reached(row)
    (variant,) = {run.variant for run in result.runs if run.turn and run.program == "nnunet"}
    return row | {"nnunet_variant": variant, **about}


def reached(row: Mapping[str, object]) -> bool | None:
    """Say whether a line is at its target, None where it has none."""
    if row["target"] is None:
        return None
    if row["target_s"] is not None:
        return bool(row["slicewise"] <= row["target_s"])
    enough = row["memory_target"] is None or row["memory"] >= row["memory_target"]
    return bool(row["speed"] >= row["target"] and enough)


COLUMNS = [
    *("line", "stage", "title", "status", "pairs", "unit", "nnunet", "slicewise"),
    *("speed", "speed_low", "speed_high", "target", "target_s", "reached"),
    *("nnunet_wall_s", "slicewise_wall_s", "nnunet_cpu_s", "slicewise_cpu_s"),
    *("nnunet_peak_mib", "slicewise_peak_mib", "memory", "memory_low", "memory_high"),
    *("memory_target", "nnunet_variant", "processor", "cores"),
    *("nnunet_versions", "slicewise_versions"),
]


def write_summary(
    path: Path, results: Sequence[Result], about: Mapping[str, object]
) -> pd.DataFrame:
    """Write summary.csv, a row for each line of the table, and return it.

    Lines that were not measured now, or whose stage broke down, keep the numbers that they have
    from before.
    """
    rows = {line.key: summary_row(Result(line), {}) for line in LINES}
    if path.exists():
        before = pd.read_csv(path).astype(object)
        kept = before.where(before.notna(), None).to_dict("records")
        rows |= {row["line"]: row for row in kept if row["line"] in rows}
    for row in (summary_row(result, about) for result in results):
        if row["status"] not in (NOT_MEASURED, FAILED) or rows[row["line"]]["status"] != MEASURED:
            rows[row["line"]] = row
    frame = pd.DataFrame(list(rows.values())).reindex(columns=COLUMNS)
    write_csv(path, frame)
    return frame
