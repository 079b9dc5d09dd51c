"""Archives of datasets, unpacked whole or not at all, by members that decide nothing.

An archive comes from elsewhere. What it holds becomes ordinary files and folders below one folder,
with the rights that the user's new files have; whatever asks for more is refused, and nothing of
that archive stays.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from slicewise.archive_members import Member, Refused, damaged, members
from slicewise.files import flush_files, whole_folder
from slicewise.problems import BadInput, error

MAX_MEMBERS = 250_000
"""Members of an archive: TotalSegmentator's 1,228 scans with 117 masks each are 145,000 files."""

MAX_BYTES = 2 * 10**12
"""What any archive may unpack to: ten times and more what large public datasets of scans take."""

MAX_EXPANSION = 100
"""How many times its own size an archive may unpack to.

Gzipped scans hardly shrink again, plain NIfTI files to a half or a tenth. Label maps alone can
shrink to a thousandth, the most that deflate can do, but they come with their images.
"""

SMALL = 10**9
"""Bytes that every archive may unpack to, however small it is."""

SPARE = 10**9
"""Bytes that an archive leaves free on the disk."""

CHUNK = 1 << 20
"""Bytes that are read at once."""

LONGEST_NAME = 255
"""Bytes of the name of a file or folder: what Linux, macOS and Windows can store."""

LONGEST_PATH = 1000
"""Bytes of a path within the archive: macOS stores 1,024, those of the folder above included."""


KINDS = {64: "sha256", 32: "md5"}
"""Kinds of checksums by their number of hex digits."""


def is_address(archive: str) -> bool:
    """Say whether an archive lies elsewhere; otherwise it is a path."""
    return re.match("[A-Za-z][A-Za-z0-9+.-]*://", archive) is not None


def is_on_the_web(archive: str) -> bool:
    """Say whether download_archive fetches an archive; other addresses are Snakemake's to fetch."""
    return archive.startswith(("http://", "https://"))


def check_digest(archive: Path, expected: str) -> None:
    """Raise BadInput for a file that has not the checksum that is expected."""
    found = digest_of(archive, expected)
    if found != expected.lower():
        raise wrong_checksum(archive, found, expected)


def digest_of(archive: Path, expected: str) -> str:
    """Return the checksum of a file, of the kind of the one that is expected, in hex digits."""
    with archive.open("rb") as file:
        return hashlib.file_digest(file, KINDS[len(expected)]).hexdigest()


def wrong_checksum(archive: str | Path, found: str, expected: str) -> BadInput:
    """Return the exception to raise for an archive that is not the one that was meant."""
    return error(
        "",
        archive,
        f"the checksum ({KINDS[len(found)]}) {found}",
        expected.lower(),
        "it is another or a damaged file: compare with the checksum that its publisher states; "
        "nothing of it was unpacked",
    )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar, .tar.gz or .zip file as `folder`, which appears whole or not at all.

    Archives within it stay as they are. What macOS adds (`__MACOSX`, `._NAME`, `.DS_Store`) is left
    out. Raises BadInput, with nothing left on the disk, for a member whose path leads out of the
    folder or cannot be stored, that is not a file or folder, that is there twice, or that is more
    than the limits above or the disk allow.
    """
    with whole_folder(folder) as unpacked, _in_words(archive):
        flush_files(_extract(archive, unpacked))


def dataset_json(folder: Path) -> Path:
    """Return the dataset.json of an unpacked archive: in its root, or one folder down.

    Raises BadInput where there is none, or more than one folder has its own.
    """
    root = folder / "dataset.json"
    found = [root] if root.is_file() else sorted(folder.glob("*/dataset.json"))
    if len(found) != 1:
        count = f"one in each of {len(found)} folders" if found else "none"
        raise error(
            "",
            folder,
            count,
            "a dataset.json in the root of the archive or in its one folder",
            "unpack the archive yourself and name the dataset's folder as `raw`",
        )
    return found[0]


@contextmanager
def _in_words(archive: Path) -> Iterator[None]:
    """Raise what an archive is refused for as BadInput."""
    try:
        with damaged():
            yield
    except Refused as refused:
        mend = "nothing of it was unpacked"
        if refused.mend:
            mend = f"{refused.mend}; {mend}"
        raise error("", archive, refused.found, refused.expected, mend) from None


def _extract(archive: Path, folder: Path) -> list[Path]:
    """Write the members of an archive into a folder that is empty; return the files."""
    written: list[Path] = []
    taken: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}
    allowed = min(MAX_BYTES, max(SMALL, MAX_EXPANSION * archive.stat().st_size))
    unpacked = 0
    for count, member in enumerate(members(archive, MAX_MEMBERS), start=1):
        parts = path_of(member)
        wanted = parts and not _is_of_macos(parts)
        if wanted:
            _claim(taken, member, parts)
        # Folders that no member names are counted, too.
        if max(count, len(taken)) > MAX_MEMBERS:
            raise Refused(f"more than {MAX_MEMBERS:,} files and folders", "no more than that")
        if not wanted:
            continue
        target = folder.joinpath(*parts)
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        unpacked += member.size
        _check_room(member, unpacked, allowed, folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(member, target)
        written.append(target)
    return written


def path_of(member: Member) -> tuple[str, ...]:
    """Return the path of a member as its parts; none for the root, which some archives name.

    Raises Refused for a path that is not within the archive, or that not every system can store.
    """
    name = member.name
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    reasons = {
        "an invisible character in its name": not name.isprintable(),
        "a backslash in its name": "\\" in name,
        "an absolute path": name.startswith("/"),
        "the letter of a drive in its name": re.match("[A-Za-z]:", "/".join(parts)),
        "a path that leads upwards": ".." in parts,
        "no name": not parts and not member.is_folder,
        "too long a name": _bytes(name) > LONGEST_PATH
        or max(map(_bytes, parts), default=0) > LONGEST_NAME,
    }
    for reason, holds in reasons.items():
        if holds:
            raise Refused(f"{member} with {reason}", "paths below the archive's root")
    return parts


def _bytes(text: str) -> int:
    """Return how many bytes a name takes on the disk."""
    return len(text.encode("utf-8", "surrogatepass"))


def _is_of_macos(parts: tuple[str, ...]) -> bool:
    """Say whether a member is one of those that macOS adds to archives."""
    return "__MACOSX" in parts or parts[-1] == ".DS_Store" or parts[-1].startswith("._")


def _claim(taken: dict, member: Member, parts: tuple[str, ...]) -> None:
    """Raise Refused for a path that another member has, as a disk that ignores case sees it.

    taken: (path, is it a folder) by path in one spelling; the member's path and the folders above
    it are added. A folder may be named again.
    """
    spelling = tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)
    for depth in range(len(parts), 0, -1):
        mine = (parts[:depth], member.is_folder or depth < len(parts))
        before = taken.setdefault(spelling[:depth], mine)
        if before is mine:
            continue
        if before != mine or not mine[1]:
            raise Refused(
                f"{member} beside {'/'.join(before[0])!r}", "every path once, in one spelling"
            )
        return  # the folders above it were added with it


def _check_room(member: Member, unpacked: int, allowed: int, folder: Path) -> None:
    """Raise Refused for a member that is more than the archive may unpack to or the disk holds."""
    if unpacked > allowed:
        raise Refused(
            f"{unpacked:,} bytes up to {member}",
            f"at most {allowed:,}: {MAX_EXPANSION} times the archive's own size, {SMALL:,} for a "
            f"small one and {MAX_BYTES:,} for any",
        )
    free = shutil.disk_usage(folder).free
    if member.size > free - SPARE:
        raise Refused(
            f"{member} of {member.size:,} bytes",
            f"no more than the {max(0, free - SPARE):,} that the disk has to give",
            "make room or choose another folder for `results`",
        )


def _write(member: Member, target: Path) -> None:
    """Write the content of a member as a new file, counting its bytes."""
    with target.open("xb") as file, member.open() as content:
        left = member.size
        while chunk := content.read(min(CHUNK, left)):
            file.write(chunk)
            left -= len(chunk)
        _check_end(member, content, left)


def _check_end(member: Member, content: BinaryIO, left: int) -> None:
    """Raise Refused for content that is not as long as its member says."""
    if left or content.read(1):
        found = f"{left:,} bytes fewer" if left else "more bytes"
        raise Refused(f"{member} with {found} than it states", "a whole archive")
