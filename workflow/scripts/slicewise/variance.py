"""How much scores vary from case to case, and how much from training to training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Components:
    """Variances between cases and between trainings, and what is left over.

    cases, folds, seeds: their numbers; left_out: cases without a score of every seed. mean: of all
    cases and seeds. between_cases: variance of cases within folds; between_seeds: of networks that
    differ in nothing but their seed; residual: of single scores around both, where the interaction
    of cases and seeds cannot be told from chance. seeds_freedom: degrees of freedom behind
    between_seeds, which says how little a few seeds tell. cases_error and seeds_error: the standard
    errors that the choice of cases (with the residual) and that of seeds give the mean. clamped:
    names of the components that were estimated below 0 and set to 0. Variances are NaN with one
    seed, or with one case in every fold.
    """

    cases: int
    folds: int
    seeds: int
    left_out: int
    mean: float
    between_cases: float
    between_seeds: float
    residual: float
    seeds_freedom: int
    cases_error: float
    seeds_error: float
    clamped: tuple[str, ...]


def variance_components(scores: pd.DataFrame) -> Components:
    """Return the variance components of scores with the columns fold, case, seed and score.

    Cases and seeds are crossed within each fold, as each network scores all cases of its fold. The
    networks of two folds are two networks even where they carry the same seed, so seeds are nested
    in folds; so are cases. Analysis of variance with random effects, pooled over folds, variances
    from the expected mean squares (Searle, Casella and McCulloch, Variance Components, 1992,
    chapter 4): E(cases) = residual + seeds * between_cases, E(seeds) = residual + (mean number of
    cases of a fold) * between_seeds. Estimates below 0, as chance makes them of small variances,
    are set to 0.
    """
    tables = [_crossed(table) for _, table in scores.groupby("fold")]
    complete = [table.dropna() for table in tables]
    left_out = sum(map(len, tables)) - sum(map(len, complete))
    complete = [table for table in complete if len(table)]
    sizes = [len(table) for table in complete]
    seeds = min((table.shape[1] for table in complete), default=0)
    mean = _mean(complete)
    counted = (sum(sizes), len(sizes), seeds, left_out, mean)
    case_freedom, seed_freedom = sum(sizes) - len(sizes), len(sizes) * (seeds - 1)
    if seeds < 2 or case_freedom < 1:
        nothing = math.nan
        return Components(*counted, nothing, nothing, nothing, 0, nothing, nothing, ())
    squares = [_squares(table) for table in complete]
    of_cases, of_seeds, of_rest = (sum(parts) for parts in zip(*squares, strict=True))
    residual = of_rest / (case_freedom * (seeds - 1))
    raw = {
        "between_cases": (of_cases / case_freedom - residual) / seeds,
        "between_seeds": (of_seeds / seed_freedom - residual) / (sum(sizes) / len(sizes)),
    }
    between_cases, between_seeds = (max(0.0, value) for value in raw.values())
    # The mean over all cases gives a network the weight of its cases.
    weights = sum((size / sum(sizes)) ** 2 for size in sizes)
    return Components(
        *counted,
        between_cases,
        between_seeds,
        residual,
        seed_freedom,
        math.sqrt((between_cases + residual / seeds) / sum(sizes)),
        math.sqrt(between_seeds * weights / seeds),
        tuple(name for name, value in raw.items() if value < 0),
    )


def _crossed(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of one fold as a table (case, seed); a ValueError names a case twice."""
    twice = scores.duplicated(["case", "seed"])
    if twice.any():
        row = scores[twice].iloc[0]
        raise ValueError(
            f"case {row['case']}: found two scores of fold {row['fold']} and seed {row['seed']}, "
            "expected one; score the fold again"
        )
    return scores.pivot(index="case", columns="seed", values="score")


def _mean(tables: list[pd.DataFrame]) -> float:
    """Return the mean of all scores, NaN without any."""
    number = sum(table.size for table in tables)
    return float(sum(table.to_numpy().sum() for table in tables) / number) if number else math.nan


def _squares(table: pd.DataFrame) -> tuple[float, float, float]:
    """Return the sums of squares of cases, of seeds and of the rest of a table (case, seed)."""
    values = table.to_numpy()
    cases, seeds = values.shape
    rows = values.mean(axis=1, keepdims=True) - values.mean()
    columns = values.mean(axis=0, keepdims=True) - values.mean()
    rest = values - values.mean() - rows - columns
    return seeds * (rows**2).sum(), cases * (columns**2).sum(), (rest**2).sum()
