"""Runs whose disk fills up, can only be read or goes away: a clear word, and on when it is mended.

Disks are small file systems in memory, which only the administrator of a machine may mount.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkouts import Checkout
from faults.figures import Figure
from faults.repeat import LONGER, clean_run, differing, digests, prepared
from faults.workflow_kills import LONGEST, start
from scans import write_dataset

SIZES_MB = (1, 4, 16, 48)
"""Of the disk of the results, which take about 80 MB: full in all stages of a run."""

BESIDE_MB = (0.5, 3, 12)
"""Left on a disk that holds the checkout too, where Snakemake keeps its records."""


class NotAsPromised(Exception):
    """A run that did not do what it must on a broken disk, or after it was mended."""


def mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def may_mount() -> bool:
    """Say whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        try:
            allowed = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False
        if allowed:
            subprocess.run(["umount", folder], check=True)
        return allowed


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system in memory on a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    mount(folder, options)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fails(made: Checkout, *targets: str, saying: str) -> None:
    """Run a checkout, which must fail, say why and show no traceback."""
    done = made.snakemake(*targets, "--configfile", "tiny.yaml")
    said = done.stdout + done.stderr
    if done.returncode == 0:
        raise NotAsPromised("a run did not fail")
    if saying not in said:
        raise NotAsPromised(f"a run did not say {saying!r}:\n{said[-3000:]}")
    if "Traceback" in said:
        raise NotAsPromised(f"a run showed a traceback:\n{said[-6000:]}")


def goes_on(made: Checkout, clean: dict[str, str], *targets: str) -> None:
    """Run a checkout again, which must end with the files of a run that nothing disturbed."""
    done = made.snakemake(*targets, "--configfile", "tiny.yaml")
    if done.returncode:
        raise NotAsPromised(f"a run did not go on:\n{done.stdout}{done.stderr}"[-3000:])
    if other := differing(clean, digests(made.folder / "results")):
        raise NotAsPromised(f"not the same: {', '.join(other[:5])}")


def fill_up(folder: Path, clean: dict[str, str], megabytes: float) -> None:
    """Let the disk of the results fill up, then make it larger."""
    with disk(folder / "results", f"size={int(megabytes * 1024)}k"):
        made = prepared(folder, training=LONGER)
        fails(made, saying="No space left on device")
        remount(folder / "results", "size=1g")
        goes_on(made, clean)


def fill_up_all(folder: Path, clean: dict[str, str], megabytes: float) -> None:
    """Let a disk fill up that holds Snakemake's records too, then make it larger."""
    with disk(folder, "size=1g"):
        made = prepared(folder, training=LONGER)
        used = shutil.disk_usage(folder).used
        remount(folder, f"size={used // 1024 + int(megabytes * 1024)}k")
        fails(made, saying="No space left on device")
        remount(folder, "size=1g")
        goes_on(made, clean)


def read_only(folder: Path, clean: dict[str, str]) -> None:
    """Let the results be read-only, before there are any, when there are some and when all are."""
    with disk(folder / "results", "size=1g"):
        made = prepared(folder, training=LONGER)
        for targets in ((), ("plan",)):
            if targets:
                made.snakemake(*targets, "--configfile", "tiny.yaml")
            remount(folder / "results", "ro")
            fails(made, saying="Read-only file system")
            remount(folder / "results", "rw")
        goes_on(made, clean)
        remount(folder / "results", "ro")
        goes_on(made, clean)


def results_removed(folder: Path, clean: dict[str, str]) -> None:
    """Remove the results while a run is at work in them."""
    made = prepared(folder, training=LONGER)
    process = start(made, (), folder / "said.log")
    wait_for(folder / "results/phantom/splits_final.json")
    shutil.rmtree(folder / "results", ignore_errors=True)
    process.wait(timeout=LONGEST)
    said = (folder / "said.log").read_text()
    if process.returncode == 0 or "Traceback" in said:
        raise NotAsPromised(f"a run without results:\n{said[-6000:]}")
    goes_on(made, clean)


def scans_unmounted(folder: Path, _clean: dict[str, str]) -> None:
    """Take the disk with the user's scans away while a run reads them."""
    scans = folder / "scans"
    own = {"datasets": {"own": {"raw": str(scans)}}, "execution": {"cases_per_job": 1}}
    with disk(scans, "size=64m"):
        write_dataset(scans, [(64, 64, 20)] * 8)
        kept = shutil.copytree(scans, folder / "kept")
        clean = clean_run(folder / "clean", ["export"], **own)
        made = prepared(folder / "run", **own)
        process = start(made, ["export"], folder / "said.log")
        wait_for(folder / "run/results/own/dataset_fingerprint.json")
        subprocess.run(["umount", "-l", scans], check=True)
        process.wait(timeout=LONGEST)
        said = (folder / "said.log").read_text()
        mount(scans, "size=64m")
        shutil.copytree(kept, scans, dirs_exist_ok=True)
        if process.returncode == 0 or "Traceback" in said or str(scans) not in said:
            raise NotAsPromised(f"a run without scans:\n{said[-6000:]}")
        goes_on(made, clean, "export")


def wait_for(path: Path) -> None:
    """Wait until a run has written something to a file."""
    end = time.monotonic() + LONGEST
    while not path.exists() or not path.stat().st_size:
        if time.monotonic() > end:
            raise NotAsPromised(f"{path} was not written")
        time.sleep(0.02)


def measure(folder: Path) -> list[Figure]:
    """Break the disk of whole runs in all these ways."""
    promise = "a run on a broken disk says so and goes on when that is mended"
    if not may_mount():
        print("no disk is broken: this user may not mount one", file=sys.stderr, flush=True)
        return []
    clean = clean_run(folder / "clean")
    ways = {f"full at {size} MB": (fill_up, size) for size in SIZES_MB}
    ways |= {f"full at {size} MB, with the records": (fill_up_all, size) for size in BESIDE_MB}
    ways |= {"read-only": (read_only,), "results removed": (results_removed,)}
    ways |= {"scans unmounted": (scans_unmounted,)}
    broken = []
    for number, (name, (way, *size)) in enumerate(ways.items()):
        try:
            way(folder / f"disk-{number}", clean, *size)
        except NotAsPromised as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            broken.append(name)
    note = f"not {', '.join(broken)}" if broken else ", ".join(ways)
    return [Figure(promise, len(ways) - len(broken), len(ways), "faults of the disk", note)]
