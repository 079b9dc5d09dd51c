"""Wall time, CPU time and memory of whole process trees, and two programs measured by turns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

POLL_S = 0.05
POLL_SHARE = 0.05
"""Memory is looked at every 50 ms, or more seldom where looking takes over 5 % of the time: the
kernel walks every page of a process for it."""

MIB = 1024**2

LINUX = Path("/proc/self/smaps_rollup").exists()
"""Whether the memory of processes can be read."""


@dataclass(frozen=True)
class Measurement:
    """One run of one program.

    wall_s: by the clock; cpu_s: of the process and all below it; peak_mib: the largest sum of
    their proportional set sizes; told: what the program's own half of a stage measured inside.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    told: Mapping[str, float] = field(default_factory=dict)


Call = Callable[[], Measurement]


@dataclass(frozen=True)
class Run:
    """A run of a program in a series; turn 0 is the warm-up, which does not count.

    variant: which of several ways to use the program this was.
    """

    program: str
    variant: str
    turn: int
    measurement: Measurement


@dataclass(frozen=True)
class Pair:
    """Two runs that followed each other."""

    nnunet: Measurement
    slicewise: Measurement


@dataclass(frozen=True)
class Spread:
    """The median of some ratios, the smallest and the largest."""

    median: float
    low: float
    high: float


def tree(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it; nothing once it is gone."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_of(process: psutil.Process) -> int:
    """Return the bytes that a process and all below it hold: pages that several share count once.

    That is the sum of their proportional set sizes. Processes that end meanwhile count nothing.
    """
    total = 0
    for one in tree(process):
        try:
            lines = Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines()
        except (OSError, psutil.Error):
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a living process, of those below it and of those that have ended.

    The kernel counts in hundredths of a second.
    """
    total = 0.0
    for one in tree(process):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


class PeakMemory:
    """The most memory that a process tree held while this context was open: `bytes`."""

    def __init__(self, pid: int):
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def _poll(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            start = time.perf_counter()
            self.bytes = max(self.bytes, memory_of(self._process))
            pause = max(POLL_S, (time.perf_counter() - start) / POLL_SHARE)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def tail(log: Path, lines: int = 30) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def end_all_of(process: subprocess.Popen) -> None:
    """End what is left of the processes that a command started in its session, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(command: Sequence[object], environment: Mapping[str, str], log: Path) -> Measurement:
    """Run a command to its end and measure it with all processes below it.

    What it prints goes to `log`. Raises RuntimeError with the last of that if it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with PeakMemory(process.pid) as peak:
                _, status, usage = os.wait4(process.pid, 0)
                wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            end_all_of(process)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{tail(log)}")
    return Measurement(wall, usage.ru_utime + usage.ru_stime, peak.bytes / MIB)


class Worker:
    """A process that waits to be asked, so that two programs can take short turns.

    It prints one line of JSON when it is ready and one for each line that it gets (see serving.py).
    """

    def __init__(self, command: Sequence[object], environment: Mapping[str, str], log: Path):
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        try:
            self.ready = self._answer()
        except BaseException:
            end_all_of(self._process)
            raise

    def _answer(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> RuntimeError:
        return RuntimeError(f"{' '.join(self._process.args)} failed:\n{tail(self._log)}")

    def ask(self) -> Measurement:
        """Let the process work once and measure that."""
        try:
            process = psutil.Process(self._process.pid)
            before, start = cpu_of(process), time.perf_counter()
            with PeakMemory(process.pid) as peak:
                self._process.stdin.write("\n")
                self._process.stdin.flush()
                told = self._answer()
                wall = time.perf_counter() - start
        except (psutil.NoSuchProcess, BrokenPipeError):
            raise self._failure() from None
        return Measurement(wall, cpu_of(process) - before, peak.bytes / MIB, told)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            if error is None:
                self._process.wait()
        finally:
            end_all_of(self._process)


def alternate(
    nnunet: Mapping[str, Call],
    slicewise: Call,
    pairs: int,
    check: Callable[[list[Run]], str] = lambda warm_up: "",
) -> tuple[list[Run], str]:
    """Measure two programs by turns; return all runs and what is wrong with their outputs, if so.

    nnunet: the ways to use it, by name; the one that is quickest in the warm-up is measured. Where
    there are several, a run before that is thrown away, so that none finds the files cold.
    `check` looks at the warm-up and at the outputs of what is measured: where it finds a fault no
    run is counted.
    """
    if len(nnunet) > 1:
        next(iter(nnunet.values()))()
    first = [Run("nnunet", name, 0, call()) for name, call in nnunet.items()]
    quickest = min(first, key=lambda one: one.measurement.wall_s).variant
    if quickest != first[-1].variant:
        nnunet[quickest]()  # so that its outputs are those that lie there
    runs = [*first, Run("slicewise", "", 0, slicewise())]
    fault = check(runs)
    for turn in range(1, 1 + (0 if fault else pairs)):
        runs.append(Run("nnunet", quickest, turn, nnunet[quickest]()))
        runs.append(Run("slicewise", "", turn, slicewise()))
    return runs, fault


def paired(runs: Sequence[Run]) -> list[Pair]:
    """Return the pairs that count, those after the warm-up."""
    by_turn: dict[int, dict[str, Measurement]] = {}
    for one in runs:
        if one.turn:
            by_turn.setdefault(one.turn, {})[one.program] = one.measurement
    return [Pair(**both) for both in by_turn.values()]


def spread(ratios: Sequence[float]) -> Spread:
    """Return the median, the smallest and the largest ratio."""
    return Spread(median(ratios), min(ratios), max(ratios))
