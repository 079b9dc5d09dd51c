"""Draw the patch of each experiment over the middle slice of the median case.

A panel beside them shows which share of each structure's in-plane extents fits in the patch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from slicewise import style
from slicewise.dataset import open_dataset
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.labels import Labels
from slicewise.plans import Plan, read_plan
from slicewise.slices import ExportedCase, open_case

ADEQUATE_SHARE = 0.95
"""The share of extents below which planning warns."""

PER_ROW = 3
"""Slices drawn side by side."""


@dataclass(frozen=True)
class View:
    """One slice of an experiment and the patch on it.

    image: (row, column); structures: number of each class that is there -> its mask (row, column);
    start: first row and column of the patch, negative where it reaches past the slice.
    """

    plan: Plan
    image: np.ndarray
    structures: dict[int, np.ndarray]
    slice: int
    start: tuple[int, int]


def median_case(shapes: Mapping[str, Sequence[int]]) -> str:
    """Return the case whose slices are nearest in rows and columns to the median of all cases.

    shapes: (slice, row, column) of each case. Nearness is the summed ratio, so that 20 pixels more
    and 20 less of a short edge weigh by their share of it; of equals the first wins.
    """
    sizes = np.log([shape[1:] for shape in shapes.values()])
    distance = np.abs(sizes - np.median(sizes, axis=0)).sum(axis=1)
    return list(shapes)[int(np.argmin(distance))]


def middle_slice(counts: np.ndarray) -> int:
    """Return the middle one of the slices that show the most classes.

    counts: voxels (class, slice). Without any foreground it is the middle slice of the volume.
    """
    classes = (counts > 0).sum(axis=0)
    shown = np.flatnonzero(classes == classes.max(initial=0))
    return int(shown[len(shown) // 2])


def patch_start(size: int, patch: int, centre: float) -> int:
    """Return where a patch around `centre` starts along one axis of `size` pixels.

    It stays within the slice; a slice smaller than the patch is padded on both sides.
    """
    if size <= patch:
        return -((patch - size) // 2)
    return int(np.clip(round(centre - (patch - 1) / 2), 0, size - patch))


def view(case: ExportedCase, plan: Plan, labels: Labels) -> View:
    """Return the middle slice of a case with the patch around its structures."""
    chosen = middle_slice(case.counts)
    label = np.array(case.label[chosen])
    masks = {number: labels.mask(label, name) for number, name in enumerate(labels.classes, 1)}
    structures = {number: mask for number, mask in masks.items() if mask.any()}
    found = np.argwhere(np.any(list(masks.values()), axis=0))
    edges = [found.min(axis=0), found.max(axis=0)] if len(found) else [0, np.array(label.shape) - 1]
    centre = np.mean(edges, axis=0) if len(found) else edges[1] / 2
    start = tuple(
        patch_start(*axis) for axis in zip(label.shape, plan.patch_size, centre, strict=True)
    )
    return View(plan, np.array(case.image[chosen, 0]), structures, chosen, start)


def tabulate(
    views: dict[str, View], adequacy: dict[str, pd.DataFrame], case: str, dataset: str
) -> pd.DataFrame:
    """Return one row for each experiment and class: the slice, the patch and what fits in it."""
    tables = []
    for name, shown in views.items():
        rows, columns = shown.image.shape
        table = adequacy[name].copy()
        drawn = {
            "dataset": dataset,
            "experiment": name,
            "case": case,
            "slice": shown.slice,
            "slice_rows": rows,
            "slice_columns": columns,
            "spacing_row_mm": shown.plan.spacing[0],
            "spacing_column_mm": shown.plan.spacing[1],
        }
        for place, (column, value) in enumerate(drawn.items()):
            table.insert(place, column, value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@style.journal()
def draw(
    views: dict[str, View], adequacy: dict[str, pd.DataFrame], palette: Sequence[str] = ()
) -> Figure:
    """Return the figure: one panel for each experiment, then the shares that fit.

    palette: as for style.looks.
    """
    looks = style.looks(views, palette)
    columns = min(len(views), PER_ROW)
    lines = -(-len(views) // columns)
    classes = list(next(iter(adequacy.values()))["class"])
    height = max(62 * lines, 22 + 3.4 * len(classes))
    width = min(style.TWO_COLUMNS, 60 * (columns + 1))
    figure = style.new_figure(width, min(height, style.PAGE))
    grid = figure.add_gridspec(lines, columns + 1, width_ratios=[1] * columns + [0.85])
    for i, (name, shown) in enumerate(views.items()):
        axes = figure.add_subplot(grid[i // columns, i % columns])
        _draw_view(axes, shown, name, looks[name]["color"])
        if i == 0:
            style.letter(axes, "a")
    axes = figure.add_subplot(grid[:, columns])
    _draw_shares(axes, adequacy, classes, looks)
    style.letter(axes, "b")
    if len(views) > 1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower right", ncols=4)
    return figure


def _draw_view(axes: Axes, shown: View, name: str, color: str) -> None:
    """Draw a slice, its structures and the patch; what the patch pads is shown in pale grey."""
    (rows, columns), (height, width) = shown.image.shape, shown.plan.patch_size
    spacing = shown.plan.spacing
    style.draw_image(axes, shown.image, spacing)
    style.draw_scale(axes, spacing[1])
    # Where two outlines share an edge, the larger structure's, wider and below, stays in sight.
    largest_first = sorted(shown.structures.items(), key=lambda item: -item[1].sum())
    for rank, (number, mask) in enumerate(largest_first):
        overlap = [bool((mask & other).any()) for _, other in largest_first]
        width_pt = 0.9 + 1.4 * sum(overlap[rank + 1 :])
        rim = None if any(overlap[:rank]) else style.BLACK
        style.draw_outline(axes, mask, style.class_color(number), width_pt, rim)
    row, column = shown.start
    axes.set_xlim(min(column, 0) - 0.5, max(column + width, columns) - 0.5)
    axes.set_ylim(max(row + height, rows) - 0.5, min(row, 0) - 0.5)
    axes.set_facecolor(style.PALE)
    corner = (column - 0.5, row - 0.5)
    for stroke, width_pt in (("white", 2.6), (color, 1.5)):
        axes.add_patch(
            Rectangle(
                corner,
                width,
                height,
                fill=False,
                edgecolor=stroke,
                linewidth=width_pt,
                clip_on=False,
            )
        )
    axes.set_title(style.shorten(name, 26), fontweight="bold")
    axes.set_xlabel(
        f"patch {height} × {width} px, {height * spacing[0]:.0f} × {width * spacing[1]:.0f} mm\n"
        f"slice {rows} × {columns} px, {rows * spacing[0]:.0f} × {columns * spacing[1]:.0f} mm",
        fontsize=style.SMALL,
    )


def _draw_shares(
    axes: Axes, adequacy: dict[str, pd.DataFrame], classes: Sequence[str], looks: dict
) -> None:
    """Draw one row for each class and one mark for each experiment."""
    rows = np.arange(len(classes))
    for i, (name, table) in enumerate(adequacy.items()):
        look = looks[name]
        dodge = 0.5 * ((i + 0.5) / len(adequacy) - 0.5)
        share = table.set_index("class")["share"].reindex(classes).to_numpy(dtype=float)
        axes.plot(
            100 * share,
            rows + dodge,
            linestyle="",
            color=look["color"],
            marker=look["marker"],
            label=style.shorten(name, 26),
            clip_on=False,
        )
    axes.axvline(100 * ADEQUATE_SHARE, color=style.GREY, linewidth=0.8, linestyle="--", zorder=0)
    for row in rows:
        axes.axhline(row, color=style.PALE, linewidth=0.5, zorder=-1)
    axes.set_yticks(rows, [style.shorten(name, 22) for name in classes])
    colors = [style.class_color(label) for label in next(iter(adequacy.values()))["label"]]
    axes.scatter(
        np.full(len(rows), -0.03),
        rows,
        10,
        colors,
        marker="s",
        edgecolors=style.GREY,
        linewidths=0.4,
        transform=axes.get_yaxis_transform(),
        clip_on=False,
    )
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", length=0, pad=7)
    axes.set_xlabel("in-plane extents\nthat fit in the patch (%)")


def main(
    *,
    dataset_json: str | Path,
    plans: Sequence[str | Path],
    adequacy: Sequence[str | Path],
    arrays: Sequence[str | Path],
    cases: Sequence[str],
    dataset: str,
    experiments: Sequence[str],
    palette: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
) -> None:
    """Draw the figure; plans, adequacy and arrays (folders) are in the order of `experiments`.

    The median case is that of the first experiment, and shown for all of them.
    """
    labels = open_dataset(dataset_json).labels
    # One after the other: thousands that are open at once are more than many systems allow.
    chosen = median_case({name: open_case(arrays[0], name).label.shape for name in cases})
    shares = {name: pd.read_csv(path) for name, path in zip(experiments, adequacy, strict=True)}
    views = {
        name: view(open_case(folder, chosen), read_plan(plan), labels)
        for name, folder, plan in zip(experiments, arrays, plans, strict=True)
    }
    write_csv(table, tabulate(views, shares, chosen, dataset))
    style.save_figure(draw(views, shares, palette), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
