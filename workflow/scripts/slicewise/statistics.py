"""Means and paired differences in which the case is the unit.

Slices of one case resemble each other, and so do runs of one case with several seeds. Intervals and
tests that took them for independent would be too narrow; here whole cases are resampled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from slicewise.randomness import generator

FEWEST_CASES = 5
"""Cases below which no interval is given.

n cases have C(2n - 1, n) distinct resamples: 35 for 4 cases, so that a 2.5th percentile would be
one resample; 126 for 5. Between 5 and about 15 cases the interval is still somewhat too narrow.
"""

BLOCK, SMALL_BLOCK = 2**25, 2**19
"""Numbers of resampled cases that are held as floats at once, 256 MiB, and where there are more:
4 MiB, which stay in a processor's cache."""


@dataclass(frozen=True)
class Mean:
    """A mean with its percentile interval; scalars, or one array entry for each column.

    low and high are NaN with fewer than FEWEST_CASES cases; `cases` and `observations` count what
    is not NaN.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    cases: np.ndarray
    observations: np.ndarray


@dataclass(frozen=True)
class PairedDifference:
    """A mean difference (experiment minus reference) with its interval, test and effect sizes.

    p_value: two-sided Wilcoxon signed-rank test; rank_biserial and cohen_dz: see the functions of
    these names. All three are over differences averaged within each case.
    """

    difference: Mean
    p_value: float
    rank_biserial: float
    cohen_dz: float


def cluster_mean(
    values: np.ndarray,
    cases: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Mean:
    """Return the mean of observations and its interval by bootstrap over whole cases.

    values: (observation,) or (observation, column), NaN where there is none; cases: the case of
    each observation. Each resample draws as many cases as there are, with replacement, and takes
    the mean over all observations of the drawn cases (percentile interval; Davison and Hinkley,
    Bootstrap Methods and their Application, 1997, section 3.8). Columns share their resamples.
    """
    values = np.asarray(values, dtype=float)
    columns = values.reshape(len(values), math.prod(values.shape[1:]))
    names, codes = np.unique(np.asarray(cases, dtype=str), return_inverse=True)
    scored = np.isfinite(columns)
    sums = np.zeros((len(names), columns.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, codes, np.where(scored, columns, 0.0))
    np.add.at(counts, codes, scored)

    n_cases = (counts > 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = sums.sum(axis=0) / counts.sum(axis=0)
    low = np.full(columns.shape[1], np.nan)
    high = low.copy()
    enough = n_cases >= FEWEST_CASES
    if enough.any():
        parts = [
            (drawn @ sums[:, enough], drawn @ counts[:, enough])
            for drawn in _blocks(_resampled_cases(len(names), resamples, seed))
        ]
        with np.errstate(invalid="ignore"):
            means = np.concatenate([sums_of / counts_of for sums_of, counts_of in parts])
        tail = (1 - confidence) / 2
        low[enough], high[enough] = np.nanquantile(means, [tail, 1 - tail], axis=0)
    fields = (mean, low, high, n_cases, counts.sum(axis=0).astype(int))
    return Mean(*(field.reshape(values.shape[1:])[()] for field in fields))


@lru_cache(maxsize=2)
def _resampled_cases(cases: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each resample draws each case: (resample, case), rows sum to `cases`.

    In small integers: of 10,000 cases they are 200 MB, as floats 800.
    """
    rng = generator(seed, "bootstrap", cases, resamples)
    if cases * resamples <= BLOCK:
        return rng.multinomial(cases, np.full(cases, 1 / cases), resamples).astype(np.uint16)
    # Case by case, which is ten times as quick where there are thousands of them.
    drawn = np.empty((resamples, cases), np.uint16)
    for row in drawn:
        row[:] = np.bincount(rng.integers(cases, size=cases), minlength=cases)
    return drawn


def _blocks(drawn: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of a matrix as floats, so many at a time that they stay in few megabytes.

    A matrix of BLOCK numbers is one block.
    """
    resamples, cases = drawn.shape
    rows = resamples if drawn.size <= BLOCK else max(1, SMALL_BLOCK // cases)
    for start in range(0, resamples, rows):
        yield drawn[start : start + rows].astype(float)


def paired_difference(
    reference: np.ndarray,
    experiment: np.ndarray,
    cases: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> PairedDifference:
    """Compare paired observations, such as the same case or the same slice in two experiments.

    reference, experiment: (observation,); cases: the case of each. A pair with a NaN is left out.
    """
    difference = np.asarray(experiment, dtype=float) - np.asarray(reference, dtype=float)
    paired = np.isfinite(difference)
    difference, names = difference[paired], np.asarray(cases, dtype=str)[paired]
    within_cases = case_means(difference, names)
    return PairedDifference(
        cluster_mean(difference, names, confidence=confidence, resamples=resamples, seed=seed),
        wilcoxon_p(within_cases),
        rank_biserial(within_cases),
        cohen_dz(within_cases),
    )


def case_means(values: np.ndarray, cases: Sequence[str]) -> np.ndarray:
    """Return the mean of the observations of each case, cases sorted by name."""
    names, codes = np.unique(np.asarray(cases, dtype=str), return_inverse=True)
    return np.bincount(codes, values, len(names)) / np.bincount(codes, minlength=len(names))


def wilcoxon_p(difference: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test, zero differences left out.

    Exact where scipy can (no ties, up to 50 cases). Its smallest value for n cases is 2 / 2**n, so
    that it cannot fall below 0.05 with fewer than 6. It is 1 when all differences are zero and NaN
    without any.
    """
    difference = np.asarray(difference, dtype=float)
    if len(difference) == 0:
        return float("nan")
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference[difference != 0]).pvalue)


def rank_biserial(difference: np.ndarray) -> float:
    """Return the matched-pairs rank-biserial correlation, (W+ - W-) / (W+ + W-), from -1 to 1.

    W+ and W- are the sums of the ranks of the absolute differences that are positive and negative,
    zeros left out (Kerby, Comprehensive Psychology 2014). It is 1 when the experiment wins in every
    case, 0 when all differences are zero, NaN without any.
    """
    difference = np.asarray(difference, dtype=float)
    if len(difference) == 0:
        return float("nan")
    nonzero = difference[difference != 0]
    if len(nonzero) == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(nonzero))
    return float((ranks * np.sign(nonzero)).sum() / ranks.sum())


def cohen_dz(difference: np.ndarray) -> float:
    """Return Cohen's d_z: the mean difference over its standard deviation (n - 1).

    NaN with fewer than two cases or without any spread.
    """
    difference = np.asarray(difference, dtype=float)
    if len(difference) < 2:
        return float("nan")
    deviation = difference.std(ddof=1)
    # Equal differences leave only rounding errors as their spread.
    if deviation <= 1e-12 * np.abs(difference).max():
        return float("nan")
    return float(difference.mean() / deviation)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return p-values adjusted for their number by Holm's step-down method; NaN stays NaN."""
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(len(p_values), np.nan)
    order = [i for i in np.argsort(p_values, kind="stable") if np.isfinite(p_values[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
