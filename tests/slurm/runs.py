"""Runs of a checkout through the cluster: what they asked for, and what Slurm says of it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checkouts import Checkout
from slurm.cluster import asked

PROFILE = ("--profile", "workflow/profiles/slurm")
HERE = {
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": "3",
    "slurm-keep-successful-logs": None,
    "latency-wait": "10",
}
"""What differs from the profile: this cluster keeps no accounts and is not kept waiting."""

LONGEST = 1800
"""Seconds after which a run counts as one that hangs; the machine may have other work."""

RULE = r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?:    .*\n)+)"
SUBMITTED = r"^Job (\d+) has been submitted with SLURM jobid (\d+)"
"""What Snakemake says of each job without a message, and of each that it submits."""

FIELDS = ("JobID", "State", "MinMemory", "TimeLimit", "NumCPUs", "tres-per-job", "WorkDir")
WIDTH = 250


_started: list[subprocess.Popen] = []
_over = threading.Event()


@dataclass(frozen=True)
class Asked:
    """What is asked for a job: memory in MB, minutes, cores and GPUs."""

    memory: int
    minutes: int
    cores: int
    gpus: int


@dataclass(frozen=True)
class Job:
    """A job as Slurm knows it: its number, its last state, and what it was given."""

    number: int
    state: str
    given: Asked


def jobs(folder: Path) -> list[Job]:
    """Return the jobs of the runs in a folder, those that have ended too, in their order."""
    form = ",".join(f"{name}:{WIDTH}" for name in FIELDS)
    done = asked("squeue", "--states=all", "--noheader", "--sort=i", f"--Format={form}")
    rows = [[line[i : i + WIDTH].strip() for i in range(0, len(line), WIDTH)] for line in done]
    return [_job(*row[:-1]) for row in rows if row[-1] == str(folder)]


def _job(number: str, state: str, memory: str, limit: str, cores: str, tres: str) -> Job:
    """Return a job from the words of squeue."""
    amount = float(memory.rstrip("MG")) * (1024 if memory.endswith("G") else 1)
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes = parts[:2] if len(parts) == 3 else (0, parts[0])
    gpus = re.search(r"gpu:(\d+)", tres)
    minutes += 60 * hours + 24 * 60 * int(days or 0)
    given = Asked(round(amount), minutes, int(cores), int(gpus[1]) if gpus else 0)
    return Job(int(number), state, given)


def described(said: str) -> dict[str, dict[str, str]]:
    """Return the resources of the first job of each rule in what a run without messages said."""
    found: dict[str, dict[str, str]] = {}
    for rule, block in re.findall(RULE, said, re.MULTILINE):
        found.setdefault(rule, _resources(block))
    return found


def asked_for(said: str) -> dict[int, tuple[str, Asked]]:
    """Return the rule and what Snakemake said it asks for, of each job by its number in Slurm.

    said: what a run without messages printed.
    """
    jobs, found = {}, {}
    for rule, block, own, number in re.findall(f"{RULE}|{SUBMITTED}", said, re.MULTILINE):
        if number:
            found[int(number)] = jobs[own]
            continue
        told = dict(re.findall(r"^    (jobid|threads): (\d+)$", block, re.MULTILINE))
        amounts = {key: int(value) for key, value in _resources(block).items() if value.isdecimal()}
        cores, gpus = int(told.get("threads", 1)), amounts.get("gpu", 0)
        if {"mem_mb", "runtime"} <= set(amounts):
            asked = Asked(amounts["mem_mb"], amounts["runtime"], cores, gpus)
            jobs[told["jobid"]] = rule, asked
    return found


def _resources(block: str) -> dict[str, str]:
    """Return the resources in what Snakemake says of a job."""
    (told,) = re.findall(r"^    resources: (.+)$", block, re.MULTILINE)
    return dict(re.findall(r"(\w+)=([^,]+)", told))


def start(made: Checkout, log: Path, *arguments: str) -> subprocess.Popen:
    """Start a run through the cluster; what it says goes to a file."""
    if _over.is_set():
        raise RuntimeError("no more runs: the test was told to end")
    here = [word for key, value in HERE.items() for word in (f"--{key}", value) if word]
    command = [sys.executable, "-m", "snakemake", *arguments, *PROFILE, *here]
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*command, "--configfile", "tiny.yaml"],
            cwd=made.folder,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    _started.append(process)
    return process


@contextmanager
def none_left() -> Iterator[None]:
    """Kill the runs that are at work when something breaks off what is done here, as Ctrl-C does.

    Threads that wait for them come to their ends by it.
    """
    try:
        yield
    except BaseException:
        _over.set()
        for process in _started:
            process.kill()
        raise


def wait_until(ready: Callable[[], object], what: str, process: subprocess.Popen) -> object:
    """Wait until something is so, and return it; raise RuntimeError where the run ends before."""
    end = time.monotonic() + LONGEST
    while not (found := ready()):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{what} was waited for in vain")
        time.sleep(0.1)
    return found


def run(made: Checkout, targets: Sequence[str] = (), options: Sequence[str] = ()) -> str:
    """Run a checkout through the cluster to its end; return what it said.

    Raises RuntimeError, with all of that, where it failed.
    """
    log = made.folder / "said.log"
    with none_left():
        code = start(made, log, *targets, *options).wait(timeout=LONGEST)
    if code:
        raise RuntimeError(f"a run through Slurm failed:\n{log.read_text()}")
    return log.read_text()
