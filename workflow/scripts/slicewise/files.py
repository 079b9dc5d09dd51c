"""Whole files or none: every file is written to a temporary name beside it and renamed."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicewise.problems import error

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np
    import pandas as pd


NOT_OF_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What disks answer that flush no folders."""

NPY = b"\x93NUMPY\x01\x00"
"""How an array begins that is written here. Later versions of the format have longer headers, for
which numpy takes as much memory as they claim to be long."""

SPARE_FILES = 256
"""Files that may be opened beside those that were announced: logs, libraries, pipes of programs."""

TEMPORARY = re.compile(r"\.\d+\.(?P<name>.+)")
"""The name of a file while it is written: that which it will have, behind a process id."""


@contextmanager
def atomic(path: str | Path, *, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to it on success and removed on failure.

    Its content is on the disk before the name appears, and the name when this returns, unless it is
    one of many files that `flush_files` takes there together. The temporary name keeps all suffixes
    of `path`, because writers such as nibabel choose the format by them, and carries the process
    id, so that two runs never share one. What a killed process left of the same file goes first.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        if flush:
            _flush(temporary)
        os.replace(temporary, path)
        if flush:
            _flush_folder(path.parent)
    except (OSError, RuntimeError) as error:
        _say_where(error, path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`, renamed to it on success and removed on failure.

    For the outputs of a rule that are folders: one by that name holds all its files.
    """
    path = Path(path)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """Return what a file or a folder is called while it is written, in a folder made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    return path.with_name(f".{os.getpid()}.{path.name}")


def _say_where(error: Exception, path: Path) -> None:
    """Let the error of a write name its file, and a full disk as such: not all libraries do.

    NumPy says how many numbers it wrote, PyTorch has a RuntimeError.
    """
    if shutil.disk_usage(path.parent).free == 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    if isinstance(error, OSError) and error.filename is None:
        said = error.strerror or str(error)
        raise OSError(error.errno or errno.EIO, said, str(path)) from error


def _remove_leftovers(path: Path) -> None:
    """Remove what others wrote of a file or a folder without coming to its end.

    Nobody asks whether they live: ids of processes say nothing on another machine or in another
    container. One that does live fails when it renames its file, and the name goes to a whole one.
    """
    for leftover in _leftovers(path.parent).pop(path.name, ()):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


@cache
def _leftovers(folder: Path) -> dict[str, list[Path]]:
    """Return the temporary files and folders in a folder when this process first writes there.

    By the name that each would have. They are looked for once: a folder can hold tens of thousands
    of files.
    """
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := TEMPORARY.fullmatch(entry.name):
                found.setdefault(match["name"], []).append(Path(entry.path))
    return found


def flush_files(paths: Iterable[str | Path]) -> None:
    """Wait until the content of files is on the disk, and then their names."""
    written = [Path(path) for path in paths]
    for path in written:
        _flush(path)
    for folder in sorted({path.parent for path in written}):
        _flush_folder(folder)


def _flush(path: Path) -> None:
    with open(path, "rb") as written:
        os.fsync(written.fileno())


def _flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can say so of a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OF_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def allow_open_files(count: int, purpose: str) -> None:
    """Let this process have so many more files open at once, where its system limits them.

    The soft limit is raised for it, SPARE_FILES beyond where that can be. Raises ValueError, which
    begins with `purpose`, when the hard limit is too low.
    """
    try:
        import resource
    except ImportError:  # on Windows, whose limit is far away
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = len(os.listdir("/dev/fd")) + count
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited and needed > hard:
        raise ValueError(
            f"{purpose}: found a limit of {hard} open files, expected {needed} or more; raise the "
            "hard limit of `ulimit -n`"
        )
    needed += SPARE_FILES
    if soft != unlimited and needed > soft:
        raised = needed if hard == unlimited else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))


def read_json(path: str | Path) -> Any:
    """Read one JSON file; a ValueError names the file and where it stops being JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from None


def write_text(path: str | Path, text: str, *, flush: bool = True) -> None:
    """Write a UTF-8 text file."""
    with atomic(path, flush=flush) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any, *, flush: bool = True) -> None:
    """Write JSON in the order of the keys, four spaces deep as nnU-Net's files are."""
    write_text(path, json.dumps(content, indent=4) + "\n", flush=flush)


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index; floats in their shortest exact form."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def write_parquet(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index as Parquet, for tables of very many rows."""
    with atomic(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write rows of text, whole numbers and finite floats as `write_csv` writes a frame of them.

    None is an empty field, and so in a frame if its column is one of floats. Not for nan: a frame
    leaves its field empty, this writes "nan". Pandas takes longer to import than to write a small
    table.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_npy(path: str | Path, array: np.ndarray, *, flush: bool = True) -> None:
    """Write one array, C-contiguous, without pickles."""
    import numpy as np

    with atomic(path, flush=flush) as temporary:
        np.save(temporary, np.ascontiguousarray(array), allow_pickle=False)


def open_array(case: str, path: Path, mend: str) -> np.ndarray:
    """Return an array that `write_npy` wrote for a case, mapped into memory to be read.

    mend: what to do where it is missing or damaged, which a BadInput says.
    """
    import numpy as np

    expected = "an array as it was written"
    try:
        with path.open("rb") as file:
            if file.read(len(NPY)) != NPY:
                raise ValueError("another beginning")
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise error(case, path, "no such file", expected, mend) from None
    except Exception as damage:  # of many kinds: numpy reads a header as a Python literal
        found = f"a damaged array ({damage!r:.80})"
        raise error(case, path, found, expected, mend) from None


def write_torch(path: str | Path, content: Any) -> None:
    """Write tensors, numbers, strings, lists and dictionaries: what `weights_only=True` reads.

    Equal content gives equal bytes: given a path, torch would write its name into the file.
    """
    import torch

    with atomic(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def write_nifti(path: str | Path, image: nib.spatialimages.SpatialImage) -> None:
    """Write a NIfTI image; equal images give equal bytes."""
    import nibabel as nib

    with atomic(path) as temporary:
        nib.save(image, temporary)
