"""Files made wrong in a hundred thousand ways, read as the rules read them; and what must hold.

The inputs of each reader are numbered: a seed and a number make the same input again. They are read
in processes of their own, which may hang, run out of memory or die of one and go on with the next.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from faults import fuzz_properties
from faults.figures import Figure
from faults.fuzz_child import MEMORY, READERS, SECONDS, STATE

INPUTS = 100_000
SEED = 5

PIECE = 12_500
"""Inputs that one process reads: what it leaks at each of them does not add up for long."""

MOST_DEATHS = 20
"""A process that dies more often is not started again."""

FAST = Path("/dev/shm")
"""A folder in memory, where there is one: inputs are written and read once."""


@dataclass
class Seen:
    """What became of inputs: how many were read whole, or refused by name; all others by number."""

    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    faults: list[tuple[int, str]] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Return how many inputs these were."""
        return self.accepted + self.refused + len(self.faults)

    def add(self, other: Seen) -> Seen:
        """Return what became of these inputs and of others."""
        return Seen(
            self.accepted + other.accepted,
            self.refused + other.refused,
            max(self.slowest, other.slowest),
            self.faults + other.faults,
        )


def read_inputs(
    reader: str, first: int, count: int, seed: int = SEED, seconds: int = SECONDS
) -> Seen:
    """Have a process read inputs `first` to `first + count` and return what became of them."""
    seen, last, deaths = Seen(), first + count, 0
    while first < last and deaths < MOST_DEATHS:
        place = FAST if os.access(FAST, os.W_OK) else None
        folder = Path(tempfile.mkdtemp(prefix="slicewise-fuzz-", dir=place))
        try:
            code, said = _run_child(reader, folder, seed, first, last - first, seconds)
            first, part = _left_behind(folder, said)
        finally:
            shutil.rmtree(folder)
        if code:
            deaths += 1
            how = f"took more than {seconds} s" if code == -signal.SIGALRM else f"died of {code}"
            part.faults.append((first, f"{how}: {said}"))
            first += 1
        seen = seen.add(part)
    return seen


def _run_child(reader: str, folder: Path, *numbers: int) -> tuple[int, str]:
    """Run the process that reads; return its exit code and the end of what it said."""
    arguments = [reader, str(folder), *map(str, numbers)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with tempfile.TemporaryFile("w+") as said:
        code = subprocess.run(
            [sys.executable, "-m", "faults.fuzz_child", *arguments],
            env=environment,
            stderr=said,
            check=False,
        ).returncode
        said.seek(0)
        return code, said.read()[-2000:].strip()


def _left_behind(folder: Path, said: str) -> tuple[int, Seen]:
    """Return the number of the input at which a process ended, and what became of those before."""
    state = folder / "state"
    if not state.exists():
        raise RuntimeError(f"fuzzing: a process ended before it read any input: {said}")
    number, accepted, refused, slowest = STATE.unpack(state.read_bytes())
    lines = (folder / "faults").read_text(encoding="utf-8").splitlines()
    faults = [tuple(json.loads(line)) for line in lines]
    return number, Seen(accepted, refused, slowest, faults)


def fuzz(readers: Iterable[str], inputs: int, seed: int = SEED) -> dict[str, Seen]:
    """Have as many processes as there are cores read so many inputs of each reader."""
    parts = [(name, first) for name in readers for first in range(0, inputs, PIECE)]
    seen = {name: Seen() for name, _ in parts}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda p: read_inputs(*p, min(PIECE, inputs - p[1]), seed), parts)
        for (name, _), part in zip(parts, found, strict=True):
            seen[name] = seen[name].add(part)
    return seen


def figure(name: str, seen: Seen, inputs: int) -> Figure:
    """Return the promise of a reader: each input is read whole or refused by the file's name."""
    note = (
        f"{seen.accepted:,} read, {seen.refused:,} refused; the slowest took {seen.slowest:.1f} of "
        f"{SECONDS} s, none more than {MEMORY >> 20} MiB"
    )
    if seen.faults:
        number, found = min(seen.faults)
        note = f"{note}; input {number}: {found}"
    promise = f"{name}: read whole or refused by name"
    return Figure(promise, seen.accepted + seen.refused, inputs, "inputs", note)


def measure(_folder: Path) -> list[Figure]:
    """Fuzz every reader, and try every property, at full length."""
    seen = fuzz(READERS, INPUTS)
    read = [figure(name, part, INPUTS) for name, part in seen.items()]
    return [*read, *fuzz_properties.measure()]
