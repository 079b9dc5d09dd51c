"""What is predicted and how it is written: segmentations and probabilities on each input's grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from slicewise.dataset import Case, Dataset
from slicewise.files import open_array, write_nifti, write_npy
from slicewise.nifti import NiftiFile, open_nifti
from slicewise.records import read_fold


def held_out_cases(dataset: Dataset, splits: str | Path, fold: int | str) -> list[Case]:
    """Return the validation cases of a fold."""
    return [dataset.case(name) for name in read_fold(splits, int(fold), "val")["val"]]


def write_segmentation(folder: str | Path, case: Case, segmentation: np.ndarray) -> None:
    """Write CASE.nii.gz: a segmentation (i, j, k) with affine and header of the case's image.

    Extensions of the header stay behind: they are about the scan, and nobody looked at them.
    """
    original = open_nifti(case.name, case.images[0].path, header_only=True)
    header = header_for(segmentation, original)
    image = nib.Nifti1Image(segmentation, original.affine, header)
    write_nifti(Path(folder) / f"{case.name}.nii.gz", image)


def header_for(voxels: np.ndarray, original: NiftiFile) -> nib.Nifti1Header:
    """Return the header of a file for other voxels in the same place, not scaled."""
    header = original.header.copy()
    header.set_data_offset(0)  # the writer knows where voxels go
    header.set_data_dtype(voxels.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0
    return header


def write_probabilities(folder: str | Path, case: Case, probabilities: np.ndarray) -> None:
    """Write CASE.npy: float32 (output, i, j, k), each output as CASE.nii.gz is stored.

    Outputs are the background and the classes, or the regions, in the order of dataset.json.
    """
    write_npy(Path(folder) / f"{case.name}.npy", probabilities)


def mean_probabilities(
    folders: Sequence[str | Path], case: Case, shape: tuple[int, ...]
) -> np.ndarray:
    """Return the mean of a case's probabilities over several folders: float32 of `shape`.

    One of them at a time is read, through a memory map (nnU-Net: average_probabilities). A
    ValueError names a file that is missing or of another shape.
    """
    total = np.zeros(shape, np.float32)
    for folder in folders:
        path = Path(folder) / f"{case.name}.npy"
        if not path.is_file():
            raise ValueError(
                f"case {case.name}: found no probabilities, expected {path}; the members of an "
                "ensemble predict the same images: set inference.images for all of them at once"
            )
        member = open_array(case.name, path, "predict it again")
        if member.shape != shape:
            raise ValueError(
                f"case {case.name}: {path} has shape {member.shape}, expected {shape}, one volume "
                "of the image's shape for each output; predict it again"
            )
        total += member
    total /= len(folders)
    return total
