"""Kill trainings at any moment, start them again, and compare what they end with to the byte.

Each training is a process of its own that runs the script of the rule, and each SIGKILL is a real
one. They come at random times, and at chosen moments that random times would hardly meet: there the
process sends it to itself in the midst of a function.
"""

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import torch._dynamo  # noqa: F401 an optimiser imports it; here it is, once for all that are forked

import train_fold
from chain import Chain, analyse, export, plan
from defaults import training_settings
from faults.figures import Figure
from scans import write_dataset

SETTINGS = training_settings() | {
    "epochs": 4,
    "iterations_per_epoch": 3,
    "validation_iterations": 2,
    "batch_size": 2,
    "device": "cpu",
    "threads": 1,
    "checkpoint_every": 1,
}
STEPS = SETTINGS["epochs"] * SETTINGS["iterations_per_epoch"]
CHECKPOINTS = SETTINGS["epochs"]
"""Files of torch's that a training writes: one after each epoch but the last, and the final one."""

NAMES = CHECKPOINTS + 1
"""Files that appear under their names: those and history.csv."""

MOST_TRIES = 5
"""Trainings for each kill and each end: some are over before their moment comes."""

LONGEST = 120
"""Seconds after which a training hangs: they take a second or two."""

OUTPUTS = ("checkpoint_final.pt", "history.csv")
MOST_KILLS = 4
"""Of one training, one after another."""


@dataclass(frozen=True)
class Moment:
    """A moment of a training: before or after one call of a function, or part of the way through.

    words: what it is; module and function: which one; when: before, after or within; call: how
    many calls a whole training makes.
    """

    words: str
    module: str
    function: str
    when: str
    calls: int


MOMENTS = (
    Moment("while it starts", "train_fold", "open_cases", "after", 2),
    Moment("before it goes on", "train_fold", "resume", "before", 1),
    Moment("after it went on", "train_fold", "resume", "after", 1),
    Moment("between two steps", "slicewise.training", "Training.step", "before", STEPS),
    Moment("before the weights change", "torch.nn.utils", "clip_grad_norm_", "before", STEPS),
    Moment("when the weights changed", "torch.optim", "SGD.step", "after", STEPS),
    Moment("while a batch is drawn", "slicewise.batches", "Batches.prepare", "after", STEPS),
    Moment("after a check", "slicewise.training", "Training.validate", "after", CHECKPOINTS),
    Moment("inside a checkpoint", "torch", "save", "within", CHECKPOINTS),
    Moment("before a file has its name", "os", "replace", "before", NAMES),
    Moment("after a file has its name", "os", "replace", "after", NAMES),
    Moment("between history and checkpoint", "train_fold", "write_csv", "after", 1),
    Moment("before the last tidying", "train_fold", "write_torch", "after", 1),
)
RANDOM_TIME = "at a random time"


def arm(moment: Moment, call: int, share: float) -> None:
    """Have this process kill itself at a call of a function.

    share: of the file that the call writes, which is written before, if the moment is within it.
    """
    *path, name = moment.function.split(".")
    owner = import_module(moment.module)
    for part in path:
        owner = getattr(owner, part)
    real, made = getattr(owner, name), []

    def armed(*given, **named):
        made.append(1)
        if len(made) != call:
            return real(*given, **named)
        if moment.when == "after":
            real(*given, **named)
        if moment.when == "within":
            content, file = given
            real(content, whole := BytesIO())
            file.write(whole.getvalue()[: int(share * len(whole.getvalue()))])
            file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, armed)


def run_training(arguments: dict, threat: tuple[Moment, int, float] | None) -> None:
    """Run the script of the rule in a process that was made for it."""
    log = os.open(arguments["history"].with_name("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    # its own would be a semaphore, which a kill leaves behind for the server to complain of
    train_fold.tqdm.set_lock(threading.RLock())
    if threat:
        arm(*threat)
    train_fold.main(**arguments)


@dataclass
class Trainings:
    """Trainings of one small dataset, each in a folder and in processes of its own.

    chain: the dataset, exported; rng: draws the moments; took: seconds of a whole training, its
    start counted; expected: the bytes of its files.
    """

    chain: Chain
    rng: random.Random
    took: float = 0.0
    expected: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A server that has imported torch once forks for each training.
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(["faults.training_kills"])
        # which finds what it imports by the environment alone
        with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
            self.wait_for(self.processes.Process(target=os.getpid))
        start, folder = time.monotonic(), self.chain.folder / "whole"
        if self.start(folder) != 0:
            raise RuntimeError(f"a training that nobody kills fails: {self.log(folder)}")
        self.took = time.monotonic() - start
        self.expected = {name: (folder / name).read_bytes() for name in OUTPUTS}

    def start(
        self,
        folder: Path,
        threat: tuple[Moment, int, float] | None = None,
        signal_after: tuple[int, float] | None = None,
    ) -> int:
        """Run a training to its end or to a kill and return its exit code.

        signal_after: a signal and the seconds after which it is sent.
        """
        folder.mkdir(parents=True, exist_ok=True)
        process = self.processes.Process(target=run_training, args=(self.arguments(folder), threat))
        return self.wait_for(process, signal_after)

    @staticmethod
    def wait_for(process: Any, signal_after: tuple[int, float] | None = None) -> int:
        """Start a process, send it a signal if there is one, and return its exit code."""
        process.start()
        if signal_after:
            process.join(signal_after[1])
            if process.exitcode is None:
                os.kill(process.pid, signal_after[0])
        process.join(LONGEST)
        if process.exitcode is None:
            process.kill()
            raise RuntimeError(f"a training hangs: process {process.pid}")
        return process.exitcode

    def arguments(self, folder: Path) -> dict:
        """Return what the script is called with."""
        return {
            "dataset_json": self.chain.dataset_json,
            "manifests": [self.chain.manifest],
            "arrays": self.chain.arrays,
            "plan": self.chain.plan,
            "splits": self.chain.splits,
            "fold": 0,
            "seed": 0,
            "settings": SETTINGS,
            "running": {},
            "checkpoint": folder / "checkpoint_final.pt",
            "history": folder / "history.csv",
        }

    def log(self, folder: Path) -> str:
        """Return the last line that a training said."""
        lines = (folder / "log").read_text().splitlines()
        return lines[-1] if lines else "without a word"

    def broken(self, folder: Path) -> str:
        """Return what is wrong with the files of a training that came to its end, or nothing."""
        found = {path.name for path in folder.iterdir()} - {"log"}
        if found != set(OUTPUTS):
            return f"found {', '.join(sorted(found))}"
        differ = [name for name in OUTPUTS if (folder / name).read_bytes() != self.expected[name]]
        return f"{', '.join(differ)} differ" if differ else ""


def kills(
    trainings: Trainings, places: Iterator[str | Moment], wanted: int, folder: Path
) -> Figure:
    """Kill trainings `wanted` times, up to MOST_KILLS times each, and see what they end with."""
    kept, tried, number, words, wrong, missed = 0, 0, 0, [], [], []
    while tried < wanted and number < MOST_TRIES * wanted:
        number += 1
        own, here = folder / f"{number}", []
        most = min(trainings.rng.randint(1, MOST_KILLS), wanted - tried)
        while len(here) < most:
            place = missed.pop() if missed else next(places)
            code = kill_once(trainings, own, place)
            if code == 0:  # it ended before the moment came, which the next one begins with
                missed.append(place)
                break
            here.append(place if isinstance(place, str) else place.words)
            if code != -signal.SIGKILL:
                wrong.append(f"{here[-1]}: exit code {code}, {trainings.log(own)}")
        code = trainings.start(own)
        broken = trainings.broken(own) if code == 0 else trainings.log(own)
        tried += len(here)
        words += here
        if broken:
            wrong.append(f"{', then '.join(here)}: {broken}")
        else:
            kept += len(here)
    moments = f"{len(set(words))} kinds of moments in {number} trainings"
    note = "; ".join([moments, *wrong[:3]])
    kept = min(kept, tried - len(wrong))
    return Figure(
        "a training killed by SIGKILL ends with the same bytes", kept, tried, "kills", note
    )


def kill_once(trainings: Trainings, folder: Path, place: str | Moment) -> int:
    """Start a training to be killed at a place and return its exit code."""
    if place == RANDOM_TIME:
        seconds = trainings.rng.uniform(0, trainings.took)
        return trainings.start(folder, signal_after=(signal.SIGKILL, seconds))
    # A training that goes on makes fewer calls: the later half would often not be met.
    call = trainings.rng.randint(1, max(1, place.calls // 2 + 1))
    return trainings.start(folder, (place, call, trainings.rng.random()))


def terms(trainings: Trainings, wanted: int, folder: Path) -> Figure:
    """Tell trainings to end (SIGTERM) at random times until `wanted` of them did so by themselves.

    Some are told before they listen, which ends them as a kill does, or when they are done.
    """
    saved, kept, number, wrong = 0, 0, 0, []
    while saved < wanted and number < MOST_TRIES * wanted:
        own, ends = folder / f"{number}", 0
        for _ in range(1 + number % 2):
            seconds = trainings.rng.uniform(0, trainings.took)
            code = trainings.start(own, signal_after=(signal.SIGTERM, seconds))
            ends += code == 128 + signal.SIGTERM
        code = trainings.start(own)
        broken = trainings.broken(own) if code == 0 else trainings.log(own)
        wrong += [broken] if broken else []
        saved, kept, number = saved + ends, kept + (0 if broken else ends), number + 1
    note = "; ".join([f"{number} trainings", *wrong[:3]])
    promise = "a training told to end by SIGTERM saves, and ends later with the same bytes"
    return Figure(promise, kept, saved, "ends", note)


def make_trainings(folder: Path, seed: int) -> Trainings:
    """Return trainings on a small dataset that is made and exported in a folder."""
    raw = write_dataset(folder / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4), classes=1)
    return Trainings(export(plan(analyse(Chain(raw, folder)))), random.Random(seed))


def each_place(rng: random.Random, moments: tuple[Moment, ...] = MOMENTS) -> Iterator:
    """Yield all moments in random order, every other one a random time, again and again."""
    while True:
        for moment in rng.sample(moments, len(moments)):
            yield from (moment, RANDOM_TIME)


def measure(folder: Path, wanted: int = 40, told: int = 10, seed: int = 0) -> list[Figure]:
    """Return the figures at full length."""
    trainings = make_trainings(folder, seed)
    places = each_place(trainings.rng)
    return [
        kills(trainings, places, wanted, folder / "kills"),
        terms(trainings, told, folder / "terms"),
    ]
