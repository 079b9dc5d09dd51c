"""Means and paired differences in which the case is the unit.

Slices of one case resemble each other, and so do runs of one case with several seeds. Intervals and
tests that took them for independent would be too narrow; here whole cases are resampled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from scipy import special, stats

from slicewise.randomness import generator

FEWEST_CASES = 5
"""Cases below which no interval is given.

n cases have C(2n - 1, n) distinct resamples: 35 for 4 cases, so that the end of an interval would
be one resample; 126 for 5. No interval can reach beyond the lowest and the highest case, between
which the middle of 5 cases' distribution lies in 94 of 100 samples.
"""

FEW_CASES = 50
"""Cases below which a column of values is resampled by itself."""

MOST_EXACT = 50
"""Cases up to which p of Wilcoxon's test is exact, as in scipy where there are no ties."""

ALPHA, POWER = 0.05, 0.8
"""Two-sided level of a test, and the chance to find a difference that a design is planned for
(Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, section 2.4)."""

BLOCK, SMALL_BLOCK = 2**25, 2**19
"""Numbers of resampled cases that are held as floats at once, 256 MiB, and where there are more:
4 MiB, which stay in a processor's cache."""


@dataclass(frozen=True)
class Mean:
    """A mean with its interval; scalars, or one array entry for each column.

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

    deviation: standard deviation (n - 1) of the differences of cases; p_value: two-sided Wilcoxon
    signed-rank test; rank_biserial and cohen_dz: see the functions of these names. All four are
    over differences averaged within each case.
    """

    difference: Mean
    deviation: float
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
    the mean over all observations of the drawn cases (Davison and Hinkley, Bootstrap Methods and
    their Application, 1997, section 3.8); for the ends of the interval see `tail_of`. Columns that
    the same cases have values in share their resamples.
    """
    values = np.asarray(values, dtype=float)
    columns = values.reshape(len(values), math.prod(values.shape[1:]))
    names, codes = np.unique(np.asarray(cases, dtype=str), return_inverse=True)
    scored = np.isfinite(columns)
    sums = np.zeros((len(names), columns.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, codes, np.where(scored, columns, 0.0))
    np.add.at(counts, codes, scored)

    with np.errstate(invalid="ignore"):
        mean = sums.sum(axis=0) / counts.sum(axis=0)
    n_cases = (counts > 0).sum(axis=0)
    low = np.full(columns.shape[1], np.nan)
    high = low.copy()
    for rows, chosen in _drawn_together(counts > 0):
        parts = np.hstack([sums[rows][:, chosen], counts[rows][:, chosen]])
        drawn_sums, drawn_counts = np.split(resampled_sums(parts, resamples, seed), 2, axis=1)
        with np.errstate(invalid="ignore"):
            means = drawn_sums / drawn_counts
        tails = [tail_of(number, confidence) for number in n_cases[chosen].tolist()]
        for column, tail, drawn in zip(chosen, tails, means.T, strict=True):
            low[column], high[column] = np.nanquantile(drawn, [tail, 1 - tail])
    fields = (mean, low, high, n_cases, counts.sum(axis=0).astype(int))
    return Mean(*(field.reshape(values.shape[1:])[()] for field in fields))


def _drawn_together(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield cases and columns (as indices) that are resampled together.

    present: bool (case, column). A column is resampled among the cases that have a value in it, as
    if it were alone; one of FEW_CASES or more among all cases, since how many of them a resample
    then draws hardly varies. Columns of fewer than FEWEST_CASES are left out.
    """
    number = present.sum(axis=0)
    many = np.flatnonzero(number >= FEW_CASES)
    if len(many):
        yield np.arange(len(present)), many
    few = np.flatnonzero((number >= FEWEST_CASES) & (number < FEW_CASES))
    patterns, which = np.unique(present[:, few], axis=1, return_inverse=True)
    for i, pattern in enumerate(patterns.T):
        yield np.flatnonzero(pattern), few[np.ravel(which) == i]


@cache
def tail_of(cases: int, confidence: float) -> float:
    """Return the share of resampled means beyond each end of an interval.

    The percentile method would take 0.025 for an interval of 95 %. That is too narrow for few
    cases, as resampling knows neither the n - 1 of a variance nor Student's t: of 10 normal cases
    it covers the mean 90 times of 100, of 5 cases 84 times, and BCa intervals do no better. The
    share taken here makes up for both: 0.0086 for 10 cases (94 of 100), 0.0010 for 5 cases (92);
    with many cases it is 0.025 (Hesterberg, The American Statistician 69:371-386, 2015: "expanded
    percentiles").
    """
    t = stats.t.ppf((1 + confidence) / 2, cases - 1)
    return float(stats.norm.sf(t * math.sqrt(cases / (cases - 1))))


def resampled_sums(values: np.ndarray, resamples: int, seed: int = 0) -> np.ndarray:
    """Return the sum over the drawn cases of each resample (resample, column).

    values: (case, column), without NaN. Equal numbers of cases, resamples and seed draw alike.
    """
    drawn = _resampled_cases(len(values), resamples, seed)
    return np.concatenate([block @ values for block in _blocks(drawn)])


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
        deviation(within_cases),
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

    Exact for up to MOST_EXACT cases, with ties too, from the distribution of the sum of ranks when
    each may have either sign; by scipy's normal approximation beyond. With fewer than 6 cases it
    cannot fall below 0.05: see `smallest_p`. It is 1 when all differences are zero and NaN without
    any.
    """
    difference = np.asarray(difference, dtype=float)
    if len(difference) == 0:
        return float("nan")
    nonzero = difference[difference != 0]
    if len(nonzero) == 0:
        return 1.0
    if len(nonzero) > MOST_EXACT:
        return float(stats.wilcoxon(nonzero).pvalue)
    # Ranks of ties are halves.
    doubled = np.rint(2 * stats.rankdata(np.abs(nonzero))).astype(int)
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    positive = doubled[nonzero > 0].sum()
    beyond = min(ways[: positive + 1].sum(), ways[positive:].sum())
    return float(min(1.0, 2 * beyond / ways.sum()))


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


def deviation(difference: np.ndarray) -> float:
    """Return the standard deviation (n - 1) of differences.

    NaN with fewer than two cases or without any spread.
    """
    difference = np.asarray(difference, dtype=float)
    if len(difference) < 2:
        return float("nan")
    found = difference.std(ddof=1)
    # Equal differences leave only rounding errors as their spread.
    return float("nan") if found <= 1e-12 * np.abs(difference).max() else float(found)


def cohen_dz(difference: np.ndarray) -> float:
    """Return Cohen's d_z: the mean difference over its standard deviation, NaN without one."""
    spread = deviation(difference)
    return float("nan") if math.isnan(spread) else float(np.mean(difference) / spread)


def detectable_difference(spread: float, cases: int, *, alpha: float = ALPHA) -> float:
    """Return the smallest true mean difference that so many cases would show with chance POWER.

    spread: standard deviation of the differences of cases; alpha: two-sided level. Of a paired t
    test (noncentral t; G*Power: d_z = 0.5 needs 34 cases). Wilcoxon's test needs about 5 % more
    cases where differences are normal, and fewer where they have heavy tails. It says what the
    design can see, not whether what was seen is real: it does not look at the mean difference. It
    is as uncertain as the spread, which 10 cases give to within about -30 and +80 %.
    """
    if cases < 2 or not spread > 0:
        return float("nan")
    critical = stats.t.isf(alpha / 2, cases - 1)
    # Of the two sides of the test one alone counts: the wrong one has no chance to speak of.
    noncentrality = special.nctdtrinc(cases - 1, 1 - POWER, critical)
    return float(noncentrality * spread / math.sqrt(cases))


def smallest_p(cases: int) -> float:
    """Return the smallest p that Wilcoxon's signed-rank test can reach with so many cases."""
    return min(1.0, 2.0 ** (1 - cases))


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
