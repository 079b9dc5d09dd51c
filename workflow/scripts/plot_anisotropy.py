"""Draw Dice over the thickness of slices, and below it the differences from the reference.

A column of panels for each axis along which slices were thickened; all is scored on thin slices.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from slicewise import style
from slicewise.job import run

CEILING = "ceiling"
"""What stands for an experiment in rows of the ceiling (compare_anisotropy)."""

ALPHA = 0.05
"""Adjusted p below which a difference has a filled marker."""

DASHES = (0, (3, 2))
"""The line of the ceiling."""

PROFILES = {"box": "box", "gaussian": "Gaussian"}
"""What slice profiles are called in text."""

MOST_ACROSS = 4
"""Panels side by side; axes and profiles beyond them are in the table only."""


@style.journal()
def draw(table: pd.DataFrame, reference: str) -> Figure:
    """Return the figure of the mean foregrounds of a table of compare_anisotropy."""
    rows = table[table["label"] == 0]
    experiments = [name for name in rows["experiment"].unique() if name != CEILING]
    others = [name for name in experiments if name != reference]
    columns = list(rows.groupby(["axis", "profile"], sort=False))[:MOST_ACROSS]
    down = 2 if others else 1
    width = style.TWO_COLUMNS if len(columns) > 1 else style.ONE_COLUMN
    looks = _looks(experiments, bool(others))
    across = 2 if len(columns) == 1 else len(looks) if len(looks) <= 5 else 4
    figure = style.new_figure(width, 52 + 44 * (down - 1) + 4 * -(-len(looks) // across))
    panels = figure.subplots(down, len(columns), sharey="row", sharex="col", squeeze=False)
    for column, (_, of_axis) in zip(panels.T, columns, strict=True):
        _draw_scores(column[0], of_axis, experiments)
        if others:
            _draw_differences(column[1], of_axis, others, experiments)
        _mark_ratios(column[-1], of_axis)
        column[0].set_title(_title(of_axis, rows["profile"].nunique() > 1))
    figure.supxlabel("distance of slices / spacing within them", fontsize=style.NORMAL)
    panels[0, 0].set_ylabel("mean foreground Dice")
    if others:
        panels[1, 0].set_ylabel(f"Dice − that of {style.shorten(reference, 12)}")
    for axes, text in zip(panels.flat, "abcdefgh", strict=False):
        style.letter(axes, text)
    figure.legend(handles=looks, loc="outside upper center", ncols=across)
    return figure


def _title(rows: pd.DataFrame, with_profile: bool) -> str:
    """Return what a column of panels shows: the plane of the thick slices, and how many cases."""
    first = rows.iloc[0]
    least, most = rows["cases"].min(), rows["cases"].max()
    number = f"{most}" if least == most else f"{least} to {most}"
    profile = f"{PROFILES[first['profile']]} profile, " if with_profile else ""
    between = "\n" if with_profile else " "
    return f"thick {first['plane']} slices{between}({profile}n = {number})"


def _draw_scores(axes: Axes, rows: pd.DataFrame, experiments: Sequence[str]) -> None:
    """Draw the mean Dice of each experiment over the ratio of spacings, and the ceiling.

    That of the thin slices themselves is 1.
    """
    thin = rows[rows["factor"] == 1].iloc[:1].assign(mean=1.0)
    ceiling = pd.concat([thin, rows[rows["experiment"] == CEILING]])
    axes.plot(ceiling["anisotropy"], ceiling["mean"], color=style.GREY, linestyle=DASHES)
    for i, name in enumerate(experiments):
        line = rows[rows["experiment"] == name]
        look = style.line_style(i)
        _band(axes, line["anisotropy"], line["low"], line["high"], look["color"])
        axes.plot(line["anisotropy"], line["mean"], **look)


def _draw_differences(
    axes: Axes, rows: pd.DataFrame, others: Sequence[str], experiments: Sequence[str]
) -> None:
    """Draw the mean difference of each other experiment from the reference."""
    axes.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--", zorder=0)
    for name in others:
        line = rows[rows["experiment"] == name]
        look = style.line_style(list(experiments).index(name))
        _band(
            axes, line["anisotropy"], line["difference_low"], line["difference_high"], look["color"]
        )
        axes.plot(line["anisotropy"], line["difference"], **(look | {"marker": ""}))
        for found, fill in ((True, look["color"]), (False, "white")):
            chosen = line[(line["holm_p"] < ALPHA) == found]
            axes.plot(
                chosen["anisotropy"],
                chosen["difference"],
                color=look["color"],
                marker=look["marker"],
                markerfacecolor=fill,
                linestyle="none",
            )


def _band(axes: Axes, place: pd.Series, low: pd.Series, high: pd.Series, color: str) -> None:
    """Draw an interval around a line, where there is one."""
    if low.notna().any():
        axes.fill_between(place, low, high, color=color, alpha=0.18, linewidth=0)


def _mark_ratios(axes: Axes, rows: pd.DataFrame) -> None:
    """Let the axis of ratios be logarithmic, with a mark at each thickness."""
    axes.set_xscale("log", base=2)
    ratios = np.unique(rows["anisotropy"].round(9))
    axes.xaxis.set_major_locator(FixedLocator(ratios))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{ratio:.2g}" for ratio in ratios])
    if len(ratios) == 1:
        axes.set_xlim(ratios[0] / 1.5, ratios[0] * 1.5)


def _looks(experiments: Sequence[str], compared: bool) -> list:
    """Return the entries of the legend."""
    looks = [
        style.handle(style.shorten(name, 24), **style.line_style(i))
        for i, name in enumerate(experiments)
    ]
    looks.append(style.handle("ceiling", color=style.GREY, linestyle=DASHES))
    if compared:
        looks.append(
            style.handle(
                f"filled: p < {ALPHA:g} (Holm)", color=style.GREY, marker="o", linestyle="none"
            )
        )
    return looks


def main(
    *,
    table: str | Path,
    reference: str,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
) -> None:
    """Draw the figure from the table of compare_anisotropy."""
    text = dict.fromkeys(("source", "dataset", "experiment", "class", "plane", "profile"), str)
    rows = pd.read_csv(table, dtype=text, keep_default_na=False, na_values=[""])
    style.save_figure(draw(rows, reference), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
