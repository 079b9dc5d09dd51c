"""Folds of a dataset: the same as nnU-Net's for the same case names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from slicewise.documents import read_document
from slicewise.problems import refuse_errors, wrong
from slicewise.records import FOLDS, FORM, is_fold

SPLIT_SEED = 12345
"""nnU-Net: generate_crossval_split."""

MEND = "mend it, or take it away to have folds made here"

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


def read_given_folds(
    path: str | Path, cases: Sequence[str], folds: int
) -> list[dict[str, list[str]]]:
    """Return the folds of a splits_final.json that a user brings.

    folds: how many there should be. Raises BadInput with all that is wrong with the file.
    """
    splits = read_document(path, FOLDS, MEND, kind=list)
    refuse_errors(
        wrong(path, found, expected, mend or MEND)
        for found, expected, mend in _faults(splits, cases, folds)
    )
    return splits


def _faults(splits: list, cases: Sequence[str], folds: int) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with the content of a splits_final.json: found, expected, how to mend."""
    if len(splits) != folds:
        mend = f"set cross_validation.folds: {len(splits)}" if len(splits) > 1 else ""
        yield f"{len(splits)} fold{'s' * (len(splits) != 1)}", f"{folds}", mend
    known = set(cases)
    for fold, parts in enumerate(splits):
        if not is_fold(parts):
            yield f"fold {fold}: {parts!r:.80}", FORM, ""
            continue
        train, held_out = parts["train"], parts["val"]
        for name, found, expected in (
            ("unknown", sorted({*train, *held_out} - known), "names of the dataset's cases alone"),
            ("in both", sorted({*train} & {*held_out}), "cases either in train or in val"),
            ("twice", sorted(_repeated(train) | _repeated(held_out)), "each case once"),
        ):
            if found:
                yield f"fold {fold}: {name}: {', '.join(map(repr, found[:5]))}", expected, ""
        if not train or not held_out:
            found = f"fold {fold}: {len(train)} cases in train and {len(held_out)} in val"
            yield found, "at least one of each", ""


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}
