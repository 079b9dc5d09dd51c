"""Ranks of a training without torchrun: processes that are forked where torch is imported."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch._dynamo  # an optimiser imports it; here it is, once for all that are forked

from slicewise.launch import join

LONGEST = 120
"""Seconds after which a process hangs: they take a second or two."""

PROCESSES = multiprocessing.get_context("forkserver")


def start(target: Callable, *arguments: Any) -> Any:
    """Start a process that calls a function of a module that can be imported, and return it."""
    PROCESSES.set_forkserver_preload(["test_distributed", "test_launch"])
    # the server finds what it imports by the environment alone
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
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
    """Return what a function returns in each of `count` ranks, which it gets first."""
    folder.mkdir(parents=True)
    started = [start(_call, folder, rank, count, function, arguments) for rank in range(count)]
    assert [exit_code(process) for process in started] == [0] * count
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(count)]


def _call(folder: Path, rank: int, count: int, function: Callable, arguments: tuple) -> None:
    torch.set_num_threads(1)
    ranks = join(folder, rank, {"device": "cpu", "devices": count})
    torch.save(function(ranks, *arguments), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()
