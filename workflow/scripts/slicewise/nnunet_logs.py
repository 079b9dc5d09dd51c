"""The training curve of nnU-Net's checkpoints as our history.csv, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

LOG = {
    "learning_rate": "lrs",
    "train_loss": "train_losses",
    "validation_loss": "val_losses",
    "pseudo_dice": "mean_fg_dice",
    "ema_pseudo_dice": "ema_fg_dice",
}
"""Columns of history.csv and what nnU-Net's log calls them (nnUNetLogger)."""


def history_of(log: Mapping[str, list], names: Sequence[str]) -> pd.DataFrame:
    """Return nnU-Net's log as history.csv: a row for each complete epoch.

    names: the classes, in the order of the network's outputs.
    """
    per_class = log["dice_per_class_or_region"]
    epochs = min(len(per_class), *(len(log[key]) for key in LOG.values()))
    columns: dict[str, Sequence] = {"epoch": range(epochs)}
    for column, key in LOG.items():
        columns[column] = log[key][:epochs]
        if column == "pseudo_dice":
            for index, name in enumerate(names):
                dice = [float(values[index]) for values in per_class[:epochs]]
                columns[f"pseudo_dice_{name}"] = dice
    return pd.DataFrame(columns)


def log_of(history: pd.DataFrame, names: Sequence[str]) -> dict[str, list]:
    """Return history.csv as nnU-Net's log; it knows no times, so all of them are 0."""
    per_class = history[[f"pseudo_dice_{name}" for name in names]].to_numpy(float).tolist()
    nothing = [0.0] * len(history)
    return {key: history[column].astype(float).tolist() for column, key in LOG.items()} | {
        "dice_per_class_or_region": per_class,
        "epoch_start_timestamps": nothing,
        "epoch_end_timestamps": list(nothing),
    }
