"""Runs of the workflow that are killed at random moments, and the same command again.

Each run is killed several times before it may end: Snakemake, one of its jobs or all of them, by a
signal that can be caught or by one that cannot. It must end as a run that nothing disturbed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from checkouts import Checkout
from faults.figures import Figure
from faults.repeat import LONGER, clean_run, compared, differing, digests, prepared

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
KILLED = ("job", "snakemake", "all")
KINDS = [(number, whom) for number in SIGNALS for whom in KILLED]

RUNS = 3
"""At full length. Each is killed once in each way, in an order drawn by lot."""

JOBS_BETWEEN, SECONDS_BETWEEN = 6, 2.0
"""A kill comes after up to so many jobs have ended, and then so much time."""

LONGEST = 300
"""Seconds after which a process that was told to stop counts as one that hangs."""


@dataclass
class Killed:
    """What became of a run: the kills it saw, what was wrong, digests of its results."""

    kills: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)


def start(made: Checkout, targets: Sequence[str], log: Path) -> subprocess.Popen:
    """Start a run in a group of processes of its own; what it says goes to a file."""
    command = [sys.executable, "-m", "snakemake", *targets]
    options = ["--cores", "2", "--configfile", "tiny.yaml"]
    with log.open("ab") as said:
        return subprocess.Popen(
            command + options,
            cwd=made.folder,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Programs that a shell runs in the background may ignore it, and so do theirs.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


def ends_before(process: subprocess.Popen, log: Path, jobs: int, seconds: float) -> bool:
    """Wait until `jobs` more jobs have ended and then some seconds; say if the run ends before."""
    start, end = log.stat().st_size, time.monotonic() + LONGEST
    while log.read_bytes()[start:].count(b"Finished jobid") < jobs and time.monotonic() < end:
        if process.poll() is not None:
            return True
        time.sleep(0.02)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def jobs_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Return the scripts that a run has at work."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        return [job for job in children if ".snakemake/scripts" in " ".join(job.cmdline())]
    except psutil.Error:
        return []


def kill(process: subprocess.Popen, number: signal.Signals, whom: str) -> list[psutil.Process]:
    """Send a signal to a run, and return the jobs that it had at work."""
    jobs = jobs_of(process)
    while whom == "job" and not jobs and process.poll() is None:
        time.sleep(0.02)
        jobs = jobs_of(process)
    with suppress(ProcessLookupError, psutil.NoSuchProcess):  # it has ended by itself meanwhile
        if whom == "all":
            os.killpg(process.pid, number)
        elif whom == "snakemake":
            process.send_signal(number)
        elif jobs:
            jobs[0].send_signal(number)
    return jobs


def run_with_kills(
    made: Checkout,
    kinds: Sequence[tuple[signal.Signals, str]],
    draw: random.Random,
    targets: Sequence[str] = (),
) -> Killed:
    """Run a checkout, kill it in each of some ways, each time start it again, and let it end."""
    seen, log, jobs = Killed(), made.folder / "said.log", []
    for number, whom in kinds:
        process = start(made, targets, log)
        if not ends_before(
            process, log, draw.randint(0, JOBS_BETWEEN), draw.uniform(0, SECONDS_BETWEEN)
        ):
            jobs += kill(process, number, whom)
            seen.kills.append(f"{number.name} to {whom}")
            process.wait(timeout=LONGEST)
        elif process.returncode:
            seen.wrong.append(f"a run failed by itself after {seen.kills[-1:]}")
    process = start(made, targets, log)
    if process.wait(timeout=LONGEST):
        seen.wrong.append(f"the same command did not go on after {seen.kills[-1:]}")
    if any(job.is_running() and job.status() != psutil.STATUS_ZOMBIE for job in jobs):
        seen.wrong.append("a job outlived its run")
    if left := made.jobs(*targets):
        seen.wrong.append(f"a run that has ended has jobs left: {left}")
    seen.results = digests(made.folder / "results")
    return seen


def measure(folder: Path) -> list[Figure]:
    """Kill whole runs at random moments."""
    clean = clean_run(folder / "clean")
    draw, runs = random.Random(5), []
    for index in range(RUNS):
        made = prepared(folder / f"killed-{index}", training=LONGER)
        runs.append(run_with_kills(made, draw.sample(KINDS, k=len(KINDS)), draw))
        print(f"run {index}: {'; '.join(runs[-1].kills)}", file=sys.stderr, flush=True)
    tried = sum(len(run.kills) for run in runs)
    failed = [run for run in runs if run.wrong or differing(clean, run.results)]
    survived = tried - sum(len(run.kills) for run in failed)
    note = "; ".join(failed[0].wrong + differing(clean, failed[0].results)[:3]) if failed else ""
    promise = "a run that was killed goes on with the same command"
    bytes_kept = [compared("", clean, run.results) for run in runs]
    return [
        Figure(promise, survived, tried, "kills", note),
        Figure(
            "and ends with the bytes of one that was not",
            sum(figure.kept for figure in bytes_kept),
            sum(figure.tried for figure in bytes_kept),
            "files",
            next((figure.note for figure in bytes_kept if figure.note), ""),
        ),
    ]
