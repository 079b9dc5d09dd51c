"""nnU-Net's half of the trade: trains short models, predicts, and loads checkpoints.

Run it in an environment with nnunetv2 2.8.1, the variables nnUNet_raw, nnUNet_preprocessed and
nnUNet_results set: `python -m parity.oracle_trade FOLDER COMMAND`, where FOLDER/COMMAND.json holds
the arguments of the command.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

CPU = torch.device("cpu")


def plan(dataset: str, planner: str, plans_name: str, changes: dict, configuration: str) -> None:
    """Plan and preprocess a dataset, `changes` made to its configuration 2d.

    Where `configuration` has another name, the changes go into one that inherits from 2d.
    """
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    os.environ["nnUNet_n_proc_DA"] = "1"
    number = int(dataset[len("Dataset") :][:3])
    extract_fingerprints([number], num_processes=1)
    plan_experiments([number], experiment_planner_class_name=planner)
    path = Path(os.environ["nnUNet_preprocessed"], dataset, f"{plans_name}.json")
    plans = json.loads(path.read_text())
    two = plans["configurations"]["2d"]
    features = changes.pop("features_per_stage", None)
    if features:
        kwargs = two["architecture"]["arch_kwargs"]
        kwargs["features_per_stage"] = features[: kwargs["n_stages"]]
    own = plans["configurations"].setdefault(configuration, {"inherits_from": "2d"})
    own.update(changes)
    plans["configurations"] = {"2d": two, configuration: own}
    path.write_text(json.dumps(plans, indent=4))
    preprocess([number], plans_name, configurations=[configuration], num_processes=[1])


def train(
    dataset: str,
    fold: int,
    *,
    planner: str = "ExperimentPlanner",
    plans_name: str = "nnUNetPlans",
    configuration: str = "2d",
    trainer: str = "nnUNetTrainer",
    changes: dict,
    settings: dict,
) -> None:
    """Plan, preprocess and train one fold; `settings` are attributes of nnU-Net's trainer."""
    from nnunetv2.run.run_training import get_trainer_from_args

    torch.manual_seed(0)
    np.random.seed(0)
    plan(dataset, planner, plans_name, changes, configuration)
    # Patches are cut in this process: no others are started for so short a training.
    os.environ["nnUNet_n_proc_DA"] = "0"
    made = get_trainer_from_args(dataset, configuration, fold, trainer, plans_name, device=CPU)
    for name, value in settings.items():
        setattr(made, name, value)
    made.run_training()


def predict(model: str, images: str, folds: list, predictions: str) -> None:
    """Predict a folder of images with a folder of a trained model."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    made = nnUNetPredictor(device=CPU, allow_tqdm=False)
    made.initialize_from_trained_model_folder(model, folds)
    Path(predictions).mkdir(parents=True, exist_ok=True)
    made.predict_from_files_sequential(images, predictions)


def load(model: str, preprocessed: str, fold: int, weights: str) -> None:
    """Load a checkpoint into nnU-Net's trainer and keep the weights that it then has.

    model and preprocessed: what goes into nnUNet_results and nnUNet_preprocessed.
    """
    from nnunetv2.run.run_training import get_trainer_from_args

    checkpoint = Path(model, f"fold_{fold}", "checkpoint_final.pth")
    plans = json.loads(Path(model, "plans.json").read_text())
    target = Path(os.environ["nnUNet_preprocessed"], plans["dataset_name"])
    target.mkdir(parents=True, exist_ok=True)
    for path in Path(preprocessed).iterdir():
        shutil.copy(path, target)
    made = get_trainer_from_args(
        plans["dataset_name"], "2d", fold, plans_identifier=plans["plans_name"], device=CPU
    )
    made.load_checkpoint(str(checkpoint))
    np.savez(weights, **{name: array.numpy() for name, array in made.network.state_dict().items()})


if __name__ == "__main__":
    folder, command = sys.argv[1:]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    arguments = json.loads(Path(folder, f"{command}.json").read_text())
    {"train": train, "predict": predict, "load": load}[command](**arguments)
