"""Variance between cases and between seeds, on scores whose components are known."""

import math

import numpy as np
import pandas as pd
import pytest

from slicewise.variance import variance_components


def scores(folds, cases, seeds, between_cases, between_seeds, residual, rng):
    """Return simulated scores of crossed cases and seeds; the arguments are variances."""
    rows = []
    for fold in range(folds):
        by_case = rng.normal(0, math.sqrt(between_cases), cases)
        by_seed = rng.normal(0, math.sqrt(between_seeds), seeds)
        values = by_case[:, None] + by_seed + rng.normal(0, math.sqrt(residual), (cases, seeds))
        rows += [
            {"fold": fold, "case": f"case_{fold}_{i}", "seed": j, "score": 0.8 + values[i, j]}
            for i in range(cases)
            for j in range(seeds)
        ]
    return pd.DataFrame(rows)


def table(values):
    """Return the scores of one fold from a table (case, seed)."""
    values = np.asarray(values, dtype=float)
    case, seed = np.indices(values.shape)
    columns = {"fold": 0, "case": case.ravel().astype(str), "seed": seed.ravel()}
    return pd.DataFrame(columns | {"score": values.ravel()})


def test_known_components_are_found_on_average():
    rng = np.random.default_rng(0)
    drawn = [variance_components(scores(5, 12, 5, 0.04, 0.01, 0.02, rng)) for _ in range(40)]
    means = [
        np.mean([getattr(found, name) for found in drawn])
        for name in ("between_cases", "between_seeds", "residual")
    ]
    assert means == pytest.approx([0.04, 0.01, 0.02], rel=0.15)


def test_the_error_of_the_mean_is_that_of_repeated_experiments():
    rng = np.random.default_rng(1)
    drawn = [variance_components(scores(2, 6, 3, 0.04, 0.02, 0.01, rng)) for _ in range(100)]
    spread = np.std([found.mean for found in drawn])
    errors = np.mean([found.cases_error**2 + found.seeds_error**2 for found in drawn])
    assert math.sqrt(errors) == pytest.approx(spread, rel=0.2)


def test_mean_squares_by_hand():
    """A textbook's two-way table without replication: mean squares 24, 8 and 2."""
    values = [[1, 3], [5, 5], [3, 7]]
    # Rows 2, 5, 5, columns 3, 5, mean 4: SS 2 * (4 + 1 + 1) = 12, 3 * (1 + 1) = 6, rest 4.
    found = variance_components(table(values))
    assert found.residual == pytest.approx(4 / 2)
    assert found.between_cases == pytest.approx((12 / 2 - 2) / 2)
    assert found.between_seeds == pytest.approx((6 / 1 - 2) / 3)
    assert (found.cases, found.folds, found.seeds, found.seeds_freedom) == (3, 1, 2, 1)
    assert found.clamped == ()


def test_an_estimate_below_zero_is_set_to_zero_and_said():
    found = variance_components(table([[0, 1], [1, 0], [0, 1], [1, 0]]))
    assert (found.between_cases, found.between_seeds) == (0, 0)
    assert found.clamped == ("between_cases", "between_seeds")


def test_the_same_seed_of_two_folds_is_two_networks():
    rng = np.random.default_rng(2)
    one = scores(1, 5, 3, 0.1, 0.1, 0.01, rng)
    shifted = one.assign(fold=1, case=one["case"] + "b", score=one["score"] + 5)
    both = variance_components(pd.concat([one, shifted]))
    alone = variance_components(one)
    assert both.between_seeds == pytest.approx(alone.between_seeds)
    assert both.between_cases == pytest.approx(alone.between_cases)
    assert both.seeds_freedom == 2 * alone.seeds_freedom


def test_a_case_without_every_seed_is_left_out_and_counted():
    whole = table([[1, 3], [5, 5], [3, 7]])
    more = table([[1, 3], [5, 5], [3, 7], [9, np.nan]])
    assert variance_components(more).left_out == 1
    assert variance_components(more).between_cases == variance_components(whole).between_cases


@pytest.mark.parametrize("values", [[[1], [2], [3]], [[1, 2]], [[np.nan, 1]]])
def test_one_seed_or_one_case_has_no_components(values):
    found = variance_components(table(values))
    assert math.isnan(found.between_seeds)
    assert math.isnan(found.between_cases)


def test_two_scores_of_one_case_and_seed_are_refused():
    twice = pd.concat([table([[1, 2], [3, 4]])] * 2)
    with pytest.raises(ValueError, match="case 0: found two scores of fold 0 and seed 0"):
        variance_components(twice)
