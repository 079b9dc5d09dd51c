"""Compare experiments with the first one, paired per case and per slice, with intervals.

Both 3D scores of cases and scores of slices are paired: the same case, the same slice of the file,
since all experiments are scored along one axis, whichever each was trained along.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slicewise import statistics, style
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.score_tables import read_scores

FOREGROUND = "mean foreground"
LEVELS = ("case", "slice")
UNIT = ["experiment", "case", "class", "label"]

MOST_SHOWN = 500
"""Cases that are drawn one by one; more of them would be one grey area."""


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


def pair(scores: pd.DataFrame, reference: str, experiment: str) -> pd.DataFrame:
    """Return one row for each unit and class that either experiment scores.

    scores: experiment, case, class, label, (axis, slice,) dice; several runs of one unit are
    averaged first. Columns: the same with a column for the Dice of each, NaN where it has none.
    """
    unit = [column for column in ("case", "class", "label", "axis", "slice") if column in scores]
    means = scores.groupby(["experiment", *unit])["dice"].mean().unstack("experiment")
    sides = means.reindex(columns=[reference, experiment])
    sides.columns = ["reference", "experiment"]
    return sides.dropna(how="all").reset_index()


def with_foreground(pairs: pd.DataFrame) -> pd.DataFrame:
    """Put rows for the mean over classes in front; they average the classes that both score."""
    unit = [column for column in ("case", "axis", "slice") if column in pairs]
    both = pairs.dropna(subset=["reference", "experiment"])
    means = both.groupby(unit)[["reference", "experiment"]].mean().reset_index()
    return pd.concat([means.assign(**{"class": FOREGROUND, "label": 0}), pairs], ignore_index=True)


def compare(
    pairs: pd.DataFrame, classes: dict[str, int], confidence: float, resamples: int
) -> pd.DataFrame:
    """Return one row of statistics for the mean foreground (label 0) and for each class.

    `unpaired` counts units that one experiment scores and the other does not: truth and prediction
    are both empty in one of them, so that no difference exists. holm_p is wilcoxon_p adjusted for
    the number of classes.
    """
    settings = {"confidence": confidence, "resamples": resamples}
    rows = []
    for name, label in {FOREGROUND: 0, **classes}.items():
        group = pairs[pairs["class"] == name]
        paired = group.dropna(subset=["reference", "experiment"])
        result = statistics.paired_difference(
            paired["reference"], paired["experiment"], paired["case"], **settings
        )
        row = {"class": name, "label": label, "cases": int(result.difference.cases)}
        row |= {"pairs": len(paired), "unpaired": len(group) - len(paired)}
        for side in ("reference", "experiment"):
            mean = statistics.cluster_mean(paired[side], paired["case"], **settings)
            row |= {f"{side}_mean": mean.mean, f"{side}_low": mean.low, f"{side}_high": mean.high}
        mean = result.difference
        row |= {"difference": mean.mean, "difference_low": mean.low, "difference_high": mean.high}
        row |= {"wilcoxon_p": result.p_value, "holm_p": np.nan}
        rows.append(row | {"rank_biserial": result.rank_biserial, "cohen_dz": result.cohen_dz})
    table = pd.DataFrame(rows)
    of_classes = table["label"] > 0
    table.loc[of_classes, "holm_p"] = statistics.holm(table.loc[of_classes, "wilcoxon_p"])
    return table


def alone(table: pd.DataFrame) -> pd.DataFrame:
    """Return the statistics of an experiment paired with itself without all that needs a pair."""
    kept = ["class", "label", "cases", "reference_mean", "reference_low", "reference_high"]
    return table[kept].reindex(columns=table.columns).fillna({"pairs": 0, "unpaired": 0})


@style.journal()
def draw_pairs(
    names: Sequence[str],
    pairs: dict[tuple[str, str], pd.DataFrame],
    tables: dict[tuple[str, str], pd.DataFrame],
    confidence: float,
) -> Figure:
    """Return the figure for a reference (the first of `names`) and one or more experiments.

    pairs and tables: (experiment, level) -> paired scores and their statistics. When the classes
    of all experiments would not fit on a page, only the mean foreground is drawn.
    """
    others = names[1:]
    shown = len(next(iter(tables.values())))
    if len(others) * _block_height(shown) > style.PAGE:
        shown = 1
    figure = style.new_figure(style.TWO_COLUMNS, len(others) * _block_height(shown))
    grid = figure.add_gridspec(2 * len(others), 2, width_ratios=[1, 2.2])
    for i, name in enumerate(others):
        color = style.line_style(i + 1)["color"]
        panels = [figure.add_subplot(grid[2 * i : 2 * i + (2 if shown <= 7 else 1), 0])]
        _draw_cases(panels[0], pairs[name, "case"], (names[0], name), color)
        for below, level in enumerate(LEVELS):
            axes = figure.add_subplot(grid[2 * i + below, 1])
            rows, both = tables[name, level].iloc[:shown], pairs[name, level]
            values = both.assign(value=both["experiment"] - both["reference"])
            estimates = rows[["class", "difference", "difference_low", "difference_high"]]
            notes = [f", r {r:+.2f}" for r in rows["rank_biserial"]]
            _draw_rows(axes, estimates, notes, values, color, confidence)
            axes.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--", zorder=0)
            axes.set_xlabel(f"Dice of {style.shorten(name, 24)} − {style.shorten(names[0], 24)}")
            count = style.counted(rows["pairs"].iloc[0], level)
            cases = f" of {style.counted(rows['cases'].iloc[0], 'case')}" * (level == "slice")
            axes.set_title(f"difference per {level}: {count}{cases}")
            panels.append(axes)
        for axes, text in zip(panels, "abcdefghijklmnopqrstuvwx"[3 * i :], strict=False):
            style.letter(axes, text)
    return figure


def _block_height(rows: int) -> float:
    """Return the height in mm of the panels of one experiment with `rows` rows in each."""
    return 28 + 2 * rows * (4.2 if rows <= 7 else 3)


def _draw_cases(axes: Axes, pairs: pd.DataFrame, names: tuple[str, str], color: str) -> None:
    """Draw the mean foreground Dice of every case in both experiments, and the mean of all.

    Of more than MOST_SHOWN cases every second, third and so on is drawn.
    """
    ends = pairs.loc[pairs["class"] == FOREGROUND, ["reference", "experiment"]].to_numpy()
    means, count = ends.mean(axis=0) if len(ends) else None, len(ends)
    ends = ends[:: max(1, math.ceil(count / MOST_SHOWN))]
    faint = 0.7 if len(ends) <= 30 else 0.3
    axes.plot([0, 1], ends.T, color=style.GREY, linewidth=0.5, alpha=faint)
    for x, end_color in enumerate((style.line_style(0)["color"], color)):
        axes.scatter(np.full(len(ends), x), ends[:, x], 6, end_color, linewidths=0, zorder=3)
    if len(ends) == 0:
        axes.set_yticks([])
    else:
        axes.plot([0, 1], means, color=style.BLACK, linewidth=1.8, zorder=4)
    axes.set_xlim(-0.25, 1.25)
    axes.set_xticks([0, 1], [style.shorten(name, 14) for name in names])
    axes.set_ylabel("mean foreground Dice")
    shown = f" ({len(ends):,} of {count:,})" if len(ends) < count else ""
    axes.set_title(f"paired cases{shown}")


@style.journal()
def draw_alone(name: str, pairs: pd.DataFrame, table: pd.DataFrame, confidence: float) -> Figure:
    """Return the figure for a single experiment: the Dice of its cases, class by class."""
    figure = style.new_figure(style.TWO_COLUMNS, 20 + _block_height(len(table)) / 2)
    axes = figure.subplots()
    estimates = table[["class", "reference_mean", "reference_low", "reference_high"]]
    values = pairs.assign(value=pairs["reference"])
    _draw_rows(axes, estimates, None, values, style.line_style(0)["color"], confidence)
    axes.set_xlabel("Dice")
    cases = style.counted(table["cases"].iloc[0], "case")
    axes.set_title(f"{name} is the only experiment, nothing to pair: Dice of {cases}")
    return figure


def _draw_rows(
    axes: Axes,
    estimates: pd.DataFrame,
    notes: Sequence[str] | None,
    values: pd.DataFrame,
    color: str,
    confidence: float,
) -> None:
    """Draw one row for each class: its values, their mean with its interval, both in numbers too.

    estimates: class, mean, low and high; notes: what follows the numbers of differences, None for
    Dice itself; values: class, value and, for slices, slice. Values of cases are dots, those of
    slices, and of more than MOST_SHOWN cases, a box from quartile to quartile with a line from the
    5th to the 95th percentile.
    """
    digits = "z.3f" if notes is None else "+z.3f"
    for y, (name, mean, low, high) in enumerate(estimates.itertuples(index=False)):
        found = values.loc[values["class"] == name, "value"].dropna().to_numpy()
        if len(found) == 0:
            _print_beside(axes, "no score", y)
            continue
        if "slice" in values or len(found) > MOST_SHOWN:
            whiskers = np.percentile(found, [5, 25, 75, 95])
            axes.plot(whiskers[[0, 3]], [y, y], color=color, linewidth=0.8)
            axes.barh(y, whiskers[2] - whiskers[1], 0.5, whiskers[1], color=color, alpha=0.45)
        else:
            size = 7 if len(found) <= 60 else 3
            dots = y + style.swarm(found, spread=0.32)
            axes.scatter(found, dots, size, color, alpha=0.55, linewidths=0)
        axes.plot([low, high], [y, y], color=style.BLACK)
        axes.plot(mean, y, "D", color=style.BLACK, markersize=3)
        interval = f" [{low:{digits}}, {high:{digits}}]" if np.isfinite(low) else ""
        note = "" if notes is None else notes[y]
        _print_beside(axes, f"{mean:{digits}}{interval}{note}".replace("-", "−"), y)
    interval = f" [{100 * confidence:g} % CI]"
    if estimates.iloc[:, 2].isna().all():
        interval = f" (no CI below {statistics.FEWEST_CASES} cases)"
    _print_beside(axes, f"mean{interval}{'' if notes is None else ', r'}")
    axes.set_yticks(range(len(estimates)), [style.shorten(name, 20) for name in estimates["class"]])
    axes.set_ylim(len(estimates) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _print_beside(axes: Axes, text: str, y: float | None = None) -> None:
    """Print a note to the right of a row, or without one to the right of the title."""
    place = {"xy": (1, y), "xytext": (3, 0), "xycoords": ("axes fraction", "data"), "va": "center"}
    if y is None:
        place = {"xy": (1, 1), "xytext": (3, 6), "xycoords": "axes fraction", "va": "baseline"}
    axes.annotate(text, textcoords="offset points", fontsize=style.SMALL, **place)


def main(
    *,
    per_case: Sequence[str | Path],
    per_slice: Sequence[str | Path],
    dataset: str,
    experiments: Sequence[str],
    confidence: float,
    resamples: int,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
) -> None:
    """Draw the figure from the tables of every run; the first of `experiments` is the reference."""
    scores = {
        "case": read_scores(per_case, [*UNIT, "dice"]),
        "slice": read_scores(per_slice, [*UNIT, "axis", "slice", "dice"]),
    }
    check_axes(scores["slice"])
    classes = scores["case"].drop_duplicates("class").sort_values("label")
    classes = dict(zip(classes["class"], classes["label"], strict=True))
    pairs, tables, rows = {}, {}, []
    for other in experiments[1:] or experiments:
        for level in LEVELS:
            pairs[other, level] = with_foreground(pair(scores[level], experiments[0], other))
            found = compare(pairs[other, level], classes, confidence, resamples)
            tables[other, level] = found if len(experiments) > 1 else alone(found)
            named = {"dataset": dataset, "reference": experiments[0], "level": level}
            named["experiment"] = other if len(experiments) > 1 else ""
            rows.append(pd.DataFrame(named, tables[other, level].index).join(tables[other, level]))
    write_csv(table, pd.concat(rows, ignore_index=True))
    if len(experiments) > 1:
        figure = draw_pairs(experiments, pairs, tables, confidence)
    else:
        figure = draw_alone(other, pairs[other, "case"], tables[other, "case"], confidence)
    style.save_figure(figure, svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
