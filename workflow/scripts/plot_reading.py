"""Draw what training samples cost to read as the dataset grows: bytes, memory and time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from slicewise import style
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.latex import Column, write_latex
from slicewise.reading_trial import WAYS

MOST_EXPERIMENTS = 4
"""Experiments that are drawn, a row of panels each; the table has all."""

FEW_DECADES = 150
"""An axis whose end is less than so many times its beginning has ticks at 2 and 5 as well."""

COLUMNS = [
    "dataset",
    "experiment",
    "way",
    "cases",
    "repeated",
    "dataset_mib",
    "bytes_from_disk",
    "samples_per_second",
    "growth_mib",
    "resident_mib",
    "machine",
]

IN_LATEX = {
    "read": "read",
    "cases": "cases",
    "MiB": Column("dataset_mib", digits=1),
    "KiB/sample": Column("kib", digits=0),
    "samples/s": Column("samples_per_second", digits=0),
    "growth (MiB)": Column("growth_mib", digits=0),
}


def looks(way: str) -> dict:
    """Return colour, dashes and marker of a way to read."""
    return style.line_style(list(WAYS).index(way))


def draw_ways(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    """Draw a line for each way over the size of the dataset, hollow markers where cases repeat."""
    for way in WAYS:
        found = rows[(rows["way"] == way) & (rows[column] > 0)].sort_values("dataset_mib")
        if found.empty:
            continue
        line = looks(way)
        axes.plot(found["dataset_mib"], found[column], **{**line, "marker": ""})
        for repeated, face in ((False, line["color"]), (True, "white")):
            part = found[found["repeated"] == repeated]
            axes.plot(
                part["dataset_mib"],
                part[column],
                linestyle="",
                marker=line["marker"],
                color=line["color"],
                markerfacecolor=face,
                markeredgewidth=0.8,
            )


def draw_whole(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw where memory grows by as much as the dataset is large."""
    ends = [rows["dataset_mib"].min(), rows["dataset_mib"].max()]
    axes.plot(ends, ends, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    axes.annotate(
        "size of the dataset",
        (ends[1], ends[1]),
        (0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=style.GREY,
        fontsize=style.SMALL,
    )


@style.journal()
def draw(frame: pd.DataFrame, experiments: Sequence[str], batch: Mapping[str, str]) -> Figure:
    """Return the figure, a row of three panels for each experiment.

    frame: as measure_reading writes it; batch: what the title says of each experiment.
    """
    shown = list(experiments)[:MOST_EXPERIMENTS]
    figure = style.new_figure(style.TWO_COLUMNS, 14 + 50 * len(shown))
    panels = figure.subplots(len(shown), 3, squeeze=False, sharex="col")
    for row, name in zip(panels, shown, strict=True):
        rows = frame[frame["experiment"] == name]
        rows = rows.assign(kib=rows["bytes_from_disk"] / 1024)
        draw_ways(row[0], rows, "kib")
        draw_ways(row[1], rows, "growth_mib")
        draw_whole(row[1], rows)
        draw_ways(row[2], rows, "samples_per_second")
        row[0].set_ylabel("read from disk\nfor a sample (KiB)")
        row[1].set_ylabel("growth of resident\nmemory (MiB)")
        row[2].set_ylabel("samples a second\nof CPU time")
        row[0].set_title(batch[name])
        for axes in row:
            scale(axes)
    for axes, text in zip(panels.flat, "abcdefghijkl", strict=False):
        style.letter(axes, text)
    for axes in panels[-1]:
        axes.set_xlabel("size of the dataset (MiB)")
    handles = [
        style.handle(words, **looks(way)) for way, words in WAYS.items() if way in set(frame["way"])
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def scale(axes: Axes) -> None:
    """Give a panel logarithmic axes with plain numbers."""
    axes.set(xscale="log", yscale="log")
    ends = axes.get_xlim(), axes.get_ylim()
    for axis, (low, high) in zip((axes.xaxis, axes.yaxis), ends, strict=True):
        subs = (1, 2, 5) if high < FEW_DECADES * low else (1,)
        axis.set_major_locator(LogLocator(subs=subs, numticks=9))
        axis.set_major_formatter("{x:,.7g}")
        axis.set_minor_formatter(NullFormatter())


def main(
    *,
    measured: str | Path,
    dataset: str,
    study: str,
    experiments: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
    latex: str | Path,
) -> None:
    """Draw the figure and write its tables from what measure_reading measured."""
    frame = pd.read_csv(measured)
    write_csv(table, frame[COLUMNS])
    rows = frame.assign(kib=frame["bytes_from_disk"] / 1024, read=frame["way"].map(WAYS))
    machine = frame["machine"].iloc[0]
    write_latex(
        latex,
        rows,
        IN_LATEX,
        f"What samples of {dataset} cost to read, by size of the dataset (MiB): read from disk for "
        "a sample, samples a second of CPU time, growth of resident memory. Measured on "
        f"{machine}.",
        f"tab:{dataset}_{study}",
        groups=("experiment",),
    )
    batch = {name: name if len(experiments) > 1 else "" for name in experiments}
    style.save_figure(draw(frame, experiments, batch), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
