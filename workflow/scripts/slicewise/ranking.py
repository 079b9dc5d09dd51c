"""Rankings of experiments, and how stable they are when cases are resampled.

After challengeR (Wiesenfarth et al., Scientific Reports 11:2369, 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slicewise import statistics

AGGREGATE, RANK = "mean, then rank", "rank, then mean"
"""The two ways to a ranking: rank the means over cases, or take the mean of the ranks in cases."""

DIGITS = 12
"""Decimals to which means are compared: sums of equal scores differ in their last bits."""

MIDDLE = (0.025, 0.5, 0.975)
"""Quantiles of the ranks in resamples: the interval of 95 % that challengeR shows, and the median.
"""


@dataclass(frozen=True)
class Ranking:
    """A ranking of experiments and what becomes of it in resamples of the cases.

    score: mean score or mean rank (experiment); rank: from 1, the best, equal ones share the
    smaller (experiment); frequency: share of the resamples with each rank (experiment, rank); low,
    median and high: of the rank in resamples (experiment); tau: Kendall's tau-b between the ranks
    of each resample and `rank` (resample), NaN where all are equal. With fewer than
    statistics.FEWEST_CASES cases there are no resamples: NaN, and tau is empty.
    """

    score: np.ndarray
    rank: np.ndarray
    frequency: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    tau: np.ndarray


def rank_experiments(
    scores: np.ndarray, method: str, *, higher_is_better: bool, resamples: int, seed: int = 0
) -> Ranking:
    """Rank experiments by their scores (case, experiment).

    method: AGGREGATE or RANK. A NaN is a missing score: the worst rank of its case, and in means
    the worst of all scores that are there. Give 0 for a missing Dice.
    """
    cases, experiments = scores.shape
    better = scores if higher_is_better else -scores
    if method == RANK:
        # A missing score ranks behind the worst that is there.
        compared = -ranks(np.where(np.isnan(better), -np.inf, better)).astype(float)
    else:
        worst = np.nanmin(better, initial=np.inf)
        compared = np.where(np.isnan(better), worst, better)
    means = compared.mean(axis=0) if cases else np.full(experiments, np.nan)
    score = means if method == AGGREGATE and higher_is_better else -means
    full = ranks(np.round(means, DIGITS))
    if cases < statistics.FEWEST_CASES:
        frequency = np.full((experiments, experiments), np.nan)
        return Ranking(score, full, frequency, *np.full((3, experiments), np.nan), np.empty(0))
    resampled = statistics.resampled_sums(compared, resamples, seed) / cases
    drawn = ranks(np.round(resampled, DIGITS))
    frequency = (drawn[:, :, None] == np.arange(1, experiments + 1)).mean(axis=0)
    low, median, high = np.quantile(drawn, MIDDLE, axis=0, method="inverted_cdf")
    return Ranking(score, full, frequency, low, median, high, kendall_tau(drawn, full))


def ranks(scores: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis, 1 for the highest; equal scores share the smaller rank."""
    return 1 + (scores[..., None, :] > scores[..., :, None]).sum(axis=-1)


def kendall_tau(drawn: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b of each row of ranks (row, experiment) with the ranks of all cases."""
    first, second = np.triu_indices(len(full), 1)
    found = np.sign(drawn[:, first] - drawn[:, second])
    expected = np.sign(full[first] - full[second])
    agreement = (found * expected).sum(axis=1)
    untied = np.count_nonzero(found, axis=1) * np.count_nonzero(expected)
    with np.errstate(invalid="ignore"):
        return agreement / np.sqrt(untied)
