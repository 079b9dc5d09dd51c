"""Export a group of cases as .npy, slice by slice on disk, with their slice tables.

The manifest holds a digest of each case, so that what follows reruns when a voxel changes.
"""

import hashlib
from pathlib import Path

from slicewise.dataset import Dataset, open_dataset
from slicewise.files import flush_files, write_json, write_npy
from slicewise.job import logger, run
from slicewise.plans import Preparation, read_preparation
from slicewise.preprocessing import preprocess
from slicewise.records import read_orientation
from slicewise.slices import case_paths, slice_table
from slicewise.volumes import read_images, read_label


def export_case(
    dataset: Dataset, name: str, preparation: Preparation, reorient: bool, arrays: str | Path
) -> dict:
    """Write the image, label and record of one case and return its entry in the manifest."""
    case = dataset.case(name)
    volume = read_images(case, reorient)
    label = read_label(case, dataset.labels, reorient, volume)
    image, label, case_geometry = preprocess(volume, label, preparation, reorient)
    image_path, label_path, record_path = case_paths(arrays, name)
    write_npy(image_path, image, flush=False)
    write_npy(label_path, label, flush=False)
    write_json(
        record_path,
        {
            "case": name,
            "geometry": case_geometry.to_json(),
            "slice_table": slice_table(label, dataset.labels),
        },
        flush=False,
    )
    content = hashlib.sha256(image)
    content.update(label)
    return {
        "shape": list(image.shape),
        "label_type": str(label.dtype),
        "sha256": content.hexdigest(),
    }


def main(*, dataset_json, cases, preprocessing, orientation, arrays, manifest):
    """Export `cases`; the manifest, written last, says that they are all there."""
    dataset = open_dataset(dataset_json)
    preparation = read_preparation(preprocessing)
    reorient = read_orientation(orientation)["reorient"]
    exported = {name: export_case(dataset, name, preparation, reorient, arrays) for name in cases}
    flush_files(path for name in cases for path in case_paths(arrays, name))
    write_json(manifest, exported)
    logger.info("exported %d cases to %s", len(exported), arrays)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
