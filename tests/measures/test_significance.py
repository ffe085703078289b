"""Bootstrap and paired tests against cases whose answer is known."""

import math

import numpy as np
import pytest
from scipy import stats

from tli_core.measures.significance import above_chance, bootstrap_weights, interval95, paired_test


def test_bootstrap_weights_draw_n_of_n_and_follow_the_seed():
    weights = bootstrap_weights(7, seed=3, resamples=50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == bootstrap_weights(7, seed=3, resamples=50)).all()
    assert (weights != bootstrap_weights(7, seed=4, resamples=50)).any()


def test_bootstrap_interval_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=80)
    low, high = interval95(bootstrap_weights(80, seed=1, resamples=8000) @ values / 80)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=8000, method="percentile", rng=1).confidence_interval
    assert abs(low - theirs.low) < 0.02 and abs(high - theirs.high) < 0.02


def test_paired_test_on_a_steady_gain():
    rng = np.random.default_rng(0)
    before = rng.normal(0.3, 0.1, 60)
    after = before + rng.normal(0.05, 0.02, 60)
    result = paired_test(before, after, seed=0)
    assert result.n == 60 and math.isclose(result.difference, (after - before).mean())
    assert result.difference_ci95[0] < 0.05 < result.difference_ci95[1]
    assert result.p_t < 1e-10 and result.p_permutation < 0.001
    assert math.isclose(result.t, result.d_z * math.sqrt(60), rel_tol=1e-9)


def test_paired_test_finds_nothing_in_noise():
    rng = np.random.default_rng(1)
    before = rng.normal(size=60)
    result = paired_test(before, rng.permutation(before), seed=0)
    assert result.p_permutation > 0.05 and result.difference_ci95[0] < 0 < result.difference_ci95[1]


def test_a_constant_shift_has_no_t_but_an_interval():
    result = paired_test([0.0, 0.5, 0.25], [0.5, 1.0, 0.75], seed=0)
    assert math.isnan(result.t) and result.difference_ci95 == (0.5, 0.5)


def test_lists_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="at least two values"):
        paired_test([0.1, 0.2], [0.1], seed=0)


def test_above_chance_counts_hits():
    assert above_chance(20, 100, 0.01) and not above_chance(1, 100, 0.01) and not above_chance(0, 0, 0.5)
