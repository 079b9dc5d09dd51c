"""The members of a .tar, .tar.gz or .zip file one by one, each read once and within bounds.

Which of the three a file is, its first bytes say: an address often ends in none of those words.
"""

from __future__ import annotations

import gzip
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

HEADER_BYTES = 1 << 20
"""What the headers of one member of a .tar file may take; tarfile holds them in memory."""

DIRECTORY_BYTES_PER_MEMBER = 256
"""What the directory of a .zip file may take for each member that is allowed; zipfile holds it."""

ENCRYPTED = 0x1
"""The bit of a .zip member's flags that says so (APPNOTE.TXT 4.4.4)."""

DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    # Of tarfile, zipfile and gzip, for headers that lie about numbers, texts, places or versions.
    LookupError,
    OverflowError,
    ValueError,
    NotImplementedError,
    RecursionError,
    gzip.BadGzipFile,
)
"""What reading a damaged archive raises."""


class Refused(Exception):
    """An archive that is not unpacked: what was found, what was expected, and how to mend it."""

    def __init__(self, found: str, expected: str, mend: str = ""):
        super().__init__(f"found {found}, expected {expected}")
        self.found, self.expected, self.mend = found, expected, mend


@dataclass(frozen=True)
class Member:
    """A file or folder of an archive.

    name: its path, as the archive has it; size: bytes of content that it states; open: gives the
    content, before the next member is asked for.
    """

    name: str
    size: int
    is_folder: bool
    open: Callable[[], BinaryIO] = field(repr=False)

    def __str__(self) -> str:
        return _shown(self.name)


def _shown(name: str) -> str:
    """Return the name of a member in quotes, its control characters spelt out, cut where long."""
    return f"the member {name if len(name) <= 100 else name[:97] + '...'!r}"


@contextmanager
def damaged() -> Iterator[None]:
    """Raise Refused for whatever reading a damaged archive raises."""
    try:
        yield
    except DAMAGED as error:
        raise Refused(f"a damaged archive ({error})", "a whole one") from None


def members(archive: Path, most: int) -> Iterator[Member]:
    """Yield the members of an archive; `most` is how many are allowed.

    Raises Refused for a file of another kind, an encrypted one, and a member that is neither a
    file nor a folder.
    """
    with archive.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        if start[:2] == b"PK":
            yield from _zip_members(file, most)
        elif start[:2] == b"\x1f\x8b" or start[257:262] == b"ustar":
            yield from _tar_members(file, packed=start[:2] == b"\x1f\x8b")
        else:
            raise Refused(
                f"a file that begins with {start[:8]!r}",
                "a .tar, .tar.gz or .zip file",
                "an address may lead to a page about the file and not to the file itself",
            )


class _Bounded:
    """A file that gives no more bytes than it is allowed to, in place of filling the memory."""

    def __init__(self, file: BinaryIO, allowed: int):
        self._file = file
        self.allowed = allowed
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 0 and place < 0:
            raise ValueError("something is said to lie before the beginning")
        return self._file.seek(place, whence)

    def read(self, size: int = -1) -> bytes:
        most = self.allowed + 1
        content = self._file.read(min(size, most) if size >= 0 else most)
        if len(content) > self.allowed:
            raise Refused("headers of more bytes than names and sizes take", "plain headers")
        self.allowed -= len(content)
        return content


class _TarHeader(tarfile.TarInfo):
    """A header that is whole: tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:
            raise tarfile.ReadError(str(error)) from None


def _tar_members(file: BinaryIO, *, packed: bool) -> Iterator[Member]:
    """Yield the members of a .tar file, or of a .tar.gz where it is packed."""
    with gzip.open(file) if packed else nullcontext(file) as stream:
        bounded = _Bounded(stream, HEADER_BYTES)
        with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_TarHeader) as tar:
            while header := tar.next():
                _check_tar_kind(header)
                # The content and what fills its last blocks; tarfile reads 10,240 bytes at once.
                bounded.allowed = header.size + HEADER_BYTES
                yield Member(
                    header.name,
                    header.size,
                    header.isdir(),
                    lambda header=header: tar.extractfile(header),
                )
                # Tarfile would keep every header.
                tar.members = []


def _check_tar_kind(header: tarfile.TarInfo) -> None:
    """Raise Refused for a member that is neither a plain file nor a folder."""
    kinds = {
        "a symbolic link": header.issym(),
        "a hard link": header.islnk(),
        "a device": header.ischr() or header.isblk(),
        "a pipe": header.isfifo(),
        "a sparse file": header.issparse(),
        "a kind of its own": not (header.isreg() or header.isdir()),
        "of a negative size": header.size < 0,
    }
    _refuse(header.name, kinds)


def _zip_members(file: BinaryIO, most: int) -> Iterator[Member]:
    """Yield the members of a .zip file; its directory is read first, and whole."""
    bounded = _Bounded(file, most * DIRECTORY_BYTES_PER_MEMBER)
    with zipfile.ZipFile(bounded) as packed:
        bounded.allowed = sys.maxsize - 1
        for info in packed.infolist():
            _check_zip_kind(info)
        for info in packed.infolist():
            # Of a name with a zero byte zipfile shows the beginning only.
            yield Member(
                info.orig_filename,
                info.file_size,
                info.orig_filename.endswith("/"),
                lambda info=info: packed.open(info),
            )


def _check_zip_kind(info: zipfile.ZipInfo) -> None:
    """Raise Refused for a member that is neither a plain file nor a folder."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    kinds = {
        "a symbolic link": kind == stat.S_IFLNK,
        "neither a file nor a folder": kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK),
        "encrypted": info.flag_bits & ENCRYPTED,
        # The others can fill the memory from a few bytes.
        "packed in another way than deflate": info.compress_type
        not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
    }
    _refuse(info.orig_filename, kinds)


def _refuse(name: str, kinds: dict[str, bool | int]) -> None:
    """Raise Refused for a member that is of one of the kinds."""
    for kind, holds in kinds.items():
        if holds:
            raise Refused(f"{_shown(name)}, {kind}", "files and folders that anybody can read")
