"""Rankings, their stability under resampling, and Kendall's tau against scipy."""

import numpy as np
import pytest
from scipy import stats

from slicewise import ranking
from slicewise.ranking import AGGREGATE, RANK


def ranked(scores, method=AGGREGATE, higher_is_better=True, resamples=1000):
    scores = np.asarray(scores, dtype=float)
    return ranking.rank_experiments(
        scores, method, higher_is_better=higher_is_better, resamples=resamples
    )


@pytest.mark.parametrize("method", [AGGREGATE, RANK])
@pytest.mark.parametrize(("higher", "expected"), [(True, [2, 1]), (False, [1, 2])])
def test_two_experiments_are_ranked_as_challenger_does(method, higher, expected):
    assert ranked([[0.6, 0.8]], method, higher).rank.tolist() == expected


@pytest.mark.parametrize("method", [AGGREGATE, RANK])
def test_equal_experiments_share_the_smaller_rank(method):
    assert ranked([[0.6, 0.6, 0.1]], method).rank.tolist() == [1, 1, 3]


def test_the_two_ways_can_disagree():
    """The first wins in most cases by little and loses one by much."""
    scores = [[0.9, 0.8], [0.9, 0.8], [0.0, 0.8]]
    assert ranked(scores, AGGREGATE).rank.tolist() == [2, 1]
    assert ranked(scores, RANK).rank.tolist() == [1, 2]


@pytest.mark.parametrize("higher", [True, False])
def test_a_missing_score_has_the_worst_rank_of_its_case(higher):
    found = ranked([[np.nan, 0.8, 0.1]], RANK, higher)
    assert found.rank[0] == 3
    assert found.score[0] == 3


def test_a_missing_score_ranks_behind_a_zero():
    assert ranked([[np.nan, 0.0]], RANK).rank.tolist() == [2, 1]


def test_in_means_a_missing_score_is_the_worst_that_is_there():
    """Distances: 12 mm, the largest, stands in for the missing one."""
    found = ranked([[2.0, 12.0], [np.nan, 4.0]], higher_is_better=False)
    assert found.score.tolist() == [7, 8]
    assert found.rank.tolist() == [1, 2]


def test_mean_ranks_are_means_of_the_ranks_of_cases():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(12, 5))
    expected = np.mean([stats.rankdata(-row, "min") for row in scores], axis=0)
    assert ranked(scores, RANK).score == pytest.approx(expected)
    assert ranked(scores).score == pytest.approx(scores.mean(axis=0))


def test_an_experiment_that_wins_every_case_is_first_in_every_resample():
    scores = np.random.default_rng(1).uniform(0.5, 0.9, (10, 3))
    scores[:, 1] = 0.95
    for method in (AGGREGATE, RANK):
        found = ranked(scores, method)
        assert found.frequency[1].tolist() == [1, 0, 0]
        assert (found.low[1], found.median[1], found.high[1]) == (1, 1, 1)


def test_experiments_that_differ_by_chance_have_each_rank_at_times():
    scores = np.random.default_rng(2).normal(size=(20, 2))
    scores[:, 1] = scores[:, 0] + np.tile([0.1, -0.1], 10)
    found = ranked(scores, resamples=10_000)
    assert found.frequency[0, 0] == pytest.approx(0.588, abs=0.02)  # (1 + C(20, 10) / 2**20) / 2
    assert found.frequency.sum(axis=1) == pytest.approx(1)


def test_the_frequency_of_a_win_is_that_of_resamples_drawn_by_hand():
    scores = np.random.default_rng(3).normal(size=(8, 3))
    rng = np.random.default_rng(4)
    drawn = scores[rng.integers(8, size=(20_000, 8))].mean(axis=1)
    expected = np.bincount(drawn.argmax(axis=1), minlength=3) / 20_000
    assert ranked(scores, resamples=10_000).frequency[:, 0] == pytest.approx(expected, abs=0.02)


def test_kendalls_tau_is_scipys_with_ties_too():
    rng = np.random.default_rng(5)
    full = rng.integers(1, 5, 6)
    drawn = rng.integers(1, 5, (200, 6))
    expected = [stats.kendalltau(row, full).statistic for row in drawn]
    np.testing.assert_allclose(ranking.kendall_tau(drawn, full), expected)


def test_one_tau_for_each_resample_and_one_where_nothing_changes():
    scores = np.tile([0.9, 0.8, 0.7], (6, 1))
    found = ranked(scores)
    assert len(found.tau) == 1000
    assert found.tau == pytest.approx(1)


def test_few_cases_are_ranked_and_not_resampled():
    found = ranked(np.tile([0.9, 0.8], (4, 1)))
    assert found.rank.tolist() == [1, 2]
    assert np.isnan(found.frequency).all()
    assert len(found.tau) == 0


def test_equal_scores_stay_equal_in_every_resample():
    column = np.random.default_rng(6).uniform(size=(30, 1))
    assert ranked(np.hstack([column, column, column])).frequency[:, 0].tolist() == [1, 1, 1]
