"""Draw Dice over the size of the patch: of cases and of slices, by class and by structure size."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slicewise import style
from slicewise.job import run

LEVELS = {"case": "whole cases", "slice": "slices"}
MOST_CLASSES = 6
"""Classes that are drawn; of more, the figure shows their mean alone."""

SIZES = {
    "small": {"color": "#A6A6A6", "marker": "v", "linestyle": "-"},
    "medium": {"color": "#6B6B6B", "marker": "o", "linestyle": (0, (4, 1.2))},
    "large": {"color": style.BLACK, "marker": "^", "linestyle": (0, (1, 1))},
}
"""Greys, as the colours are those of classes."""


def looks_of(table: pd.DataFrame) -> dict[tuple[str, str], dict]:
    """Return how each group is drawn, by (by, group): the whole, the classes if few, the sizes."""
    classes = table[table["by"] == "class"].sort_values("label")["group"].unique()
    found = {("all", table.loc[table["by"] == "all", "group"].iloc[0]): style.line_style(0)}
    if 1 < len(classes) <= MOST_CLASSES:
        found |= {("class", name): style.line_style(i) for i, name in enumerate(classes, start=1)}
    return found | {("size", name): look for name, look in SIZES.items()}


@style.journal()
def draw(table: pd.DataFrame) -> Figure:
    """Return the figure: a row of panels for each level, then what fits in the patches."""
    figure = style.new_figure(style.TWO_COLUMNS, 150)
    grid = figure.subplots(3, 3, sharex=True)
    looks = looks_of(table)
    by_class = {key: look for key, look in looks.items() if key[0] != "size"}
    by_size = {key: look for key, look in looks.items() if key[0] == "size"}
    for (level, title), panels in zip(LEVELS.items(), grid, strict=False):
        rows = table[table["level"] == level]
        _draw_lines(panels[0], rows, by_class, "dice")
        _draw_lines(panels[1], rows, by_class, "difference")
        _draw_lines(panels[2], rows, by_size, "difference")
        panels[0].set_ylabel(f"Dice of {title}")
        for axes in panels[1:]:
            axes.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--", zorder=0)
            axes.set_ylabel("difference of Dice")
        low, high = zip(*(axes.get_ylim() for axes in panels[1:]), strict=True)
        for axes in panels[1:]:
            axes.set_ylim(min(low), max(high))
    of_cases = table[table["level"] == "case"]
    of_cases = of_cases.assign(percent=100 * of_cases["share_that_fits"])
    for axes, group in ((grid[2, 1], by_class), (grid[2, 2], by_size)):
        _draw_lines(axes, of_cases, group, "percent")
        axes.set_ylabel("extents that fit (%)")
        axes.set_ylim(0, 103)
    for axes in (grid[1, 0], *grid[2, 1:]):
        _name_patches(axes, of_cases)
    grid[0, 0].set_title(_count(of_cases, "cases"))
    grid[0, 1].set_title("by class")
    grid[0, 2].set_title("by size of the structure")
    for axes, text in zip([*grid[:2].flat, *grid[2, 1:]], "abcdefgh", strict=True):
        style.letter(axes, text)
    _explain(grid[2, 0], of_cases, looks)
    return figure


def _count(rows: pd.DataFrame, noun: str) -> str:
    """Return how many cases the mean of all classes is over."""
    return f"n = {rows.loc[rows['by'] == 'all', noun].max()} {noun}"


def _draw_lines(
    axes: Axes, rows: pd.DataFrame, looks: dict[tuple[str, str], dict], column: str
) -> None:
    """Draw a line with intervals for each group over the scale of the patch."""
    scales = np.sort(rows["scale"].unique())
    gap = np.diff(scales).min() if len(scales) > 1 else 0.1
    for place, ((by, group), look) in enumerate(looks.items()):
        line = rows[(rows["by"] == by) & (rows["group"] == group)].sort_values("scale")
        if column == "difference":
            # The reference differs from itself by nothing.
            line = line.assign(difference=line["difference"].fillna(0))
        shift = 0.3 * gap * ((place + 0.5) / len(looks) - 0.5)
        x = line["scale"] + shift
        width = 1.8 if by == "all" else 1.0
        axes.plot(x, line[column], **look, linewidth=width, markersize=3)
        if f"{column}_low" in line:
            ends = line[[f"{column}_low", f"{column}_high"]].to_numpy(dtype=float).T
            axes.vlines(x, *ends, color=look["color"], linewidth=0.9)


def _name_patches(axes: Axes, rows: pd.DataFrame) -> None:
    """Name the patches below a panel, with their edges where these have room."""
    patches = rows.drop_duplicates("scale").sort_values("scale")
    named = [f"{scale:.2g}" for scale in patches["scale"]]
    if len(patches) <= 4:
        edges = patches[["patch_row", "patch_column"]].itertuples(index=False)
        named = [f"{name}\n{r}×{c}" for name, (r, c) in zip(named, edges, strict=True)]
    axes.set_xticks(patches["scale"], named)
    axes.tick_params(labelbottom=True)
    axes.set_xlabel("patch edge over the reference's")


def _explain(axes: Axes, rows: pd.DataFrame, looks: dict[tuple[str, str], dict]) -> None:
    """Write the legends into a panel of their own: classes, and sizes with their range."""
    axes.set_axis_off()
    entries: dict[bool, list] = {False: [], True: []}
    for (by, group), look in looks.items():
        of_group = rows[(rows["by"] == by) & (rows["group"] == group)]
        text = style.shorten(group, 26)
        if by == "size":
            low, high = of_group[["size_low", "size_high"]].iloc[0]
            text = f"{group}: {low:.2f} to {high:.2f}"
        text = f"{text} (n = {of_group['cases'].max()})"
        entries[by == "size"].append(style.handle(text, **look))
    placed = {"alignment": "left", "borderpad": 0, "title_fontsize": style.SMALL}
    above = axes.legend(handles=entries[False], loc="upper left", title="Classes", **placed)
    axes.add_artist(above)
    title = "Thirds of each class: largest extent\nover the reference's patch"
    axes.legend(handles=entries[True], loc="lower left", title=title, **placed)


def main(
    *,
    comparison: str | Path,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
) -> None:
    """Draw the figure from the table of compare_patch_sizes."""
    table = pd.read_csv(comparison, na_values=[""], keep_default_na=False)
    style.save_figure(draw(table), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
