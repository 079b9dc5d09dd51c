"""Compare experiments whose patches differ in size: Dice by class and by size of the structure.

A structure, a class of a case, is as large as its largest cross-section in the plane of the slices:
the larger of rows and columns that it spans, each as a share of the reference's patch. Above 1 no
patch of the reference sees it as a whole. That size is taken from the extents that the spacing
analysis found on the grid of the plan, and not from areas on the slices that are scored: extents
are what has to fit, and scored slices may run along another axis.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slicewise import statistics
from slicewise.extents import extents_on_grid, read_extents, read_spacing
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.latex import Column, write_latex
from slicewise.pairing import mean_of_slices
from slicewise.plans import Plan, read_plan
from slicewise.records import read_orientation
from slicewise.score_tables import read_scores

FOREGROUND = "mean foreground"
SIZES = ("small", "medium", "large")
UNIT = ["experiment", "case", "class", "label"]
LEVELS = ("case", "slice")
PLACE = ["level", "by", "group", "label", "experiment"]


def check_plans(plans: Mapping[str, Plan]) -> None:
    """Raise a ValueError for an experiment whose slices are not those of the first one."""
    (first, reference), *others = plans.items()
    for name, plan in others:
        if plan.preparation != reference.preparation:
            raise ValueError(
                f"experiment {name}: found slices across another axis or of another spacing than "
                f"those of {first}, expected experiments that differ in their patch alone "
                "(planning.patch_scale); leave it out of the study of patch sizes"
            )


def structure_extents(
    extents: Mapping[str, np.ndarray], classes: Mapping[int, str]
) -> pd.DataFrame:
    """Return the extents of all slices of all structures: case, class, row and column in voxels.

    extents: case -> label, row, column; classes: label -> name.
    """
    tables = [
        pd.DataFrame(rows, columns=["label", "row", "column"]).assign(case=case)
        for case, rows in extents.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(**{"class": table["label"].map(classes)})


def relative_size(extents: pd.DataFrame, patch: Sequence[int]) -> pd.Series:
    """Return the size of each structure, by case and class: its largest extent over the patch's."""
    of_slice = np.maximum(extents["row"] / patch[0], extents["column"] / patch[1])
    return of_slice.groupby([extents["case"], extents["class"]]).max().rename("size")


def size_groups(sizes: pd.Series) -> pd.Series:
    """Return the tertile of each structure, small, medium or large; equal sizes share one."""
    bounds = np.quantile(sizes, [1 / 3, 2 / 3]) if len(sizes) else [0, 0]
    return pd.Series(np.array(SIZES)[np.searchsorted(bounds, sizes)], sizes.index, name="group")


def mean_scores(scores: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the Dice of a class in each case (row) and experiment (column).

    Of slices it is the mean over those of a case that truly show the class. Several runs of one are
    averaged. Rows without any Dice are left out.
    """
    if level == "slice":
        scores = mean_of_slices(scores, "dice")
    unit = ["case", "class", "label"]
    means = scores.groupby(["experiment", *unit])["dice"].mean().unstack("experiment")
    return means.dropna(how="all").reset_index()


def groups_of(means: pd.DataFrame, sizes: pd.Series) -> dict[tuple[str, str, int], pd.DataFrame]:
    """Return the rows of each group by (by, group, label): the whole, each class, each size.

    The whole averages in each case the classes that all experiments score there. Only
    structures that are there have a size.
    """
    experiments = [c for c in means if c not in ("case", "class", "label")]
    whole = means.dropna(subset=experiments).groupby("case")[experiments].mean().reset_index()
    found = {("all", FOREGROUND, 0): whole}
    for (label, name), group in means.groupby(["label", "class"]):
        found["class", name, label] = group
    tertile = means.join(size_groups(sizes), on=["case", "class"])["group"]
    for label, name in enumerate(SIZES, start=1):
        found["size", name, label] = means[tertile == name]
    return found


def compare(
    means: pd.DataFrame, sizes: pd.Series, experiments: Sequence[str], settings: Mapping
) -> pd.DataFrame:
    """Return one row for each group and experiment: its mean, and its difference from the first.

    p values are adjusted for all of one kind of group (`by`) of one level together.
    """
    reference, rows = experiments[0], []
    for (by, group, label), values in groups_of(means, sizes).items():
        for experiment in experiments:
            mean = statistics.cluster_mean(values[experiment], values["case"], **settings)
            row = {"by": by, "group": group, "label": label, "experiment": experiment}
            row |= {"cases": int(mean.cases), "units": int(mean.observations)}
            row |= {"dice": mean.mean, "dice_low": mean.low, "dice_high": mean.high}
            if experiment != reference:
                pair = statistics.paired_difference(
                    values[reference], values[experiment], values["case"], **settings
                )
                gain = pair.difference
                row |= {"pairs": int(gain.observations), "difference": gain.mean}
                row |= {"difference_low": gain.low, "difference_high": gain.high}
                row |= {"wilcoxon_p": pair.p_value, "rank_biserial": pair.rank_biserial}
            rows.append(row)
    paired = ["pairs", "difference", "difference_low", "difference_high", "wilcoxon_p"]
    columns = [*rows[0], *paired, "rank_biserial"]
    table = pd.DataFrame(rows).reindex(columns=list(dict.fromkeys(columns)))
    table["holm_p"] = table.groupby("by")["wilcoxon_p"].transform(statistics.holm)
    return table


def shares_that_fit(
    extents: pd.DataFrame, sizes: pd.Series, patch: Sequence[int]
) -> dict[tuple[str, str], float]:
    """Return the share of the in-plane extents of each group (by, group) that fit in a patch.

    Of all structures and of each class these are those of all cases, as in patch_adequacy.csv; of
    each size those of the structures in `sizes`.
    """
    fits = (extents["row"] <= patch[0]) & (extents["column"] <= patch[1])
    found = {("all", FOREGROUND): fits.mean()}
    of_class = fits.groupby(extents["class"]).mean()
    found |= {("class", name): share for name, share in of_class.items()}
    tertile = extents.join(size_groups(sizes), on=["case", "class"])["group"]
    return found | {("size", name): share for name, share in fits.groupby(tertile).mean().items()}


def tabulate(
    scores: Mapping[str, pd.DataFrame],
    extents: pd.DataFrame,
    patches: Mapping[str, Sequence[int]],
    settings: Mapping,
) -> pd.DataFrame:
    """Return the table of the study; scores: level -> rows; patches: experiment -> (row, column).

    The first experiment is the reference. scale: the edge of a patch as a share of the reference's,
    the square root of the share of its area; size_low and size_high: smallest and largest structure
    of a group of sizes.
    """
    reference = next(iter(patches.values()))
    known = relative_size(extents, reference)
    scored = scores["case"][["case", "class"]].drop_duplicates()
    sizes = known[known.index.isin(pd.MultiIndex.from_frame(scored))]
    tables = []
    for level in LEVELS:
        table = compare(mean_scores(scores[level], level), sizes, list(patches), settings)
        tables.append(table.assign(level=level))
    table = pd.concat(tables, ignore_index=True)
    fit = {name: shares_that_fit(extents, sizes, patch) for name, patch in patches.items()}
    for place, column in enumerate(("patch_row", "patch_column")):
        table[column] = table["experiment"].map({n: patch[place] for n, patch in patches.items()})
    table["scale"] = np.sqrt(table["patch_row"] * table["patch_column"] / np.prod(reference))
    keys = zip(table["experiment"], table["by"], table["group"], strict=True)
    table["share_that_fits"] = [fit[name].get((by, group), np.nan) for name, by, group in keys]
    limits = sizes.groupby(size_groups(sizes)).agg(["min", "max"])
    of_size = table["group"].where(table["by"] == "size")
    for column, limit in (("size_low", "min"), ("size_high", "max")):
        table[column] = of_size.map(limits[limit])
    patch = ["patch_row", "patch_column", "scale", "size_low", "size_high", "share_that_fits"]
    return table[[*PLACE, *patch, *(c for c in table if c not in {*PLACE, *patch})]]


def latex_table(table: pd.DataFrame, confidence: float) -> tuple[pd.DataFrame, dict, str]:
    """Return rows, columns and caption of the table in LaTeX: the scores of whole cases."""
    rows = table[table["level"] == "case"]
    sizes = rows[["patch_row", "patch_column"]].itertuples(index=False)
    rows = rows.assign(patch=[f"{row} × {column}" for row, column in sizes])
    columns = {
        "structures": "group",
        "experiment": "experiment",
        "patch": "patch",
        "fit (%)": Column("share_that_fits", digits=1, percent=True),
        "Dice": ("dice", "dice_low", "dice_high"),
        "difference": Column(("difference", "difference_low", "difference_high"), signed=True),
        "p (Holm)": Column("holm_p", p=True),
    }
    caption = (
        f"Patch size on {rows['dataset'].iloc[0]}: 3D Dice of n = {rows['cases'].max()} cases, and "
        f"its difference from that of {rows['experiment'].iloc[0]}, with {100 * confidence:g} % "
        "intervals. Structures are small, medium and large by thirds of their largest in-plane "
        "extent."
    )
    return rows, columns, caption


def main(
    *,
    per_case: Sequence[str | Path],
    per_slice: Sequence[str | Path],
    plans: Sequence[str | Path],
    extents: Sequence[str | Path],
    spacing: str | Path,
    orientation: str | Path,
    dataset: str,
    study: str,
    experiments: Sequence[str],
    confidence: float,
    resamples: int,
    table: str | Path,
    latex: str | Path,
) -> None:
    """Write the table; `plans` are in the order of `experiments`, the reference first."""
    scores = {
        "case": read_scores(per_case, [*UNIT, "dice"]),
        "slice": read_scores(per_slice, [*UNIT, "slice", "dice", "status"]),
    }
    by_name = {name: read_plan(path) for name, path in zip(experiments, plans, strict=True)}
    check_plans(by_name)
    first = by_name[experiments[0]]
    on_grid = extents_on_grid(
        read_extents(extents),
        read_spacing(spacing),
        first.preparation.transpose_forward,
        first.spacing,
        read_orientation(orientation)["reorient"],
    )
    classes = scores["case"].drop_duplicates("label").set_index("label")["class"].to_dict()
    found = tabulate(
        scores,
        structure_extents(dict(on_grid), classes),
        {name: plan.patch_size for name, plan in by_name.items()},
        {"confidence": confidence, "resamples": resamples},
    )
    found.insert(0, "dataset", dataset)
    found.insert(1, "study", study)
    write_csv(table, found)
    write_latex(latex, *latex_table(found, confidence), f"tab:{dataset}_{study}", groups=["group"])


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
