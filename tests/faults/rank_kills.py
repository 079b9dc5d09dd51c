"""Kill the ranks of trainings on two devices, or their jobs, and compare what they end with.

Each job is a process of its own, and has torchrun start its ranks as in a run. Two of them are at
work at any time.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from chain import Chain, analyse, export, plan
from faults.figures import Figure
from ranks import arguments, exit_code, is_alive, of_job, outputs, run_job, start, wait_until
from scans import write_dataset


@dataclass(frozen=True)
class Blow:
    """What happens to a training: words; the rank that it strikes, None for the job; the signal.

    code: what the job ends with.
    """

    words: str
    rank: int | None
    number: int
    code: int


OF_RANKS = (
    Blow("rank 0 killed", 0, signal.SIGKILL, 1),
    Blow("rank 1 killed", 1, signal.SIGKILL, 1),
)
OF_JOBS = (
    Blow("job killed", None, signal.SIGKILL, -signal.SIGKILL),
    Blow("job told to end", None, signal.SIGTERM, 128 + signal.SIGTERM),
)
KILLS = (
    ("a training on two devices of which a process is killed", OF_RANKS, 6),
    ("a training on two devices whose job is killed or told to end", OF_JOBS, 4),
)
"""What is struck, how, and how often at full length."""

LONGEST_END = 30.0
"""Seconds within which all processes of a job have ended once one of them was killed."""

AT_ONCE = 2
MOST_TRIES = 4
"""Trainings for each kill: some are over before their moment comes, some have no ranks yet."""


@dataclass
class Trainings:
    """Trainings of one small dataset; took: seconds of one; expected: the bytes of its files."""

    chain: Chain
    rng: random.Random
    took: float = 0.0
    expected: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder, since = self.chain.folder / "whole", time.monotonic()
        if self.run(folder) != 0:
            raise RuntimeError(f"a training fails: {(folder / 'said').read_text()}")
        self.took, self.expected = time.monotonic() - since, outputs(folder)

    def run(self, folder: Path) -> int:
        """Run a training to its end and return its exit code."""
        return exit_code(start(run_job, arguments(self.chain, folder)))


def strike(trainings: Trainings, folder: Path, blow: Blow, moment: float) -> str | None:
    """Start a training, strike it after so many seconds, and start it again to its end.

    Returns what went wrong, in words, or nothing; None if it had ended, or had no ranks yet.
    """
    job = start(run_job, arguments(trainings.chain, folder))
    time.sleep(moment)
    ranks = of_job(job) if job.is_alive() else {}
    if len(ranks) < 2:
        job.kill()
        exit_code(job)
        return None
    os.kill(job.pid if blow.rank is None else ranks[blow.rank], blow.number)
    code = exit_code(job)
    try:
        wait_until(lambda: not any(map(is_alive, ranks.values())), LONGEST_END)
    except RuntimeError:
        return f"{blow.words}: ranks live on"
    if code == 0:
        return None
    if code not in (blow.code, -blow.number):  # before it listened
        return f"{blow.words}: exit code {code}"
    if trainings.run(folder) != 0:
        return f"{blow.words}: {(folder / 'said').read_text()[-300:]}"
    return "" if outputs(folder) == trainings.expected else f"{blow.words}: other bytes"


def strikes(
    trainings: Trainings, what: str, blows: Sequence[Blow], wanted: int, folder: Path
) -> Figure:
    """Strike trainings, two at once and each blow in turn, until so many were; what: these are."""
    found: list[str] = []
    tries = 0
    turns = cycle(blows)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while len(found) < wanted and tries < MOST_TRIES * wanted:
            moments = [trainings.rng.uniform(0, 1.5 * trainings.took) for _ in range(AT_ONCE)]
            folders = [folder / f"{tries + i}" for i in range(AT_ONCE)]
            chosen = islice(turns, AT_ONCE)
            ended = pool.map(strike, [trainings] * AT_ONCE, folders, chosen, moments)
            found += [wrong for wrong in ended if wrong is not None]
            tries += AT_ONCE
    wrong = [each for each in found if each]
    note = "; ".join([f"{tries} trainings were begun", *wrong[:3]])
    promise = f"{what} ends, and goes on to the same bytes"
    return Figure(promise, len(found) - len(wrong), len(found), "kills", note)


def measure(folder: Path, seed: int = 0) -> list[Figure]:
    """Return the figures at full length; none where processes are not found in /proc."""
    if sys.platform != "linux":
        return []
    raw = write_dataset(folder / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4), classes=1)
    chain = export(plan(analyse(Chain(raw, folder))))
    trainings = Trainings(chain, random.Random(seed))
    return [
        strikes(trainings, what, blows, wanted, folder / f"strikes-{i}")
        for i, (what, blows, wanted) in enumerate(KILLS)
    ]
