"""Write the networks of an experiment as nnU-Net would have: a folder that it predicts with.

`results` goes into nnUNet_results/DATASET, `preprocessed` into nnUNet_preprocessed/DATASET.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from slicewise.dataset import Dataset, open_dataset
from slicewise.files import read_json, whole_folder, write_json, write_torch
from slicewise.job import logger, run
from slicewise.model_folders import PLANS_NAME, TRAINER
from slicewise.network import build_network, to_nnunet
from slicewise.nnunet_checkpoints import load_network, read_torch
from slicewise.nnunet_logs import log_of
from slicewise.plans import CONFIGURATION, parse_plan
from slicewise.problems import error

FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What a model's folder may be called; its name comes from a plan and perhaps from a .pth."""

BOTH_AXES = (0, 1)
"""Axes of a slice, row and column, that a network saw mirrored (nnU-Net's default in 2D)."""


def dataset_description(dataset: Dataset) -> dict:
    """Return the dataset.json of a dataset as nnU-Net reads it, from the Decathlon's layout too."""
    content = dict(dataset.content)
    if dataset.is_decathlon:
        names = dict(enumerate(dataset.channel_names))
        content["channel_names"] = {str(channel): name for channel, name in names.items()}
        content["labels"] = dataset.named_labels
        for key in ("modality", "training", "test"):
            content.pop(key, None)
    # Where each case lies is of no use away from the raw dataset.
    content.pop("dataset", None)
    return content | {"file_ending": dataset.file_ending}


def write_checkpoint(
    path: str | Path,
    network: nn.Module,
    log: dict[str, list],
    init_args: dict,
    *,
    settings: dict,
    trainer: str,
    axes: Sequence[int],
) -> None:
    """Write a network as a checkpoint that nnU-Net predicts with, validates and trains on from.

    init_args: plans, configuration, fold and dataset_json, what nnU-Net's trainer is made from;
    settings: our training settings; axes: those to mirror along in prediction. The optimiser has
    no momentum yet: nnU-Net's builds it up anew.
    """
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=log["lrs"][-1] if log["lrs"] else settings["learning_rate"],
        momentum=settings["momentum"],
        weight_decay=settings["weight_decay"],
        nesterov=settings["momentum"] > 0,
    )
    state = optimizer.state_dict()
    for group in state["param_groups"]:
        group["initial_lr"] = settings["learning_rate"]
    content = {
        "network_weights": to_nnunet(network.state_dict()),
        "optimizer_state": state,
        "grad_scaler_state": None,
        "logging": log,
        "_best_ema": max(log["ema_fg_dice"], default=None),
        "current_epoch": len(log["lrs"]),
        "init_args": {**init_args, "device": torch.device("cpu")},
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": tuple(axes) or None,
    }
    write_torch(path, content)


def export_fold(
    target: Path, checkpoint: str, history: str, init_args: dict, dataset: Dataset, arguments: dict
) -> None:
    """Write one fold's checkpoint_final.pth.

    init_args: see write_checkpoint; arguments: training settings and whether to mirror.
    """
    plan = parse_plan(init_args["plans"])
    network = build_network(plan, len(dataset.channel_names), dataset.labels.outputs)
    saved = load_network(checkpoint, network)
    write_checkpoint(
        target,
        network,
        log_of(pd.read_csv(history), list(dataset.labels.classes)),
        init_args,
        settings=arguments["settings"],
        trainer=saved.get("trainer", TRAINER),
        axes=saved.get("mirror_axes", BOTH_AXES) if arguments["mirroring"] else (),
    )


def main(
    *,
    dataset_json,
    plan,
    fingerprint,
    splits,
    checkpoints,
    histories,
    folds,
    settings,
    mirroring,
    dataset_name,
    exported,
):
    """Write the folder `exported` with a model's folder and what nnU-Net trains on from."""
    dataset = open_dataset(dataset_json)
    plans = read_json(plan) | {"dataset_name": dataset_name}
    description = dataset_description(dataset)
    trainer = read_torch(checkpoints[0]).get("trainer", TRAINER)
    name = f"{trainer}__{plans.get('plans_name', PLANS_NAME)}__{CONFIGURATION}"
    if not FOLDER_NAME.fullmatch(name):
        raise error("", plan, f"plans_name {plans.get('plans_name')!r}", "letters, digits, _ and -")
    with whole_folder(exported) as target:
        model, preprocessed = target / "results" / name, target / "preprocessed"
        for fold, checkpoint, history in zip(folds, checkpoints, histories, strict=True):
            init_args = {
                "plans": plans,
                "configuration": CONFIGURATION,
                "fold": fold,
                "dataset_json": description,
            }
            path = model / f"fold_{fold}" / "checkpoint_final.pth"
            arguments = {"settings": settings, "mirroring": mirroring}
            export_fold(path, checkpoint, history, init_args, dataset, arguments)
        for folder, plans_file in (
            (model, "plans"),
            (preprocessed, plans.get("plans_name", PLANS_NAME)),
        ):
            write_json(folder / "dataset.json", description)
            write_json(folder / f"{plans_file}.json", plans)
            write_json(folder / "dataset_fingerprint.json", read_json(fingerprint))
            # nnU-Net looks for them in `preprocessed`; in `model` they say what it was trained on.
            write_json(folder / "splits_final.json", read_json(splits))
    logger.info("wrote %s/results/%s with folds %s", exported, name, ", ".join(map(str, folds)))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
