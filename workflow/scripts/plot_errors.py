"""Draw where the errors are: volumes by kind for each experiment and class, and along structures.

slicewise.wrong_voxels says which kinds of wrong voxels there are.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from slicewise import statistics, style
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.latex import Column, write_latex
from slicewise.score_tables import read_scores
from slicewise.wrong_voxels import KINDS

FOREGROUND = "mean foreground"
RUN = ["experiment", "fold", "seed", "case", "class", "label"]
COUNTS = [f"{kind}_{side}" for kind in KINDS for side in ("missed", "false")]

LOOKS = {
    "ends": {"facecolor": style.BLUE},
    "boundary": {"facecolor": style.ORANGE},
    "classes": {"facecolor": style.BLACK},
    "elsewhere": {"facecolor": "white", "hatch": "//////"},
}
"""Apart in lightness too: 46, 71, 0 and 100 of 100, the last one hatched."""

NAMES = {
    "ends": "beyond the ends",
    "boundary": "boundary",
    "classes": "between classes",
    "elsewhere": "elsewhere",
}
RIM = [withStroke(linewidth=2.2, foreground="white")]
"""Around intervals, so that they show on black too."""

PER_ROW = 2
"""Profiles drawn side by side."""

MOST_BARS = 36
"""Bars that fit on a page; where classes and experiments need more, only their mean is drawn."""


def case_volumes(cases: pd.DataFrame) -> pd.DataFrame:
    """Return ml of each kind for each experiment, case and class, and of the mean class (label 0).

    cases: rows of errors_per_case.csv. Runs of one case are averaged. Columns: experiment, class,
    label, case, and for each kind its name, NAME_missed and NAME_false.
    """
    volumes = cases[COUNTS].mul(cases["voxel_ml"], axis=0)
    for kind in KINDS:
        volumes[kind] = volumes[f"{kind}_missed"] + volumes[f"{kind}_false"]
    table = pd.concat([cases[RUN], volumes], axis=1)
    unit, columns = ["experiment", "class", "label", "case"], [*KINDS, *COUNTS]
    table = table.groupby(unit)[columns].mean().reset_index()
    mean = table.groupby(["experiment", "case"])[columns].mean().reset_index()
    return pd.concat([mean.assign(**{"class": FOREGROUND, "label": 0}), table])[[*unit, *columns]]


def summarise(
    volumes: pd.DataFrame, experiments: Sequence[str], confidence: float, resamples: int
) -> pd.DataFrame:
    """Return one row for each experiment, class and kind, and for all wrong voxels (kind all).

    Means are over cases, with intervals that resample cases; share is the mean over cases of a
    kind's share of all that is wrong in a case, without cases in which nothing is.
    """
    rows = []
    groups = dict(tuple(volumes.groupby(["label", "class", "experiment"])))
    for label, name in sorted({key[:2] for key in groups}):
        for experiment in experiments:
            group = groups[label, name, experiment]
            values = group[list(KINDS)].assign(all=group[list(KINDS)].sum(axis=1))
            with np.errstate(invalid="ignore"):
                shares = values.div(values["all"], axis=0)
            settings = {"confidence": confidence, "resamples": resamples}
            volume = statistics.cluster_mean(values.to_numpy(), group["case"], **settings)
            share = statistics.cluster_mean(shares.to_numpy(), group["case"], **settings)
            for place, kind in enumerate(values):
                row = {"experiment": experiment, "class": name, "label": label, "kind": kind}
                row |= {"cases": volume.cases[place], "volume_ml": volume.mean[place]}
                row |= {"volume_low": volume.low[place], "volume_high": volume.high[place]}
                for side in ("missed", "false"):
                    of_kinds = [f"{k}_{side}" for k in (KINDS if kind == "all" else [kind])]
                    row[f"{side}_ml"] = group[of_kinds].sum(axis=1).mean()
                row |= {"share": share.mean[place], "share_low": share.low[place]}
                rows.append(row | {"share_high": share.high[place]})
    return pd.DataFrame(rows)


def bin_names(bins: int) -> list[str]:
    """Return the columns of the bins along a structure: before it, in it, and behind it."""
    edges = np.arange(bins + 1) / bins
    within = [f"ml_{low:.2f}_to_{high:.2f}" for low, high in pairwise(edges)]
    return ["ml_before", *within, "ml_behind"]


def profile(slices: pd.DataFrame, runs: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Return the mean ml of a case in each bin along a structure, by experiment, class and kind.

    slices: rows of errors_per_slice; runs: rows of errors_per_case, which count the cases and
    runs. The volume of a slice is spread evenly over what it covers of the structure, so that cases
    of few and of many slices can be added up. Columns: experiment, class, label, kind and those of
    bin_names. Structures that are not there have no place.
    """
    slices = slices.dropna(subset=["start"])
    start, stop = (slices[edge].to_numpy()[:, None] for edge in ("start", "stop"))
    low = np.array([-np.inf, *np.arange(bins) / bins, 1.0])
    high = np.array([*low[1:], np.inf])
    covered = (np.minimum(stop, high) - np.maximum(start, low)).clip(min=0) / (stop - start)
    names = bin_names(bins)
    # Runs of one case are averaged, and every case weighs the same.
    seeds = runs.groupby(["experiment", "case", "class"]).size().rename("runs")
    cases = runs.groupby(["experiment", "class"])["case"].nunique().rename("cases")
    known = slices[["experiment", "class", "label", "case"]].join(seeds, on=seeds.index.names)
    known = known.join(cases, on=cases.index.names)
    classes = runs.groupby("experiment")["class"].nunique()
    weight = slices["voxel_ml"].to_numpy() / (known["runs"] * known["cases"]).to_numpy()
    tables = []
    for kind in KINDS:
        voxels = slices[f"{kind}_missed"].to_numpy() + slices[f"{kind}_false"].to_numpy()
        spread = pd.DataFrame(covered * (voxels * weight)[:, None], columns=names)
        keys = known[["experiment", "class", "label"]].reset_index(drop=True)
        table = pd.concat([keys, spread], axis=1).groupby(list(keys))[names].sum().reset_index()
        mean = table.groupby("experiment")[names].sum()
        mean = mean.div(classes.reindex(mean.index), axis=0).reset_index()
        table = pd.concat([mean.assign(**{"class": FOREGROUND, "label": 0}), table])
        tables.append(table.assign(kind=kind))
    return pd.concat(tables, ignore_index=True)


def tabulate(
    cases: pd.DataFrame,
    slices: pd.DataFrame,
    experiments: Sequence[str],
    *,
    bins: int,
    confidence: float,
    resamples: int,
) -> pd.DataFrame:
    """Return the rows of summarise with what of each lies where along the structures."""
    means = summarise(case_volumes(cases), experiments, confidence, resamples)
    along = profile(slices, cases, bins)
    return means.merge(along, how="left", on=["experiment", "class", "label", "kind"])


@style.journal()
def draw(table: pd.DataFrame, experiments: Sequence[str], confidence: float) -> Figure:
    """Return the figure: bars for each class and experiment, then a profile of each experiment."""
    classes = list(table["class"].unique())
    if len(classes) == 2:
        classes = classes[1:]
    elif len(classes) * len(experiments) > MOST_BARS:
        classes = [FOREGROUND]
    lines = -(-len(experiments) // PER_ROW)
    bars = 24 + len(classes) * (4.0 * len(experiments) + 3.5)
    figure = style.new_figure(style.TWO_COLUMNS, min(max(bars, 22 + 33 * lines, 50), style.PAGE))
    across = min(PER_ROW, len(experiments))
    widths = [1.25 if across > 1 else 1, *[1] * across]
    grid = figure.add_gridspec(lines, across + 1, width_ratios=widths)
    left = figure.add_subplot(grid[:, 0])
    _draw_bars(left, table, classes, experiments, confidence)
    style.letter(left, "a")
    shared, highest = None, 0.0
    for i, experiment in enumerate(experiments):
        axes = figure.add_subplot(grid[i // across, 1 + i % across], sharey=shared, sharex=shared)
        shared = shared or axes
        of_all = table[(table["class"] == FOREGROUND) & (table["experiment"] == experiment)]
        highest = max(highest, _draw_profile(axes, of_all))
        axes.set_title(style.shorten(experiment, 24), fontweight="bold")
        axes.tick_params(labelleft=i % across == 0, labelbottom=i + across >= len(experiments))
        if i % across == 0:
            axes.set_ylabel("wrong volume (ml)")
        if i + across >= len(experiments):
            axes.set_xlabel("along the structures", labelpad=-7)
        if i == 0:
            style.letter(axes, "b")
    shared.set_ylim(0, 1.05 * highest or 1)
    entries = [style.patch(NAMES[kind], **LOOKS[kind]) for kind in KINDS]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries))
    return figure


def _draw_bars(
    axes: Axes,
    table: pd.DataFrame,
    classes: Sequence[str],
    experiments: Sequence[str],
    confidence: float,
) -> None:
    """Draw a stacked bar for each class and experiment, with the interval of its whole length."""
    rows = table.set_index(["class", "experiment", "kind"])
    step, ticks = len(experiments) + 1.1, []
    for place, name in enumerate(classes):
        for i, experiment in enumerate(experiments):
            y, end = place * step + i, 0.0
            for kind in KINDS:
                width = rows.loc[(name, experiment, kind), "volume_ml"]
                look = {"edgecolor": style.BLACK, "linewidth": 0.4, **LOOKS[kind]}
                axes.barh(y, width, 0.78, left=end, **look)
                end += width
            whole = rows.loc[(name, experiment, "all")]
            interval = whole[["volume_low", "volume_high"]]
            axes.plot(interval, [y, y], color=style.BLACK, linewidth=1, path_effects=RIM)
            ticks.append((y, style.shorten(experiment, 14)))
        count = int(rows.loc[(name, experiments[0], "all"), "cases"])
        axes.annotate(
            f"{style.shorten(name, 24)} (n = {count})",
            (0, place * step - 0.7),
            (1, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=style.SMALL,
            va="center",
        )
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set_ylim(len(classes) * step - 1.4, -1.1)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    interval = f" with {100 * confidence:g} % CI" * bool(table["volume_low"].notna().any())
    axes.set_xlabel(f"mean wrong volume of a case{interval} (ml)")


def _draw_profile(axes: Axes, table: pd.DataFrame) -> float:
    """Draw the wrong volume in each bin along the structures and return the largest in ml."""
    columns = [column for column in table if column.startswith("ml_")]
    bins = len(columns) - 2
    # What lies beyond an end has a bar of its own, apart from those of the structure.
    left = np.array([-1.6 / bins, *np.arange(bins) / bins, 1 + 0.6 / bins])
    height = np.zeros(len(columns))
    for kind in KINDS:
        values = table.loc[table["kind"] == kind, columns].to_numpy(dtype=float)
        values = np.nan_to_num(values.sum(axis=0))
        look = {"edgecolor": style.BLACK, "linewidth": 0.3, **LOOKS[kind]}
        axes.bar(left, values, 1 / bins, bottom=height, align="edge", **look)
        height += values
    axes.set_xlim(-1.9 / bins, 1 + 1.9 / bins)
    beyond = [-1.1 / bins, 1 + 1.1 / bins]
    axes.set_xticks([beyond[0], 0, 0.5, 1, beyond[1]], ["\nbefore", "0", "0.5", "1", "\nbehind"])
    return float(height.max())


def as_latex(table: pd.DataFrame, dataset: str, confidence: float) -> dict:
    """Return what `write_latex` takes of the table of `tabulate`."""
    rows = table.assign(kind=table["kind"].replace(NAMES))
    columns = {
        "class": "class",
        "experiment": "experiment",
        "errors": "kind",
        "volume (ml)": Column(("volume_ml", "volume_low", "volume_high"), digits=2),
        "missed (ml)": Column("missed_ml", digits=2),
        "false (ml)": Column("false_ml", digits=2),
        "share (%)": Column(("share", "share_low", "share_high"), digits=1, percent=True),
    }
    caption = (
        f"Where the errors are on {dataset}: mean wrong volume of n = {table['cases'].max()} cases "
        f"by where it lies, and its mean share of a case's, with {100 * confidence:g} % intervals."
    )
    groups = ["class", "experiment"]
    label = f"tab:{dataset}_errors"
    return {"rows": rows, "columns": columns, "caption": caption, "label": label, "groups": groups}


def main(
    *,
    per_case: Sequence[str | Path],
    per_slice: Sequence[str | Path],
    dataset: str,
    experiments: Sequence[str],
    bins: int,
    confidence: float,
    resamples: int,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
    tex: str | Path,
) -> None:
    """Draw the figure from the counts of every run, in any order."""
    cases = read_scores(per_case, [*RUN, *COUNTS, "voxel_ml"])
    slices = read_scores(per_slice, [*RUN, "start", "stop", *COUNTS, "voxel_ml"])
    settings = {"bins": bins, "confidence": confidence, "resamples": resamples}
    found = tabulate(cases, slices, experiments, **settings)
    found.insert(0, "dataset", dataset)
    write_csv(table, found)
    write_latex(tex, **as_latex(found, dataset, confidence))
    style.save_figure(draw(found, experiments, confidence), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
