"""A case of a dataset, and ways to spoil its scans."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (8, 9, 6)
CHANNELS = ("T1", "T2")

# Where the fields of a NIfTI-1 header lie, and their types.
DIM, PIXDIM, VOX_OFFSET, SLOPE, INTERCEPT, QFORM_CODE, SFORM_CODE, SROW = (
    (40, "<8h"),
    (76, "<8f"),
    (108, "<f"),
    (112, "<f"),
    (116, "<f"),
    (252, "<h"),
    (254, "<h"),
    (280, "<12f"),
)


@dataclass(frozen=True)
class Scan:
    """The files of a case in nnU-Net's layout."""

    folder: Path
    name: str

    @property
    def images(self) -> list[Path]:
        """Return its two channels."""
        channels = range(len(CHANNELS))
        return [self.folder / "imagesTr" / f"{self.name}_{c:04d}.nii.gz" for c in channels]

    @property
    def dataset_json(self) -> Path:
        """Return the description of its dataset."""
        return self.folder / "dataset.json"

    @property
    def image(self) -> Path:
        """Return its first channel."""
        return self.images[0]

    @property
    def label(self) -> Path:
        """Return its label."""
        return self.folder / "labelsTr" / f"{self.name}.nii.gz"

    @property
    def files(self) -> list[Path]:
        """Return all of them."""
        return [*self.images, self.label]

    def mend(self, whole: Path) -> None:
        """Put its files back as they are in a dataset that is `whole`, and count it again.

        They are older than the results, unless they look the same but for their date.
        """
        uncounted = not any(path.exists() for path in self.images)
        for kind, pattern in (("imagesTr", f"{self.name}_*"), ("labelsTr", f"{self.name}.*")):
            found = {path.name: path for path in (self.folder / kind).glob(pattern)}
            sizes = {name: path.is_file() and path.stat().st_size for name, path in found.items()}
            for path in found.values():
                remove(path)
            for path in (whole / kind).glob(pattern):
                alike = sizes.get(path.name) == path.stat().st_size
                (shutil.copy if alike else shutil.copy2)(path, self.folder / kind / path.name)
        if uncounted:
            shutil.copy2(whole / "dataset.json", self.dataset_json)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def cut(path: Path, share: float = 1, less: int = 0) -> None:
    """Keep a share of a file's bytes, but for the last few."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share) - less])


def flip(path: Path, place: int) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def unpack(path: Path) -> None:
    """Leave a file under its name but not gzipped."""
    path.write_bytes(gzip.decompress(path.read_bytes()))


def folder_instead(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()


def link_to_nothing(path: Path) -> None:
    """Put a link that leads nowhere in the place of a file."""
    path.unlink()
    path.symlink_to("nowhere")


def set_header(path: Path, field: tuple[int, str], **changed: float) -> None:
    """Write numbers into a field of a header: `_2=5` makes 5 of the one at index 2."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    place, form = field
    values = list(struct.unpack_from(form, content, place))
    for index, value in changed.items():
        values[int(index[1:])] = value
    struct.pack_into(form, content, place, *values)
    path.write_bytes(gzip.compress(content, mtime=0))


def set_headers(scan: Scan, field: tuple[int, str], **changed: float) -> None:
    """Write the same numbers into the headers of all files of a case."""
    for path in scan.files:
        set_header(path, field, **changed)


def without_codes(scan: Scan) -> None:
    """Take from all files of a case what makes their affines valid."""
    set_headers(scan, QFORM_CODE, _0=0)
    set_headers(scan, SFORM_CODE, _0=0)


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray], affine=None) -> None:
    """Write a file with other voxels or another affine."""
    old = nib.load(path)
    voxels = change(np.asarray(old.dataobj))
    made = nib.Nifti1Image(voxels, old.affine if affine is None else affine(old.affine))
    nib.save(made, path)


def set_voxels(path: Path, value: float, kind=np.float64) -> None:
    """Set two voxels of a file to a value, and its type."""

    def change(voxels: np.ndarray) -> np.ndarray:
        voxels = voxels.astype(kind)
        voxels[0, 0, :2] = value
        return voxels

    rewrite(path, change)


def fill(path: Path, value: float) -> None:
    """Set all voxels of a file to a value."""
    rewrite(path, partial(np.full_like, fill_value=value))


def set_affine(scan: Scan, paths: Sequence[Path], change: Callable) -> None:
    """Change the affine of some files of a case, as `change` does in place."""

    def changed(affine: np.ndarray) -> np.ndarray:
        affine = affine.copy()
        change(affine)
        return affine

    for path in paths:
        rewrite(path, np.asarray, changed)


def shift(affine: np.ndarray) -> None:
    affine[0, 3] += 2


def mirror(affine: np.ndarray) -> None:
    affine[:, 0] *= -1


def shear(affine: np.ndarray) -> None:
    affine[0, 2] += 1


def drift(affine: np.ndarray) -> None:
    affine[1:3, 0] += 0.009
    affine[:3, 3] += 0.009


def rgb(voxels: np.ndarray) -> np.ndarray:
    return np.zeros(voxels.shape, [(channel, "u1") for channel in "RGB"])


def one_slice(scan: Scan) -> None:
    """Keep one slice of each file of a case, one with labels."""
    for path in scan.files:
        rewrite(path, lambda voxels: voxels[:, :, 2:3])


def as_another(scan: Scan) -> None:
    """Give a case the scans of case_00 under its own name."""
    other = Scan(scan.folder, "case_00")
    for mine, theirs in zip(scan.files, other.files, strict=True):
        shutil.copy(theirs, mine)


def remove_images(scan: Scan) -> None:
    """Leave of a case nothing but its label, where dataset.json does not count it either."""
    for path in scan.images:
        path.unlink()
    content = json.loads(scan.dataset_json.read_text())
    content["numTraining"] -= 1
    scan.dataset_json.write_text(json.dumps(content))


def image(change: Callable, *arguments, **options) -> Callable[[Scan], None]:
    """Return what changes the first channel of a scan."""
    return lambda scan: change(scan.image, *arguments, **options)


def label(change: Callable, *arguments, **options) -> Callable[[Scan], None]:
    """Return what changes the label of a scan."""
    return lambda scan: change(scan.label, *arguments, **options)


def second(change: Callable, *arguments, **options) -> Callable[[Scan], None]:
    """Return what changes the second channel of a scan."""
    return lambda scan: change(scan.images[1], *arguments, **options)


def every(change: Callable) -> Callable[[Scan], None]:
    """Return what changes the affine of all files of a scan."""
    return lambda scan: set_affine(scan, scan.files, change)
