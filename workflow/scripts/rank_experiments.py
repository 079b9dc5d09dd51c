"""Rank the experiments of a study, and show how stable the ranking is when cases are resampled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slicewise import comparison_latex
from slicewise.files import write_csv
from slicewise.job import logger, run
from slicewise.pairing import FOREGROUND, METRICS, PRIMARY, side_by_side
from slicewise.ranking import AGGREGATE, MIDDLE, RANK, Ranking, rank_experiments
from slicewise.score_tables import read_scores

COLUMNS = ["experiment", "case", "class", "label", *METRICS, "status"]


def ranking_rows(found: Ranking, experiments: Sequence[str]) -> pd.DataFrame:
    """Return one row for each experiment of a ranking, the best first."""
    tau = found.tau[np.isfinite(found.tau)]
    low, _, high = np.quantile(tau, MIDDLE) if len(tau) else [np.nan] * 3
    columns = {"experiment": experiments, "score_mean": found.score, "rank": found.rank}
    columns |= {"rank_low": found.low, "rank_median": found.median, "rank_high": found.high}
    columns |= {"tau": tau.mean() if len(tau) else np.nan, "tau_low": low, "tau_high": high}
    columns |= {f"frequency_{i}": share for i, share in enumerate(found.frequency.T, start=1)}
    return pd.DataFrame(columns).sort_values("rank", kind="stable", ignore_index=True)


def rank_all(
    scores: pd.DataFrame, experiments: Sequence[str], classes: Mapping[str, int], resamples: int
) -> pd.DataFrame:
    """Return the ranking by every metric, class and method; see `side_by_side` for what counts.

    scores: of cases. score_mean is the mean score, or the mean rank over cases; tau is the mean of
    Kendall's tau between each resample and the ranking of all cases, low and high the middle 95 %;
    frequency_1 is the share of resamples in which an experiment is first, and so on.
    """
    tables = []
    for metric in METRICS:
        by_class, left_out = side_by_side(scores, metric, experiments)
        for name, label in {FOREGROUND: 0, **classes}.items():
            for method in (AGGREGATE, RANK):
                found = rank_experiments(
                    by_class[name].to_numpy(float),
                    method,
                    higher_is_better=METRICS[metric].higher_is_better,
                    resamples=resamples,
                )
                rows = ranking_rows(found, experiments)
                place = {"metric": metric, "class": name, "label": label, "method": method}
                place |= {"cases": len(by_class[name]), "left_out": left_out[name]}
                tables.append(pd.DataFrame(place, rows.index).join(rows))
    return pd.concat(tables, ignore_index=True)


def main(
    *,
    per_case: Sequence[str | Path],
    dataset: str,
    study: str,
    experiments: Sequence[str],
    resamples: int,
    table: str | Path,
    table_tex: str | Path,
) -> None:
    """Write the ranking of a study's experiments as CSV and LaTeX."""
    scores = read_scores(per_case, COLUMNS)
    scores = scores[scores["experiment"].isin(experiments)]
    classes = scores.drop_duplicates("class").sort_values("label")
    classes = dict(zip(classes["class"], classes["label"], strict=True))
    ranked = rank_all(scores, experiments, classes, resamples)
    ranked.insert(0, "dataset", dataset)
    write_csv(table, ranked)
    comparison_latex.write_ranking(table_tex, ranked, dataset, study, resamples)
    first = (ranked["metric"] == PRIMARY) & (ranked["label"] == 0)
    for row in ranked[first].itertuples():
        logger.info("%s: %s is number %d", row.method, row.experiment, row.rank)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
