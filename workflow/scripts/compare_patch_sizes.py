"""Compare experiments whose patches differ in size: Dice by class and by size of the structure.

A smaller patch comes with a network and a batch of its own, so that they are compared together.

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
from slicewise.dataset import open_dataset
from slicewise.extents import extents_on_grid, read_extents, read_spacing
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.latex import Column, write_latex
from slicewise.pairing import FOREGROUND, LEVELS, mean_of_slices, that_count
from slicewise.plans import Plan, read_plan
from slicewise.records import read_orientation
from slicewise.score_tables import read_scores
from slicewise.study_facts import parameters

SIZES, THIRDS = ("small", "medium", "large"), (1 / 3, 2 / 3)
UNIT = ["experiment", "case", "class", "label"]
EDGES = ("patch_row", "patch_column")
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
    """Return the tertile of each structure within its class, small, medium or large.

    Tertiles of all classes together would tell the classes apart, not the sizes. Equal sizes of a
    class share one.
    """
    of_class = sizes.groupby(level="class")
    place = sum((sizes > of_class.transform("quantile", share)).astype(int) for share in THIRDS)
    return pd.Series(np.array(SIZES)[place], sizes.index, name="group")


def mean_scores(scores: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the Dice of each structure, a class of a case (row), in each experiment (column).

    Those of slices are averaged within their structure, and the column slices counts them. Several
    runs are averaged. Structures are left out if an experiment has no Dice of them: if nothing is
    there and it finds nothing, all that another finds is false, and of no size.
    """
    of_slices = level == "slice"
    dice = mean_of_slices(scores, "dice") if of_slices else scores
    means = dice.groupby(UNIT)["dice"].mean().unstack("experiment").dropna().reset_index()
    if not of_slices:
        return means.assign(slices=np.nan)
    shown = that_count(scores, level).groupby(["case", "class"])["slice"].nunique()
    return means.join(shown.rename("slices"), on=["case", "class"])


def groups_of(
    means: pd.DataFrame, sizes: pd.Series, experiments: Sequence[str]
) -> dict[tuple[str, str, int], pd.DataFrame]:
    """Return the cases of each group by (by, group, label): the whole, each class, each size.

    Structures of a group are averaged within each case. Only those that are there have a size.
    """

    def within_cases(rows: pd.DataFrame) -> pd.DataFrame:
        cases = rows.groupby("case")
        counts = {"structures": cases.size(), "slices": cases["slices"].sum(min_count=1)}
        return cases[list(experiments)].mean().assign(**counts).reset_index()

    found = {("all", FOREGROUND, 0): within_cases(means)}
    for (label, name), group in means.groupby(["label", "class"]):
        found["class", name, label] = within_cases(group)
    tertile = means.join(size_groups(sizes), on=["case", "class"])["group"]
    for label, name in enumerate(SIZES, start=1):
        found["size", name, label] = within_cases(means[tertile == name])
    return found


def compare(
    means: pd.DataFrame, sizes: pd.Series, experiments: Sequence[str], settings: Mapping
) -> pd.DataFrame:
    """Return one row for each group and experiment: its mean, and its difference from the first.

    cases, structures and slices count what a mean is of, the same for all experiments; p values
    are adjusted for all of one kind of group (`by`) of one level together.
    """
    reference, rows = experiments[0], []
    for (by, group, label), values in groups_of(means, sizes, experiments).items():
        for experiment in experiments:
            mean = statistics.cluster_mean(values[experiment], values["case"], **settings)
            row = {"by": by, "group": group, "label": label, "experiment": experiment}
            row |= {"cases": len(values), "structures": values["structures"].sum()}
            row |= {"slices": values["slices"].sum(min_count=1)}
            row |= {"dice": mean.mean, "dice_low": mean.low, "dice_high": mean.high}
            if experiment != reference:
                pair = statistics.paired_difference(
                    values[reference], values[experiment], values["case"], **settings
                )
                gain = pair.difference
                row |= {"difference": gain.mean}
                row |= {"difference_low": gain.low, "difference_high": gain.high}
                row |= {"wilcoxon_p": pair.p_value, "rank_biserial": pair.rank_biserial}
            rows.append(row)
    paired = ["difference", "difference_low", "difference_high", "wilcoxon_p", "rank_biserial"]
    table = pd.DataFrame(rows)
    table = table.reindex(columns=list(dict.fromkeys([*table, *paired])))
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


def describe(
    plans: Mapping[str, Plan], batch_sizes: Sequence[int | None], channels: int, outputs: int
) -> pd.DataFrame:
    """Return of each experiment (row) the edges of its patch, and batch, stages and weights.

    batch_sizes: training.batch_size of each, None where that of the plan counts; channels: of the
    image; outputs: of the network.
    """
    rows = {}
    for (name, plan), given in zip(plans.items(), batch_sizes, strict=True):
        rows[name] = dict(zip(EDGES, plan.patch_size, strict=True)) | {
            "batch_size": given or plan.batch_size,
            "stages": plan.architecture.n_stages,
            "weights": parameters(plan.architecture, channels, outputs),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def tabulate(
    scores: Mapping[str, pd.DataFrame],
    extents: pd.DataFrame,
    networks: pd.DataFrame,
    settings: Mapping,
) -> pd.DataFrame:
    """Return the table of the study; scores: level -> rows; networks: as `describe` returns them.

    The first experiment is the reference. scale: the edge of a patch as a share of the reference's,
    the square root of the share of its area; size_low and size_high: smallest and largest structure
    of a group of sizes.
    """
    experiments = list(networks.index)
    reference, *_ = patches = networks[list(EDGES)].to_numpy()
    known = relative_size(extents, reference)
    scored = scores["case"][["case", "class"]].drop_duplicates()
    sizes = known[known.index.isin(pd.MultiIndex.from_frame(scored))]
    tables = []
    for level in LEVELS:
        table = compare(mean_scores(scores[level], level), sizes, experiments, settings)
        tables.append(table.assign(level=level))
    table = pd.concat(tables, ignore_index=True).join(networks, on="experiment")
    fit = {
        name: shares_that_fit(extents, sizes, patch)
        for name, patch in zip(experiments, patches, strict=True)
    }
    table["scale"] = np.sqrt(table["patch_row"] * table["patch_column"] / np.prod(reference))
    keys = zip(table["experiment"], table["by"], table["group"], strict=True)
    table["share_that_fits"] = [fit[name].get((by, group), np.nan) for name, by, group in keys]
    limits = sizes.groupby(size_groups(sizes)).agg(["min", "max"])
    of_size = table["group"].where(table["by"] == "size")
    for column, limit in (("size_low", "min"), ("size_high", "max")):
        table[column] = of_size.map(limits[limit])
    first = [*PLACE, *networks, "scale", "size_low", "size_high", "share_that_fits"]
    return table[[*first, *(column for column in table if column not in first)]]


def latex_table(table: pd.DataFrame, confidence: float) -> tuple[pd.DataFrame, dict, str]:
    """Return rows, columns and caption of the table in LaTeX: the scores of whole cases."""
    rows = table[table["level"] == "case"]
    edges = rows[list(EDGES)].itertuples(index=False)
    thirds = rows["group"] + " third of each class"
    rows = rows.assign(
        structures=thirds.where(rows["by"] == "size", rows["group"]),
        patch=[f"{row} × {column}" for row, column in edges],
        millions=[f"{count / 1e6:.2f} M" for count in rows["weights"]],
    )
    columns = {
        "experiment": "experiment",
        "patch": "patch",
        "batch": "batch_size",
        "stages": "stages",
        "weights": "millions",
        "n": "cases",
        "fit (%)": Column("share_that_fits", digits=1, percent=True),
        "Dice": ("dice", "dice_low", "dice_high"),
        "difference": Column(("difference", "difference_low", "difference_high"), signed=True),
        "p": Column("holm_p", p=True),
    }
    caption = (
        f"A smaller patch and its network on {rows['dataset'].iloc[0]}: 3D Dice of n cases, and "
        f"its difference from that of {rows['experiment'].iloc[0]}, with {100 * confidence:g} % "
        "intervals and Holm's p of Wilcoxon's test. Structures are small, medium and large by "
        "thirds of the largest in-plane extent within each class. Every patch has a network and a "
        "batch of its own; tests are conditional on these networks and this one split."
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
    dataset_json: str | Path,
    dataset: str,
    study: str,
    experiments: Sequence[str],
    batch_sizes: Sequence[int | None],
    confidence: float,
    resamples: int,
    table: str | Path,
    latex: str | Path,
) -> None:
    """Write the table; plans and batch_sizes are in the order of `experiments`, reference first."""
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
    source = open_dataset(dataset_json)
    channels, outputs = len(source.channel_names), source.labels.outputs
    found = tabulate(
        scores,
        structure_extents(dict(on_grid), classes),
        describe(by_name, batch_sizes, channels, outputs),
        {"confidence": confidence, "resamples": resamples},
    )
    found.insert(0, "dataset", dataset)
    found.insert(1, "study", study)
    write_csv(table, found)
    label, groups = f"tab:{dataset}_{study}", ["structures"]
    write_latex(latex, *latex_table(found, confidence), label, groups=groups)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
