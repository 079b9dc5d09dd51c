"""Our half of patches.py: the batches that train_fold trains on.

Takes the folders of raw files, results and arrays, crop or augmented, batch size and seconds.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import torch

import train_fold
from benchmarks.drawing_patches import draw
from benchmarks.programs import OURS
from benchmarks.serving import claim_output
from defaults import training_settings
from slicewise.batches import Batches
from slicewise.dataset import open_dataset
from slicewise.device import keep_freed_memory
from slicewise.files import read_json
from slicewise.plans import read_plan
from slicewise.slices import open_cases


def training_batches(raw: Path, results: Path, arrays: Path, settings: dict) -> Batches:
    """Return the training batches of fold 0 with the defaults of a config and some settings."""
    dataset, plan = open_dataset(raw / "dataset.json"), read_plan(results / OURS / "plans.json")
    split = read_json(results / "splits_final.json")[0]
    cases = {purpose: open_cases(arrays, split[purpose]) for purpose in ("train", "val")}
    settings = training_settings(**settings)
    return train_fold.make_batches(plan, cases, dataset.labels, settings, 0, 0)["train"]


def main(raw: str, results: str, arrays: str, kind: str, batch_size: str, seconds: str) -> None:
    """Serve batches."""
    tell = claim_output()
    torch.set_num_threads(1)
    keep_freed_memory()
    augmentation = {"crop": "none", "augmented": "default"}[kind]
    settings = {"augmentation": augmentation, "batch_size": int(batch_size)}
    made = training_batches(*map(Path, (raw, results, arrays)), settings)
    indices = itertools.count()

    def batch() -> tuple[np.ndarray, np.ndarray]:
        image, label = made.batch(next(indices))
        return image.numpy(), label.numpy()

    draw(tell, batch, float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
