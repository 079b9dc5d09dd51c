"""Every known way to break a scan, how severe it is, and what has to be said of it."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faults.spoilt_scans import (
    DIM,
    INTERCEPT,
    PIXDIM,
    SLOPE,
    SROW,
    VOX_OFFSET,
    Scan,
    as_another,
    cut,
    drift,
    every,
    fill,
    flip,
    folder_instead,
    image,
    label,
    link_to_nothing,
    mirror,
    one_slice,
    remove_images,
    rewrite,
    rgb,
    second,
    set_affine,
    set_header,
    set_headers,
    set_voxels,
    shear,
    shift,
    unpack,
    without_codes,
)
from slicewise.problems import ERROR, WARNING, Problem, errors_of


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
