"""Intervals, tests and effect sizes in which the case is the unit."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from scans import peak_memory
from slicewise import statistics


def interval(values, cases, **settings):
    mean = statistics.cluster_mean(np.asarray(values, float), cases, resamples=2000, **settings)
    return mean.low, mean.high


def test_the_mean_is_over_all_observations():
    mean = statistics.cluster_mean(np.array([1.0, 2, 6]), ["a", "a", "b"])
    assert (mean.mean, mean.cases, mean.observations) == (3, 2, 3)


def test_nan_is_no_observation():
    mean = statistics.cluster_mean(np.array([1.0, np.nan, 2, np.nan]), ["a", "a", "b", "c"])
    assert (mean.mean, mean.cases, mean.observations) == (1.5, 2, 2)


def test_without_observations_everything_is_nan():
    mean = statistics.cluster_mean(np.array([]), [])
    assert np.isnan([mean.mean, mean.low, mean.high]).all()
    assert mean.cases == 0


def test_fewer_than_five_cases_have_no_interval():
    values = np.arange(40.0)
    assert np.isnan(interval(values, np.arange(40) % 4)).all()
    assert np.isfinite(interval(values, np.arange(40) % 5)).all()


def test_five_cases_have_126_distinct_resamples():
    distinct = np.unique(statistics._resampled_cases(5, 20_000, seed=0), axis=0)
    assert len(distinct) == comb(9, 5)


def test_equal_values_have_an_interval_without_width():
    assert interval(np.full(8, 0.7), list("abcdefgh")) == pytest.approx((0.7, 0.7))


def test_the_interval_of_single_observations_is_scipys_percentile_bootstrap():
    """At the percentiles that stand for 95 % in 30 cases."""
    values = np.random.default_rng(0).gamma(2, size=30)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        confidence_level=1 - 2 * statistics.tail_of(30, 0.95),
        random_state=1,
    ).confidence_interval
    found = statistics.cluster_mean(values, np.arange(30).astype(str), resamples=20_000)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.03)


def test_repeating_every_observation_does_not_narrow_the_interval():
    values, cases = np.random.default_rng(1).normal(size=20), np.arange(20)
    assert interval(np.repeat(values, 50), np.repeat(cases, 50)) == pytest.approx(
        interval(values, cases)
    )


def test_a_narrower_confidence_gives_a_narrower_interval():
    values, cases = np.random.default_rng(2).normal(size=20), np.arange(20)
    wide, narrow = (interval(values, cases, confidence=c) for c in (0.95, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_seed_gives_the_same_interval_again_and_another_seed_another():
    values, cases = np.random.default_rng(3).normal(size=20), np.arange(20)
    assert interval(values, cases, seed=1) == interval(values, cases, seed=1)
    assert interval(values, cases, seed=1) != interval(values, cases, seed=2)


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(4)
    values, cases = rng.normal(size=60), rng.integers(0, 12, 60).astype(str)
    order = rng.permutation(60)
    assert interval(values[order], cases[order]) == pytest.approx(interval(values, cases))


def test_columns_are_estimated_as_if_alone():
    values = np.random.default_rng(5).normal(size=(10, 3))
    values[0, 1] = np.nan
    cases = list("abcdefghij")
    together = statistics.cluster_mean(values, cases, resamples=500)
    alone = statistics.cluster_mean(values[:, 1], cases, resamples=500)
    assert together.cases.tolist() == [10, 9, 10]
    assert together.low[1] == pytest.approx(alone.low)


def test_a_column_of_few_cases_is_resampled_among_them_alone():
    values = np.random.default_rng(1).normal(size=(60, 2))
    values[6:, 1] = np.nan
    together = statistics.cluster_mean(values, range(60))
    alone = statistics.cluster_mean(values[:6, 1], range(6))
    assert (together.low[1], together.high[1]) == (alone.low, alone.high)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """20 cases of 10 slices that share most of their error, 300 times."""
    rng = np.random.default_rng(6)
    cases = np.repeat(np.arange(20), 10)
    by_case = np.repeat(rng.normal(size=(300, 20)), 10, axis=1)
    low, high = np.array(
        [
            (mean.low, mean.high)
            for values in by_case + 0.3 * rng.normal(size=(300, 200))
            for mean in [statistics.cluster_mean(values, cases, resamples=500)]
        ]
    ).T
    assert 0.89 < np.mean((low < 0) & (high > 0)) < 0.98


@pytest.mark.parametrize("cases", [5, 10, 15])
def test_few_cases_have_an_interval_that_is_wide_enough(cases):
    """Dice of cases, skewed as it is near 1, 400 times; plain percentiles cover 0.81 to 0.91."""
    dice = 1 - np.random.default_rng(cases).beta(2, 12, size=(cases, 400))
    found = statistics.cluster_mean(dice, range(cases), resamples=2000)
    truth = 1 - 2 / 14
    assert 0.88 < np.mean((found.low < truth) & (truth < found.high)) < 0.97


@pytest.mark.parametrize(("cases", "t"), [(5, 2.776), (10, 2.262), (15, 2.145), (121, 1.980)])
def test_percentiles_are_those_of_students_t(cases, t):
    """t as tables print it for 4, 9, 14 and 120 degrees of freedom, two-sided 0.05."""
    expected = stats.norm.cdf(-t * np.sqrt(cases / (cases - 1)))
    assert statistics.tail_of(cases, 0.95) == pytest.approx(expected, rel=0.003)


def test_intervals_that_took_slices_for_independent_would_not():
    rng = np.random.default_rng(7)
    values = np.repeat(rng.normal(size=(100, 20)), 10, axis=1)
    intervals = [interval(row, np.arange(200)) for row in values]
    assert np.mean([low < 0 < high for low, high in intervals]) < 0.6


@pytest.mark.parametrize("cases", [1, 7, 25, 50, 51, 300])
def test_wilcoxon_is_scipys(cases):
    difference = np.random.default_rng(8).normal(0.3, 1, cases)
    assert statistics.wilcoxon_p(difference) == pytest.approx(stats.wilcoxon(difference).pvalue)


@pytest.mark.parametrize("seed", range(3))
def test_wilcoxon_with_ties_is_scipys_over_all_signs(seed):
    """scipy takes seconds for it, one sign after the other."""
    difference = np.random.default_rng(seed).choice([-2, -1, 1, 2, 3, 4], 7) / 8
    everything = stats.PermutationMethod(n_resamples=np.inf)
    expected = stats.wilcoxon(difference, method=everything).pvalue
    assert statistics.wilcoxon_p(difference) == pytest.approx(expected)


def test_wilcoxon_leaves_out_cases_without_a_difference():
    difference = np.array([0.1, 0.2, 0.3, -0.05, 0.4, 0.6])
    assert statistics.wilcoxon_p(np.append(difference, [0, 0])) == pytest.approx(
        stats.wilcoxon(difference).pvalue
    )


def test_no_difference_anywhere_is_p_1_and_effect_0():
    zeros = np.zeros(7)
    assert (statistics.wilcoxon_p(zeros), statistics.rank_biserial(zeros)) == (1, 0)


@pytest.mark.parametrize("cases", [1, 3, 5, 6])
def test_p_below_0_05_needs_six_cases(cases):
    p = statistics.wilcoxon_p(np.arange(1.0, cases + 1))
    assert p == pytest.approx(2 / 2**cases)
    assert (p < 0.05) == (cases >= 6)


def test_rank_biserial_by_hand():
    # Ranks 1 (-), 2 (+), 3 (+), 4 (-): (5 - 5) / 10, then (9 - 1) / 10.
    assert statistics.rank_biserial(np.array([-0.1, 0.2, 0.3, -0.4])) == 0
    assert statistics.rank_biserial(np.array([-0.1, 0.2, 0.3, 0.4])) == pytest.approx(0.8)


def test_rank_biserial_is_1_when_every_case_gains():
    assert statistics.rank_biserial(np.array([0.01, 0.5, 0.02])) == 1


def test_rank_biserial_follows_from_wilcoxons_statistic():
    difference = np.random.default_rng(9).normal(0.2, 1, 30)
    smaller = stats.wilcoxon(difference).statistic
    total = 30 * 31 / 2
    assert abs(statistics.rank_biserial(difference)) == pytest.approx(1 - 2 * smaller / total)


def test_cohen_dz_by_hand():
    assert statistics.cohen_dz(np.array([1.0, 2, 3])) == pytest.approx(2)


@pytest.mark.parametrize(("effect", "cases"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_detectable_differences_are_those_of_g_power(effect, cases):
    """Matched pairs, two-sided 0.05, power 0.8: Faul et al., Behavior Research Methods 2007."""
    assert statistics.detectable_difference(1, cases) <= effect
    assert statistics.detectable_difference(1, cases - 1) > effect


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 15])
def test_a_detectable_difference_is_found_in_four_of_five_samples(alpha):
    spread, cases = 0.04, 10
    true = statistics.detectable_difference(spread, cases, alpha=alpha)
    samples = np.random.default_rng(3).normal(true, spread, (20_000, cases))
    found = stats.ttest_1samp(samples, 0, axis=1).pvalue < alpha
    assert found.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("spread", "cases"), [(np.nan, 10), (0.0, 10), (0.1, 1), (0.1, 0)])
def test_without_spread_or_cases_nothing_is_detectable(spread, cases):
    assert np.isnan(statistics.detectable_difference(spread, cases))


@pytest.mark.parametrize("cases", [1, 4, 12])
def test_the_smallest_p_is_that_of_cases_that_all_gain(cases):
    p = stats.wilcoxon(np.arange(1.0, cases + 1), method="exact").pvalue
    assert statistics.smallest_p(cases) == pytest.approx(p)


@pytest.mark.parametrize("difference", [[], [0.1], [0.1, 0.1, 0.1]])
def test_cohen_dz_needs_spread(difference):
    assert np.isnan(statistics.cohen_dz(difference))


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, np.nan, 0.03]) == pytest.approx(
        [0.03, 0.06, np.nan, 0.06], nan_ok=True
    )


def test_pairs_with_a_nan_are_left_out():
    result = statistics.paired_difference([0.5, np.nan, 0.7], [0.6, 0.9, np.nan], ["a", "b", "c"])
    assert result.difference.observations == 1
    assert result.difference.mean == pytest.approx(0.1)


def test_tests_and_effects_take_the_mean_of_each_case():
    reference = np.zeros(9)
    experiment = np.array([1.0, 1, 1, 1, 1, 1, 1, -0.2, -0.3])
    cases = ["a"] * 7 + ["b", "c"]
    result = statistics.paired_difference(reference, experiment, cases)
    assert result.rank_biserial == pytest.approx((3 - 1 - 2) / 6)
    assert result.p_value == statistics.wilcoxon_p(np.array([1, -0.2, -0.3]))


def test_nothing_to_pair_is_nan():
    result = statistics.paired_difference([np.nan], [1.0], ["a"])
    assert np.isnan([result.difference.mean, result.p_value, result.rank_biserial]).all()


def test_many_cases_are_resampled_as_few_are(monkeypatch):
    """From thousands of cases on they are drawn in another way: with the same interval."""
    values, cases = np.random.default_rng(5).normal(size=2000), range(2000)
    few = statistics.cluster_mean(values, cases)
    monkeypatch.setattr(statistics, "BLOCK", 1000)
    monkeypatch.setattr(statistics, "SMALL_BLOCK", 7000)
    statistics._resampled_cases.cache_clear()
    many = statistics.cluster_mean(values, cases)
    statistics._resampled_cases.cache_clear()
    assert many.mean == few.mean
    width = few.high - few.low
    np.testing.assert_allclose([many.low, many.high], [few.low, few.high], atol=0.05 * width)


def test_every_resample_of_many_cases_has_as_many(monkeypatch):
    monkeypatch.setattr(statistics, "BLOCK", 1000)
    statistics._resampled_cases.cache_clear()
    drawn = statistics._resampled_cases(300, 50, 0)
    statistics._resampled_cases.cache_clear()
    assert drawn.shape == (50, 300)
    assert (drawn.sum(axis=1) == 300).all()
    assert len(np.unique(drawn, axis=0)) == 50


def test_resamples_of_thousands_of_cases_fill_no_gigabyte():
    cases, values = np.arange(6000), np.random.default_rng(0).normal(size=6000)
    statistics._resampled_cases.cache_clear()
    assert peak_memory(statistics.cluster_mean, values, cases) < 200e6
    statistics._resampled_cases.cache_clear()
