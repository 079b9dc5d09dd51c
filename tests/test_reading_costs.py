"""What it costs to read samples, as a process counts it."""

import json
import math
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measuring
from slicewise.reading_costs import counter, flush, forget, kept, observe, remember

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")

MIB = 2**20


def reader_of(path: Path, size: int):
    """Return what `observe` takes: reads the first `size` bytes of a file, and forgets them."""

    def read():
        with open(path, "rb", buffering=0) as file:
            return file.read(size)

    return lambda: (read, lambda: None)


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * 32 * MIB)
    return path


def disk_counts(path: Path) -> bool:
    """Say whether the system counts what is read from the disk of a file; of memory it does not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        before = counter("io", "read_bytes")
        os.read(descriptor, MIB)
        return counter("io", "read_bytes") > before
    finally:
        os.close(descriptor)


def test_what_is_read_from_disk_is_counted(large):
    if not disk_counts(large):
        pytest.skip("this disk does not count what is read from it")
    costs = [observe(reader_of(large, size), 1, [large], 2, 0) for size in (MIB, 32 * MIB)]
    few, many = (found["bytes_from_disk"] for found in costs)
    assert many == 32 * MIB
    assert MIB <= few < 24 * MIB  # the system reads ahead


def test_costs_are_shared_by_the_samples_of_a_read(large):
    one, four = (observe(reader_of(large, 32 * MIB), n, [large], 1, 0) for n in (1, 4))
    fourfold = pytest.approx(4 * four["bytes_from_disk"], nan_ok=True)  # a tmpfs forgets nothing
    assert one["bytes_from_disk"] == fourfold


def test_what_another_maps_is_in_memory_and_its_bytes_are_missing(large):
    """Each page that is touched is kept, and the others are not."""
    if not disk_counts(large):
        pytest.skip("this disk does not count what is read from it")
    flush([large])
    with open(large, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)  # without read-ahead
        remember(large)
        assert kept([large]) == 32 * MIB // mmap.PAGESIZE
        touched = {mapped[i * MIB] for i in range(8)}
        forget([large])
        assert touched == {ord("x")}
        assert 8 <= kept([large]) < 32 * MIB // mmap.PAGESIZE
        found = observe(reader_of(large, MIB), 1, [large], 1, 0)
    assert found["kept_pages"] >= 8
    assert math.isnan(found["bytes_from_disk"])
    forget([large])
    assert kept([large]) == 0


def test_an_empty_file_has_no_pages(tmp_path):
    (tmp_path / "empty").touch()
    assert kept([tmp_path / "empty"]) == 0


HOLDING = """
import json, sys
from pathlib import Path
from slicewise.reading_costs import observe

held = []

def read():
    held[:] = [b"x" * (64 * 2**20)]

print(json.dumps(observe(lambda: (read, lambda: None), 1, [Path(sys.argv[1])], 0, 0)))
"""


def test_memory_grows_by_what_is_held(root, large):
    """In a process of its own, as a trial is: one that has freed much before grows by less."""
    command = [sys.executable, "-c", HOLDING, str(large)]
    paths = {**os.environ, "PYTHONPATH": str(root / "workflow/scripts")}
    said = subprocess.run(command, env=paths, capture_output=True, text=True, check=True).stdout
    found = json.loads(said)
    assert 60 < found["growth_mib"] < 140  # the old one goes when the new one is there
    assert found["resident_mib"] >= found["growth_mib"]
    assert math.isnan(found["bytes_from_disk"])


def test_a_counter_is_a_number_of_this_process():
    assert counter("status", "VmRSS") > 1000
