"""Scores of several experiments side by side: the same case, the same slice, the same class.

All experiments are scored along one axis, whichever each was trained along, so that slices pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

FOREGROUND = "mean foreground"
"""What stands for a class where the mean over all classes is meant; its label is 0."""

LEVELS = ("case", "slice")
UNIT = ["case", "class", "label", "axis", "slice"]
"""What two scores must share to be a pair; scores of cases have no axis and no slice."""


@dataclass(frozen=True)
class Metric:
    """A score that experiments are compared by: what to call it, and which way is better."""

    name: str
    higher_is_better: bool


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "dice": Metric("Dice", True),
        "surface_dice": Metric("surface Dice", True),
        "hd95_mm": Metric("HD95 (mm)", False),
    }
)
"""Columns of the tables of scores. The first is the primary one; the others show the surface
(Metrics Reloaded, Maier-Hein et al., Nature Methods 2024: an overlap and a boundary)."""

PRIMARY = next(iter(METRICS))

BOTH_EMPTY, ONE_EMPTY, IGNORED = "both_empty", ("truth_only", "prediction_only"), "ignored"
"""The status of scores where truth, prediction or both are empty, or nobody annotated."""

WITH_TRUTH = ("both", "truth_only")
"""The status of scores of what truly shows the class, whatever the prediction is."""

FALSE_SLICES = "false_slices"
"""The metric that stands beside the scores of slices: how many of a case show the class in the
prediction alone."""

CONVENTIONS: Mapping[str, str] = MappingProxyType(
    {
        "with_truth": "no truth: left out; no prediction: 0",
        "one_empty_0": "both empty: left out; one empty: 0",
        "both_empty_1": "both empty: 1; one empty: 0",
        "both_present": "any empty: left out",
    }
)
"""How Dice may count where truth or prediction is empty, to show how much hangs on it."""

STATED: Mapping[str, str] = MappingProxyType({"case": "one_empty_0", "slice": "with_truth"})
"""Level -> the convention that all tables and figures follow. Cases: that of nnU-Net. Slices: those
that truly show the class, which are the same for all experiments. One that is rightly empty in one
experiment has no Dice there, and if the other sees something in it the pair would be lost: exactly
the slices in which the two differ most. Those are counted instead, as FALSE_SLICES."""


def dice_under(convention: str, scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with their Dice under one of CONVENTIONS; they have the columns dice, status.

    Slices that nobody annotated have no Dice under any.
    """
    status, dice = scores["status"], scores["dice"]
    if convention == "both_empty_1":
        dice = dice.mask(status == BOTH_EMPTY, 1.0)
    elif convention == "with_truth":
        dice = dice.mask(status == "prediction_only")
    elif convention == "both_present":
        dice = dice.mask(status.isin(ONE_EMPTY))
    return scores.assign(dice=dice)


def that_count(scores: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the scores of a level that count under its convention in STATED."""
    return scores if level == "case" else scores[scores["status"].isin(WITH_TRUTH)]


def check_axes(slices: pd.DataFrame) -> None:
    """Raise a ValueError for a case whose slices run along different axes in two experiments."""
    axes = slices.groupby("case")["axis"].unique()
    several = axes[axes.map(len) > 1]
    if len(several):
        raise ValueError(
            f"case {several.index[0]}: per_slice.csv has slices along the axes "
            f"{sorted(map(int, several.iloc[0]))}, expected one axis, that of "
            "evaluation.slice_axis; score these experiments again"
        )


def pair(scores: pd.DataFrame, metric: str, reference: str, experiment: str) -> pd.DataFrame:
    """Return one row for each unit and class that either experiment scores.

    scores: experiment, the columns of UNIT that apply, and the metric; several runs of one unit are
    averaged first. Columns: UNIT, reference and experiment: the score of each, NaN where it has
    none.
    """
    unit = [column for column in UNIT if column in scores]
    chosen = scores[scores["experiment"].isin([reference, experiment])]
    means = chosen.groupby(["experiment", *unit])[metric].mean().unstack("experiment")
    sides = means.reindex(columns=[reference, experiment])
    sides.columns = ["reference", "experiment"]
    return sides.dropna(how="all").reset_index()


def with_foreground(pairs: pd.DataFrame) -> pd.DataFrame:
    """Put rows for the mean over classes in front; they average the classes that both score."""
    unit = [column for column in ("case", "axis", "slice") if column in pairs]
    both = pairs.dropna(subset=["reference", "experiment"])
    means = both.groupby(unit)[["reference", "experiment"]].mean().reset_index()
    return pd.concat([means.assign(**{"class": FOREGROUND, "label": 0}), pairs], ignore_index=True)


def within_cases(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each case and class, and in front one for the mean foreground of a case.

    Slices are averaged within their case; those with a missing side are left out. The mean
    foreground averages the classes that both sides score in a case. Beside UNIT without the slice,
    reference and experiment: how many units (cases, or slices) each side scores, `pairs` that both
    do and `unpaired` that only one does, of any class where the mean foreground is meant.
    """
    sides = ["reference", "experiment"]
    scored = pairs[sides].notna()
    both = scored.all(axis=1)
    counts = scored.add_suffix("_scores").assign(pairs=both, unpaired=~both)
    table = pairs.assign(**pairs[sides].where(both), **counts)
    slices = ["case", "slice"] if "slice" in table else ["case"]
    counted = table.groupby(slices)[list(counts)].any().groupby("case").sum()
    groups = table.groupby(["case", "class", "label"])
    of_class = groups[sides].mean().join(groups[list(counts)].sum())
    whole = of_class.groupby("case")[sides].mean().join(counted).reset_index()
    whole = whole.assign(**{"class": FOREGROUND, "label": 0})
    return pd.concat([whole, of_class.reset_index()], ignore_index=True)


def false_slices(slices: pd.DataFrame, reference: str, experiment: str) -> pd.DataFrame:
    """Pair how many slices of each case show a class in the prediction alone.

    Columns: case, class, label, reference, experiment; every case that both scored. Several runs of
    a case are averaged. What nobody annotated does not count.
    """
    known = slices[slices["status"] != IGNORED]
    marked = known.assign(**{FALSE_SLICES: (known["status"] == "prediction_only").astype(float)})
    pairs = pair(marked, FALSE_SLICES, reference, experiment).dropna()
    groups = pairs.groupby(["case", "class", "label"])
    return groups[["reference", "experiment"]].sum().reset_index()


def mean_of_slices(slices: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the mean over the slices that truly show a class, in each experiment, case and class.

    Several runs of a slice are averaged first.
    """
    unit = ["experiment", "case", "class", "label"]
    counted = that_count(slices, "slice")
    means = counted.groupby([*unit, "slice"])[metric].mean()
    return means.groupby(unit).mean().reset_index()


def side_by_side(
    scores: pd.DataFrame, metric: str, experiments: Sequence[str]
) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Return for the mean foreground and each class a table (case, experiment) to rank by.

    scores: of cases, with their status; several runs of a case are averaged. A case counts for a
    class if none of the experiments is right to find nothing there (truth and prediction empty):
    the others' Dice of 0 has nothing to be compared with. Missing is worst: overlaps are 0 where
    the case of an experiment has none, distances, which do not exist where a prediction is empty,
    are NaN for a class and the largest of the class in the mean foreground. The second result
    counts the cases that were left out.
    """
    unit = ["class", "case"]
    groups = scores.assign(right=scores["status"].isin([BOTH_EMPTY, IGNORED])).groupby(
        ["experiment", *unit]
    )
    means = groups[metric].mean().unstack("experiment").reindex(columns=list(experiments))
    right = groups["right"].all().unstack("experiment").eq(True).any(axis=1)
    kept = means[~right].dropna(how="all")
    if METRICS[metric].higher_is_better:
        kept = kept.fillna(0.0)
    filled = kept.apply(lambda column: column.fillna(_largest(kept)), axis=0)
    tables = {FOREGROUND: filled.groupby("case").mean()}
    names = scores.drop_duplicates("class").sort_values("label")["class"]
    tables |= {
        name: kept[kept.index.get_level_values("class") == name].droplevel(0) for name in names
    }
    everywhere = scores["case"].nunique()
    return tables, {name: everywhere - len(table) for name, table in tables.items()}


def _largest(scores: pd.DataFrame) -> pd.Series:
    """Return for every row of scores (class and case, experiment) the largest of its class."""
    return scores.max(axis=1).groupby("class").transform("max").astype(np.float64)
