"""Compare experiments over the thickness of slices, on scans thickened by simulation.

All thicknesses are scored on the same thin slices, case by case, so that they compare; beside the
experiments stands the ceiling, what the thick labels themselves score there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slicewise import geometry, latex, statistics
from slicewise.files import write_csv
from slicewise.job import run
from slicewise.pairing import FOREGROUND, PRIMARY, pair, with_foreground
from slicewise.records import read_fingerprint, read_orientation
from slicewise.score_tables import read_scores

CEILING = "ceiling"
"""What stands for an experiment in rows of the ceiling."""

SCORES = ["dataset", "case", "class", "label", PRIMARY]
PLACE = ["axis", "plane", "profile", "factor", "anisotropy", "dataset"]
OF_DIFFERENCES = [
    "difference",
    "difference_low",
    "difference_high",
    "wilcoxon_p",
    "rank_biserial",
    "cohen_dz",
]


def places(
    source: str, thickened: Mapping[str, Mapping], spacing: np.ndarray, orientation: str
) -> pd.DataFrame:
    """Return one row for each dataset of a study and the axis that it stands for.

    thickened: dataset -> how its slices are made of those of `source`, None for `source` itself,
    which stands for each axis with the factor 1. spacing: mm of the thin slices, in reading order;
    orientation: letters of the file axes as they are read. anisotropy: distance of the slices
    over that of the voxels within, the geometric mean of the two.
    """
    rows = []
    for dataset, settings in thickened.items():
        if settings is None:
            continue
        axis = geometry.slice_axis(settings["axis"], spacing, orientation)
        plane = next(
            name
            for name, ends in geometry.ANATOMICAL_PLANES.items()
            if orientation[2 - axis] in ends
        )
        within = np.sqrt(np.prod(np.delete(spacing, axis)))
        row = {"axis": axis, "plane": plane, "profile": settings["profile"]}
        row |= {"factor": settings["factor"], "ratio": spacing[axis] / within, "dataset": dataset}
        rows.append(row)
    table = pd.DataFrame(rows)
    if source in thickened:
        thin = table.drop_duplicates(["axis", "profile"]).assign(factor=1, dataset=source)
        table = pd.concat([table, thin])
    table["anisotropy"] = table["factor"] * table["ratio"]
    order = ["axis", "profile", "factor", "dataset"]
    return table.sort_values(order, ignore_index=True)[PLACE]


def difference(paired: pd.DataFrame, settings: Mapping) -> dict:
    """Return OF_DIFFERENCES of an experiment from the reference; paired: the scores of both."""
    found = statistics.paired_difference(
        paired["reference"], paired["experiment"], paired["case"], **settings
    )
    mean = found.difference
    values = (mean.mean, mean.low, mean.high, found.p_value, found.rank_biserial, found.cohen_dz)
    return dict(zip(OF_DIFFERENCES, values, strict=True))


def compare(
    scores: pd.DataFrame,
    experiments: Sequence[str],
    reference: str,
    confidence: float,
    resamples: int,
) -> pd.DataFrame:
    """Return one row for each dataset, experiment (and the ceiling) and class.

    scores: SCORES and experiment, of cases. The mean foreground has the label 0. Differences from
    `reference` are paired by case; its own rows and those of the ceiling have none.
    """
    settings = {"confidence": confidence, "resamples": resamples}
    classes = scores.drop_duplicates("class").sort_values("label")
    named = {FOREGROUND: 0, **dict(zip(classes["class"], classes["label"], strict=True))}
    rows = []
    for dataset, of_dataset in scores.groupby("dataset", sort=False):
        known = set(of_dataset["experiment"])
        for name in (one for one in [*experiments, CEILING] if one in known):
            compared = name not in (reference, CEILING)
            pairs = pair(of_dataset, PRIMARY, reference if compared else name, name)
            pairs = with_foreground(pairs).dropna()
            for of_class, label in named.items():
                paired = pairs[pairs["class"] == of_class]
                own = statistics.cluster_mean(paired["experiment"], paired["case"], **settings)
                row = {"dataset": dataset, "experiment": name, "class": of_class, "label": label}
                row |= {"cases": int(own.cases), "mean": own.mean, "low": own.low, "high": own.high}
                rows.append(row | (difference(paired, settings) if compared else {}))
    return pd.DataFrame(rows).reindex(columns=[*rows[0], *OF_DIFFERENCES])


def adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Add `family_size` and `holm_p`, p adjusted for the number of comparisons.

    A family is one experiment over all thicknesses along all axes: its mean foregrounds, or all of
    its classes together.
    """
    families = table.groupby(["experiment", table["label"] > 0], sort=False)["wilcoxon_p"]
    table["family_size"] = families.transform("count")
    table["holm_p"] = families.transform(statistics.holm)
    return table


def as_latex(table: pd.DataFrame, source: str, reference: str, confidence: float) -> dict:
    """Return rows, columns, caption and groups of the mean foregrounds as LaTeX."""
    rows = table[table["label"] == 0]
    columns = {
        "thick slices": "plane",
        "times": "factor",
        "experiment": "experiment",
        "n": "cases",
        "Dice": ("mean", "low", "high"),
        f"less {reference}'s": latex.Column(
            ("difference", "difference_low", "difference_high"), signed=True
        ),
        "p (Holm)": latex.Column("holm_p", p=True),
        "r": latex.Column("rank_biserial", digits=2, signed=True),
    }
    if rows["profile"].nunique() > 1:
        columns = {"profile": "profile", **columns}
    caption = (
        f"Mean foreground Dice on {source} with slices so many times as thick, simulated, scored "
        f"on the thin slices (n cases), and the difference from {reference}, paired by case, each "
        f"with its {100 * confidence:g} % interval by bootstrap over cases; p of Wilcoxon's "
        "signed-rank test, adjusted by Holm over all thicknesses along all axes; r: matched-pairs "
        f"rank-biserial correlation. The {CEILING} is what the thick labels themselves score."
    )
    groups = [name for name in ("profile", "plane", "factor") if name in columns.values()]
    return {"rows": rows, "columns": columns, "caption": caption, "groups": groups}


def main(
    *,
    per_case: Sequence[str | Path],
    ceilings: Sequence[str | Path],
    fingerprint: str | Path,
    orientation: str | Path,
    source: str,
    study: str,
    thickened: Mapping[str, Mapping | None],
    experiments: Sequence[str],
    reference: str,
    confidence: float,
    resamples: int,
    table: str | Path,
    tex: str | Path,
) -> None:
    """Write the statistics of a study of `source` and of what has thick slices of it.

    per_case: the scores of all runs; ceilings: those of the thick labels, of which the cases count
    that some run scores; for `thickened` see `places`; fingerprint and orientation: of `source`.
    """
    scores = read_scores(per_case, [*SCORES, "experiment"])
    if ceilings:
        held_out = scores[["dataset", "case"]].drop_duplicates()
        reached = read_scores(ceilings, SCORES).merge(held_out).assign(experiment=CEILING)
        scores = pd.concat([scores, reached], ignore_index=True)
    spacing = geometry.target_spacing(read_fingerprint(fingerprint))
    read_as = read_orientation(orientation, "orientation")["orientation"]
    found = adjust(compare(scores, experiments, reference, confidence, resamples))
    found.insert(found.columns.get_loc("difference"), "reference", reference)
    found = places(source, thickened, spacing, read_as).merge(found, on="dataset")
    found.insert(0, "source", source)
    write_csv(table, found)
    latex.write_latex(
        tex, label=f"tab:{source}_{study}", **as_latex(found, source, reference, confidence)
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
