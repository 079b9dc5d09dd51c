"""Draw the comparison of experiments: pairs of cases, and differences with their intervals.

All numbers are those of the table that compare_experiments wrote; nothing is estimated here.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slicewise import style
from slicewise.job import run
from slicewise.pairing import FALSE_SLICES, FOREGROUND, LEVELS, PRIMARY
from slicewise.score_tables import read_table
from slicewise.statistics import FEWEST_CASES

MOST_SHOWN = 500
"""Cases that are drawn one by one; more of them would be one grey area."""

ROW, NARROW_ROW = 4.2, 3.0
"""Height of a row in mm, and where there are more than MOST_WIDE_ROWS of them."""

MOST_WIDE_ROWS = 7
TITLES = {"case": "whole cases", "slice": "slices, averaged in cases"}
"""What the differences of a level are of."""

FRAME = 14.0
"""Height in mm of what a panel needs beside its rows: title, ticks and the label of its axis."""


def draw(
    table: pd.DataFrame, pairs: pd.DataFrame, confidence: float, palette: Sequence[str] = ()
) -> Figure:
    """Return the figure of a comparison, in the fullest form that fits on a page.

    table: rows of the primary metric and of FALSE_SLICES as compare_experiments writes them; pairs:
    the paired Dice behind them; palette: as for style.looks. With one experiment there is nothing
    to pair: its cases, class by class.
    """
    table = _with_false_slices(table)
    names = [table["reference"].iloc[0], *table["experiment"].unique()]
    looks = style.looks(names, palette)
    if (table["experiment"] == "").all():
        return draw_alone(table[table["level"] == "case"], pairs, confidence, looks)
    others, rows = table["experiment"].nunique(), table["class"].nunique()
    if others * _block_height(rows) <= style.PAGE:
        return draw_pairs(table, pairs, confidence, looks)
    return draw_forest(table, pairs, confidence, looks)


def _with_false_slices(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the primary metric, those of slices with the false ones of both sides."""
    place = ["experiment", "level", "class"]
    false = table[table["metric"] == FALSE_SLICES].set_index(place)
    false = false[["reference_mean", "experiment_mean"]].add_prefix("false_")
    return table[table["metric"] == PRIMARY].join(false, on=place)


@style.journal()
def draw_pairs(table: pd.DataFrame, pairs: pd.DataFrame, confidence: float, looks: dict) -> Figure:
    """Return the figure with a block for each experiment: pairs of cases, differences by class."""
    names = [table["reference"].iloc[0], *table["experiment"].unique()]
    others, shown = names[1:], table["class"].nunique()
    figure = style.new_figure(style.TWO_COLUMNS, len(others) * _block_height(shown))
    grid = figure.add_gridspec(2 * len(others), 2, width_ratios=[1, 2.2])
    first: dict[str, Axes] = {}
    for i, name in enumerate(others):
        color = looks[name]["color"]
        place = grid[2 * i : 2 * i + (2 if shown <= 7 else 1), 0]
        panels = [figure.add_subplot(place, sharey=first.get("pairs"))]
        first.setdefault("pairs", panels[0])
        of_cases = pairs[(pairs["experiment"] == name) & (pairs["level"] == "case")]
        _draw_cases(panels[0], of_cases, {side: looks[side]["color"] for side in (names[0], name)})
        for below, level in enumerate(LEVELS):
            axes = figure.add_subplot(grid[2 * i + below, 1], sharex=first.get(level))
            first.setdefault(level, axes)
            rows = table[(table["experiment"] == name) & (table["level"] == level)]
            for y, (_, row) in enumerate(rows.iterrows()):
                _draw_difference(axes, y, row, pairs, color)
            _finish(axes, [style.shorten(text, 20) for text in rows["class"]], rows, confidence)
            axes.set_xlabel(f"Dice of {style.shorten(name, 24)} − {style.shorten(names[0], 24)}")
            axes.set_title(f"{TITLES[level]}: {_counted(rows, level)}")
            panels.append(axes)
        for axes, text in zip(panels, "abcdefghijklmnopqrstuvwx"[3 * i :], strict=False):
            style.letter(axes, text)
    return figure


@style.journal()
def draw_forest(table: pd.DataFrame, pairs: pd.DataFrame, confidence: float, looks: dict) -> Figure:
    """Return the figure of many experiments: a row for each, class below class.

    When the classes of all experiments would not fit on a page, only the mean foreground is drawn.
    """
    others = list(table["experiment"].unique())
    classes = list(table["class"].unique())
    if _forest_height(len(others), len(classes)) > style.PAGE:
        classes = classes[:1]
    height = min(_forest_height(len(others), len(classes)), style.PAGE)
    figure = style.new_figure(style.TWO_COLUMNS, height)
    panels = figure.subplots(1, 2)
    reference = style.shorten(table["reference"].iloc[0], 24)
    for axes, level, text in zip(panels, LEVELS, "ab", strict=True):
        labels, y = [], 0
        for name in classes:
            of_class = table[(table["class"] == name) & (table["level"] == level)]
            labels.append(style.shorten(name, 22))
            for i, (_, row) in enumerate(of_class.iterrows(), start=1):
                color = looks[row["experiment"]]["color"]
                _draw_difference(axes, y + i, row, pairs, color)
                labels.append(style.shorten(row["experiment"], 18))
            y = len(labels)
        rows = table[(table["level"] == level) & (table["class"].isin(classes))]
        _finish(axes, labels, rows, confidence)
        for tick in axes.get_yticklabels()[:: len(others) + 1]:
            tick.set_fontweight("bold")
        axes.set_xlabel(f"Dice − Dice of {reference}\n{_counted(rows, level)}")
        axes.set_title(TITLES[level])
        axes.xaxis.set_major_locator(MaxNLocator(4))
        style.letter(axes, text)
    panels[1].set_yticklabels([])
    return figure


@style.journal()
def draw_alone(table: pd.DataFrame, pairs: pd.DataFrame, confidence: float, looks: dict) -> Figure:
    """Return the figure for a single experiment: the Dice of its cases, class by class."""
    figure = style.new_figure(style.TWO_COLUMNS, 6 + _block_height(len(table)) / 2)
    axes = figure.subplots()
    color = looks[table["reference"].iloc[0]]["color"]
    dice = pairs[pairs["level"] == "case"]
    for y, (_, row) in enumerate(table.iterrows()):
        found = dice.loc[dice["class"] == row["class"], "reference_dice"].dropna().to_numpy()
        estimate = row[["reference_mean", "reference_low", "reference_high"]]
        _draw_row(axes, y, found, estimate, color, digits="z.3f", boxed=len(found) > MOST_SHOWN)
    labels = [style.shorten(text, 20) for text in table["class"]]
    _finish(axes, labels, table, confidence)
    axes.set_xlabel("Dice")
    name, cases = table["reference"].iloc[0], style.counted(table["cases"].iloc[0], "case")
    axes.set_title(f"{name} is the only experiment, nothing to pair: Dice of {cases}")
    return figure


def _block_height(rows: int) -> float:
    """Return the height in mm of the panels of one experiment with `rows` rows in each."""
    return 2 * (FRAME + rows * (ROW if rows <= MOST_WIDE_ROWS else NARROW_ROW))


def _forest_height(experiments: int, classes: int) -> float:
    """Return the height in mm of a forest of so many experiments beside the reference."""
    rows = classes * (experiments + 1)
    return FRAME + 3 + rows * (ROW if rows <= 4 * MOST_WIDE_ROWS else NARROW_ROW)


def _counted(rows: pd.DataFrame, level: str) -> str:
    """Return how many cases, or slices of how many cases, are paired in the mean foreground.

    Where experiments lack predictions and differ in it, from the fewest to the most.
    """
    whole = rows[rows["class"] == FOREGROUND]
    cases = _range(whole["cases"], "case")
    return cases if level == "case" else f"{_range(whole['pairs'], 'slice')} of {cases}"


def _range(numbers: pd.Series, noun: str) -> str:
    """Return numbers with their noun: 5 cases, or 4 to 5 cases."""
    low, high = int(numbers.min()), int(numbers.max())
    return f"{f'{low:,} to ' if low < high else ''}{high:,} {noun}{'' if high == 1 else 's'}"


def _draw_cases(axes: Axes, pairs: pd.DataFrame, colors: dict[str, str]) -> None:
    """Draw the mean foreground Dice of every case in both experiments, and the mean of all.

    Of more than MOST_SHOWN cases every second, third and so on is drawn.
    """
    sides = ["reference_dice", "experiment_dice"]
    ends = pairs.loc[pairs["class"] == FOREGROUND, sides].to_numpy()
    means, count = ends.mean(axis=0) if len(ends) else None, len(ends)
    ends = ends[:: max(1, math.ceil(count / MOST_SHOWN))]
    faint = 0.7 if len(ends) <= 30 else 0.3
    axes.plot([0, 1], ends.T, color=style.GREY, linewidth=0.5, alpha=faint)
    for x, color in enumerate(colors.values()):
        axes.scatter(np.full(len(ends), x), ends[:, x], 6, color, linewidths=0, zorder=3)
    if len(ends) == 0:
        axes.set_yticks([])
    else:
        axes.plot([0, 1], means, color=style.BLACK, linewidth=1.8, zorder=4)
    axes.set_xlim(-0.25, 1.25)
    axes.set_xticks([0, 1], [style.shorten(name, 14) for name in colors])
    axes.set_ylabel("mean foreground Dice")
    shown = f" ({len(ends):,} of {count:,})" if len(ends) < count else ""
    axes.set_title(f"paired cases{shown}")


def _draw_difference(axes: Axes, y: int, row: pd.Series, pairs: pd.DataFrame, color: str) -> None:
    """Draw the row of one experiment, class and level: pairs, mean, interval, r, what is seen.

    The pale band around 0 is what the design cannot be counted on to detect.
    """
    chosen = pairs
    for key in ("experiment", "level", "class"):
        chosen = chosen[chosen[key] == row[key]]
    found = (chosen["experiment_dice"] - chosen["reference_dice"]).dropna().to_numpy()
    boxed = len(found) > MOST_SHOWN
    if np.isfinite(row["detectable"]):
        edge = row["detectable"]
        axes.barh(y, 2 * edge, 0.8, -edge, color=style.PALE, alpha=0.6, linewidth=0, zorder=0)
    estimate = row[["difference", "difference_low", "difference_high"]]
    note = f", r {row['rank_biserial']:+.2f}"
    if np.isfinite(row["false_reference_mean"]):
        note += f"; {row['false_reference_mean']:.1f} → {row['false_experiment_mean']:.1f}"
    _draw_row(axes, y, found, estimate, color, digits="+z.3f", boxed=boxed, note=note)


def _draw_row(
    axes: Axes,
    y: int,
    found: np.ndarray,
    estimate: Sequence[float],
    color: str,
    *,
    digits: str,
    boxed: bool,
    note: str = "",
) -> None:
    """Draw values, their mean with its interval (estimate: mean, low, high), both in numbers too.

    Values are dots, or if `boxed` a box from quartile to quartile with a line from the 5th to the
    95th percentile.
    """
    if len(found) == 0:
        _print_beside(axes, "no score", y)
        return
    if boxed:
        whiskers = np.percentile(found, [5, 25, 75, 95])
        axes.plot(whiskers[[0, 3]], [y, y], color=color, linewidth=0.8)
        axes.barh(y, whiskers[2] - whiskers[1], 0.5, whiskers[1], color=color, alpha=0.45)
    else:
        size = 7 if len(found) <= 60 else 3
        dots = y + style.swarm(found, spread=0.32)
        axes.scatter(found, dots, size, color, alpha=0.55, linewidths=0)
    mean, low, high = estimate
    axes.plot([low, high], [y, y], color=style.BLACK)
    axes.plot(mean, y, "D", color=style.BLACK, markersize=3)
    interval = f" [{low:{digits}}, {high:{digits}}]" if np.isfinite(low) else ""
    _print_beside(axes, f"{mean:{digits}}{interval}{note}".replace("-", "−"), y)


def _finish(axes: Axes, labels: Sequence[str], rows: pd.DataFrame, confidence: float) -> None:
    """Name the rows of a panel and the numbers beside them."""
    differences = rows["difference"].notna().any()
    low = rows["difference_low" if differences else "reference_low"]
    interval = f" [{100 * confidence:g} % CI]"
    if low.isna().all():
        interval = f" (no CI below {FEWEST_CASES} cases)"
    note = ", r" if differences else ""
    if rows["false_reference_mean"].notna().any() and differences:
        note += "; false slices"
    _print_beside(axes, f"mean{interval}{note}")
    if differences:
        axes.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--", zorder=0.5)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
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
    table: str | Path,
    pairs: str | Path,
    confidence: float,
    palette: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
) -> None:
    """Draw the figure from the table of a study and the pairs behind it."""
    compared = read_table(table)
    figure = draw(compared, pd.read_parquet(pairs), confidence, palette)
    style.save_figure(figure, svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
