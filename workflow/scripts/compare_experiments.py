"""Compare the experiments of a study with its reference, paired per case and per slice.

Writes the tables that figures and readers take their numbers from: differences with intervals,
tests, effect sizes and what the design could detect; the pairs behind them; the same under other
conventions for empty slices; and the variance between seeds beside that between cases.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from slicewise import comparison_latex, statistics
from slicewise.files import write_csv, write_parquet
from slicewise.job import logger, run
from slicewise.pairing import (
    BOTH_EMPTY,
    CONVENTIONS,
    FALSE_SLICES,
    FOREGROUND,
    LEVELS,
    METRICS,
    ONE_EMPTY,
    PRIMARY,
    STATED,
    UNIT,
    check_axes,
    dice_under,
    false_slices,
    pair,
    that_count,
    within_cases,
)
from slicewise.score_tables import read_scores
from slicewise.variance import variance_components

COLUMNS = {
    "case": ["experiment", "fold", "seed", "case", "class", "label", *METRICS, "status"],
    "slice": ["experiment", *UNIT, *METRICS, "status"],
}

COUNTS = ("reference_scores", "experiment_scores", "pairs", "unpaired")
"""How many units each side scores, both do and only one does: what `within_cases` counts."""


def compare(
    pairs: pd.DataFrame, classes: Mapping[str, int], confidence: float, resamples: int
) -> pd.DataFrame:
    """Return one row of statistics for the mean foreground (label 0) and for each class.

    pairs: cases, or means of slices within cases, as `within_cases` gives them: every case weighs
    the same in means, intervals, tests and effect sizes.
    """
    settings = {"confidence": confidence, "resamples": resamples}
    rows = []
    for name, label in {FOREGROUND: 0, **classes}.items():
        group = pairs[pairs["class"] == name]
        paired = group.dropna(subset=["reference", "experiment"])
        result = statistics.paired_difference(
            paired["reference"], paired["experiment"], paired["case"], **settings
        )
        cases = int(result.difference.cases)
        row = {"class": name, "label": label, "cases": cases}
        row |= {count: int(group[count].sum()) for count in COUNTS}
        sides = statistics.cluster_mean(
            paired[["reference", "experiment"]].to_numpy(float), paired["case"], **settings
        )
        for i, side in enumerate(("reference", "experiment")):
            row |= {f"{side}_mean": sides.mean[i], f"{side}_low": sides.low[i]}
            row |= {f"{side}_high": sides.high[i]}
        mean = result.difference
        row |= {"difference": mean.mean, "difference_low": mean.low, "difference_high": mean.high}
        row |= {"deviation": result.deviation, "wilcoxon_p": result.p_value}
        row |= {"rank_biserial": result.rank_biserial, "cohen_dz": result.cohen_dz}
        row |= {"detectable": statistics.detectable_difference(result.deviation, cases)}
        rows.append(row)
    return pd.DataFrame(rows)


def adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Add what depends on how many comparisons there are: `family_size`, `holm_p` and more.

    A family is all experiments' mean foregrounds, or all experiments' classes, of one level and one
    metric. detectable_holm: the difference that the design could detect even as the first in
    Holm's order, at 0.05 over the size of the family; smallest_p: what Wilcoxon's p cannot fall
    below with so many cases, before adjustment.
    """
    family = [table["level"], table["metric"], table["label"] > 0]
    p_values = table.groupby(family, sort=False)["wilcoxon_p"]
    table["family_size"] = p_values.transform("count")
    table["holm_p"] = p_values.transform(statistics.holm)
    table["smallest_p"] = [statistics.smallest_p(cases) for cases in table["cases"]]
    table["detectable_holm"] = [
        statistics.detectable_difference(row.deviation, row.cases, alpha=_share(row.family_size))
        for row in table.itertuples()
    ]
    return table


def _share(family: int) -> float:
    """Return the level of the first test of a family in Holm's order."""
    return statistics.ALPHA / max(1, family)


def alone(table: pd.DataFrame) -> pd.DataFrame:
    """Return the statistics of an experiment paired with itself without all that needs a pair."""
    kept = ["class", "label", "cases", "reference_scores", "reference_mean", "reference_low"]
    lone = table[[*kept, "reference_high"]].reindex(columns=table.columns)
    return lone.fillna({"pairs": 0, "unpaired": 0})


def undefined(scores: pd.DataFrame, metric: str, classes: Mapping[str, int]) -> list[int]:
    """Return how many scores of the mean foreground and each class have a Dice and no `metric`.

    These are the units where truth or prediction is empty: they have no distance. Runs count.
    """
    without = scores[scores[PRIMARY].notna() & scores[metric].isna()].groupby("class").size()
    return [int(without.sum()), *(int(without.get(name, 0)) for name in classes)]


def compare_all(
    scores: Mapping[str, pd.DataFrame],
    experiments: Sequence[str],
    classes: Mapping[str, int],
    confidence: float,
    resamples: int,
    metrics: Sequence[str] = (*METRICS, FALSE_SLICES),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of all comparisons with the first experiment, and the pairs of Dice.

    scores: level -> scores of all experiments; metrics: of METRICS, the primary one among them,
    and FALSE_SLICES, which single cases do not have.
    """
    tables, paired = [], []
    reference = experiments[0]
    places = [place for place in product(metrics, LEVELS) if place != (FALSE_SLICES, "case")]
    for metric, level in places:
        of_level = that_count(scores[level], level)
        missing = {
            name: undefined(of_one, metric, classes)
            for name, of_one in of_level.groupby("experiment")
            if metric in METRICS
        }
        for other in experiments[1:] or experiments:
            if metric == FALSE_SLICES:
                pairs = within_cases(false_slices(scores[level], reference, other))
            else:
                pairs = within_cases(pair(of_level, metric, reference, other))
            table = compare(pairs, classes, confidence, resamples)
            table["reference_undefined"], table["experiment_undefined"] = (
                missing.get(name, 0) for name in (reference, other)
            )
            if len(experiments) == 1:
                table = alone(table)
            place = {"reference": reference, "level": level, "metric": metric}
            place["experiment"] = other if len(experiments) > 1 else ""
            tables.append(pd.DataFrame(place, table.index).join(table))
            if metric == PRIMARY:
                pairs = pairs.rename(columns={"experiment": "experiment_dice"})
                pairs = pairs.rename(columns={"reference": "reference_dice"})
                paired.append(pairs.assign(level=level, experiment=place["experiment"]))
    return adjust(pd.concat(tables, ignore_index=True)), pd.concat(paired, ignore_index=True)


def compare_conventions(
    scores: Mapping[str, pd.DataFrame],
    experiments: Sequence[str],
    classes: Mapping[str, int],
    confidence: float,
    resamples: int,
) -> pd.DataFrame:
    """Return the differences in Dice under each convention for empty slices and cases.

    The stated one comes first. Cases are left out if truth and prediction show every class in all
    of them: then no convention changes anything. `..._both_empty` and `..._one_empty` count the
    scores that the conventions differ in.
    """
    kept = ["class", "label", "cases", "pairs", "unpaired", "reference_mean", "experiment_mean"]
    kept += ["difference", "difference_low", "difference_high", "wilcoxon_p", "rank_biserial"]
    empty = {"both_empty": [BOTH_EMPTY], "one_empty": list(ONE_EMPTY)}
    tables = []
    for level in LEVELS:
        if level == "case" and not scores[level]["status"].isin([BOTH_EMPTY, *ONE_EMPTY]).any():
            continue
        for convention in sorted(CONVENTIONS, key=lambda name: name != STATED[level]):
            counted = dice_under(convention, scores[level])
            for other in experiments[1:]:
                pairs = within_cases(pair(counted, PRIMARY, experiments[0], other))
                table = compare(pairs, classes, confidence, resamples)[kept]
                for side, name in (("reference", experiments[0]), ("experiment", other)):
                    of_side = scores[level][scores[level]["experiment"] == name]
                    for kind, states in empty.items():
                        found = of_side[of_side["status"].isin(states)].groupby("class").size()
                        table[f"{side}_{kind}"] = [found.sum(), *(found.get(c, 0) for c in classes)]
                place = {"reference": experiments[0], "level": level, "experiment": other}
                place |= {"convention": convention, "meaning": CONVENTIONS[convention]}
                tables.append(pd.DataFrame(place, table.index).join(table))
    columns = ["reference", "level", "experiment", "convention", "meaning", *kept]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def compare_seeds(
    cases: pd.DataFrame, experiments: Sequence[str], classes: Mapping[str, int]
) -> pd.DataFrame:
    """Return the variance components of the Dice of every experiment, and of every difference.

    cases: scores of cases. Differences are of the same case, fold and seed.
    """
    unit = ["class", "fold", "case", "seed"]
    dice = cases.pivot_table(index=unit, columns="experiment", values=PRIMARY)
    dice = dice.reindex(columns=list(experiments))
    others = {f"{name} - {experiments[0]}": name for name in experiments[1:]}
    columns = {name: dice[name] for name in experiments}
    columns |= {text: dice[name] - dice[experiments[0]] for text, name in others.items()}
    rows = []
    for of, values in columns.items():
        tables = {name: values[values.index.get_level_values("class") == name] for name in classes}
        for name, table in {FOREGROUND: values, **tables}.items():
            score = table.dropna().groupby(["fold", "case", "seed"]).mean().rename("score")
            found = variance_components(score.reset_index())
            row = {"of": of, "class": name, "label": classes.get(name, 0)}
            row |= {key: getattr(found, key) for key in found.__dataclass_fields__}
            rows.append(row | {"clamped": " ".join(found.clamped)})
    return pd.DataFrame(rows)


def main(
    *,
    per_case: Sequence[str | Path],
    per_slice: Sequence[str | Path],
    dataset: str,
    study: str,
    experiments: Sequence[str],
    confidence: float,
    resamples: int,
    table: str | Path,
    table_tex: str | Path,
    pairs: str | Path,
    empty: str | Path,
    empty_tex: str | Path,
    seeds: str | Path,
    seeds_tex: str | Path,
) -> None:
    """Write the tables of a study; the first of `experiments` is the reference."""
    paths = {"case": per_case, "slice": per_slice}
    scores = {level: read_scores(paths[level], COLUMNS[level]) for level in LEVELS}
    check_axes(scores["slice"])
    classes = scores["case"].drop_duplicates("class").sort_values("label")
    classes = dict(zip(classes["class"], classes["label"], strict=True))
    given = (scores, experiments, classes, confidence, resamples)
    compared, paired = compare_all(*given)
    conventions = compare_conventions(*given)
    components = compare_seeds(scores["case"], experiments, classes)
    tables = (table, compared), (empty, conventions), (seeds, components)
    for path, rows in tables:
        rows.insert(0, "dataset", dataset)
        write_csv(path, rows)
    write_parquet(pairs, paired)
    comparison_latex.write_comparison(table_tex, compared, dataset, study, confidence)
    comparison_latex.write_conventions(empty_tex, conventions, dataset, study, confidence)
    comparison_latex.write_seeds(seeds_tex, components, dataset, study)
    report(compared)


def report(table: pd.DataFrame) -> None:
    """Log the differences in mean foreground Dice per case."""
    rows = table[(table["metric"] == PRIMARY) & (table["label"] == 0) & (table["level"] == "case")]
    for row in rows[rows["experiment"] != ""].itertuples():
        logger.info(
            "%s against %s: mean foreground Dice %+.4f [%+.4f, %+.4f] in %d cases, p (Holm) %.3g",
            row.experiment,
            row.reference,
            row.difference,
            row.difference_low,
            row.difference_high,
            row.cases,
            row.holm_p,
        )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
