"""nnU-Net's half of memory_claim.py: its data loader on its own compressed blocks.

Takes a folder. `write` makes nnU-Net's files of case_000.npy; `read` prints what reading costs.
"""

import json
import sys
from pathlib import Path

import numpy as np
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from benchmarks.reading import BATCH, OVERSAMPLE, PATCH, observe

VOXELS_KEPT = 10_000
"""Of each class, in the properties of a case (nnU-Net: DefaultPreprocessor)."""


def write(folder: Path) -> None:
    """Save a case as nnU-Net's preprocessor does."""
    image = np.load(folder / "case_000.npy").swapaxes(0, 1)
    label = np.load(folder / "case_000_seg.npy")[None]
    blocks, chunks = comp_blosc2_params(image.shape, PATCH, image.itemsize)
    blocks_seg, chunks_seg = comp_blosc2_params(label.shape, PATCH, label.itemsize)
    voxels = np.argwhere(label == 1)
    kept = np.random.RandomState(0).choice(len(voxels), min(len(voxels), VOXELS_KEPT), False)
    properties = {"class_locations": {1: voxels[kept]}}
    target = str(folder / "case_000")
    nnUNetDatasetBlosc2.save_case(
        image, label, properties, target, chunks, blocks, chunks_seg, blocks_seg
    )


def read(folder: Path) -> dict[str, float]:
    """Draw batches as nnU-Net's training does, without augmentation."""
    labels = LabelManager({"background": 0, "structure": 1}, None)
    cases = nnUNetDatasetBlosc2(str(folder))
    loader = nnUNetDataLoader(cases, BATCH, PATCH, PATCH, labels, OVERSAMPLE)
    files = [*folder.glob("*.b2nd"), *folder.glob("*.pkl")]
    return observe(loader.generate_train_batch, BATCH, files, lambda: None)


if __name__ == "__main__":
    task, where = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(read(where)) if task == "read" else write(where) or "{}")
