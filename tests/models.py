"""The golden models of nnU-Net's, brought in here and sent out again."""

import json
from dataclasses import dataclass
from pathlib import Path

import export_model
import import_model
from slicewise.dataset import open_dataset
from slicewise.files import read_json
from slicewise.user_plans import read_user_plan

TRADE = Path(__file__).parent / "golden" / "trade"


@dataclass(frozen=True)
class GoldenModel:
    """One recorded model: its folder, the images it segments, and what nnU-Net made of them.

    reorient: whether its reader turns images to RAS+; stored: the orientation of the images.
    """

    name: str
    configuration: str
    reorient: bool
    stored: str = "LPS"

    @property
    def folder(self) -> Path:
        return next((TRADE / self.name).glob("*__*__*"))

    @property
    def checkpoint(self) -> Path:
        return self.folder / "fold_0/checkpoint_final.pth"

    @property
    def dataset_json(self) -> Path:
        return self.folder / "dataset.json"

    @property
    def images(self) -> Path:
        return TRADE / self.name / "images"

    @property
    def prediction(self) -> Path:
        return TRADE / self.name / "prediction.nii.gz"

    def plan(self) -> dict:
        """Return the plan as a run would take it."""
        channels = len(open_dataset(self.dataset_json).channel_names)
        plans = self.folder / "plans.json"
        return read_user_plan(plans, channels, self.reorient, self.configuration)


PLAIN = GoldenModel("plain", "2d_small", reorient=False)
REGIONS = GoldenModel("regions", "2d", reorient=True)
MODELS = [PLAIN, REGIONS]


def bring_in(model: GoldenModel, folder: Path, **changes) -> Path:
    """Import a golden model into a folder, with a plan and the fold's cases, and return that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(model.plan()))
    dataset = read_json(model.dataset_json) | {
        "dataset": {f"case_{i}": {"images": ["a", "b"], "label": "c"} for i in range(5)}
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))
    cases = [f"case_{i}" for i in range(5)]
    splits = [{"train": cases[1:], "val": cases[:1]}]
    (folder / "splits_final.json").write_text(json.dumps(splits))
    orientation = {
        "reorient": model.reorient,
        "orientation": "RAS" if model.reorient else model.stored,
        "orientations": {model.stored: 5},
    }
    (folder / "orientation.json").write_text(json.dumps(orientation))
    arguments = {
        "model_checkpoint": model.checkpoint,
        "model_dataset_json": model.dataset_json,
        "dataset_json": folder / "dataset.json",
        "plan": folder / "plans.json",
        "splits": folder / "splits_final.json",
        "configuration": model.configuration,
        "fold": "0",
        "checkpoint": folder / "checkpoint_final.pt",
        "history": folder / "history.csv",
    }
    import_model.main(**(arguments | changes))
    return folder


def send_out(folder: Path, **changes) -> Path:
    """Export what `bring_in` left in a folder, and return the model's folder."""
    arguments = {
        "dataset_json": folder / "dataset.json",
        "plan": folder / "plans.json",
        "fingerprint": folder / "splits_final.json",
        "splits": folder / "splits_final.json",
        "checkpoints": [folder / "checkpoint_final.pt"],
        "histories": [folder / "history.csv"],
        "folds": [0],
        "settings": {"learning_rate": 0.01, "momentum": 0.99, "weight_decay": 3e-5},
        "mirroring": True,
        "dataset_name": "Dataset007_Mine",
        "exported": folder / "exported",
    }
    export_model.main(**(arguments | changes))
    (model,) = (folder / "exported/results").iterdir()
    return model
