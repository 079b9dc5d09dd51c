"""Reading rows of slices from files."""

import mmap
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise.files import write_npy
from slicewise.reading import LARGEST_FAULT, SliceReader

needs_advice = pytest.mark.skipif(
    not hasattr(mmap, "MADV_WILLNEED"), reason="this system takes no advice"
)


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """Return the path of an image (slice, channel, row, column) of 2 MiB."""
    path = tmp_path_factory.mktemp("reading") / "volume.npy"
    write_npy(path, np.arange(64 * 2 * 64 * 64, dtype=np.float32).reshape(64, 2, 64, 64))
    return path


@given(st.integers(0, 63), st.integers(0, 63), st.integers(1, 64))
def test_rows_are_those_of_the_slice(volume, index, top, count):
    whole, bottom = np.load(volume), min(64, top + count)
    found = SliceReader([np.load(volume, mmap_mode="r")]).rows(0, index, top, bottom)
    np.testing.assert_array_equal(found, whole[index, :, top:bottom])


def test_arrays_in_memory_are_read_alike():
    label = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    assert SliceReader([label]).rows(0, 1, 1, 3).tolist() == label[1, 1:3].tolist()


def resident(path):
    """Return the bytes of a file that are mapped into this process."""
    maps = Path("/proc/self/smaps").read_text().split(str(path))[1:]
    return 1024 * sum(int(re.search(r"Rss: +(\d+)", part)[1]) for part in maps)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells what is resident")
@pytest.mark.parametrize("most", [0, 8 * 2**20])
def test_memory_does_not_grow_with_what_is_read(tmp_path, most):
    paths = [tmp_path / f"{number}.npy" for number in range(20)]
    for path in paths:
        write_npy(path, np.ones((64, 1, 64, 64), np.float32))
    reader = SliceReader([np.load(path, mmap_mode="r") for path in paths], most_resident=most)
    largest = 0
    for number in range(20):
        for index in range(64):
            reader.rows(number, index, 0, 64).sum()
        largest = max(largest, resident(tmp_path))
    assert 0 < largest <= most + LARGEST_FAULT
    reader.release()
    assert resident(tmp_path) == 0


def test_slices_that_were_given_back_are_read_again(volume):
    reader = SliceReader([np.load(volume, mmap_mode="r")])
    first = reader.rows(0, 5, 0, 64).copy()
    reader.release()
    np.testing.assert_array_equal(reader.rows(0, 5, 0, 64), first)


class Advised:
    """Stands in for the map of a file and keeps what the system would be asked for."""

    def __init__(self):
        self.ranges = []

    def madvise(self, advice, start, length):
        assert advice == mmap.MADV_WILLNEED
        self.ranges.append((start, start + length))


@needs_advice
@given(st.integers(0, 63), st.integers(0, 63), st.integers(1, 64))
def test_the_system_is_asked_for_the_rows_of_every_channel_and_little_more(
    volume, index, top, count
):
    array, bottom = np.load(volume, mmap_mode="r"), min(64, top + count)
    reader = SliceReader([array])
    reader.files[0] = Advised()
    reader.rows(0, index, top, bottom)
    for channel, (start, end) in enumerate(reader.files[0].ranges):
        plane = array.offset + array.strides[0] * index + array.strides[1] * channel
        first, last = (plane + array.strides[2] * row for row in (top, bottom))
        assert start % mmap.PAGESIZE == 0
        assert first - mmap.PAGESIZE < start <= first
        assert end == last
    assert len(reader.files[0].ranges) == 2


@needs_advice
def test_the_system_is_not_asked_again_for_what_another_thread_asked_for(volume):
    reader = SliceReader([np.load(volume, mmap_mode="r")])
    reader.files[0] = Advised()

    @contextmanager
    def held_by_a_quicker_one():
        reader.lock = open_lock
        reader.rows(0, 5, 0, 64)
        yield

    open_lock, reader.lock = reader.lock, held_by_a_quicker_one()
    reader.rows(0, 5, 0, 64)
    assert len(reader.files[0].ranges) == 2
