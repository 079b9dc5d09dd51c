"""One NIfTI file as it lies on the disk: its header and its voxels, whole or refused.

nibabel explains the header, but the bytes are read here. It stops where the voxels end, so that a
wrong checksum goes unseen; it trusts a header that claims more voxels than there are; and it mends
impossible spacings without a word.
"""

from __future__ import annotations

import logging
import math
import mmap
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from slicewise.problems import error

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np

GZIP = b"\x1f\x8b"
"""How a gzip file begins, and each further member of it."""

MOST_EXPANSION = 1032
"""Bytes that a byte of gzip becomes at most: deflate writes 258 of them in two bits."""

HEADER_BYTES = 540
"""Bytes of the longer header, that of NIfTI-2; NIfTI-1 has 348 and more bytes behind them."""

PIECE = 2**16
"""Bytes that are read at once."""

SCALED_AT_ONCE = 2**16
"""Voxels that are scaled at once, in double precision."""

COPY_ANEW = "copy it anew from where it came from"

_quiet = logging.Logger("nibabel's remarks on headers", logging.CRITICAL)


@dataclass(frozen=True)
class NiftiFile:
    """One file.

    header: as nibabel mends it; pixdim: spacing in mm (i, j, k) as the file has it; stored: voxels
    (i, j, k) or (i, j, k, volume) before they are scaled, None where only the header was read.
    """

    path: Path
    header: nib.Nifti1Header
    pixdim: tuple[float, ...]
    stored: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the size of each axis of the file: three, or four with volumes."""
        return self.header.get_data_shape()

    @cached_property
    def affine(self) -> np.ndarray:
        """Return the affine (4, 4) that nibabel would choose, nan where the header allows none."""
        import numpy as np

        try:
            return self.header.get_best_affine()
        except Exception:  # of many kinds, for quaternions of many kinds
            return np.full((4, 4), np.nan)

    @cached_property
    def orientation(self) -> str:
        """Return the letters of the three axes, for example RAS, a ? for one that leads nowhere."""
        import nibabel as nib

        return "".join(letter or "?" for letter in nib.aff2axcodes(self.affine))

    @property
    def zooms(self) -> tuple[float, ...]:
        """Return the spacing in mm (i, j, k)."""
        return self.header.get_zooms()[:3]

    def values(self, volume: int | None = None) -> np.ndarray:
        """Return the scaled voxels (i, j, k) of the file, or of one volume of it.

        Whole numbers that nothing scales are a view of what is stored, not to be written to. Others
        become float32, those that are too large infinite.
        """
        import numpy as np
        from nibabel.volumeutils import apply_read_scaling

        stored = self.stored if volume is None else self.stored[..., volume]
        slope, inter = self.header.get_slope_inter()
        scaled = slope is not None and (slope, inter) != (1, 0)  # None for 0, and nan by custom
        if not scaled and stored.dtype.kind != "f":
            return stored
        voxels = np.empty(stored.shape, np.float32, order="F")
        *plane, depth = stored.shape
        step = math.ceil(SCALED_AT_ONCE / math.prod(plane))
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at later
            for start in range(0, depth, step):
                part = stored[..., start : start + step]
                if scaled:
                    part = apply_read_scaling(part, np.float64(slope), np.float64(inter))
                voxels[..., start : start + step] = part
        return voxels


def open_nifti(case: str, path: Path, *, header_only: bool = False) -> NiftiFile:
    """Read a file to its end, or only its header.

    At most MOST_EXPANSION times its size is held in memory. Raises BadInput naming case and file
    for anything but a whole NIfTI file of real numbers with the right ending.
    """
    bad = partial(error, case, path)
    try:
        size = _size(path, bad)
        with path.open("rb") as file:
            zipped = file.read(len(GZIP)) == GZIP
            file.seek(0)
            _check_ending(path, zipped, bad)
            return (_read_zipped if zipped else _read_plain)(path, file, size, header_only, bad)
    except OSError as problem:
        raise bad(
            f"a file that cannot be read ({problem.strerror})",
            "one that can",
            "look at its permissions and at its disk",
        ) from None
    except EOFError:
        raise bad("a gzip file that is cut off", "a whole one", COPY_ANEW) from None
    except zlib.error as problem:
        found = "a gzip file whose content does not match its checksum"
        if "check" not in str(problem):
            found = f"a damaged gzip file ({problem})"
        raise bad(found, "a whole one", COPY_ANEW) from None


def _size(path: Path, bad: partial) -> int:
    """Return how many bytes a file has; refuse what is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        found = "a link to nothing" if path.is_symlink() else "no such file"
        raise bad(found, "a NIfTI file", "add it, or take the case out") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device"
        raise bad(kind, "a NIfTI file", "put the file itself in its place")
    if status.st_size == 0:
        raise bad("a file of 0 bytes", "a NIfTI file", COPY_ANEW)
    return status.st_size


def _check_ending(path: Path, zipped: bool, bad: partial) -> None:
    """Refuse a file whose name says gzip and that is none, or the other way round."""
    if zipped and path.suffix != ".gz":
        raise bad("a gzip file", "none by its name", "unpack it, or add .gz to its name")
    if not zipped and path.suffix == ".gz":
        found = "a file that is not gzipped"
        raise bad(
            found, "a gzip file by its name", "gzip it if it is a NIfTI file, or copy it anew"
        )


def _read_zipped(
    path: Path, file: BinaryIO, size: int, header_only: bool, bad: partial
) -> NiftiFile:
    """Read a gzip file; beyond the voxels only for its checksum."""
    pieces, content = _unzipped(file), bytearray()
    for piece in pieces:
        content += piece
        if len(content) >= HEADER_BYTES:
            break
    header, pixdim = _parse(bytes(content[:HEADER_BYTES]), bad)
    if header_only:
        return NiftiFile(path, header, pixdim, None)
    wanted = _check_claim(header, size, MOST_EXPANSION, bad)
    del content[wanted:]
    for piece in pieces:
        content += piece[: wanted - len(content)]
    return NiftiFile(path, header, pixdim, _stored(header, content, bad))


def _read_plain(
    path: Path, file: BinaryIO, size: int, header_only: bool, bad: partial
) -> NiftiFile:
    """Map a file that is not gzipped into memory."""
    header, pixdim = _parse(file.read(HEADER_BYTES), bad)
    if header_only:
        return NiftiFile(path, header, pixdim, None)
    _check_claim(header, size, 1, bad)
    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return NiftiFile(path, header, pixdim, _stored(header, content, bad))


def _unzipped(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a gzip file holds, piece by piece, all of its members one after the other.

    zlib compares their checksums. What follows the last member is passed over, as gzip does.
    Raises EOFError for a file that is cut off, zlib.error for one that is damaged.
    """
    unzip = zlib.decompressobj(wbits=31)
    while packed := file.read(PIECE):
        while packed:
            if unzip.eof:
                if packed[:1] != GZIP[:1]:
                    return
                unzip = zlib.decompressobj(wbits=31)
            yield unzip.decompress(packed, 16 * PIECE)
            packed = unzip.unused_data or unzip.unconsumed_tail
    if not unzip.eof:
        raise EOFError


def _parse(block: bytes, bad: partial) -> tuple[nib.Nifti1Header, tuple[float, ...]]:
    """Return the header that a file begins with, mended by nibabel, and its spacing before that."""
    import nibabel as nib

    for kind in (nib.Nifti1Header, nib.Nifti2Header):
        length = kind.template_dtype.itemsize
        if len(block) < length or not kind.may_contain_header(block):
            continue
        try:
            header = kind(block[:length], check=False)
            pixdim = tuple(float(value) for value in header["pixdim"][1:4])
            header.check_fix(logger=_quiet, error_level=40)
            if header["magic"] not in (b"n+1", b"n+2"):
                raise ValueError("its voxels are in another file")
            header["vox_offset"] = _voxel_offset(header)
            header.get_slope_inter()
            shape, type_of_voxels = header.get_data_shape(), header.get_data_dtype()
        except Exception as problem:  # nibabel's are of many kinds, all of them the file's fault
            raise bad(
                f"a damaged NIfTI header ({problem})", "a valid one", "write the file anew"
            ) from None
        if min(shape, default=0) < 1:
            raise bad(f"a size of {shape} voxels", "one or more along each axis", COPY_ANEW)
        if type_of_voxels.kind not in "iuf":
            name = header.get_value_label("datatype")
            mend = "store each channel of the image as a file of its own"
            raise bad(f"voxels of the type {name}", "one real number in each", mend)
        return header, pixdim
    raise bad("no NIfTI header", "a NIfTI file, .nii or .nii.gz", "convert it, or copy it anew")


def _voxel_offset(header: nib.Nifti1Header) -> int:
    """Return where the voxels begin: behind the header and four bytes if it does not say so."""
    offset = int(header["vox_offset"])
    if offset < 0:
        raise ValueError(f"voxels from byte {offset} on")
    return offset or header.single_vox_offset


def _check_claim(header: nib.Nifti1Header, size: int, expansion: int, bad: partial) -> int:
    """Return how many bytes a header claims; refuse it if the file cannot hold as many."""
    shape = header.get_data_shape()
    wanted = int(header["vox_offset"]) + math.prod(shape) * header.get_data_dtype().itemsize
    if wanted > size * expansion:
        raise bad(
            f"a header of {shape} voxels, which take {wanted:,} bytes, in a file of {size:,}",
            "a file that holds them all",
            COPY_ANEW,
        )
    return wanted


def _stored(header: nib.Nifti1Header, content: bytearray | mmap.mmap, bad: partial) -> np.ndarray:
    """Return the voxels in the content of a file, as its header says that they lie there."""
    import numpy as np

    kind, shape, offset = header.get_data_dtype(), header.get_data_shape(), header["vox_offset"]
    try:
        return np.ndarray(shape, kind, content, int(offset), order="F")
    except TypeError:  # too few bytes
        held = max(len(content) - int(offset), 0) // kind.itemsize
        found, expected = f"{held:,} voxels", f"those of its header, {shape}"
        raise bad(found, expected, COPY_ANEW) from None
