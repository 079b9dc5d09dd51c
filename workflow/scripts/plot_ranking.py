"""Draw how often each experiment has each rank when cases are resampled.

All numbers are those of the table that rank_experiments wrote.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slicewise import style
from slicewise.job import run
from slicewise.pairing import METRICS
from slicewise.ranking import AGGREGATE, RANK
from slicewise.score_tables import read_table

ROW = 7.0
"""Height of the row of an experiment in mm."""

LARGEST = 130.0
"""Area in square points of the circle of a rank that an experiment has in every resample."""

TOLD = 0.005
"""Share below which a rank is not drawn: it would be a speck."""

OBSERVED = {"color": style.BLACK, "markersize": 6.5, "fillstyle": "none", "markeredgewidth": 0.7}
"""The square around the rank of all cases."""

TITLES = {AGGREGATE: "rank of the mean score", RANK: "rank of the mean rank"}


@style.journal()
def draw(table: pd.DataFrame, palette: Sequence[str]) -> Figure:
    """Return the figure: a panel for each metric and way of ranking the mean foreground.

    Experiments stand in the order of the first panel; palette: as for style.looks.
    """
    rows = table[table["label"] == 0]
    metrics = [metric for metric in METRICS if metric in set(rows["metric"])]
    first = rows[(rows["metric"] == metrics[0]) & (rows["method"] == AGGREGATE)]
    order = list(first["experiment"])
    colors = [look["color"] for look in style.looks(order, palette).values()]
    height = len(TITLES) * (17 + ROW * len(order))
    figure = style.new_figure(style.TWO_COLUMNS, min(height, style.PAGE))
    panels = figure.subplots(len(TITLES), len(metrics), sharey=True, squeeze=False)
    for place, (method, title) in enumerate(TITLES.items()):
        for column, metric in enumerate(metrics):
            axes = panels[place, column]
            of_panel = rows[(rows["metric"] == metric) & (rows["method"] == method)]
            _draw_ranks(axes, of_panel.set_index("experiment").loc[order], colors)
            axes.set_title(f"{METRICS[metric].name.removesuffix(' (mm)')}: {title}")
            style.letter(axes, "abcdefgh"[place * len(metrics) + column])
            axes.set_xlabel(_of_ranks(of_panel))
    return figure


def _of_ranks(table: pd.DataFrame) -> str:
    """Return what the axis of ranks says of a ranking: its cases and Kendall's tau."""
    cases, tau = int(table["cases"].iloc[0]), table["tau"].iloc[0]
    if not np.isfinite(tau):
        return f"rank (n = {cases}, too few to resample)"
    return f"rank (n = {cases:,}, τ = {tau:.2f})".replace("-", "−")


def _draw_ranks(axes: Axes, table: pd.DataFrame, colors: Sequence[str]) -> None:
    """Draw a row of circles for each experiment, its ranks of all cases and in resamples.

    table: experiment -> its row of the ranking; colors: of each of them. A square is the rank of
    all cases, a cross and a line are the median and the interval of those in resamples.
    """
    count = len(table)
    for y, (color, (_, row)) in enumerate(zip(colors, table.iterrows(), strict=True)):
        shares = row[[f"frequency_{i}" for i in range(1, count + 1)]].to_numpy(float)
        shown = np.flatnonzero(shares >= TOLD)
        axes.scatter(
            shown + 1,
            np.full(len(shown), y),
            LARGEST * shares[shown],
            color,
            alpha=0.6,
            linewidths=0,
        )
        axes.plot([row["rank_low"], row["rank_high"]], [y, y], color=style.BLACK, linewidth=0.8)
        axes.plot(row["rank_median"], y, "x", color=style.BLACK, markersize=4)
        axes.plot(row["rank"], y, "s", **OBSERVED)
    axes.set_xlim(0.5, count + 0.5)
    axes.set_ylim(count - 0.4, -0.7)
    axes.set_xticks(_ticks(count))
    axes.set_yticks(range(count), [style.shorten(name, 20) for name in table.index])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _ticks(count: int) -> range:
    """Return the ranks that are named: all of up to 12, else every second, third and so on."""
    return range(1, count + 1, -(-count // 12))


def main(
    *,
    table: str | Path,
    palette: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
) -> None:
    """Draw the figure from the ranking of a study."""
    style.save_figure(draw(read_table(table), palette), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
