"""Kill the ranks of trainings on two devices, or their jobs, and compare what they end with.

Each job is a process of its own, and has torchrun start its ranks as in a run. Two of them are at
work at any time.
"""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from chain import Chain, analyse, export, plan
from faults.figures import Figure
from ranks import arguments, exit_code, is_alive, of_job, outputs, run_job, start, wait_until
from scans import write_dataset

VICTIMS = {
    "rank 0 killed": (0, signal.SIGKILL, 1),
    "rank 1 killed": (1, signal.SIGKILL, 1),
    "job killed": (None, signal.SIGKILL, -signal.SIGKILL),
    "job told to end": (None, signal.SIGTERM, 128 + signal.SIGTERM),
}
"""What happens: to which rank or, with None, to the job; the signal; what the job ends with."""

LONGEST_END = 30.0
"""Seconds within which all processes of a job have ended once one of them was killed."""

AT_ONCE = 2
MOST_TRIES = 4
"""Trainings for each kill: some are over before their moment comes."""


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


def strike(trainings: Trainings, folder: Path, what: str, moment: float) -> str | None:
    """Start a training, have it struck at a moment, and start it again to its end.

    Returns what went wrong, in words, or nothing; None if it had ended, or not yet begun to train.
    """
    rank, number, expected = VICTIMS[what]
    job = start(run_job, arguments(trainings.chain, folder))
    time.sleep(moment)
    ranks = of_job(job) if job.is_alive() else {}
    if len(ranks) < 2:
        job.kill()
        exit_code(job)
        return None
    os.kill(job.pid if rank is None else ranks[rank], number)
    code = exit_code(job)
    try:
        wait_until(lambda: not any(map(is_alive, ranks.values())), LONGEST_END)
    except RuntimeError:
        return f"{what}: ranks live on"
    if code == 0:
        return None
    if code not in (expected, -number):  # before it listened
        return f"{what}: exit code {code}"
    if trainings.run(folder) != 0:
        return f"{what}: {(folder / 'said').read_text()[-300:]}"
    return "" if outputs(folder) == trainings.expected else f"{what}: other bytes"


def strikes(trainings: Trainings, wanted: int, folder: Path) -> Figure:
    """Strike trainings, two at once, until so many were."""
    found, number = [], 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while len(found) < wanted and number < MOST_TRIES * wanted:
            chosen = [list(VICTIMS)[(number + i) % len(VICTIMS)] for i in range(AT_ONCE)]
            folders = [folder / f"{number + i}" for i in range(AT_ONCE)]
            moments = [trainings.rng.uniform(0, 1.5 * trainings.took) for _ in range(AT_ONCE)]
            ended = pool.map(strike, [trainings] * AT_ONCE, folders, chosen, moments)
            found += [each for each in ended if each is not None]
            number += AT_ONCE
    wrong = [each for each in found if each]
    note = "; ".join([f"{number} trainings of two ranks, two at once", *wrong[:3]])
    promise = "a training on two devices that loses a process ends, and goes on to the same bytes"
    return Figure(promise, len(found) - len(wrong), len(found), "kills", note)


def measure(folder: Path, wanted: int = 12, seed: int = 0) -> list[Figure]:
    """Return the figures at full length."""
    raw = write_dataset(folder / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4), classes=1)
    chain = export(plan(analyse(Chain(raw, folder))))
    return [strikes(Trainings(chain, random.Random(seed)), wanted, folder / "strikes")]
