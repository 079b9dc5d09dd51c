"""NIfTI files made a little wrong, and what is done with a case whose files are read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import nibabel as nib
import numpy as np

import analyze_cases
from faults.mutations import Field, mutated_bytes, mutated_fields
from scans import affine_of, labels_of, volume
from slicewise import geometry
from slicewise.dataset import Case, ImageSource
from slicewise.plans import Preparation
from slicewise.predictions import write_segmentation
from slicewise.preprocessing import preprocess, restore
from slicewise.problems import refuse_errors
from slicewise.slices import slice_table
from slicewise.volumes import Volume, examine, read_header

SHAPE = (6, 7, 5)
RECORDED = Path(__file__).parents[1] / "golden" / "trade" / "plain"

LABELS = labels_of(2)


def _several(start: int, kind: str, count: int, step: int) -> list[Field]:
    return [(start + step * index, kind) for index in range(count)]


NIFTI_1: list[Field] = [(0, "i"), (39, "b"), (68, "h"), (70, "h"), (70, "h"), (72, "h"), (74, "h")]
NIFTI_1 += [(108, "f"), (112, "f"), (116, "f"), (123, "b"), (252, "h"), (254, "h")]
NIFTI_1 += _several(40, "h", 8, 2) + _several(76, "f", 8, 4)
NIFTI_1 += _several(256, "f", 6, 4) + _several(280, "f", 12, 4)
NIFTI_1 += [(344, "4s"), (348, "4s"), (352, "i"), (356, "i")]
"""The fields of a NIfTI-1 header that say how to read the rest; the type of voxels counts twice."""

NIFTI_2: list[Field] = [(0, "i"), (4, "8s"), (12, "h"), (12, "h"), (14, "h"), (168, "q")]
NIFTI_2 += [(176, "d"), (184, "d"), (344, "i"), (348, "i"), (500, "i")]
NIFTI_2 += _several(16, "q", 8, 8) + _several(104, "d", 8, 8)
NIFTI_2 += _several(352, "d", 6, 8) + _several(400, "d", 12, 8)
NIFTI_2 += [(540, "4s"), (544, "i"), (548, "i")]


def _files() -> list[tuple[bytes, bytes]]:
    """Return whole cases to start from, the image and the label of each, not yet compressed."""
    image, label = volume(SHAPE)
    oblique = affine_of("LPS", (0.9, 0.9, 4.0))
    oblique[:3, :3] = nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ oblique[:3, :3]
    cases = []
    for affine, kind in (
        (affine_of("RAS", (1.0, 1.0, 3.5)), np.int16),
        (affine_of("PIL", (1.0, 2.0, 3.0)), np.float32),
        (oblique, np.float64),
        (np.eye(4), np.uint8),
    ):
        pair = [nib.Nifti1Image(voxels.astype(kind), affine) for voxels in (image, label)]
        pair[1].set_data_dtype(np.uint8)
        cases.append([one.to_bytes() for one in pair])
    scaled = nib.Nifti1Image(image, oblique)
    scaled.set_data_dtype(np.int16)
    scaled.header.set_slope_inter(0.5, -3)
    scaled.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a scan"))
    plain = nib.Nifti1Image(label, oblique)
    cases.append([scaled.to_bytes(), plain.to_bytes()])
    for header in (nib.Nifti1Header(endianness=">"), nib.Nifti2Header()):
        make = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
        header.set_data_dtype(np.int16)
        header.set_sform(oblique, 1)
        cases.append([make(v.astype(np.int16), oblique, header).to_bytes() for v in (image, label)])
    return cases


def _foreign() -> list[bytes]:
    """Return files that are like NIfTI: volumes over time, surfaces' data, Analyze, colours."""
    image, label = volume(SHAPE)
    affine = affine_of("RAS", (1.0, 1.0, 3.5))
    over_time = nib.Nifti1Image(np.stack([image, label], axis=-1), affine)
    flat = nib.Nifti1Image(image[..., 0], affine)
    colours = np.zeros(SHAPE, [(channel, np.uint8) for channel in "RGB"])
    axes = nib.cifti2.SeriesAxis(0, 1, 3), nib.cifti2.ScalarAxis(["a", "b"])
    surface = nib.Cifti2Image(np.ones((3, 2), np.float32), nib.cifti2.Cifti2Header.from_axes(axes))
    complex_ = nib.Nifti1Image(image.astype(np.complex64), affine)
    long = nib.Nifti1Image(label.astype(np.int64), affine, dtype=np.int64)
    with_nan = nib.Nifti1Image(np.where(label == 1, np.nan, image), affine)
    several = [over_time, flat, nib.Nifti1Image(colours, affine), complex_, long, with_nan]
    return [*(one.to_bytes() for one in several), surface.to_bytes()]


class Scans:
    """One case after another in a folder, each with an image or a label that was changed."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.cases = _files()
        recorded = [RECORDED / "images" / "case_0_0000.nii.gz", RECORDED / "prediction.nii.gz"]
        self.cases.append([gzip.decompress(path.read_bytes()) for path in recorded])
        self.others = [*_foreign(), *(file for case in self.cases[:6] for file in case)]

    def write(self, rng: Random) -> None:
        """Write the next case: its files, and how they are to be read."""
        files = list(rng.choices(self.cases, [3] * (len(self.cases) - 1) + [1])[0])
        if rng.random() < 0.05:
            files[0] = rng.choice(self.others)
        self.ending = rng.choice((".nii", ".nii.gz"))
        self.reorient = rng.random() < 0.5
        self.volume = rng.choice((None,) * 15 + (0, 1))
        changed = rng.choice(((0,), (0,), (1,), (0, 1)))
        compressed = self.ending == ".nii.gz" and rng.random() < 0.3
        if not compressed:
            state = rng.getstate()
            for which in changed:
                rng.setstate(state)  # so that both files, where both are changed, change alike
                files[which] = self._changed(rng, files[which])
        if self.ending == ".nii.gz" and not (not compressed and rng.random() < 0.03):
            files = [gzip.compress(file, 1, mtime=0) for file in files]
        if compressed:
            for which in changed:
                files[which] = mutated_bytes(rng, files[which], self.others)
        for name, file in zip(("image", "label"), files, strict=True):
            (self.folder / f"{name}{self.ending}").write_bytes(file)

    def _changed(self, rng: Random, file: bytes) -> bytes:
        if rng.random() < 0.25:
            return mutated_bytes(rng, file, self.others)
        second = file[4:8] == b"n+2\0"
        order = "<" if file[0] in (0x5C, 0x1C) else ">"
        changed = mutated_fields(rng, file, NIFTI_2 if second else NIFTI_1, order)
        return mutated_bytes(rng, changed, self.others) if rng.random() < 0.1 else changed

    def read(self) -> None:
        """Read the case as the rules do, and take it through what comes after."""
        image, label = (self.folder / f"{name}{self.ending}" for name in ("image", "label"))
        case = Case("case", (ImageSource(image, self.volume),), label)
        header = read_header(case)
        if not self.reorient:
            result, problems = analyze_cases.examine_and_analyse(case, LABELS, "auto")
            refuse_errors(problems)
            json.dumps(result[0], allow_nan=False)
        images, truth, problems = examine(case, LABELS, self.reorient)
        refuse_errors(problems)
        assert header.shape == images.shape, "a header of another shape than its voxels"
        self._use(case, images, truth)

    def _use(self, case: Case, images: Volume, truth: np.ndarray) -> None:
        """Export the case and write its truth back as a prediction; the voxels must be the same."""
        preparation = _preparation(images)
        _, label, way = preprocess(images, truth, preparation, self.reorient)
        record = {"geometry": way.to_json(), "table": slice_table(label, LABELS)}
        json.dumps(record, allow_nan=False)
        logits = np.stack([label.clip(0) == value for value in LABELS.values]).astype(np.float32)
        segmentation, _ = restore(logits, way, preparation, LABELS)
        write_segmentation(self.folder / "predictions", case, segmentation)
        place = geometry.slice_positions(images.affine, images.shape[0], 0)
        assert np.isfinite(place).all(), "a slice has no place in mm"


def _preparation(images: Volume) -> Preparation:
    """Return a preparation on the grid of the images, so that no grid grows with its spacing."""
    settings = {"order_z": 0, "force_separate_z": None}
    return Preparation(
        transpose_forward=(0, 1, 2),
        transpose_backward=(0, 1, 2),
        spacing=tuple(1.25 * edge for edge in images.spacing[1:]),
        normalization_schemes=("ZScoreNormalization",),
        use_mask_for_norm=(True,),
        intensity_properties={"0": {}},
        resampling_data={"is_seg": False, "order": 3, **settings},
        resampling_label={"is_seg": True, "order": 1, **settings},
        resampling_probabilities={"is_seg": False, "order": 1, **settings},
    )
