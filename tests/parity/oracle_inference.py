"""nnU-Net's half of inference.py: tiles, weights, logits, and segmentations of raw scans.

Takes a folder and names in it: NAME/raw/imagesTr is segmented by a network of NAME/plans.json into
NAME/nnunet, once as released and once with sums in single precision; its weights go to
NAME/weights.npz. Beside them are written tiles.json, gaussian.npz and logits.npz.
"""

import json
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from nnunetv2.inference import predict_from_raw_data

from golden.record_inference import gaussian_arrays, logit_arrays, tile_rows
from parity.oracle_training import open_trainer, weights

CHECKPOINT = "checkpoint_final.pth"
SHARPNESS = 10
"""Factor on the last layer: logits some ten units apart, as those of a trained network are."""


def save_model(folder: Path) -> Path:
    """Write a model folder as a training leaves it, and the network's weights beside it."""
    trainer = open_trainer(folder)
    trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    for name, parameter in trainer.network.named_parameters():
        if "seg_layers" in name:
            parameter.data *= SHARPNESS
    model = Path(trainer.output_folder_base)
    for name in ("plans.json", "dataset.json"):
        (model / name).write_text((folder / name).read_text())
    trainer.save_checkpoint(str(Path(trainer.output_folder) / CHECKPOINT))
    np.savez(folder / "weights.npz", **weights(trainer, "weights"))
    return model


def segment(model: Path, images: Path, target: Path) -> None:
    """Segment a folder of images with a model folder, as nnUNetv2_predict does."""
    target.mkdir(parents=True)
    made = predict_from_raw_data.nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    made.initialize_from_trained_model_folder(str(model), (0,), CHECKPOINT)
    made.predict_from_files_sequential(str(images), str(target))


def main(folder: Path, names: list[str]) -> None:
    """Write all that the module's docstring says."""
    (folder / "tiles.json").write_text(json.dumps(tile_rows()))
    np.savez(folder / "gaussian.npz", **gaussian_arrays())
    np.savez(folder / "logits.npz", **logit_arrays(seed=21))
    single = partial(predict_from_raw_data.compute_gaussian, dtype=torch.float32)
    single.cache_clear = predict_from_raw_data.compute_gaussian.cache_clear
    for name in names:
        images, target = folder / name / "raw" / "imagesTr", folder / name / "nnunet"
        model = save_model(folder / name)
        segment(model, images, target / "released")
        with (
            mock.patch.object(torch, "half", torch.float32),
            mock.patch.object(predict_from_raw_data, "compute_gaussian", single),
        ):
            segment(model, images, target / "single")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
