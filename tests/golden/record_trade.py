"""Record trained models of nnU-Net's, and what it predicts with them, as tests/golden/trade/*.

Run it in an environment with nnunetv2 2.8.1: `python tests/golden/record_trade.py`. The networks
are tiny and trained for seconds: they say little about the images, but both programs must read the
same out of them.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

GOLDEN = Path(__file__).parent / "trade"
sys.path.insert(0, str(GOLDEN.parents[1]))
CASES, GRID, SPACING = 5, (24, 22, 6), (1.0, 1.0, 3.0)
SETTINGS = {"num_epochs": 2, "num_iterations_per_epoch": 15, "num_val_iterations_per_epoch": 2}
SMALL = {"batch_size": 6, "features_per_stage": [4, 6, 8, 8]}
MODELS = {
    # a configuration that inherits, a trainer that mirrors along one axis only
    "plain": {
        "channels": ["MRI"],
        "labels": {"background": 0, "shell": 1, "core": 2},
        "train": {"configuration": "2d_small", "trainer": "nnUNetTrainer_onlyMirror01"},
    },
    # regions, two channels, a residual encoder, images that are turned to RAS+
    "regions": {
        "channels": ["T2", "ADC"],
        "labels": {"background": 0, "whole": [1, 2], "core": 2},
        "regions_class_order": [1, 2],
        "overwrite_image_reader_writer": "NibabelIOWithReorient",
        "train": {"planner": "nnUNetPlannerResEncM", "plans_name": "nnUNetResEncUNetMPlans"},
    },
}


def scan(seed: int, channels: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return images (i, j, k) of an ellipsoid with a core, one for each channel, and the label."""
    random = np.random.RandomState(seed)
    centre = np.array(GRID) / 2 + random.uniform(-2, 2, 3)
    radius = np.array(GRID) * random.uniform(0.25, 0.4, 3)
    distance = np.sqrt(
        sum(
            ((axis - middle) / length) ** 2
            for axis, middle, length in zip(np.indices(GRID), centre, radius, strict=True)
        )
    )
    label = ((distance < 1).astype(np.uint8) + (distance < 0.5)).astype(np.uint8)
    contrast = np.array([100, 150, 220])
    images = [
        (contrast[label] * (channel + 1) + random.normal(0, 15, GRID)).clip(1).astype(np.int16)
        for channel in range(channels)
    ]
    return images, label


def write(folder: Path, model: dict) -> None:
    """Write the raw dataset of a model, stored left to right, posterior and downwards."""
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1])
    for case in range(CASES):
        images, label = scan(case, len(model["channels"]))
        for channel, image in enumerate(images):
            path = folder / "imagesTr" / f"case_{case}_{channel:04d}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(image, affine), path)
        path = folder / "labelsTr" / f"case_{case}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(label, affine), path)
    content = {key: value for key, value in model.items() if key not in ("channels", "train")}
    content |= {
        "channel_names": {str(i): name for i, name in enumerate(model["channels"])},
        "numTraining": CASES,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(content, indent=4))


def record(name: str) -> None:
    """Record one model: its folder, the images of the first case and nnU-Net's prediction."""
    from parity import oracle_trade

    dataset, golden, model = "Dataset001_Golden", GOLDEN / name, MODELS[name]
    raw = Path(os.environ["nnUNet_raw"], dataset)
    write(raw, model)
    oracle_trade.train(dataset, 0, changes=dict(SMALL), settings=SETTINGS, **model["train"])
    (trained,) = Path(os.environ["nnUNet_results"], dataset).iterdir()
    shutil.rmtree(golden, ignore_errors=True)
    for kept in ("dataset.json", "plans.json", "fold_0/checkpoint_final.pth"):
        target = golden / trained.name / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(trained / kept, target)
    (golden / "images").mkdir()
    for image in sorted((raw / "imagesTr").glob("case_0_*")):
        shutil.copy(image, golden / "images")
    predictions = Path(os.environ["nnUNet_results"], "predictions")
    oracle_trade.predict(str(trained), str(golden / "images"), [0], str(predictions))
    shutil.copy(predictions / "case_0.nii.gz", golden / "prediction.nii.gz")
    found = np.unique(nib.load(golden / "prediction.nii.gz").dataobj, return_counts=True)
    print(f"{name}: labels {found[0].tolist()}, voxels {found[1].tolist()}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MODELS:
        with tempfile.TemporaryDirectory() as root:
            for folder in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
                os.environ[folder] = f"{root}/{folder}"
                Path(root, folder).mkdir()
            record(chosen)
