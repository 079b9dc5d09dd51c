"""Compare experiments over the thickness of slices, on scans thickened by simulation.

All thicknesses are scored on the same thin slices, case by case, so that they compare; beside the
experiments stands the ceiling, what the thick labels themselves score there.

Which axis an experiment slices may hang on the thickness. At factor 1 its score is therefore that
of networks that slice the thin scans along the axis that it slices where they are thick: there
experiments differ by their plane alone, and what is added from there on is the thickness.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from slicewise import geometry, latex, statistics
from slicewise.files import write_csv
from slicewise.job import logger, run
from slicewise.pairing import FOREGROUND, PRIMARY, pair, with_foreground
from slicewise.plans import read_plan
from slicewise.records import read_fingerprint, read_orientation
from slicewise.score_tables import read_scores

CEILING = "ceiling"
"""What stands for an experiment in rows of the ceiling."""

SCORES = ["dataset", "case", "class", "label", PRIMARY]
PLACE = ["axis", "plane", "profile", "factor", "anisotropy", "dataset"]
OF_NETWORKS = ["experiment", "network", "sliced"]
OF_DIFFERENCES = [
    "difference",
    "difference_low",
    "difference_high",
    "wilcoxon_p",
    "rank_biserial",
    "cohen_dz",
]
OF_CHANGES = ["change", "change_low", "change_high", "change_p"]
"""How a difference differs from that at factor 1, case by case: the mean, its interval, and p."""


@dataclass(frozen=True)
class Slicing:
    """Which axis each network slices, and which experiments differ in that alone.

    axes: (dataset, experiment) -> the axis in reading order, of its plan; twins: model -> itself
    and the experiments that differ from it in planning.slice_axis alone; members: of ensembles.
    """

    axes: Mapping[tuple[str, str], int]
    twins: Mapping[str, Sequence[str]]
    members: Mapping[str, Sequence[str]]

    def of(self, dataset: str, model: str) -> tuple[int, ...]:
        """Return the axes that a model slices on a dataset, that of each member of an ensemble."""
        return tuple(self.axes[dataset, name] for name in self.members.get(model, [model]))

    def stand_in(
        self, model: str, thick: Sequence[str], source: str, scored: Collection[str]
    ) -> str | None:
        """Return which of the models that are scored on `source` slices it as `model` slices thick.

        There is none where it slices the datasets `thick` along several axes.
        """
        along = {self.of(dataset, model) for dataset in thick}
        found = (twin for twin in self.twins[model] if twin in scored)
        return next((twin for twin in found if {self.of(source, twin)} == along), None)


def planes_of(orientation: str) -> list[str]:
    """Return the plane of slices across each axis in reading order, as file axes are oriented."""
    return [
        name
        for letter in reversed(orientation)
        for name, ends in geometry.ANATOMICAL_PLANES.items()
        if letter in ends
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
        plane = planes_of(orientation)[axis]
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


def networks(
    place: pd.DataFrame,
    scores: pd.DataFrame,
    experiments: Sequence[str],
    slicing: Slicing,
    planes: Sequence[str],
) -> pd.DataFrame:
    """Return the rows of `places`, one for each experiment, and `network`: whose scores it has.

    Those of thick slices are its own. At factor 1 they are of its stand-in, and an experiment
    without one has no row. sliced: which of `planes`, by axis, the network's slices lie in.
    """
    scored = scores.groupby("dataset")["experiment"].agg(set)
    rows = []
    for _, of_axis in place.groupby(["axis", "profile"], sort=False):
        thick = list(of_axis.loc[of_axis["factor"] > 1, "dataset"])
        for row in of_axis.to_dict("records"):
            dataset, known = row["dataset"], scored[row["dataset"]]
            for name in experiments:
                thin = row["factor"] == 1
                network = slicing.stand_in(name, thick, dataset, known) if thin else name
                if network is None:
                    logger.info("thick %s slices: %s has no factor 1", row["plane"], name)
                    continue
                sliced = ";".join(planes[axis] for axis in slicing.of(dataset, network))
                rows.append(row | {"experiment": name, "network": network, "sliced": sliced})
            if CEILING in known:
                rows.append(row | {"experiment": CEILING, "network": CEILING, "sliced": ""})
    return pd.DataFrame(rows)


def difference(paired: pd.DataFrame, settings: Mapping) -> dict:
    """Return OF_DIFFERENCES of an experiment from the reference; paired: the scores of both."""
    found = statistics.paired_difference(
        paired["reference"], paired["experiment"], paired["case"], **settings
    )
    mean = found.difference
    values = (mean.mean, mean.low, mean.high, found.p_value, found.rank_biserial, found.cohen_dz)
    return dict(zip(OF_DIFFERENCES, values, strict=True))


def change(paired: pd.DataFrame, thin: pd.DataFrame, settings: Mapping) -> dict:
    """Return OF_CHANGES of an experiment.

    paired: its scores and those of the reference, thin: the same at factor 1.
    """
    both = thin.merge(paired, on=["case", "class"], suffixes=("_thin", ""))
    found = statistics.paired_difference(
        both["experiment_thin"] - both["reference_thin"],
        both["experiment"] - both["reference"],
        both["case"],
        **settings,
    )
    mean = found.difference
    return dict(zip(OF_CHANGES, (mean.mean, mean.low, mean.high, found.p_value), strict=True))


def compare(
    scores: pd.DataFrame,
    placed: pd.DataFrame,
    reference: str,
    slicing: Slicing,
    confidence: float,
    resamples: int,
) -> pd.DataFrame:
    """Return one row for each row of `networks` and class; the mean foreground has the label 0.

    scores: SCORES and experiment, of cases. Differences from `reference` are paired by case; its
    own rows, those of networks that are the same as its, and those of the ceiling have none.
    """
    settings = {"confidence": confidence, "resamples": resamples}
    classes = scores.drop_duplicates("class").sort_values("label")
    named = {FOREGROUND: 0, **dict(zip(classes["class"], classes["label"], strict=True))}
    rows, thin = [], {}
    for row, pairs in _paired(scores, placed, reference, slicing):
        compared = row["reference"] != ""
        key = (row["axis"], row["profile"], row["experiment"])
        if compared and row["factor"] == 1:
            thin[key] = pairs
        for of_class, label in named.items():
            paired = pairs[pairs["class"] == of_class]
            own = statistics.cluster_mean(paired["experiment"], paired["case"], **settings)
            found = {"class": of_class, "label": label, "cases": int(own.cases)}
            found |= {"mean": own.mean, "low": own.low, "high": own.high}
            if compared:
                found |= difference(paired, settings)
            if compared and row["factor"] > 1 and key in thin:
                found |= change(paired, thin[key], settings)
            rows.append({**row, **found})
    front = [*PLACE, *OF_NETWORKS, "class", "label", "cases", "mean", "low", "high", "reference"]
    return pd.DataFrame(rows).reindex(columns=[*front, *OF_DIFFERENCES, *OF_CHANGES])


def _paired(
    scores: pd.DataFrame, placed: pd.DataFrame, reference: str, slicing: Slicing
) -> Iterator[tuple[dict, pd.DataFrame]]:
    """Yield each row of `networks`, whom it is compared with, and its scores beside that one's.

    Beside what is compared with nothing stands itself.
    """
    for _, of_place in placed.groupby(["axis", "profile", "factor", "dataset"], sort=False):
        of = of_place.set_index("experiment")["network"]
        for row in of_place.to_dict("records"):
            name, dataset = row["experiment"], row["dataset"]
            compared = reference in of and name not in (reference, CEILING)
            # Twins that slice the same axis have the same network: nothing is there to be tested.
            if compared and reference in slicing.twins[name]:
                axes = (slicing.of(dataset, of[one]) for one in (name, reference))
                compared = len(set(axes)) > 1
            beside = of[reference] if compared else of[name]
            pairs = pair(scores[scores["dataset"] == dataset], PRIMARY, beside, of[name])
            row["reference"] = reference if compared else ""
            yield row, with_foreground(pairs).dropna()


def adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Add `family_size` and `holm_p`, p adjusted for the number of comparisons; of changes too.

    A family is one experiment over all thicknesses along all axes: its mean foregrounds, or all of
    its classes together; changes are a family apart from differences.
    """
    families = table.groupby(["experiment", table["label"] > 0], sort=False)
    for before, p in (("", "wilcoxon_p"), ("change_", "change_p")):
        table[f"{before}family_size"] = families[p].transform("count")
        table[f"{before}holm_p"] = families[p].transform(statistics.holm)
    return table


def as_latex(table: pd.DataFrame, source: str, reference: str, confidence: float) -> dict:
    """Return rows, columns, caption and groups of the mean foregrounds as LaTeX."""
    rows = table[table["label"] == 0]
    named, network = rows["experiment"], rows["network"]
    rows = rows.assign(experiment=named.where(named == network, named + " (" + network + ")"))
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
        "change": latex.Column(("change", "change_low", "change_high"), signed=True),
        "p of it": latex.Column("change_holm_p", p=True),
    }
    if rows["profile"].nunique() > 1:
        columns = {"profile": "profile", **columns}
    caption = (
        f"Mean foreground Dice on {source} with slices so many times as thick, simulated, scored "
        f"on the thin slices (n cases); the difference from {reference}, paired by case; and its "
        f"change from that at 1, case by case; each with its {100 * confidence:g} % interval by "
        "bootstrap over cases. p of Wilcoxon's signed-rank test, adjusted by Holm over all "
        "thicknesses along all axes. At 1 stand networks that slice the thin scans along the axis "
        "that the experiment slices where they are thick, in brackets those of another experiment; "
        "where none was trained, the row is left out. One network for each experiment and fold: "
        f"tests are of cases, given the networks. The {CEILING} is what the thick labels "
        "themselves score."
    )
    groups = [name for name in ("profile", "plane", "factor") if name in columns.values()]
    return {"rows": rows, "columns": columns, "caption": caption, "groups": groups}


def main(
    *,
    per_case: Sequence[str | Path],
    plans: Sequence[str | Path],
    ceilings: Sequence[str | Path],
    fingerprint: str | Path,
    orientation: str | Path,
    source: str,
    study: str,
    thickened: Mapping[str, Mapping | None],
    planned: Sequence[tuple[str, str]],
    experiments: Sequence[str],
    twins: Mapping[str, Sequence[str]],
    members: Mapping[str, Sequence[str]],
    reference: str,
    confidence: float,
    resamples: int,
    table: str | Path,
    tex: str | Path,
) -> None:
    """Write the statistics of a study of `source` and of what has thick slices of it.

    per_case: the scores of all runs; ceilings: those of the thick labels, of which the cases count
    that some run scores; plans: of (dataset, experiment) in the order of `planned`; for `thickened`
    see `places`, for `twins` and `members` Slicing; fingerprint and orientation: of `source`.
    """
    scores = read_scores(per_case, [*SCORES, "experiment"])
    if ceilings:
        held_out = scores[["dataset", "case"]].drop_duplicates()
        reached = read_scores(ceilings, SCORES).merge(held_out).assign(experiment=CEILING)
        scores = pd.concat([scores, reached], ignore_index=True)
    spacing = geometry.target_spacing(read_fingerprint(fingerprint))
    read_as = read_orientation(orientation, "orientation")["orientation"]
    paths = zip(planned, plans, strict=True)
    axes = {tuple(one): read_plan(path).preparation.transpose_forward[0] for one, path in paths}
    slicing = Slicing(axes, twins, members)
    place = places(source, thickened, spacing, read_as)
    placed = networks(place, scores, experiments, slicing, planes_of(read_as))
    found = adjust(compare(scores, placed, reference, slicing, confidence, resamples))
    found.insert(0, "source", source)
    write_csv(table, found)
    latex.write_latex(
        tex, label=f"tab:{source}_{study}", **as_latex(found, source, reference, confidence)
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
