"""Make the slices of a group of scans thicker: as a scanner with such slices would have seen them.

Images are float32. Means of whole numbers are none, and rounded ones would have noise again that
the average over several slices has just lost.
"""

from pathlib import Path

import nibabel as nib
import numpy as np

from slicewise import geometry, thickening
from slicewise.dataset import Case, open_dataset
from slicewise.files import write_json, write_nifti
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.nifti import NiftiFile, open_nifti
from slicewise.predictions import header_for
from slicewise.records import read_orientation
from slicewise.volumes import read_images, read_stored_label


def thick_file(voxels: np.ndarray, thin: NiftiFile, factor: int, axis: int) -> nib.Nifti1Image:
    """Return the voxels (i, j, k) of thick slices as a file in the place of the thin ones.

    thin: their file, whose header it has. A header without any affine stays one: its origin is the
    middle of the voxels, and thick slices have the same.
    """
    header = header_for(voxels, thin)
    for form in ("qform", "sform"):
        affine, code = getattr(header, f"get_{form}")(coded=True)
        if code:
            affine, _ = thickening.thick_grid(affine, thin.shape[:3], factor, axis)
            getattr(header, f"set_{form}")(affine, code)
    header.set_data_shape(voxels.shape)
    header.set_zooms([zoom * (factor if i == axis else 1) for i, zoom in enumerate(thin.zooms)])
    return nib.Nifti1Image(voxels, header.get_best_affine(), header)


def thicken_case(
    case: Case, labels: Labels, reorient: bool, axis: str | int, factor: int, profile: str
) -> tuple[list[nib.Nifti1Image], nib.Nifti1Image]:
    """Return the channels and the label of a case with slices along `axis` so many times as thick.

    axis: as planning.slice_axis counts it; reorient: whether the dataset's scans are turned.
    """
    volume = read_images(case, reorient=False)
    along = geometry.sliced_axis(axis, volume.spacing, volume.orientation, reorient)
    weights = thickening.profile_weights(volume.shape[along], factor, profile)
    image, label = (
        open_nifti(case.name, path, header_only=True) for path in (case.images[0].path, case.label)
    )
    channels = [
        thick_file(thickening.average(channel.transpose(), weights, along), image, factor, along)
        for channel in volume.image
    ]
    truth = read_stored_label(case, labels, volume)
    truth = thickening.thicken_label(truth, labels, weights, along)
    return channels, thick_file(truth, label, factor, along)


def main(*, dataset_json, orientation, cases, axis, factor, profile, raw, made):
    """Write thick scans into a raw dataset (folder) of nnU-Net's layout; `made`, last, lists them.

    dataset_json and orientation: those of the dataset that has the thin slices.
    """
    dataset, raw = open_dataset(dataset_json), Path(raw)
    reorient = read_orientation(orientation)["reorient"]
    for name in cases:
        images, label = thicken_case(
            dataset.case(name), dataset.labels, reorient, axis, factor, profile
        )
        for channel, image in enumerate(images):
            write_nifti(raw / "imagesTr" / f"{name}_{channel:04d}.nii.gz", image)
        write_nifti(raw / "labelsTr" / f"{name}.nii.gz", label)
    logger.info("%d scans, slices %d times as thick", len(cases), factor)
    write_json(made, cases)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
