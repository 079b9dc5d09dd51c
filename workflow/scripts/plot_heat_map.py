"""Draw the slice Dice of every case along the structures, a row for each case.

Each experiment has a panel, and two of them a third one for their difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slicewise import style
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.score_tables import read_scores

FOREGROUND = "mean foreground"
COLUMNS = ["experiment", "case", "class", "label", "relative_position", "dice"]

PER_ROW = 3
"""Panels side by side."""

MOST_CLASSES = 3
"""Classes that get panels of their own beside the mean foreground, with one or two experiments."""

NAME_MM = 2.7
"""Height of a row that has room for the name of its case; in lower ones ranks are counted."""

DICE = "cividis"
"""Perceptually uniform, the same for colour-blind readers, and lighter with each step in grey
(Nunez, Anderton and Renslow, PLOS ONE 2018)."""

DIFFERENCE = LinearSegmentedColormap.from_list(
    "difference", ["#052A4E", "#1B6CA8", "#A3A3A3", "#E8B04A", "#FFF6DC"]
)
"""Blue below zero, grey at zero, yellow above: lighter all the way, so that grey print keeps the
sign, which maps with two dark ends lose."""


@dataclass(frozen=True)
class Panel:
    """One heat map: its title, the class that it is of, and its cells (case by rank, bin)."""

    title: str
    of: str
    cells: np.ndarray
    is_difference: bool = False


def along(positions: np.ndarray, values: np.ndarray, bins: int) -> np.ndarray:
    """Return the value of the slice at the middle of each bin, NaN where there is none.

    positions: of the slices along their structure, 0 to 1, evenly spaced where none is left out;
    values: of the slices. Of n slices each covers an nth of the structure.
    """
    steps = np.diff(np.sort(positions))
    last = round(1 / steps.min()) if len(steps) else 0
    of_slice = np.full(last + 1, np.nan)
    of_slice[np.rint(positions * last).astype(int)] = values
    return of_slice[((np.arange(bins) + 0.5) / bins * (last + 1)).astype(int)]


def tabulate(slices: pd.DataFrame, experiments: Sequence[str], bins: int) -> pd.DataFrame:
    """Return a row for each experiment, class and case with its Dice in each bin, the best first.

    slices: rows of per_slice; several runs of a slice are averaged. Rows of the mean foreground
    (label 0) average in each bin the classes that have a Dice there. Cases have a rank: that of
    their mean Dice over all experiments in the mean foreground, the same in every panel. Columns:
    experiment, class, label, rank, case, dice (the mean of the row) and those of bin_names.
    """
    names, unit = bin_names(bins), ["experiment", "class", "label", "case"]
    inside = slices.dropna(subset=["relative_position"])
    means = inside.groupby([*unit, "relative_position"])["dice"].mean().reset_index()
    groups = dict(tuple(means.groupby(unit)))
    places = [group[["relative_position", "dice"]].to_numpy().T for group in groups.values()]
    cells = [along(*of_case, bins) for of_case in places]
    table = pd.DataFrame(list(groups), columns=unit)
    table = table.join(pd.DataFrame(cells, columns=names, dtype=float))
    mean = table.groupby(["experiment", "case"])[names].mean().reset_index()
    table = pd.concat([mean.assign(**{"class": FOREGROUND, "label": 0}), table], ignore_index=True)
    table["dice"] = table[names].mean(axis=1)
    of_case = table[table["label"] == 0].groupby("case")["dice"].mean()
    # Of equal cases the first name comes first.
    ranks = of_case.sort_index().rank(ascending=False, method="first", na_option="bottom")
    table["rank"] = table["case"].map(ranks.astype(int))
    table["place"] = table["experiment"].map({name: i for i, name in enumerate(experiments)})
    table = table.sort_values(["place", "label", "rank"], ignore_index=True)
    return table[["experiment", "class", "label", "rank", "case", "dice", *names]]


def bin_names(bins: int) -> list[str]:
    """Return the columns of the bins, named by the position of their middle."""
    return [f"dice_at_{(i + 0.5) / bins:.3f}" for i in range(bins)]


def matrix(table: pd.DataFrame, experiment: str, name: str) -> np.ndarray:
    """Return the Dice of all cases by rank (case, bin), NaN where a case has none."""
    rows = table[(table["experiment"] == experiment) & (table["class"] == name)]
    bins = [column for column in table if column.startswith("dice_at_")]
    return rows.set_index("rank")[bins].reindex(range(1, table["rank"].max() + 1)).to_numpy(float)


def panels_of(table: pd.DataFrame, experiments: Sequence[str]) -> list[list[Panel]]:
    """Return the panels of the figure, row by row.

    With one or two experiments there is a row for the mean foreground and, of a few classes, for
    each of them; the difference of two is the second from the first, the reference. Of more
    experiments only the mean foreground is shown.
    """
    classes = list(table.sort_values("label")["class"].unique())
    if len(classes) == 2:
        classes = classes[1:]
    elif len(experiments) > 2 or len(classes) > 1 + MOST_CLASSES:
        classes = classes[:1]
    rows = []
    for name in classes:
        row = [Panel(each, name, matrix(table, each, name)) for each in experiments]
        if len(row) == 2:
            title = " − ".join(style.shorten(each, 15) for each in experiments[::-1])
            row.append(Panel(title, name, row[1].cells - row[0].cells, True))
        # Four panels are two and two, not three and one.
        across = math.ceil(len(row) / math.ceil(len(row) / PER_ROW))
        rows += [row[start : start + across] for start in range(0, len(row), across)]
    return rows


@style.journal()
def draw(table: pd.DataFrame, experiments: Sequence[str]) -> Figure:
    """Return the figure; cases are rows, in the same order in every panel."""
    rows = panels_of(table, experiments)
    cases, classes = table["rank"].max(), {panel.of for row in rows for panel in row}
    height = min(np.clip(NAME_MM * cases, 26, 110), (style.PAGE - 24) / len(rows) - 5)
    width = style.ONE_COLUMN if len(rows[0]) == 1 else style.TWO_COLUMNS
    figure = style.new_figure(width, (height + 5) * len(rows) + 24)
    shape = {"sharex": True, "sharey": True, "squeeze": False}
    grid = figure.subplots(len(rows), len(rows[0]), **shape)
    looks = _looks(rows)
    drawn: dict[bool, list] = {False: [], True: []}
    for axes in grid.flat[sum(map(len, rows)) :]:
        axes.set_visible(False)
    for place, panel in enumerate(panel for row in rows for panel in row):
        axes = grid.flat[place]
        image = axes.imshow(panel.cells, **looks[panel.is_difference])
        drawn[panel.is_difference].append((axes, image))
        _dress(axes)
        if len(classes) == 1 or place < len(rows[0]):
            axes.set_title(style.shorten(panel.title, 34))
        if len(classes) > 1 and place % len(rows[0]) == 0:
            axes.set_ylabel(style.shorten(panel.of, 22))
        if place + len(rows[0]) >= sum(map(len, rows)):
            axes.set_xlabel("relative position along the structure")
            axes.tick_params(labelbottom=True)
    _name_cases(grid[0, 0], table, height / cases)
    figure.supylabel(f"{style.counted(cases, 'case')}, the best on top", fontsize=style.NORMAL)
    _explain(figure, drawn, any(np.isnan(panel.cells).any() for row in rows for panel in row))
    return figure


def _name_cases(axes: Axes, table: pd.DataFrame, row_mm: float) -> None:
    """Name the cases beside their rows of so many mm, or where these are low, count them."""
    names = table.drop_duplicates("rank").sort_values("rank")["case"]
    if row_mm >= 0.95 * NAME_MM:
        axes.set_yticks(range(len(names)), [style.shorten(name, 16) for name in names])
        return
    step = int(style.round_length(max(len(names) / 5, 1)))
    ticks = [1, *range(step, len(names) + 1, step)]
    axes.set_yticks([rank - 1 for rank in ticks], ticks)


def _looks(rows: Sequence[Sequence[Panel]]) -> dict[bool, dict]:
    """Return how Dice (False) and differences (True) are drawn: colours and their range.

    The colours of Dice begin at the tenth below all but 2 % of the cells, so that what is usual is
    told apart; those of differences reach as far on both sides of 0 as 98 % of the cells.
    """
    found = {}
    for kind in (False, True):
        panels = (panel for row in rows for panel in row if panel.is_difference == kind)
        values = np.concatenate([np.zeros(0), *(panel.cells.ravel() for panel in panels)])
        values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
        lowest = min(np.floor(10 * np.percentile(values, 2)) / 10, 0.9)
        widest = max(np.ceil(20 * np.percentile(np.abs(values), 98)) / 20, 0.05)
        low, high = (-widest, widest) if kind else (lowest, 1)
        extent = (0, 1, len(rows[0][0].cells) - 0.5, -0.5)
        found[kind] = {"vmin": low, "vmax": high, "cmap": DIFFERENCE if kind else DICE}
        found[kind] |= {"aspect": "auto", "extent": extent}
    return found


def _dress(axes: Axes) -> None:
    """Hatch what the image of a panel leaves open, and mark the ends of the structure."""
    axes.patch.set(hatch="//////", edgecolor=style.GREY, facecolor="white", linewidth=0)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _explain(figure: Figure, drawn: dict[bool, list], missing: bool) -> None:
    """Add a scale of colours for Dice, one for differences, and what the hatch means."""
    for kind, label in ((False, "slice Dice"), (True, "difference of slice Dice")):
        if not drawn[kind]:
            continue
        panels, images = zip(*drawn[kind], strict=True)
        cells = np.concatenate([image.get_array().compressed() for image in images])
        low, high = (cells < images[0].norm.vmin).any(), (cells > images[0].norm.vmax).any()
        extend = ("neither", "min", "max", "both")[low + 2 * high]
        bar = figure.colorbar(
            images[0], ax=panels, location="bottom", extend=extend, aspect=40, shrink=0.8, pad=0.02
        )
        bar.set_label(label)
        bar.ax.xaxis.set_major_locator(MaxNLocator(5))
        bar.outline.set_linewidth(0.4)
    if missing:
        look = {"facecolor": "white", "hatch": "//////", "edgecolor": style.GREY}
        entry = style.patch("no slice with a Dice", **look)
        figure.legend(handles=[entry], loc="outside lower right")


def main(
    *,
    per_slice: Sequence[str | Path],
    dataset: str,
    experiments: Sequence[str],
    bins: int,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
) -> None:
    """Draw the figure from the scores of every run, in any order."""
    found = tabulate(read_scores(per_slice, COLUMNS), experiments, bins)
    write_csv(table, found.assign(dataset=dataset)[["dataset", *found]])
    style.save_figure(draw(found, experiments), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
