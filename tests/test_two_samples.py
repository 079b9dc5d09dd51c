"""The two-sample tests: rarely wrong where there is no difference, and right where there is one."""

import numpy as np
import pytest

from two_samples import FAMILY_ERROR, distributions, frequencies, threshold


def test_false_alarms_are_as_rare_as_stated():
    rng = np.random.default_rng(1)
    p = [distributions(*rng.random((2, 500)))[1] for _ in range(400)]
    p += [frequencies(*rng.binomial(3, 0.3, (2, 500)))[1] for _ in range(400)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.03)
    assert threshold(200) * 200 == pytest.approx(FAMILY_ERROR)


def test_what_only_one_sample_holds_is_noticed():
    assert distributions(np.zeros(0), np.ones(3))[1] == 0
    assert frequencies(np.zeros(100, int), np.repeat([0, 5], [50, 50]))[1] < 1e-6


def test_rare_categories_are_judged_together():
    rare, common = np.arange(1, 11), np.zeros(1000, int)
    assert frequencies(common, np.r_[common, rare])[1] < 0.01
    assert frequencies(np.r_[common, rare], np.r_[common, rare[::-1]])[1] == 1
