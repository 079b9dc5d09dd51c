"""Measure nnU-Net and slicewise by turns on the same files, stage by stage.

`make benchmark` runs this: a line for each comparison as it comes, tables and figures in
results/benchmark/, the table of the README where asked, and an exit code that is not 0 where a
stage broke down or the outputs of the two programs differ.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd

from benchmarks import figure, measuring, report, table
from benchmarks.lines import STAGES, Result, lines_of
from benchmarks.programs import Bench
from parity.run import real_data
from slicewise.files import write_csv

MEMORY = "memory"
"""A stage that compares ways to read arrays, not programs: a table and a figure of its own."""

SCALE = "scale"
"""A stage on up to 10,000 cases, with a table and a figure of its own; it runs if it is named."""


def line_of(result: Result) -> str:
    """Return a result as a line of the report."""
    title = f"{result.line.title} ({result.note})" if result.note else result.line.title
    if not result.pairs:
        return f"{title:<76} {result.fault or report.NOT_MEASURED}"
    speed = result.speed
    text = f"{title:<76} {speed.median:6.2f} times as fast ({speed.low:.2f} to {speed.high:.2f})"
    return text if result.line.part else f"{text}, {result.memory.median:.2f} times less memory"


def run_stage(name: str, bench: Bench) -> list[Result]:
    """Return the results of a stage, printed as they come.

    Where it breaks down, that is the fault of the lines that are left.
    """
    results = []
    try:
        for result in import_module(f"benchmarks.{name}").measure(bench):
            print(line_of(result), flush=True)
            results.append(result)
    except Exception:
        traceback.print_exc()
        done = [result.line for result in results]
        left = [
            Result(line, fault=report.FAILED)
            for line in lines_of(name).values()
            if line not in done
        ]
        print(*map(line_of, left), sep="\n", flush=True)
        results += left
    return results


def run_memory(bench: Bench, folder: Path) -> int:
    """Run the stage `memory` and return its exit code."""
    try:
        from benchmarks import memory_claim

        frame = memory_claim.measure(bench.folder / MEMORY, bench.python)
        write_csv(folder / "memory_claim.csv", frame)
        memory_claim.draw(frame, folder / "memory_claim.svg")
    except Exception:
        traceback.print_exc()
        return 1
    print(frame.to_string(index=False), flush=True)
    return 0


def run_scale(bench: Bench, folder: Path, about: dict[str, object], readme: Path | None) -> int:
    """Run the stage `scale` and return its exit code."""
    from benchmarks import scale

    rows = []
    try:
        for row in scale.measure(bench):
            rows.append(row)
            frame = pd.DataFrame(rows).assign(**about)
            write_csv(folder / "scale.csv", frame)
            print("{task:<10} {cases:>6} cases {cpu_s:8.2f} s {peak_mib:8.0f} MiB".format(**row))
        scale.draw(frame, folder / "scale.svg")
        if readme:
            scale.write_table(readme, frame, about)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def exit_code(results: Sequence[Result]) -> int:
    """Return 1 where the outputs of the two programs differ or a stage broke down, else 0."""
    return int(any(result.fault for result in results))


def arguments_of(given: list[str]) -> argparse.Namespace:
    """Return the arguments of the command line."""
    stages, usable = (*STAGES, MEMORY, SCALE), len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description="Measure slicewise against nnU-Net.")
    parser.add_argument("--nnunet", type=Path, required=True, help="python of its environment")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each program that count")
    parser.add_argument("--cores", type=int, default=usable, help="for both programs")
    parser.add_argument("--results", type=Path, default=Path("results/benchmark"))
    parser.add_argument("--readme", type=Path, help="the file whose table to write")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join(stages)}")
    found = parser.parse_args(given)
    if unknown := set(found.stages) - set(stages):
        parser.error(f"found {', '.join(sorted(unknown))}, expected of {', '.join(stages)}")
    return found


def main(given: list[str]) -> int:
    """Run the stages that are named, or all; print, write, return the exit code."""
    if not measuring.LINUX:
        sys.exit("The benchmark runs on Linux only: it reads memory from /proc/PID/smaps_rollup.")
    found = arguments_of(given)
    python, folder = found.nnunet.absolute(), found.results
    about, code, results = report.machine(python, found.cores), 0, []
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(python, Path(temporary), real_data(), found.pairs, found.cores)
        for name in found.stages or (*STAGES, MEMORY):
            print(f"measuring {name}", file=sys.stderr, flush=True)
            if name == MEMORY:
                code |= run_memory(bench, folder)
                continue
            if name == SCALE:
                code |= run_scale(bench, folder, about, found.readme)
                continue
            results = run_stage(name, bench)
            write_csv(folder / f"{name}.csv", report.runs_table(results))
            summary = report.write_summary(folder / "summary.csv", results, about)
            figure.write(folder, summary)
            code |= exit_code(results)
    if results and found.readme:
        table.write(found.readme, summary)
    return code


if __name__ == "__main__":
    # what plans of such small datasets warn of is no news here
    logging.getLogger("slicewise").setLevel(logging.ERROR)
    # so that a benchmark that is ended ends the programs that it measures
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
