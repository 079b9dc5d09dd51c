"""What it costs to read samples from disk, measured in the process that reads them.

Needs nothing but the standard library, and Linux: it reads /proc.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

Reader = tuple[Callable[[], object], Callable[[], object]]
"""What reads samples, and what gives mapped pages of files back to the system."""


def flush(files: Iterable[Path]) -> None:
    """Wait until files are on the disk: the system keeps what is not."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def forget(files: Iterable[Path]) -> None:
    """Have the system drop what it keeps of files in memory, so that they are read from disk."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def forgotten(files: Collection[Path]) -> int:
    """Forget files, and return how many of their pages stay in memory all the same.

    Pages that the system still reads ahead cannot be dropped: it is asked again for a second.
    """
    for _ in range(100):
        forget(files)
        if not (pages := kept(files)):
            break
        time.sleep(0.01)
    return pages


def kept(files: Iterable[Path]) -> int:
    """Return how many pages of files, which must be the caller's own, the system has in memory.

    Of other users' files it would say that all of them are (man mincore).
    """
    mincore, found = ctypes.CDLL(None, use_errno=True).mincore, 0
    for path in files:
        size = path.stat().st_size
        if not size:
            continue
        with open(path, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as m:
            first = ctypes.c_char.from_buffer(m)
            pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
            failed = mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), pages)
            del first  # or the map could not be closed
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        found += sum(page & 1 for page in pages)
    return found


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
    start: Callable[[], Reader], samples: int, files: list[Path], cold: int, seconds: float
) -> dict[str, float]:
    """Return what samples cost that are read so many at a time, by what `start` makes.

    cold: how often they are read when nothing of `files` is cached, 0 for never; seconds: of CPU
    time for which they are read when all of them are, as far as they fit. bytes_from_disk: for a
    sample, with nothing cached, which is what datasets cost that are larger than memory; nan
    without such reads, and where the system keeps pages all the same, as another process maps them
    or there is no disk; kept_pages: how many. samples_per_second: of CPU time, with all cached;
    growth_mib: by how much the memory of the process grows at its peak, mapped pages of files
    counted; resident_mib: all of that peak.
    """
    if cold:
        flush(files)
    before = counter("status", "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    read, release = start()
    found = pages = 0
    for _ in range(cold):
        release()  # the system does not drop pages that are mapped
        pages += forgotten(files)
        begun = counter("io", "read_bytes")
        read()
        found += counter("io", "read_bytes") - begun
    for path in files:
        remember(path)
    read()
    calls, begun = 0, time.process_time()
    while not calls or time.process_time() < begun + seconds:
        read()
        calls += 1
    spent = time.process_time() - begun
    peak = counter("status", "VmHWM")
    return {
        "bytes_from_disk": found / cold / samples if cold and not pages else float("nan"),
        "kept_pages": pages,
        "samples_per_second": calls * samples / spent,
        "growth_mib": max(0, peak - before) / 1024,
        "resident_mib": peak / 1024,
    }
