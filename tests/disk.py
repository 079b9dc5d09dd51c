"""When files are flushed to the disk and when their names appear, for tests."""

import os
from pathlib import Path

import pytest


def inode_of(path: Path) -> int:
    """Return what stands for a file under any name."""
    return path.stat().st_ino


def watch_disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return a list to which each flush of a file and each renaming is added, with its inode."""
    events, fsync, replace = [], os.fsync, os.replace

    def watched_fsync(descriptor):
        fsync(descriptor)
        events.append(("flushed", os.fstat(descriptor).st_ino))

    def watched_replace(source, target):
        replace(source, target)
        events.append(("named", inode_of(Path(target))))

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    return events
