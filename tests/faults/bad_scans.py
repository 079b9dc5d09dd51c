"""Every known way to break a scan: each is named in the table of problems, and nothing else is.

A defect breaks one case of a dataset that is whole otherwise. An error has to stop the run, a
warning must not, no traceback may be seen, and the same command goes on once the case is mended.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

from faults.figures import Figure
from scans import write_dataset
from slicewise.problems import ERROR, WARNING, Problem, errors_of, read_tables

ROOT = Path(__file__).resolve().parents[2]
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


@dataclass(frozen=True)
class Defect:
    """A way to break a scan, how severe that is, and a pattern for what has to be said of it."""

    name: str
    severity: str
    words: str
    spoil: Callable[[Scan], None]

    def named_in(self, problems: Sequence[Problem], case: str) -> bool:
        """Say whether problems name it, with its case, its file, what is wrong and the remedy."""
        of_case = [problem for problem in problems if problem.case == case]
        return bool(of_case) and any(
            problem.severity == self.severity
            and re.search(self.words, problem.found)
            and case in Path(problem.file).name
            and problem.expected
            and problem.mend
            for problem in of_case
        )

    def judged_rightly(self, problems: Sequence[Problem], case: str) -> bool:
        """Say whether it is named as what it is, and no warning made to stop the run."""
        stopped = any(problem.case == case for problem in errors_of(problems))
        return self.named_in(problems, case) and stopped == (self.severity == ERROR)


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


FILES = (
    Defect("half an image", ERROR, "cut off", image(cut, 0.5)),
    Defect("half a label", ERROR, "cut off", label(cut, 0.5)),
    Defect("an image without its last bytes", ERROR, "cut off", image(cut, less=6)),
    Defect("ten bytes", ERROR, "cut off", image(cut, 0, less=-10)),
    Defect("a wrong checksum", ERROR, "checksum", image(flip, -6)),
    Defect("a wrong length", ERROR, "checksum", image(flip, -2)),
    Defect("a damaged image", ERROR, "damaged gzip|checksum", image(flip, 300)),
    Defect("an image of 0 bytes", ERROR, "0 bytes", image(Path.write_bytes, b"")),
    Defect("text as an image", ERROR, "not gzipped", image(Path.write_text, "no scan")),
    Defect(
        "gzipped text", ERROR, "no NIfTI", image(Path.write_bytes, gzip.compress(b"no scan" * 99))
    ),
    Defect("an image that is not gzipped", ERROR, "not gzipped", image(unpack)),
    Defect("a folder as an image", ERROR, "a folder", image(folder_instead)),
    Defect("a folder as a label", ERROR, "a folder", label(folder_instead)),
    Defect("a link to nothing", ERROR, "a link to nothing", label(link_to_nothing)),
    Defect("no label", ERROR, "no such file", label(Path.unlink)),
    Defect("no first channel", ERROR, "no such file", image(Path.unlink)),
    Defect("no second channel", ERROR, "no such file", second(Path.unlink)),
    Defect("no images", WARNING, "a label without an image", remove_images),
    Defect(
        "a third channel",
        WARNING,
        "no channel",
        lambda scan: shutil.copy(scan.image, str(scan.image).replace("_0000", "_0002")),
    ),
    Defect("the scan of another case", WARNING, "the voxels of case case_00", as_another),
)

HEADERS = (
    Defect(
        "more voxels than a file can hold",
        ERROR,
        "which take",
        image(set_header, DIM, _1=30000, _2=30000, _3=30000),
    ),
    Defect("more voxels than there are", ERROR, "432 voxels", image(set_header, DIM, _3=7)),
    Defect("no voxels", ERROR, r"a size of \(8, 9, 0\)", image(set_header, DIM, _3=0)),
    Defect("a negative size", ERROR, "a size of", image(set_header, DIM, _3=-6)),
    Defect("an unknown type", ERROR, "damaged NIfTI header", image(set_header, (70, "<h"), _0=77)),
    Defect(
        "voxels that begin in the header",
        ERROR,
        "damaged NIfTI header",
        image(set_header, VOX_OFFSET, _0=100),
    ),
    Defect(
        "voxels that begin nowhere",
        ERROR,
        "damaged NIfTI header",
        image(set_header, VOX_OFFSET, _0=np.nan),
    ),
    Defect("no magic number", ERROR, "no NIfTI header", image(set_header, (344, "<i"), _0=0)),
    Defect("a slope of nan", WARNING, "scl_slope nan", image(set_header, SLOPE, _0=np.nan)),
    Defect(
        "an intercept of nan",
        ERROR,
        "damaged NIfTI header",
        image(set_header, INTERCEPT, _0=np.nan),
    ),
    *(
        Defect(f"a spacing of {mm}", ERROR, "a spacing of", image(set_header, PIXDIM, _3=mm))
        for mm in (0, -3.5, np.nan, np.inf, 1e-4, 1e6)
    ),
    Defect(
        "a spacing that the affine contradicts",
        WARNING,
        "in the affine",
        lambda scan: set_headers(scan, PIXDIM, _3=7),
    ),
    Defect(
        "a label of another spacing",
        ERROR,
        "a spacing of",
        label(set_header, PIXDIM, _3=3.6),
    ),
    Defect("a singular affine", ERROR, "the affine", image(set_header, SROW, _10=0)),
    Defect("an affine of nan", ERROR, "the affine", image(set_header, SROW, _3=np.nan)),
    Defect("no affine", WARNING, "neither sform_code nor qform_code", without_codes),
    Defect("a sheared affine", WARNING, "right angles", every(shear)),
)

GRIDS = (
    Defect(
        "a label of another shape",
        ERROR,
        r"shape \(8, 9, 5\)",
        label(rewrite, lambda voxels: voxels[..., :5]),
    ),
    Defect(
        "a channel of another shape",
        ERROR,
        r"shape \(8, 7, 6\)",
        second(rewrite, lambda voxels: voxels[:, :7]),
    ),
    Defect(
        "a label elsewhere", ERROR, "affine", lambda scan: set_affine(scan, [scan.label], shift)
    ),
    Defect(
        "a channel elsewhere",
        ERROR,
        "affine",
        lambda scan: set_affine(scan, scan.images[1:], shift),
    ),
    Defect(
        "a label of another orientation",
        ERROR,
        "LAS",
        lambda scan: set_affine(scan, [scan.label], mirror),
    ),
    Defect(
        "a label that drifts away",
        WARNING,
        "differs by up to",
        lambda scan: set_affine(scan, [scan.label], drift),
    ),
    Defect("a 2D image", ERROR, "2 dimensions", image(rewrite, lambda voxels: voxels[..., 0])),
    Defect("a 2D label", ERROR, "2 dimensions", label(rewrite, lambda voxels: voxels[..., 0])),
    Defect(
        "a 4D image",
        ERROR,
        "4 dimensions",
        image(rewrite, lambda voxels: np.stack([voxels] * 2, axis=-1)),
    ),
    Defect(
        "a 4D image of one volume",
        ERROR,
        "4 dimensions",
        image(rewrite, lambda voxels: voxels[..., None]),
    ),
    Defect("one slice", WARNING, "one slice", one_slice),
)

VOXELS = (
    Defect("nan in an image", ERROR, "2 voxels that are nan", image(set_voxels, np.nan)),
    Defect("infinity in an image", ERROR, "2 voxels that are nan", second(set_voxels, -np.inf)),
    Defect("1e300 in an image", ERROR, "2 voxels that are nan", image(set_voxels, 1e300)),
    Defect("nan in a label", ERROR, "2 voxels that are nan", label(set_voxels, np.nan)),
    Defect("infinity in a label", ERROR, "2 voxels that are nan", label(set_voxels, np.inf)),
    Defect("a constant image", WARNING, "7 in all voxels", image(fill, 7)),
    Defect("an image of zeros", WARNING, "zeros in all voxels", second(fill, 0)),
    Defect("an empty label", WARNING, "nothing but background", label(fill, 0)),
    Defect("unnamed labels", ERROR, "the values 3$", label(set_voxels, 3, np.uint8)),
    Defect("labels of 0.5", ERROR, r"the values 0\.5$", label(set_voxels, 0.5)),
    Defect("negative labels", ERROR, "the values -1$", label(set_voxels, -1, np.int16)),
    Defect("an RGB image", ERROR, "the type RGB", image(rewrite, rgb)),
    Defect(
        "a complex image",
        ERROR,
        "the type complex64",
        image(rewrite, lambda voxels: voxels.astype(np.complex64)),
    ),
)

DEFECTS = (*FILES, *HEADERS, *GRIDS, *VOXELS)


def write_whole(folder: Path, cases: int) -> Path:
    """Write a dataset without any problem and return its folder."""
    return write_dataset(folder, [SHAPE] * cases, channels=CHANNELS).parent


@dataclass(frozen=True)
class Workplace:
    """A copy of the workflow with a whole dataset and one to be broken."""

    folder: Path
    cases: int

    @property
    def whole(self) -> Path:
        """Return the folder of the dataset that stays whole."""
        return self.folder / "whole"

    @property
    def raw(self) -> Path:
        """Return the folder of the dataset that the config names."""
        return self.folder / "raw"

    def scan(self, number: int) -> Scan:
        """Return one of the cases."""
        return Scan(self.raw, f"case_{number:02d}")

    def prepare(self) -> Workplace:
        """Lay everything out."""
        for name in ("Snakefile", "workflow", "config", "envs"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        write_whole(self.whole, self.cases)
        config = {
            "datasets": {"own": {"raw": str(self.raw)}},
            "experiments": {"coarsest": {}},
            "cross_validation": {"folds": 2, "run": [0]},
        }
        (self.folder / "own.yaml").write_text(yaml.safe_dump(config))
        self.renew()
        return self

    def renew(self) -> None:
        """Make the dataset whole again, and forget all results."""
        for folder in (self.raw, self.folder / "results", self.folder / ".snakemake"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.whole, self.raw)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the workflow to a target; return its exit status and all that is to be seen."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(
            [*command, "--configfile", "own.yaml"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    @property
    def problems(self) -> list[Problem]:
        """Return the problems that the run wrote down."""
        return read_tables([self.folder / "results/own/validation.csv"])

    @property
    def fingerprint(self) -> Path:
        """Return what a run writes that goes on."""
        return self.folder / "results/own/dataset_fingerprint.json"


def fault_of(place: Workplace, defect: Defect) -> str:
    """Run the workflow on a dataset with one defect, then mended; return what went wrong."""
    place.renew()
    scan = place.scan(1)
    defect.spoil(scan)
    status, said = place.run("fingerprint")
    if "Traceback" in said:
        return "a traceback is seen"
    if not defect.judged_rightly(place.problems, scan.name):
        return "not named, or not as what it is"
    if (status != 0) != (defect.severity == ERROR) or place.fingerprint.exists() == (status != 0):
        return f"exit status {status}"
    if status and not re.search(f"found [^\n]*{defect.words.rstrip('$')}", said):
        return "not seen in the terminal"
    scan.mend(place.whole)
    status, said = place.run("fingerprint")
    if status or place.problems or not place.fingerprint.exists():
        return "does not go on once it is mended"
    return ""


def measure(folder: Path) -> list[Figure]:
    """Break a scan in each way, one by one, and count those that ended as promised."""
    place = Workplace(folder, cases=4).prepare()
    faults = {defect.name: fault_of(place, defect) for defect in DEFECTS}
    broken = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    return [
        Figure(
            "a bad scan is named, stops the run or is warned of, and is mended",
            len(faults) - len(broken),
            len(faults),
            "bad scans",
            "; ".join(broken[:3]),
        )
    ]
