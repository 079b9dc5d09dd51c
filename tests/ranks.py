"""Ranks of a training without torchrun, forked where torch is imported; jobs that start ranks."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch._dynamo  # an optimiser imports it; here it is, once for all that are forked

import train_fold
from defaults import training_settings
from slicewise.job import logging_to
from slicewise.launch import join, on_devices

SETTINGS = training_settings() | {
    "epochs": 8,
    "iterations_per_epoch": 3,
    "validation_iterations": 1,
    "batch_size": 3,
    "device": "cpu",
    "devices": 2,
    "threads": 2,
    "checkpoint_every": 1,
}
OUTPUTS = ("checkpoint_final.pt", "history.csv")

LONGEST = 300
"""Seconds after which a process hangs: they take some seconds."""

PROCESSES = multiprocessing.get_context("forkserver")


@cache
def serve() -> None:
    """Start the server that imports torch once and forks for each process."""
    PROCESSES.set_forkserver_preload(["ranks"])
    # it finds what it imports by the environment alone
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        ensure_running()


def start(target: Callable, *arguments: Any) -> Any:
    """Start a process that calls a function of a module that can be imported, and return it."""
    serve()
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


def exit_code(process: Any) -> int:
    """Wait for a process and return its exit code; one that hangs is killed."""
    process.join(LONGEST)
    if process.exitcode is None:
        process.kill()
        raise RuntimeError(f"process {process.pid} hangs")
    return process.exitcode


def call(count: int, folder: Path, function: Callable, *arguments: Any) -> list:
    """Return what a function returns in each of `count` ranks, which it gets first.

    folder: a new one, where the ranks meet and log.
    """
    folder.mkdir(parents=True)
    started = [start(_call, folder, rank, count, function, arguments) for rank in range(count)]
    assert [exit_code(process) for process in started] == [0] * count
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(count)]


def _call(folder: Path, rank: int, count: int, function: Callable, arguments: tuple) -> None:
    torch.set_num_threads(1)
    ranks = join(folder, rank, {"device": "cpu", "devices": count})
    with logging_to(folder / f"log-{rank}"):
        torch.save(function(ranks, *arguments), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def arguments(chain: Any, folder: Path, **changes: Any) -> dict:
    """Return what a training of a dataset is called with, one that writes into a folder."""
    return {
        "dataset_json": chain.dataset_json,
        "manifests": [chain.manifest],
        "arrays": changes.pop("arrays", chain.arrays),
        "plan": chain.plan,
        "splits": chain.splits,
        "fold": "0",
        "seed": "0",
        "settings": SETTINGS | changes,
        "running": {},
        "checkpoint": folder / "checkpoint_final.pt",
        "history": folder / "history.csv",
    }


def run_job(given: dict) -> None:
    """Do as a job does, in a process made for it; leave what was said, and what was imported."""
    folder = given["history"].parent
    folder.mkdir(exist_ok=True, parents=True)
    with (folder / "said").open("a") as said:
        os.dup2(said.fileno(), 2)
    with logging_to(folder / "log"):
        try:
            on_devices(train_fold.main, "train_fold")(**given)
        except OSError as error:
            print(error, file=sys.stderr)
            sys.exit(1)
    (folder / "imported").write_text(json.dumps(sorted(sys.modules)))


def wait_until(happened: Callable[[], bool], seconds: float = LONGEST) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain")
        time.sleep(0.02)


def of_job(job: Any) -> dict[int, int]:
    """Return the process id of each rank that a job has started, by its number."""
    found = {}
    for pid in Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split():
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        found |= {int(e[5:]): int(pid) for e in environment if e.startswith(b"RANK=")}
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def addresses(pid: int) -> set[str]:
    """Return the local addresses of the sockets of a process, in the words of /proc/net/tcp."""
    own = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[1].split(":")[0] for row in rows if f"socket:[{row[9]}]" in own}


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}
