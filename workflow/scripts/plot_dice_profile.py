"""Draw slice Dice from one end of each structure to the other: mean and band over cases."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slicewise import statistics, style
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.score_tables import read_scores

COLUMNS = ["experiment", "case", "class", "label", "relative_position", "dice"]

PANEL_HEIGHT = {1: 58, 2: 58, 3: 46, 4: 38, 6: 31}
"""Height of a panel in mm, by how many stand side by side."""


def bin_means(slices: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Return the mean Dice of each case (row) in each bin of relative position (column)."""
    place = (slices["relative_position"].to_numpy() * bins).astype(int)
    binned = slices.assign(bin=np.minimum(place, bins - 1))
    table = binned.pivot_table(index="case", columns="bin", values="dice", aggfunc="mean")
    return table.reindex(columns=range(bins))


def profile(
    slices: pd.DataFrame,
    experiments: Sequence[str],
    *,
    bins: int,
    confidence: float,
    resamples: int,
) -> pd.DataFrame:
    """Return mean Dice and its interval for each experiment, class and bin of relative position.

    There are `bins` of them, or as many as the median case has scored slices in it if that is
    fewer: narrower bins would stay empty. Slices (and runs) of one case are averaged within each
    bin first, so that every case weighs the same; the interval resamples cases and is pointwise.
    Slices beyond the true structure have no relative position and stay out. Columns: experiment,
    class, label, bin, position_low, position_high, cases, dice, low, high.
    """
    scored = slices.dropna(subset=["relative_position", "dice"])
    classes = slices[["class", "label"]].drop_duplicates().sort_values("label")
    groups = dict(tuple(scored.groupby(["experiment", "class"])))
    tables = []
    for name, label in classes.itertuples(index=False):
        for experiment in experiments:
            group = groups.get((experiment, name), scored.iloc[:0])
            positions = group.groupby("case")["relative_position"].nunique()
            count = min(bins, int(positions.median())) if len(positions) else 1
            means = bin_means(group, count)
            mean = statistics.cluster_mean(
                means.to_numpy(dtype=float),
                means.index,
                confidence=confidence,
                resamples=resamples,
            )
            columns = {
                "experiment": experiment,
                "class": name,
                "label": label,
                "bin": range(count),
                "position_low": np.arange(count) / count,
                "position_high": np.arange(1, count + 1) / count,
                "cases": mean.cases,
                "dice": mean.mean,
                "low": mean.low,
                "high": mean.high,
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


@style.journal()
def draw(table: pd.DataFrame, palette: Sequence[str] = ()) -> Figure:
    """Return the figure: one panel for each class, one line with its band for each experiment.

    palette: as for style.looks.
    """
    looks = style.looks(table["experiment"].unique(), palette)
    classes = list(table["class"].unique())
    across = len(classes) if len(classes) <= 4 else 4 if len(classes) <= 12 else 6
    down = -(-len(classes) // across)
    entries = -(-table["experiment"].nunique() // 5)
    width = style.ONE_COLUMN if across == 1 else style.TWO_COLUMNS
    height = PANEL_HEIGHT[across] * down + 4 * entries + 6
    figure = style.new_figure(width, min(height, style.PAGE))
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes, name in zip(panels.flat, classes, strict=False):
        of_class = table[table["class"] == name]
        _draw_class(axes, of_class, looks)
        count = f"n = {of_class['cases'].max()}"
        if across <= 4:
            axes.set_title(f"{style.shorten(name, 20)} ({count})")
        else:
            axes.set_title(f"{style.shorten(name, 16)}\n{count}", fontsize=style.SMALL)
    for place, axes in enumerate(panels.flat[len(classes) :], start=len(classes) - across):
        axes.set_visible(False)
        panels.flat[place].tick_params(labelbottom=True)
    panels[0, 0].set_xlim(0, 1)
    panels[0, 0].set_ylim(0, 1)
    panels[0, 0].set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    figure.supxlabel("relative position along the structure", fontsize=style.NORMAL)
    figure.supylabel("slice Dice", fontsize=style.NORMAL)
    entries = [
        style.handle(style.shorten(name, 30), **look, markersize=2.5)
        for name, look in looks.items()
    ]
    figure.legend(handles=entries, loc="outside upper center", ncols=5 if across > 1 else 2)
    return figure


def _draw_class(axes: Axes, table: pd.DataFrame, looks: dict) -> None:
    """Draw the mean Dice of one class in each bin, with its band where there are enough cases."""
    if table["dice"].isna().all():
        axes.text(0.5, 0.5, "no slice to score", ha="center", color=style.GREY, in_layout=False)
    for name, line in table.groupby("experiment", sort=False):
        line = line.dropna(subset=["dice"])
        # An empty band has no extent, and the layout of the whole figure would fail.
        if line.empty:
            continue
        look = looks[name]
        centre = (line["position_low"] + line["position_high"]) / 2
        axes.fill_between(
            centre, line["low"], line["high"], color=look["color"], alpha=0.2, linewidth=0
        )
        axes.plot(centre, line["dice"], **look, markersize=2.5, clip_on=False)


def main(
    *,
    per_slice: Sequence[str | Path],
    dataset: str,
    experiments: Sequence[str],
    palette: Sequence[str],
    bins: int,
    confidence: float,
    resamples: int,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
) -> None:
    """Draw the figure from the scores of every run, in any order."""
    means = profile(
        read_scores(per_slice, COLUMNS),
        experiments,
        bins=bins,
        confidence=confidence,
        resamples=resamples,
    )
    means.insert(0, "dataset", dataset)
    write_csv(table, means)
    style.save_figure(draw(means, palette), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
