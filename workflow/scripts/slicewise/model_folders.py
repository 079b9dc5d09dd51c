"""Folders of nnU-Net's trained models: what lies where, and whether it suits a dataset.

A folder is named TRAINER__PLANS__CONFIGURATION and holds dataset.json, plans.json and for each
fold fold_X/checkpoint_final.pth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slicewise.dataset import Dataset
from slicewise.folds import NNUNET_FOLDS, split

ALL = "all"
"""The fold that nnU-Net trains on every case."""

PLANS_NAME = "nnUNetPlans"
TRAINER = "nnUNetTrainer"
"""The trainer whose network, prediction and checkpoint ours are."""


def checkpoint_path(model: dict, fold: int | str) -> Path:
    """Return where the checkpoint of a fold lies; `model` is that section of an experiment."""
    return Path(model["nnunet"]) / f"fold_{fold}" / f"checkpoint_{model['checkpoint']}.pth"


def check_dataset(theirs: Dataset, ours: Dataset) -> list[str]:
    """Return what differs in the names of channels and classes, a line each.

    Raises ValueError where the number of channels or the values of classes differ, so that the
    network cannot mean the same.
    """
    pairs = [("channel_names", theirs.channel_names, ours.channel_names)]
    if len(theirs.channel_names) != len(ours.channel_names):
        raise ValueError(
            f"{theirs.json_path}: found {len(theirs.channel_names)} channels "
            f"{theirs.channel_names}, expected {len(ours.channel_names)} as in {ours.json_path}"
        )
    meaning = [(list(one.classes.values()), one.written) for one in (theirs.labels, ours.labels)]
    if meaning[0] != meaning[1]:
        raise ValueError(
            f"{theirs.json_path}: found the labels {theirs.labels.classes}, expected those of "
            f"{ours.json_path}, {ours.labels.classes}, in the same order"
        )
    pairs.append(("labels", list(theirs.labels.classes), list(ours.labels.classes)))
    return [
        f"{name} of the model are {first}, those of the dataset {second}"
        for name, first, second in pairs
        if first != second
    ]


def check_fold(
    fold: int,
    ours: dict[str, list[str]],
    theirs: Dataset,
    cases: Sequence[str],
    splits: list[dict[str, list[str]]] | None = None,
) -> None:
    """Raise ValueError if a model may have been trained on cases that are to be predicted.

    ours: training and validation cases of the fold here; cases: all of the dataset; splits: the
    model's splits_final.json, or None where its folder has none: what counts then are the folds
    that nnU-Net cuts by itself.
    """
    where = theirs.json_path.parent
    bring = "put the splits_final.json of its training beside its dataset.json"
    if splits is None:
        splits = _nnunets_folds(theirs, cases, bring)
        source = f"{where}: no splits_final.json, so nnU-Net's {NNUNET_FOLDS} folds are assumed"
        advice = (
            f"set cross_validation.folds: {NNUNET_FOLDS}, without a splits_final.json beside the "
            f"dataset's dataset.json, or {bring}"
        )
    else:
        source = f"{where}/splits_final.json"
        advice = "copy that file beside the dataset's dataset.json to take its folds"
    if fold >= len(splits):
        raise ValueError(f"{source}: found {len(splits)} folds, no fold {fold}; {advice}")
    seen = sorted(set(ours["val"]) & set(splits[fold]["train"]))
    if seen:
        raise ValueError(
            f"{source}: fold {fold} was trained on {', '.join(seen[:5])}, held out here; {advice}"
        )


def _nnunets_folds(theirs: Dataset, cases: Sequence[str], bring: str) -> list[dict[str, list[str]]]:
    """Return nnU-Net's own folds of the cases; ValueError if a model cannot have been trained so.

    Its folder names no cases, so that their number is all that can be compared.
    """
    trained = theirs.content.get("numTraining")
    if trained != len(cases) or len(cases) < NNUNET_FOLDS:
        raise ValueError(
            f"{theirs.json_path.parent}: the model knows {trained} cases, the dataset has "
            f"{len(cases)}; expected the same number, {NNUNET_FOLDS} at least, so that nnU-Net's "
            f"own folds are known; {bring}"
        )
    return split(cases, NNUNET_FOLDS)
