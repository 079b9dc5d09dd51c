"""Two-sample tests: do two sets of draws come from one distribution?"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

FAMILY_ERROR = 0.01  # chance of a false alarm, over all the tests that are judged together
FEWEST = 20  # draws, of both samples together, that a category needs to count by itself


@dataclass(frozen=True)
class Check:
    """One two-sample test: which transform, what of it, its statistic and its p value."""

    transform: str
    what: str
    statistic: float
    p: float


def threshold(checks: int) -> float:
    """Return the p value below which a test fails, after Bonferroni."""
    return FAMILY_ERROR / checks


def distributions(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return statistic and p value of a Kolmogorov-Smirnov test; ties make it more lenient.

    Where one sample is empty and the other is not, nothing agrees: p is 0.
    """
    if not len(one) or not len(other):
        return (0.0, 1.0) if len(one) == len(other) else (1.0, 0.0)
    result = stats.ks_2samp(one, other, method="asymp")
    return float(result.statistic), float(result.pvalue)


def frequencies(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return statistic and p value of a chi-square test of homogeneity of two sets of categories.

    Categories, integers from 0, are merged where both samples together have fewer than FEWEST.
    """
    categories = max(one.max(), other.max()) + 1
    table = np.stack([np.bincount(sample, minlength=categories) for sample in (one, other)])
    rare = table.sum(0) < FEWEST
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(1)])
    table = table[:, table.any(0)]
    if table.shape[1] == 1:
        return 0.0, 1.0
    result = stats.chi2_contingency(table, correction=False)
    return float(result.statistic), float(result.pvalue)
