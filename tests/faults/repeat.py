"""Two runs from scratch give the same bytes: whatever runs at once, wherever, in any order.

The second run differs from the first in all that must not matter: one job at a time in place of
two, two threads that load batches in place of one, a deeper folder, another time zone, locale and
umask, other hashes of strings, and folders that are listed backwards.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from checkouts import TINY, Checkout, checkout
from faults.figures import Figure

ROOT = Path(__file__).resolve().parents[2]

OF_EACH_RUN = ("logs", "benchmarks", "locks")
"""Folders of a run's results that say when and where it was."""

LONGER = TINY["training"] | {"epochs": 3}
"""Training settings with which a run has checkpoints to go on from."""

BACKWARDS = '''\
"""Every folder is listed backwards."""

import os

_listdir, _scandir = os.listdir, os.scandir


class _Backwards:
    def __init__(self, path):
        with _scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        self.entries = iter(found[::-1])

    def __iter__(self):
        return self.entries

    def __next__(self):
        return next(self.entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        pass


os.listdir = lambda *path: sorted(_listdir(*path), reverse=True)
os.scandir = lambda path=".": _Backwards(path)
'''


def digests(results: Path) -> dict[str, str]:
    """Return a digest of each file of a run's results, hidden ones too, by its path in there."""
    files = (path for path in sorted(results.rglob("*")) if path.is_file())
    names = {str(path.relative_to(results)): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if name.split("/")[0] not in OF_EACH_RUN
    }


def differing(left: dict[str, str], right: dict[str, str]) -> list[str]:
    """Return the files of two runs that are not the same, or that only one of them has."""
    return sorted(name for name in left | right if left.get(name) != right.get(name))


def compared(promise: str, left: dict[str, str], right: dict[str, str]) -> Figure:
    """Return how many of the files of two runs are the same."""
    other = differing(left, right)
    note = f"not the same: {', '.join(other[:5])}" if other else ""
    tried = len(left | right)
    return Figure(promise, tried - len(other), tried, "files", note)


def elsewhere(folder: Path) -> dict[str, str]:
    """Return an environment in which all is other that must not matter; `folder` is its own."""
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(BACKWARDS)
    return os.environ | {
        "PYTHONPATH": str(folder),
        "PYTHONHASHSEED": "77",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "LANG": "C",
    }


def run_elsewhere(made: Checkout, folder: Path, targets: Sequence[str] = ()) -> None:
    """Run a checkout, one job at a time, in an environment in which all else is other."""
    command = [sys.executable, "-m", "snakemake", *targets]
    options = ["--cores", "1", "--configfile", "tiny.yaml"]
    done = subprocess.run(
        command + options,
        cwd=made.folder,
        env=elsewhere(folder),
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"a run failed:\n{done.stdout}{done.stderr}")


def prepared(folder: Path, **changes) -> Checkout:
    """Return a new checkout in a folder, with the tiny config and what it changes."""
    folder.mkdir(parents=True, exist_ok=True)
    made = checkout(ROOT, folder)
    made.configure(**changes)
    return made


def clean_run(folder: Path, targets: Sequence[str] = (), **changes) -> dict[str, str]:
    """Return digests of the results of a run that nothing disturbs."""
    made = prepared(folder, **{"training": LONGER} | changes)
    done = made.snakemake(*targets, "--configfile", "tiny.yaml")
    if done.returncode:
        raise RuntimeError(f"a run failed:\n{done.stdout}{done.stderr}")
    return digests(made.folder / "results")


def measure(folder: Path) -> list[Figure]:
    """Run everything twice and compare every file."""
    first = clean_run(folder / "first")
    settings = LONGER | {"loader_workers": 2}
    other = prepared(folder / "deep/in another/folder", training=settings)
    run_elsewhere(other, folder / "elsewhere")
    second = digests(other.folder / "results")
    return [compared("two runs from scratch give the same bytes", first, second)]
