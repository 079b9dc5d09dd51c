"""Reading rows of single slices out of many volumes on disk, in bounded memory."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Sequence

import numpy as np

MOST_RESIDENT = 64 * 2**20
"""Bytes of pages that a reader leaves resident; smaller datasets stay mapped altogether."""

LARGEST_FAULT = 2 * 2**20
"""Bytes that Linux maps at one page fault at most: a huge page of its cache."""


class SliceReader:
    """Reads rows of the slices of many arrays (slice, ..., row, column), files mapped into memory.

    When a slice is first wanted, the system is asked for just these rows in one go: a page fault
    would wait for a single page, or read far around it. Pages stay resident, which saves the faults
    of the next time, until they may come to `most_resident` bytes; then all are given back to the
    system, which may keep them cached. So memory does not grow with the dataset. Threads may read
    at the same time: what is given back under one of them is mapped again.
    """

    def __init__(self, arrays: Sequence[np.ndarray], most_resident: int = MOST_RESIDENT):
        # Plain arrays: a view of an np.memmap would cost more than to copy a small patch.
        self.arrays = [np.asarray(array) for array in arrays]
        self.offsets = [
            getattr(array, "offset", 0) % mmap.ALLOCATIONGRANULARITY for array in arrays
        ]
        files = [array.base if isinstance(array.base, mmap.mmap) else None for array in arrays]
        self.files = files if hasattr(mmap, "MADV_WILLNEED") else [None] * len(files)
        self.wanted = [bytearray(len(array)) for array in arrays]
        self.most_resident = most_resident
        self.mapped: dict[int, int] = {}
        self.total = 0
        self.lock = threading.Lock()

    def rows(self, number: int, index: int, top: int, bottom: int) -> np.ndarray:
        """Return rows `top` to `bottom` of a slice of an array: a view (..., row, column)."""
        if self.files[number] is not None and not self.wanted[number][index]:
            with self.lock:
                self._ask(number, index, top, bottom)
        return self.arrays[number][index, ..., top:bottom, :]

    def _ask(self, number: int, index: int, top: int, bottom: int) -> None:
        """Have the system read rows of a slice, after giving pages back if there are too many."""
        if self.wanted[number][index]:  # another thread was quicker
            return
        array, file = self.arrays[number], self.files[number]
        size, height, row = array.strides[0], array.shape[-2], array.strides[-2]
        if self.total > self.most_resident:
            self.release()
        self.wanted[number][index] = True
        before = self.mapped.get(number, 0)
        self.mapped[number] = min(before + max(size, LARGEST_FAULT), array.nbytes)
        self.total += self.mapped[number] - before
        start = self.offsets[number] + index * size
        for plane in range(start, start + size, height * row):
            first = (plane + top * row) // mmap.PAGESIZE * mmap.PAGESIZE
            file.madvise(mmap.MADV_WILLNEED, first, plane + bottom * row - first)

    def release(self) -> None:
        """Give all pages back to the system."""
        while self.mapped:
            number, _ = self.mapped.popitem()
            self.wanted[number] = bytearray(len(self.wanted[number]))
            self.files[number].madvise(mmap.MADV_DONTNEED)
        self.total = 0
