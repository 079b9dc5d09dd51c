"""The figure of the benchmark: how many times as fast, and how many times less memory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from benchmarks import table
from benchmarks.report import MEASURED
from slicewise import style

ROW_MM, FRAME_MM = 5.2, 24.0
PANELS = {"speed": "times as fast as nnU-Net", "memory": "times less memory"}
TARGETS = {"speed": "target", "memory": "memory_target"}
MEDIAN = {"color": style.SKY, "marker": "o", "markersize": 3.0, "zorder": 2}
RANGE = {
    "color": style.BLACK,
    "linewidth": 0.8,
    "marker": "|",
    "markersize": 3.5,
    "markeredgewidth": 0.6,
    "zorder": 3,
}
"""Over the median, so that narrow ranges are seen."""

TARGET = {
    "color": style.VERMILION,
    "marker": "|",
    "markersize": 9,
    "markeredgewidth": 1.4,
    "zorder": 4,
}
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


@style.journal()
def draw(summary: pd.DataFrame) -> Figure:
    """Return the figure of all lines that were measured: median, range and target on log axes."""
    rows = summary[summary["status"] == MEASURED].reset_index(drop=True)
    figure = style.new_figure(style.TWO_COLUMNS, FRAME_MM + ROW_MM * max(len(rows), 1))
    panels = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    heights = heights_of(rows["stage"].tolist())
    for index, (axes, (name, title)) in enumerate(zip(panels, PANELS.items(), strict=True)):
        draw_ratios(axes, rows, name, heights)
        axes.set_xlabel(title)
        style.letter(axes, "ab"[index])
    panels[0].set_yticks(heights, rows["title"])
    panels[0].set_ylim(max(heights, default=0) + 0.7, -0.7)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    entries = [
        style.handle("median", linestyle="none", **MEDIAN),
        style.handle("smallest to largest", **RANGE),
        style.handle("target", linestyle="none", **TARGET),
    ]
    figure.legend(handles=entries, loc="outside upper right", ncols=3)
    return figure


def heights_of(stages: list[str]) -> list[float]:
    """Return where each row stands: one apart, a little more between stages."""
    gaps = np.cumsum([0, *(a != b for a, b in pairwise(stages))])
    return [index + 0.5 * gap for index, gap in zip(range(len(stages)), gaps, strict=False)]


def draw_ratios(axes: Axes, rows: pd.DataFrame, name: str, heights: list[float]) -> None:
    """Draw one ratio of every row; nothing is left of 1 but what is slower or takes more."""
    ends = [1.0]
    for (_, row), y in zip(rows.iterrows(), heights, strict=True):
        low, high, middle = (row[f"{name}{end}"] for end in ("_low", "_high", ""))
        if pd.isna(middle):
            continue
        axes.plot(middle, y, **MEDIAN)
        axes.plot([low, high], [y, y], **RANGE)
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        note = table.number(middle)
        axes.annotate(note, (1, y), (3, 0), va="center", fontsize=style.SMALL, **place)
        target = row[TARGETS[name]]
        if pd.notna(target):
            axes.plot(float(target), y, **TARGET)
        ends += [low, high, *([float(target)] if pd.notna(target) else [])]
    axes.axvline(1, color=style.GREY, linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    left, right = min(ends) / 1.3, max(ends) * 1.3
    axes.set_xlim(left, right)
    ticks = [step for step in STEPS if left <= step <= right]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(axis="x", color=style.PALE, linewidth=0.5)


def write(folder: Path, summary: pd.DataFrame) -> None:
    """Write benchmark.svg and benchmark.png."""
    style.save_figure(draw(summary), folder / "benchmark.svg", folder / "benchmark.png")
