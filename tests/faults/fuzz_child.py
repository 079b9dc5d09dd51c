"""Reads fuzzed inputs in a process of its own, which may die of one without taking the rest along.

Called as `python -m faults.fuzz_child READER FOLDER SEED FIRST COUNT SECONDS`. What it has seen
goes into two files in FOLDER: `state`, and `faults`, a line for each input that went wrong.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import struct
import sys
import time
import traceback
import warnings
from importlib import import_module
from pathlib import Path
from random import Random

READERS = {
    "scans": "faults.fuzz_scans.Scans",
    "dataset.json": "faults.fuzz_documents.DatasetJson",
    "plans.json": "faults.fuzz_documents.PlansJson",
    "exported arrays": "faults.fuzz_arrays.Arrays",
    "checkpoints": "faults.fuzz_arrays.Checkpoints",
}
"""What can be fuzzed: a class for each."""

WARMING_UP = 100
"""Inputs that are read at most before time and memory are counted."""

SECONDS = 10
"""An input that takes longer hangs."""

STATE = struct.Struct("qqqd")
"""What is left behind: the input in hand, how many were accepted and refused, the slowest."""

MEMORY = 256 * 2**20
"""Bytes that an input may take beyond what the process has before it."""


def reader_of(name: str, folder: Path):
    """Return a reader, one of READERS or of another class, that works in an empty folder."""
    module, kind = READERS.get(name, name).rsplit(".", 1)
    return getattr(import_module(module), kind)(folder)


def outcome(reader, named: str) -> str:
    """Read the input in hand: accepted, refused, or what went wrong, with the line it came from.

    named: what the message of a refusal must hold.
    """
    try:
        reader.read()
    except Exception as error:
        if _ran_out_of_memory(error):
            return f"memory: more than {MEMORY >> 20} MiB at {_line(error)}"
        if isinstance(error, ValueError) and named in str(error):
            return "refused"
        kind = "not named in" if isinstance(error, ValueError) else "not documented"
        return f"{kind}: {type(error).__name__} at {_line(error)}: {str(error)[:200]}"
    return "accepted"


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Say whether an error, or one that it was raised for, is one of memory."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _line(error: BaseException) -> str:
    """Return the last line of slicewise that an error passed, and the one it was raised in."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "slicewise" in frame.filename] or frames
    places = dict.fromkeys(f"{Path(f.filename).name}:{f.lineno}" for f in (ours[-1], frames[-1]))
    return " < ".join(places)


def limit_memory() -> None:
    """Let this process take MEMORY bytes more than it has; on Linux alone."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)


def main(name: str, folder: Path, seed: int, first: int, count: int, seconds: int) -> None:
    """Read inputs `first` to `first + count` of a reader; it ends at one that takes too long."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    faulthandler.register(signal.SIGALRM, chain=True)
    inputs = folder / "inputs"
    inputs.mkdir()
    reader = reader_of(name, inputs)
    for number in range(WARMING_UP):  # until what is imported late is there
        reader.write(Random(f"warm {number}"))
        if outcome(reader, str(inputs)) == "accepted":
            break
    limit_memory()
    state, faults = os.open(folder / "state", os.O_RDWR | os.O_CREAT), (folder / "faults").open("a")
    accepted, refused, slowest = 0, 0, 0.0
    for number in range(first, first + count):
        reader.write(Random(f"{seed} {number}"))
        os.pwrite(state, STATE.pack(number, accepted, refused, slowest), 0)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        start = time.perf_counter()
        found = outcome(reader, str(inputs))
        slowest = max(slowest, time.perf_counter() - start)
        signal.setitimer(signal.ITIMER_REAL, 0)
        accepted, refused = accepted + (found == "accepted"), refused + (found == "refused")
        if found not in ("accepted", "refused"):
            print(json.dumps([number, found]), file=faults, flush=True)
    os.pwrite(state, STATE.pack(first + count, accepted, refused, slowest), 0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:7]))
