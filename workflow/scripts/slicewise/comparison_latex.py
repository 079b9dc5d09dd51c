"""The tables of a comparison of experiments as LaTeX: which columns a paper shows, and captions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slicewise import statistics
from slicewise.latex import Column, write_latex
from slicewise.pairing import METRICS, PRIMARY

DIFFERENCE = Column(("difference", "difference_low", "difference_high"), signed=True)


def write_comparison(
    path: str | Path, table: pd.DataFrame, dataset: str, study: str, confidence: float
) -> None:
    """Write the comparison: Dice of all classes, the other metrics of the mean foreground."""
    primary = table["metric"] == PRIMARY
    rows = table[primary | ((table["label"] == 0) & (table["level"] == "case"))]
    reference = rows["reference"].iloc[0]
    columns: dict[str, str | tuple | Column] = {"class": "class", "n": "cases"}
    interval = f"{100 * confidence:g} % interval by bootstrap over cases"
    if (rows["experiment"] == "").all():
        columns[reference] = ("reference_mean", "reference_low", "reference_high")
        caption = (
            f"{reference}, the only experiment on {dataset}: mean of n cases with its {interval}."
        )
        groups = ["score"]
    else:
        columns = {"experiment": "experiment", **columns}
        columns |= {"reference": "reference_mean", "mean": "experiment_mean"}
        columns |= {"difference": DIFFERENCE, "p": Column("holm_p", p=True)}
        columns |= {"r": Column("rank_biserial", digits=2, signed=True), "MDD": "detectable"}
        caption = (
            f"Experiments on {dataset} against {reference} (reference), paired in n cases. Mean "
            f"difference with its {interval}; p: Wilcoxon's signed-rank test over cases, adjusted "
            "by Holm over the mean foregrounds of all experiments, or over their classes; r: "
            "matched-pairs rank-biserial correlation; MDD: difference that a paired t test with n "
            f"cases detects with a power of {statistics.POWER:g} at {statistics.ALPHA:g}, "
            "unadjusted."
        )
        groups = ["score", "experiment"]
    score = rows["metric"].map({key: metric.name for key, metric in METRICS.items()})
    rows = rows.assign(score=score + " per " + rows["level"])
    write_latex(path, rows, columns, caption, _label(dataset, study), groups=groups)


def write_conventions(
    path: str | Path, table: pd.DataFrame, dataset: str, study: str, confidence: float
) -> None:
    """Write the mean foreground Dice under each convention for empty slices."""
    rows = table[table["label"] == 0]
    rows = rows.assign(level="per " + rows["level"])
    columns = {
        "experiment": "experiment",
        "convention": "meaning",
        "pairs": "pairs",
        "reference": "reference_mean",
        "mean": "experiment_mean",
        "difference": DIFFERENCE,
    }
    caption = (
        f"Mean foreground Dice on {dataset} under other conventions for slices and cases in which "
        "truth or prediction is empty; the first is the one of all other tables. Mean difference "
        f"with its {100 * confidence:g} % interval by bootstrap over cases."
    )
    label = _label(dataset, study, "empty")
    write_latex(path, rows, columns, caption, label, groups=["level", "experiment"])


def write_seeds(path: str | Path, table: pd.DataFrame, dataset: str, study: str) -> None:
    """Write the standard deviations between cases, between seeds and of the rest."""
    names = ("between_cases", "between_seeds", "residual")
    rows = table.assign(**{f"{name}_sd": table[name] ** 0.5 for name in names})
    columns: Mapping[str, str | Column] = {
        "class": "class",
        "n": "cases",
        "seeds": "seeds",
        "mean": "mean",
        "SD cases": "between_cases_sd",
        "SD seeds": "between_seeds_sd",
        "SD rest": "residual_sd",
        "SE cases": "cases_error",
        "SE seeds": "seeds_error",
    }
    caption = (
        f"Dice on {dataset}: standard deviations between cases, between networks that differ in "
        "their seed alone, and of the rest (their interaction and chance), from a crossed analysis "
        "of variance with random effects, folds pooled (n cases, those with every seed); an "
        "estimate below 0 is 0. SE: standard errors that cases and seeds give the mean."
    )
    if (table["seeds"] < 2).all():
        caption += " With a single seed they cannot be told apart."
    write_latex(path, rows, columns, caption, _label(dataset, study, "seeds"), groups=["of"])


def write_ranking(
    path: str | Path, table: pd.DataFrame, dataset: str, study: str, resamples: int
) -> None:
    """Write the ranks of the mean foreground in every metric, by both ways to a ranking."""
    rows = table[table["label"] == 0]
    names = {key: metric.name for key, metric in METRICS.items()}
    columns = {
        "way": "method",
        "rank": "rank",
        "experiment": "experiment",
        "mean": "score_mean",
        "median rank": Column(("rank_median", "rank_low", "rank_high"), digits=0),
        "rank 1 (%)": Column("frequency_1", digits=0, percent=True),
        "tau": Column("tau", digits=2),
        "n": "cases",
    }
    caption = (
        f"Ranking of the experiments on {dataset} by the mean foreground of n cases: median rank "
        f"[95 % interval], share of first ranks and mean Kendall's tau with the ranking of all "
        f"cases in {resamples:,} resamples of the cases."
    )
    rows = rows.assign(score=rows["metric"].map(names))
    label = _label(dataset, study, "ranking")
    write_latex(path, rows, columns, caption, label, groups=["score", "method"])


def _label(*parts: str) -> str:
    """Return the label of a table."""
    return "tab:" + "_".join(parts)
