"""nnU-Net's half of patches.py: its own data loader on its own arrays.

Takes the dataset's name, crop or augmented, batch size and seconds.
"""

import os
import sys

import numpy as np
import torch
from nnunetv2.run.run_training import get_trainer_from_args
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

from benchmarks.drawing_patches import draw
from benchmarks.serving import claim_output


def loader(dataset: str, kind: str, batch_size: int) -> nnUNetDataLoader:
    """Return the loader of training batches that nnU-Net's trainer makes, or one that only cuts."""
    # Batches are made in this process, not in others.
    os.environ["nnUNet_n_proc_DA"] = "0"
    trainer = get_trainer_from_args(dataset, "2d", 0, device=torch.device("cpu"))
    trainer.batch_size = batch_size
    made = trainer.get_dataloaders()[0].data_loader
    if kind == "crop":
        made = nnUNetDataLoader(
            made._data,
            batch_size,
            trainer.configuration_manager.patch_size,
            trainer.configuration_manager.patch_size,
            trainer.label_manager,
            oversample_foreground_percent=trainer.oversample_foreground_percent,
            transforms=None,
        )
    return made


def main(dataset: str, kind: str, batch_size: str, seconds: str) -> None:
    """Serve batches."""
    tell = claim_output()
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = loader(dataset, kind, int(batch_size))

    def batch() -> tuple[np.ndarray, np.ndarray]:
        drawn = next(made)
        target = drawn["target"]
        # with deep supervision there is a label for each resolution, the full one first
        label = target[0] if isinstance(target, list) else target
        return drawn["data"].numpy(), label[:, 0].numpy()

    draw(tell, batch, float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
