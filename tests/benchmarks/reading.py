"""What it costs to read patches from disk, measured in the process that reads them.

Needs nothing but the standard library, so that nnU-Net's environment runs it too.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PATCH = (64, 64)
"""Row and column, voxels."""

BATCH = 3
OVERSAMPLE = 0.33
COLD_BATCHES = 16
WARM_SECONDS = 1.0


def forget(files: Iterable[Path]) -> None:
    """Have the system drop what it keeps of files in memory, so that they are read from disk."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def remember(path: Path) -> None:
    """Read a file once, piece by piece, so that the system keeps it in memory."""
    with open(path, "rb", buffering=0) as file:
        while file.read(2**20):
            pass


def counter(file: str, name: str) -> int:
    """Return a number from /proc/self/io (bytes) or /proc/self/status (KiB)."""
    lines = Path("/proc/self", file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def observe(
    read: Callable[[], object], samples: int, files: list[Path], release: Callable[[], object]
) -> dict[str, float]:
    """Return what a call of `read`, which makes so many samples, costs for each of them.

    bytes_from_disk: nothing is cached, so this is what datasets cost that are larger than memory;
    samples_per_second: of CPU time, with all files cached as far as they fit; growth_mib: by how
    much the memory of the process grows at its peak, mapped pages of files counted. `release` gives
    mapped pages back: the system does not drop them before.
    """
    before = counter("status", "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    found = 0
    for _ in range(COLD_BATCHES):
        release()
        forget(files)
        start = counter("io", "read_bytes")
        read()
        found += counter("io", "read_bytes") - start
    for path in files:
        remember(path)
    read()
    calls, start = 0, time.process_time()
    while time.process_time() < start + WARM_SECONDS:
        read()
        calls += 1
    seconds = time.process_time() - start
    return {
        "bytes_from_disk": found / COLD_BATCHES / samples,
        "samples_per_second": calls * samples / seconds,
        "growth_mib": max(0, counter("status", "VmHWM") - before) / 1024,
    }
