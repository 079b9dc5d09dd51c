"""Folds of a dataset: the same as nnU-Net's for the same case names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SPLIT_SEED = 12345
"""nnU-Net: generate_crossval_split."""

NNUNET_FOLDS = 5
"""How many folds nnU-Net cuts where nobody gives it others (nnUNetTrainer.do_split)."""


def split(cases: Sequence[str], folds: int) -> list[dict[str, list[str]]]:
    """Return for each fold its training and validation cases.

    Sorted cases are shuffled by numpy's legacy generator and dealt out in runs of nearly equal
    length, the longer ones first (scikit-learn's KFold with shuffle, as nnU-Net uses it). Raises
    ValueError when there are fewer cases than folds.
    """
    names = sorted(cases)
    if len(names) < folds:
        raise ValueError(
            f"cross_validation.folds: found {folds}, expected at most {len(names)} cases"
        )
    order = np.arange(len(names))
    np.random.RandomState(SPLIT_SEED).shuffle(order)
    splits = []
    for part in np.array_split(order, folds):
        held_out = set(part.tolist())
        splits.append(
            {
                "train": [name for i, name in enumerate(names) if i not in held_out],
                "val": [name for i, name in enumerate(names) if i in held_out],
            }
        )
    return splits
