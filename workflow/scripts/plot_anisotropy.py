"""Draw Dice over the thickness of slices, differences from the reference, and how they change.

What changes is the difference at factor 1, which is that of the planes. A column of panels for each
axis along which slices were thickened; all is scored on thin slices.
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

TEXTS = ("source", "dataset", "experiment", "network", "class", "plane", "profile")
"""Columns of the table that are text whatever they look like."""

CEILING = "ceiling"
"""What stands for an experiment in rows of the ceiling (compare_anisotropy)."""

ALPHA = 0.05
"""Adjusted p below which a difference has a filled marker."""

DASHES = (0, (3, 2))
"""The line of the ceiling."""

PROFILES = {"box": "box", "gaussian": "Gaussian"}
"""What slice profiles are called in text."""

DIFFERENCES = {"difference": "Dice − that of {}", "change": "change of that from thin slices"}
"""Columns of the table that are drawn below the scores, and what their axes are called."""

ADJUSTED = {"difference": "holm_p", "change": "change_holm_p"}
"""The columns with their adjusted p."""

MOST_NAMED = 32
"""Characters of the names of networks that stand for others' at factor 1, as a title takes them."""

MOST_ACROSS = 4
"""Panels side by side; axes and profiles beyond them are in the table only."""


@style.journal()
def draw(table: pd.DataFrame, reference: str, palette: Sequence[str] = ()) -> Figure:
    """Return the figure of the mean foregrounds of a table of compare_anisotropy.

    palette: as for style.looks.
    """
    rows = table[table["label"] == 0]
    experiments = [name for name in rows["experiment"].unique() if name != CEILING]
    others = [name for name in experiments if name != reference]
    columns = list(rows.groupby(["axis", "profile"], sort=False))[:MOST_ACROSS]
    looks = style.looks(experiments, palette)
    # A row of panels for scores, one for differences, and one for changes, as far as there are any.
    kinds = [kind for kind in DIFFERENCES if rows[kind].notna().any()] if others else []
    down = 1 + len(kinds)
    width = style.TWO_COLUMNS if len(columns) > 1 else style.ONE_COLUMN
    entries = _entries(looks, bool(kinds))
    across = 2 if len(columns) == 1 else len(entries) if len(entries) <= 5 else 4
    figure = style.new_figure(width, 52 + 42 * (down - 1) + 4 * -(-len(entries) // across))
    panels = figure.subplots(down, len(columns), sharey="row", sharex="col", squeeze=False)
    for column, (_, of_axis) in zip(panels.T, columns, strict=True):
        _draw_scores(column[0], of_axis, looks)
        for axes, kind in zip(column[1:], kinds, strict=True):
            _draw_differences(axes, of_axis, {name: looks[name] for name in others}, kind)
        _mark_ratios(column[-1], of_axis)
        column[0].set_title(_title(of_axis, rows["profile"].nunique() > 1))
    figure.supxlabel("distance of slices / spacing within them", fontsize=style.NORMAL)
    panels[0, 0].set_ylabel("mean foreground Dice")
    for axes, kind in zip(panels[1:, 0], kinds, strict=True):
        axes.set_ylabel(DIFFERENCES[kind].format(style.shorten(reference, 12)))
    for axes, text in zip(panels.flat, "abcdefghijkl", strict=False):
        style.letter(axes, text)
    figure.legend(handles=entries, loc="outside upper center", ncols=across)
    return figure


def _title(rows: pd.DataFrame, with_profile: bool) -> str:
    """Return what a column of panels shows: the plane of the thick slices, and how many cases."""
    first = rows.iloc[0]
    least, most = rows["cases"].min(), rows["cases"].max()
    number = f"{most}" if least == most else f"{least} to {most}"
    profile = f"{PROFILES[first['profile']]} profile, " if with_profile else ""
    between = "\n" if with_profile else " "
    title = f"thick {first['plane']} slices{between}({profile}n = {number})"
    thin = rows[(rows["factor"] == 1) & (rows["network"] != rows["experiment"])]
    stand_ins = ", ".join(f"{row.network} for {row.experiment}" for row in thin.itertuples())
    if len(stand_ins) > MOST_NAMED:
        stand_ins = "others' networks: see table"
    return title + (f"\nthin: {stand_ins}" if stand_ins else "")


def _draw_scores(axes: Axes, rows: pd.DataFrame, looks: dict[str, dict]) -> None:
    """Draw the mean Dice of each experiment over the ratio of spacings, and the ceiling.

    That of the thin slices themselves is 1.
    """
    thin = rows[rows["factor"] == 1].iloc[:1].assign(mean=1.0)
    ceiling = pd.concat([thin, rows[rows["experiment"] == CEILING]])
    axes.plot(ceiling["anisotropy"], ceiling["mean"], color=style.GREY, linestyle=DASHES)
    for name, look in looks.items():
        line = rows[rows["experiment"] == name]
        _band(axes, line["anisotropy"], line["low"], line["high"], look["color"])
        axes.plot(line["anisotropy"], line["mean"], **look)


def _draw_differences(axes: Axes, rows: pd.DataFrame, looks: dict[str, dict], kind: str) -> None:
    """Draw the mean difference of each other experiment from the reference, or how it changes."""
    axes.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--", zorder=0)
    for name, look in looks.items():
        line = rows[rows["experiment"] == name]
        _band(axes, line["anisotropy"], line[f"{kind}_low"], line[f"{kind}_high"], look["color"])
        axes.plot(line["anisotropy"], line[kind], **(look | {"marker": ""}))
        for found, fill in ((True, look["color"]), (False, "white")):
            chosen = line[((line[ADJUSTED[kind]] < ALPHA) == found) & line[kind].notna()]
            axes.plot(
                chosen["anisotropy"],
                chosen[kind],
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


def _entries(looks: dict[str, dict], compared: bool) -> list:
    """Return the entries of the legend."""
    entries = [style.handle(style.shorten(name, 24), **look) for name, look in looks.items()]
    entries.append(style.handle("ceiling", color=style.GREY, linestyle=DASHES))
    if compared:
        entries.append(
            style.handle(
                f"filled: p < {ALPHA:g} (Holm)", color=style.GREY, marker="o", linestyle="none"
            )
        )
    return entries


def main(
    *,
    table: str | Path,
    reference: str,
    palette: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
) -> None:
    """Draw the figure from the table of compare_anisotropy."""
    text = dict.fromkeys(TEXTS, str)
    rows = pd.read_csv(table, dtype=text, keep_default_na=False, na_values=[""])
    style.save_figure(draw(rows, reference, palette), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
