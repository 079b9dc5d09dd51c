"""The tables of a comparison of experiments as LaTeX: which columns a paper shows, and captions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slicewise import statistics
from slicewise.files import write_text
from slicewise.latex import Column, write_latex
from slicewise.pairing import FALSE_SLICES, METRICS, PRIMARY

DIFFERENCE = Column(("difference", "difference_low", "difference_high"), signed=True)


def write_comparison(
    path: str | Path, table: pd.DataFrame, dataset: str, study: str, confidence: float
) -> None:
    """Write the comparison: Dice of all classes, the other metrics of the mean foreground."""
    primary = table["metric"] == PRIMARY
    others = (table["level"] == "case") | (table["metric"] == FALSE_SLICES)
    rows = table[primary | ((table["label"] == 0) & others)]
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
    caption += (
        " Slices are those that truly show the class, averaged within their case; false-positive "
        "slices show it in the prediction alone. All holds for the networks that were trained and "
        "their split."
    )
    names = {(key, "case"): f"{metric.name} of whole cases" for key, metric in METRICS.items()}
    names |= {(PRIMARY, "slice"): f"{METRICS[PRIMARY].name} of slices"}
    names |= {(FALSE_SLICES, "slice"): "false-positive slices per case"}
    rows = rows.assign(
        score=[names[key] for key in zip(rows["metric"], rows["level"], strict=True)]
    )
    write_latex(path, rows, columns, caption, _label(dataset, study), groups=groups)


def write_conventions(
    path: str | Path, table: pd.DataFrame, dataset: str, study: str, confidence: float
) -> None:
    """Write the mean foreground Dice under each convention for empty slices."""
    rows = table[table["label"] == 0]
    rows = rows.assign(level=rows["level"].map({"case": "whole cases", "slice": "slices"}))
    columns = {
        "experiment": "experiment",
        "convention": "meaning",
        "pairs": "pairs",
        "unpaired": "unpaired",
        "reference": "reference_mean",
        "mean": "experiment_mean",
        "difference": DIFFERENCE,
    }
    caption = (
        f"Mean foreground Dice on {dataset} under other conventions for slices and cases in which "
        "truth or prediction is empty; the first is the one of all other tables. Unpaired: of "
        "any class, a Dice in one of the two alone, left out. Slices are averaged within cases. "
        f"Mean difference with its {100 * confidence:g} % interval by bootstrap over cases."
    )
    label = _label(dataset, study, "empty")
    write_latex(path, rows, columns, caption, label, groups=["level", "experiment"])


def write_seeds(path: str | Path, table: pd.DataFrame, dataset: str, study: str) -> None:
    """Write the standard deviations between cases, between seeds and of the rest.

    With a single seed there are none, and the file says so in place of a table of dashes.
    """
    if (table["seeds"] < 2).all():
        write_text(path, f"% {dataset}, {study}: a single seed, no variance of its own.\n")
        return
    names = ("between_cases", "between_seeds", "residual")
    rows = table.assign(**{f"{name}_sd": table[name] ** 0.5 for name in names})
    rows["of"] = rows["of"].str.replace(" - ", " − ")
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
