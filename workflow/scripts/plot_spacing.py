"""Draw the spacing of every case along each axis, the anisotropy and what each experiment slices.

The table holds the quantiles behind each row of dots and the experiments that slice across an axis.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from slicewise import style
from slicewise.files import write_csv
from slicewise.geometry import ANISOTROPY_THRESHOLD
from slicewise.job import run
from slicewise.latex import Column, write_latex
from slicewise.plans import Plan, read_plan
from slicewise.records import read_orientation

AXES = ("z", "y", "x")
DIRECTIONS = {
    frozenset("RL"): "left–right",
    frozenset("AP"): "posterior–anterior",
    frozenset("SI"): "inferior–superior",
}
NAMES_SHOWN = 4
"""Experiments named above one axis before the rest is counted."""


def directions(orientation: dict) -> tuple[str, str, str]:
    """Return the anatomical direction of the axes z, y and x.

    orientation: content of orientation.json. A dataset of mixed orientations that is read as stored
    has no single direction: "mixed".
    """
    if not orientation["reorient"] and len(orientation["orientations"]) > 1:
        return ("mixed",) * 3
    letters = "RAS" if orientation["reorient"] else orientation["orientation"]
    opposite = str.maketrans("RLAPSI", "LRPAIS")
    return tuple(
        DIRECTIONS[frozenset({letter, letter.translate(opposite)})] for letter in letters[::-1]
    )


def summarise(
    spacing: pd.DataFrame, plans: dict[str, Plan], named: Sequence[str], dataset: str
) -> pd.DataFrame:
    """Return one row for each axis and one for the anisotropy: quantiles over cases.

    spacing: content of spacing.csv; plans: experiment -> plan; named: direction of each axis.
    target_mm is NaN where no experiment resamples the axis.
    """
    rows = []
    for column in ("spacing_0_mm", "spacing_1_mm", "spacing_2_mm", "anisotropy"):
        values = spacing[column].to_numpy(dtype=float)
        axis = int(column[8]) if column.startswith("spacing") else None
        sliced = [name for name, plan in plans.items() if slice_axis(plan) == axis]
        targets = [in_plane(plan).get(axis) for plan in plans.values()]
        targets = [target for target in targets if target is not None]
        rows.append(
            {
                "dataset": dataset,
                "quantity": column,
                "direction": "" if axis is None else named[axis],
                "cases": len(values),
                "minimum": values.min(),
                "percentile_10": np.percentile(values, 10),
                "median": np.median(values),
                "percentile_90": np.percentile(values, 90),
                "maximum": values.max(),
                "target_mm": targets[0] if targets else np.nan,
                "sliced_by": ";".join(sliced),
            }
        )
    return pd.DataFrame(rows)


def slice_axis(plan: Plan) -> int:
    """Return the axis in reading order that a plan slices across."""
    return plan.preparation.transpose_forward[0]


def in_plane(plan: Plan) -> dict[int, float]:
    """Return the target spacing in mm of the two axes in reading order that slices span."""
    return dict(zip(plan.preparation.transpose_forward[1:], plan.spacing, strict=True))


@style.journal()
def draw(
    spacing: pd.DataFrame,
    plans: dict[str, Plan],
    named: Sequence[str],
    palette: Sequence[str] = (),
) -> Figure:
    """Return the figure: spacing by axis, anisotropy, and the pixel of each experiment.

    palette: as for style.looks.
    """
    figure = style.new_figure(style.TWO_COLUMNS, 68)
    by_axis, anisotropy, pixels = figure.subplots(1, 3, width_ratios=[2.8, 1, 3])
    values = [spacing[f"spacing_{axis}_mm"].to_numpy(dtype=float) for axis in range(3)]
    _dots(by_axis, values)
    by_axis.set_xticks(range(3), [f"{AXES[i]} (axis {i})\n{named[i]}" for i in range(3)])
    by_axis.set_ylabel("spacing (mm)")
    by_axis.set_ylim(0, max(v.max() for v in values) * _mark_sliced(by_axis, plans))

    ratio = spacing["anisotropy"].to_numpy(dtype=float)
    _dots(anisotropy, [ratio])
    anisotropy.axhline(ANISOTROPY_THRESHOLD, color=style.GREY, linewidth=0.8, linestyle="--")
    anisotropy.set_ylim(0, 1.1 * max(ratio.max(), ANISOTROPY_THRESHOLD))
    anisotropy.set_xticks([0], [style.counted(len(ratio), "case") + "\n"])
    anisotropy.set_ylabel("largest / smallest spacing")
    colors = [look["color"] for look in style.looks(plans, palette).values()]
    _pixels(pixels, plans, [float(np.median(v)) for v in values], colors)
    titles = ("spacing and sliced axis", "anisotropy", "one pixel of a slice")
    for axes, text, title in zip((by_axis, anisotropy, pixels), "abc", titles, strict=True):
        style.letter(axes, text)
        axes.set_title(title)
    return figure


def _dots(axes: Axes, columns: Sequence[np.ndarray]) -> None:
    """Draw one dot for each case and a bar at the median of each column."""
    size = 9 if len(columns[0]) <= 60 else 4
    for x, values in enumerate(columns):
        offsets = style.swarm(values, spread=0.25)
        axes.scatter(x + offsets, values, s=size, color=style.GREY, linewidths=0, alpha=0.7)
        median = float(np.median(values))
        axes.plot([x - 0.24, x + 0.24], [median] * 2, color=style.BLACK, linewidth=1.2)
        axes.annotate(
            f"{median:.3g}",
            (x + 0.24, median),
            (1.5, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )
    axes.set_xlim(-0.6, len(columns) - 0.4)


def _mark_sliced(axes: Axes, plans: dict[str, Plan]) -> float:
    """Name the experiments on the axis that they slice; return the headroom that this needs."""
    most = 0
    for axis in range(3):
        sliced = [i for i, plan in enumerate(plans.values()) if slice_axis(plan) == axis]
        if not sliced:
            continue
        axes.axvspan(axis - 0.48, axis + 0.48, color=style.PALE, alpha=0.45, linewidth=0, zorder=0)
        lines = ["sliced by"]
        lines += [style.shorten(list(plans)[i], 14) for i in sliced[:NAMES_SHOWN]]
        if len(sliced) > NAMES_SHOWN:
            lines.append(f"and {len(sliced) - NAMES_SHOWN} more")
        for line, text in enumerate(lines):
            axes.annotate(
                text,
                (axis, 1),
                (0, -2 - 8 * line),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=style.SMALL,
                fontweight="bold" if line else "normal",
            )
        most = max(most, len(lines))
    return 1.1 + 0.09 * most


def _pixels(
    axes: Axes, plans: dict[str, Plan], median: Sequence[float], colors: Sequence[str]
) -> None:
    """Draw one pixel of each different plan to scale, with its size and the slice distance."""
    groups: dict[tuple, list[int]] = {}
    for i, plan in enumerate(plans.values()):
        groups.setdefault((slice_axis(plan), tuple(plan.spacing)), []).append(i)
    slot = 1.2 * max(max(spacing) for _, spacing in groups)
    labels = []
    for place, ((axis, (row, column)), members) in enumerate(groups.items()):
        look = colors[members[0]]
        corner = ((place + 0.5) * slot - column / 2, -row / 2)
        axes.add_patch(Rectangle(corner, column, row, facecolor=look, alpha=0.25, linewidth=0))
        axes.add_patch(Rectangle(corner, column, row, fill=False, edgecolor=look, linewidth=1))
        more = f" (+{len(members) - 1})" if len(members) > 1 else ""
        name = style.shorten(list(plans)[members[0]], 12) + more
        labels.append(f"{name}\n{row:.3g} × {column:.3g} mm\nevery {median[axis]:.3g} mm")
    axes.set_xticks([(place + 0.5) * slot for place in range(len(groups))], labels)
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
    length = style.round_length(0.6 * slot)
    ends = [-length / 2, length / 2]
    axes.plot([0, 0], ends, color=style.BLACK, linewidth=1.5, solid_capstyle="butt")
    note = {"textcoords": "offset points", "va": "center", "fontsize": style.SMALL}
    axes.annotate(f"{length:g} mm", (0, 0), (-3, 0), ha="right", rotation=90, **note)
    axes.margins(0.02)
    axes.update_datalim([(0, -slot / 2), (slot * len(groups), slot / 2)])
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")


def as_latex(table: pd.DataFrame, dataset: str) -> dict:
    """Return what `write_latex` takes of the table of `summarise`."""
    names = {f"spacing_{axis}_mm": f"axis {axis} (mm)" for axis in range(3)}
    rows = table.assign(
        what=table["quantity"].replace(names | {"anisotropy": "largest / smallest"}),
        sliced_by=table["sliced_by"].str.replace(";", ", "),
    )
    columns = {
        "spacing": "what",
        "direction": "direction",
        "median": Column("median", digits=2),
        "10th": Column("percentile_10", digits=2),
        "90th": Column("percentile_90", digits=2),
        "smallest": Column("minimum", digits=2),
        "largest": Column("maximum", digits=2),
        "target": Column("target_mm", digits=2),
        "sliced by": "sliced_by",
    }
    caption = (
        f"Spacing of {dataset} (n = {table['cases'].max()} cases) along the axes in nnU-Net's "
        "order: percentiles over cases, target spacing, and the experiments that slice each axis."
    )
    return {"rows": rows, "columns": columns, "caption": caption, "label": f"tab:{dataset}_spacing"}


def main(
    *,
    spacing: str | Path,
    orientation: str | Path,
    plans: Sequence[str | Path],
    dataset: str,
    experiments: Sequence[str],
    palette: Sequence[str],
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
    tex: str | Path,
) -> None:
    """Draw the figure; `plans` are in the order of `experiments`."""
    frame = pd.read_csv(spacing)
    if frame.empty:
        raise ValueError(f"{spacing}: found no case, expected one row for each")
    by_name = {name: read_plan(path) for name, path in zip(experiments, plans, strict=True)}
    named = directions(read_orientation(orientation, "orientation", "orientations"))
    summary = summarise(frame, by_name, named, dataset)
    write_csv(table, summary)
    write_latex(tex, **as_latex(summary, dataset))
    style.save_figure(draw(frame, by_name, named, palette), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
