"""Archives that try what an archive must not: each a few lines, by what it tries."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from slicewise import archives

EVIL = b"written by an archive"


def tar_of(path: Path, *members: tarfile.TarInfo | str) -> None:
    """Write a .tar.gz of members, those that are given by name as files with EVIL in them."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, compresslevel=1) as tar:
        for member in members:
            header = tarfile.TarInfo(member) if isinstance(member, str) else member
            if isinstance(member, str):
                header.size = len(EVIL)
            tar.addfile(header, io.BytesIO(EVIL))


def zip_of(path: Path, *members: zipfile.ZipInfo | str, method: int = zipfile.ZIP_DEFLATED) -> None:
    """Write a .zip of members with EVIL in them."""
    with zipfile.ZipFile(path, "w", method) as packed:
        for member in members:
            packed.writestr(member, EVIL)


def of_type(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    return header


def with_mode(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def edited(path: Path, write: Callable[[Path], None], before: bytes, after: bytes) -> None:
    """Write an archive and change bytes of it that no library would write so."""
    write(path)
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))


def zeros(path: Path, size: int) -> None:
    """Write a .tar.gz of one file of zeros, a thousandth of its size."""
    header = tarfile.TarInfo("zeros")
    header.size = size
    with tarfile.open(path, "w:gz", compresslevel=6) as tar, open("/dev/zero", "rb") as nothing:
        tar.addfile(header, nothing)


def zeros_in_zip(path: Path, size: int) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("zeros", "w") as file,
    ):
        for _ in range(size // archives.CHUNK + 1):
            file.write(bytes(archives.CHUNK))


def many(path: Path, names: list[str]) -> None:
    """Write a .tar.gz of so many empty folders."""
    blocks = (of_type(name, tarfile.DIRTYPE).tobuf() for name in names)
    with gzip.open(path, "wb", compresslevel=1) as file:
        for block in blocks:
            file.write(block)
        file.write(bytes(1024))


def large_header(path: Path) -> None:
    """Write a .tar.gz whose first header asks for 3 GB of memory, as names that are so long do."""
    header = of_type("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 3_000_000_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))


def negative_size(path: Path) -> None:
    """Write a .tar whose member is said to end before it begins; tarfile may read it for ever."""
    block = bytearray(tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 11 + b"\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    path.write_bytes(bytes(block) + bytes(1024))


def encrypted(path: Path) -> None:
    """Write a .zip whose member is marked as encrypted, in both of its headers."""
    zip_of(path, "a")
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1
    path.write_bytes(content)


def stating(size: int) -> Callable[[Path], None]:
    """Return what writes a .zip whose member states another size than it has."""

    def write(path: Path) -> None:
        zip_of(path, "a")
        content = bytearray(path.read_bytes())
        for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            struct.pack_into("<I", content, content.index(signature) + place, size)
        path.write_bytes(content)

    return write


def crowded_directory(path: Path) -> None:
    """Write a .zip whose directory is said to be larger than any that is allowed."""
    size = archives.MAX_MEMBERS * 256 + 1
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(size + 4)
        file.seek(size + 4)
        file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, size, 4, 0))


def early_member(path: Path) -> None:
    """Write a .zip whose member is said to begin before the file does."""
    zip_of(path, "a")
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x05\x06") + 16
    (directory,) = struct.unpack_from("<I", content, place)
    struct.pack_into("<I", content, place, directory + 10)
    path.write_bytes(content)


def nameless(path: Path) -> None:
    """Write a .zip whose member has no name."""
    zip_of(path, "a")
    content = bytearray(path.read_bytes())
    # The name is one of the letters that follow, now.
    for signature, place in ((b"PK\x03\x04", 26), (b"PK\x01\x02", 28)):
        struct.pack_into("<H", content, content.index(signature) + place, 0)
    path.write_bytes(content)


def sparse(path: Path) -> None:
    tar_of(path, of_type("holes", tarfile.GNUTYPE_SPARSE))


def cut(path: Path) -> None:
    """Write a .tar.gz that ends in the middle."""
    tar_of(path, "a", "b")
    path.write_bytes(path.read_bytes()[:-40])


def damaged_header(path: Path) -> None:
    """Write a .tar whose second header is damaged: tarfile would take it for the end."""
    with tarfile.open(path, "w") as tar:
        for name in ("a", "b"):
            tar.addfile(tarfile.TarInfo(name))
    content = bytearray(path.read_bytes())
    content[512 + 148] ^= 7
    path.write_bytes(content)


def link_then_file(path: Path) -> None:
    """Write a link to a folder outside, then a file through it."""
    tar_of(path, of_type("link", tarfile.SYMTYPE, "../.."), "link/evil")


TRIES: dict[str, Callable[[Path], None]] = {
    "tar: absolute path": lambda path: tar_of(path, str(path.parent / "evil")),
    "tar: path upwards": lambda path: tar_of(path, "../evil"),
    "tar: path upwards from below": lambda path: tar_of(path, "a/../../../evil"),
    "tar: letter of a drive": lambda path: tar_of(path, "C:/evil"),
    "tar: backslashes": lambda path: tar_of(path, "..\\evil"),
    "tar: symbolic link": lambda path: tar_of(path, of_type("a", tarfile.SYMTYPE, "/etc/passwd")),
    "tar: file through a link": link_then_file,
    "tar: hard link": lambda path: tar_of(path, of_type("a", tarfile.LNKTYPE, "/etc/passwd")),
    "tar: character device": lambda path: tar_of(path, of_type("a", tarfile.CHRTYPE)),
    "tar: block device": lambda path: tar_of(path, of_type("a", tarfile.BLKTYPE)),
    "tar: pipe": lambda path: tar_of(path, of_type("a", tarfile.FIFOTYPE)),
    "tar: sparse file": sparse,
    "tar: unknown kind": lambda path: tar_of(path, of_type("a", b"Z")),
    "tar: zero byte in a name": lambda path: edited(
        path, lambda p: tar_uncompressed(p, "ä@"), "ä@\n".encode(), "ä\0\n".encode()
    ),
    "tar: escape sequence in a name": lambda path: tar_of(path, "a\x1b[2J"),
    "tar: line break in a name": lambda path: tar_of(path, "a\nb"),
    "tar: text turned around": lambda path: tar_of(path, "a\u202egz.iin"),
    "tar: same name twice": lambda path: tar_of(path, "a", "a"),
    "tar: same name in upper case": lambda path: tar_of(path, "a/b", "A/c"),
    "tar: same name in other characters": lambda path: tar_of(path, "\u00e4", "a\u0308"),
    "tar: file as a folder": lambda path: tar_of(path, "a", "a/b"),
    "tar: name longer than a disk takes": lambda path: tar_of(path, "a" * 256),
    "tar: path longer than a disk takes": lambda path: tar_of(path, "a/" * 500 + "a"),
    "tar: negative size": negative_size,
    "tar: header larger than the memory": large_header,
    "tar: too many members": lambda path: many(
        path, [f"{i}" for i in range(archives.MAX_MEMBERS + 1)]
    ),
    "tar: too many folders that no member names": lambda path: many(
        path, [f"{i}/" + "a/" * 40 for i in range(archives.MAX_MEMBERS // 40 + 1)]
    ),
    "tar: bomb": lambda path: zeros(path, archives.SMALL + 1),
    "tar: cut": cut,
    "tar: damaged header": damaged_header,
    "zip: absolute path": lambda path: zip_of(path, str(path.parent / "evil")),
    "zip: path upwards": lambda path: zip_of(path, "../evil"),
    "zip: letter of a drive": lambda path: zip_of(path, "C:/evil"),
    "zip: backslashes": lambda path: zip_of(path, "..\\evil"),
    "zip: symbolic link": lambda path: zip_of(path, with_mode("a", stat.S_IFLNK | 0o777)),
    "zip: device": lambda path: zip_of(path, with_mode("a", stat.S_IFBLK | 0o777)),
    "zip: pipe": lambda path: zip_of(path, with_mode("a", stat.S_IFIFO | 0o777)),
    "zip: zero byte in a name": lambda path: edited(
        path, lambda p: zip_of(p, "abc@d"), b"abc@d", b"abc\0d"
    ),
    "zip: same name twice": lambda path: edited(
        path, lambda p: zip_of(p, "a1", "a2"), b"a2", b"a1"
    ),
    "zip: encrypted": encrypted,
    "zip: packed by bzip2": lambda path: zip_of(path, "a", method=zipfile.ZIP_BZIP2),
    "zip: smaller than stated": stating(1_000_000),
    "zip: larger than stated": stating(3),
    "zip: nothing stated": stating(0),
    "zip: directory larger than the memory": crowded_directory,
    "zip: member before the beginning": early_member,
    "zip: no name": nameless,
    "zip: bomb": lambda path: zeros_in_zip(path, archives.SMALL + 1),
    "a web page": lambda path: path.write_text("<!DOCTYPE html><title>Sign in</title>"),
    "an empty file": lambda path: path.write_bytes(b""),
}
"""What writes an archive that must be refused, by what it tries."""


def tar_uncompressed(path: Path, name: str) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(name))
