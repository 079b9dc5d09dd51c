"""SHA-256 of files, and lists of them as `sha256sum` writes and checks them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from slicewise.files import write_text


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, which is read piece by piece."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(path: str | Path, files: Iterable[str | Path], folder: str | Path) -> None:
    """Write a line for each file, named as seen from `folder`, in the order of these names.

    There, `sha256sum --check` compares the files with it.
    """
    named = {Path(os.path.relpath(file, folder)).as_posix(): file for file in files}
    write_text(path, "".join(f"{sha256(named[name])}  {name}\n" for name in sorted(named)))


def read_checksums(path: str | Path) -> dict[str, str]:
    """Return file -> SHA-256 of what `write_checksums` wrote."""
    lines = (line.partition("  ") for line in Path(path).read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, _, name in lines}
