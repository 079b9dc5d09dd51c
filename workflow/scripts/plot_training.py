"""Draw losses and pseudo Dice over the epochs.

Thin lines are single runs, thick ones their mean; a band reaches from the lowest to the highest.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slicewise import style
from slicewise.files import write_csv
from slicewise.job import run

PANELS = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "pseudo_dice": "pseudo Dice",
    "ema_pseudo_dice": "pseudo Dice, moving average",
}
RASTERISED_FROM = 5000
"""Epochs of all runs from which thin lines are pixels: as paths they would fill megabytes."""

RUN = ["experiment", "fold", "seed"]


def read_histories(
    paths: Sequence[str | Path], runs: Sequence[tuple[str, int, int]]
) -> pd.DataFrame:
    """Return all histories in one table, with the columns experiment, fold and seed in front.

    runs: (experiment, fold, seed) of each file. A ValueError names the file that lacks a column.
    """
    tables = []
    for path, described in zip(paths, runs, strict=True):
        table = pd.read_csv(path)
        missing = [column for column in ("epoch", *PANELS) if column not in table]
        if missing:
            raise ValueError(f"{path}: found no column {', '.join(missing)}; train this run again")
        table = table[["epoch", *PANELS]]
        tables.append(table.assign(**dict(zip(RUN, described, strict=True))))
    return pd.concat(tables, ignore_index=True)[[*RUN, "epoch", *PANELS]]


def summarise(histories: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return mean, minimum and maximum over runs for each experiment and epoch.

    `runs` counts the runs that reached the epoch.
    """
    groups = histories.groupby(["experiment", "epoch"], sort=False)
    summary = groups[list(PANELS)].agg(["mean", "min", "max"])
    summary.columns = [f"{column}_{statistic}" for column, statistic in summary.columns]
    summary.insert(0, "runs", groups.size())
    summary = summary.reset_index()
    summary.insert(0, "dataset", dataset)
    return summary


@style.journal()
def draw(histories: pd.DataFrame, summary: pd.DataFrame, palette: Sequence[str] = ()) -> Figure:
    """Return the figure: one panel for each quantity, one colour for each experiment.

    palette: as for style.looks.
    """
    looks = style.looks(summary["experiment"].unique(), palette)
    figure = style.new_figure(style.TWO_COLUMNS, 108)
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for axes, column, text in zip(panels.flat, PANELS, "abcd", strict=True):
        _draw_panel(axes, histories, summary, column, looks)
        axes.set_title(PANELS[column])
        style.letter(axes, text)
    panels[0, 0].set_ylabel("Dice + cross-entropy loss")
    panels[1, 0].set_ylabel("pseudo Dice")
    panels[1, 0].set_ylim(0, 1)
    for axes in panels[1]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.margins(x=0.02)
    if histories["epoch"].nunique() == 1:
        panels[1, 0].set_xlim(histories["epoch"].iloc[0] - 0.5, histories["epoch"].iloc[0] + 0.5)
    entries = []
    for name, runs in summary.groupby("experiment", sort=False)["runs"]:
        look = looks[name] | {"marker": ""}
        count = style.counted(runs.max(), "run")
        entries.append(style.handle(f"{style.shorten(name, 30)} ({count})", **look))
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 4))
    return figure


def _draw_panel(
    axes: Axes, histories: pd.DataFrame, summary: pd.DataFrame, column: str, looks: dict
) -> None:
    """Draw every run of every experiment and their mean, as far as all runs have come."""
    for name, means in summary.groupby("experiment", sort=False):
        look = looks[name] | {"marker": ""}
        runs = histories[histories["experiment"] == name]
        # A single epoch is a dot: a line of one point would not show.
        if means["epoch"].nunique() == 1:
            look = looks[name]
        for _, run_table in runs.groupby(["fold", "seed"]):
            axes.plot(
                run_table["epoch"],
                run_table[column],
                color=look["color"],
                linewidth=0.5,
                alpha=0.6,
                marker=look["marker"],
                markersize=1.5,
                zorder=1,
                rasterized=len(histories) > RASTERISED_FROM,
            )
        complete = means[means["runs"] == means["runs"].max()]
        lowest, highest = complete[f"{column}_min"], complete[f"{column}_max"]
        # A band without extent, of one run or of no number, would break the layout of the figure.
        if (lowest < highest).any():
            band = {"color": look["color"], "alpha": 0.18, "linewidth": 0, "zorder": 0}
            axes.fill_between(complete["epoch"], lowest, highest, **band)
        axes.plot(complete["epoch"], complete[f"{column}_mean"], **look, linewidth=1.5, zorder=3)


def main(
    *,
    histories: Sequence[str | Path],
    runs: Sequence[tuple[str, int, int]],
    dataset: str,
    palette: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
) -> None:
    """Draw the figure; `runs` holds (experiment, fold, seed) of each of the `histories`."""
    table_of_runs = read_histories(histories, runs)
    summary = summarise(table_of_runs, dataset)
    write_csv(table, summary)
    style.save_figure(draw(table_of_runs, summary, palette), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
