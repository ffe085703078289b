"""Intervals and paired tests against cases whose answer is known, and against scipy."""

import math
from unittest.mock import patch

import numpy as np
import pytest
from scipy import stats

from tli_core.measures.significance import (
    _likeness_within,
    _standard_error,
    change_interval,
    flipped_p_values,
    mean_interval,
    paired_test,
    pairs_needed,
    share_interval,
)

ALONE = np.arange(60)
"""Every pair a group of its own."""


def test_without_groups_intervals_are_students_and_wilsons():
    values = np.random.default_rng(0).normal(size=(2, 60))
    theirs = stats.t.interval(0.95, 59, values.mean(axis=1), stats.sem(values, axis=1))
    assert mean_interval(values, ALONE) == pytest.approx(np.stack(theirs, axis=1))
    hits = np.arange(60)[None] < np.array([[20], [0]])
    (low, high), (none, some) = share_interval(hits, ALONE)
    wilson = stats.binomtest(20, 60).proportion_ci(0.95, "wilson")
    assert (low, high) == pytest.approx((wilson.low, wilson.high))
    of_none = stats.binomtest(0, 60).proportion_ci(0.95, "wilson")
    assert (none, some) == pytest.approx((of_none.low, of_none.high), abs=1e-9)


def test_pairs_that_are_the_same_ones_over_again_make_no_interval_narrower():
    values = np.random.default_rng(1).normal(size=(1, 20))
    once, thrice = mean_interval(values, np.arange(20)), mean_interval(np.tile(values, 3), np.tile(np.arange(20), 3))
    assert thrice == pytest.approx(once)
    [[low, high]] = share_interval(np.tile(values > 0, 3), np.tile(np.arange(20), 3))
    [[low_once, high_once]] = share_interval(values > 0, np.arange(20))
    assert low_once - 0.02 < low < low_once and high_once < high < high_once + 0.02


def test_where_nothing_scatters_pairs_of_a_group_are_taken_to_be_half_alike():
    hits, groups = np.ones((1, 60), dtype=bool), np.repeat(np.arange(20), 3)
    [[low, _]] = share_interval(hits, groups)
    as_one, alone = (share_interval(hits[:, :count], np.arange(count))[0, 0] for count in (20, 60))
    assert as_one < low < alone


def test_error_and_freedom_of_uneven_groups_are_those_of_their_matrices():
    """CR2 and its degrees of freedom as Imbens & Kolesár (2016) write them, for a mean and values that share half."""
    groups = np.repeat(np.arange(5), (8, 4, 3, 1, 1))
    one, same = np.ones((17, 1)), (groups[:, None] == groups).astype(float)
    without_mean = np.eye(17) - one @ one.T / 17
    # In each group √(1 − share)⁻¹ along its mean, which is all that a sum over the group sees.
    adjusted = np.diag([(1 - (groups == group).mean()) ** -0.5 for group in groups])
    sums = np.stack([(groups == group) @ adjusted @ without_mean for group in range(5)])  # (groups, pairs)
    values = np.random.default_rng(3).normal(size=(1, 17)) + np.random.default_rng(4).normal(size=5)[groups]
    found = _standard_error(values, groups)
    assert found.error == pytest.approx(np.sqrt(((values @ sums.T) ** 2).sum(axis=1)) / 17)
    matrix = sums @ (0.5 * np.eye(17) + 0.5 * same) @ sums.T
    with patch("tli_core.measures.significance._likeness_within", lambda apart, *_: np.full(len(apart), 0.5)):
        assert _standard_error(values, groups).freedom == pytest.approx(
            np.trace(matrix) ** 2 / np.trace(matrix @ matrix)
        )
    assert found.freedom < _standard_error(values, np.arange(17)).freedom == pytest.approx(16)


def test_how_much_alike_groups_are_is_found():
    drawn, groups = np.random.default_rng(5), np.repeat(np.arange(400), 5)
    shared, own = drawn.normal(size=(1, 400))[:, groups], drawn.normal(size=(1, 2000))
    apart = shared + own - (shared + own).mean()
    sums = np.bincount(groups, weights=apart[0])[None]
    assert _likeness_within(apart, sums, np.full(400, 5)) == pytest.approx([0.5], abs=0.05)


def test_sign_flips_by_hand_and_against_scipy():
    moved = np.array([[1.0, 2.0, 3.0, 4.0]])
    # Of sixteen ways that signs can fall, two are as far from 0 as all alike.
    assert flipped_p_values(moved, np.arange(4), 0) == pytest.approx([2 / 16])
    # Two groups: four ways, of which two.
    assert flipped_p_values(moved, np.array([0, 0, 1, 1]), 0) == pytest.approx([2 / 4])
    values = np.random.default_rng(2).normal(0.3, 1, size=60)
    theirs = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1).pvalue
    assert flipped_p_values(values[None], ALONE, 0)[0] == pytest.approx(theirs, abs=0.01)


def test_so_many_pairs_as_are_needed_show_the_change_four_times_in_five():
    drawn = np.random.default_rng(0)
    needed = pairs_needed(drawn.normal(0, 0.2, (2, 5000)), np.arange(5000), change=0.04, level=0.0125)
    n = int(needed)
    assert n == pytest.approx((3.34 * 0.2 / 0.04) ** 2, rel=0.05)
    moved = drawn.normal([[[0.04]], [[0.0]]], 0.2, (2, 300, n))  # one of two directions moves
    seen = np.mean([flipped_p_values(moved[:, i], np.arange(n), seed=i)[0] <= 0.025 for i in range(300)])
    assert 0.74 <= seen <= 0.87


def test_where_few_words_moved_nobody_can_tell_how_many_are_needed_and_of_some_more_it_holds():
    """Of forty pairs of which one moves by half a rank the formula has it that 45 pairs show a change; they do not."""
    one = np.array([[0.5] + [0.0] * 39])
    assert np.isnan(pairs_needed(one, np.arange(40), 0.04, 0.0125))
    assert np.isnan(pairs_needed(np.full((1, 11), 0.5), np.arange(11), 0.04, 0.0125))
    drawn = np.random.default_rng(0)
    seen = []
    for draw in range(200):
        nothing = np.where(drawn.random((2, 60)) < 0.15, drawn.choice([-0.5, 0.5], (2, 60)), 0)
        needed = pairs_needed(nothing, np.arange(60), 0.04, 0.0125)
        if np.isfinite(needed):
            moved = np.where(drawn.random((2, int(needed))) < 0.15, drawn.choice([-0.5, 0.5], (2, int(needed))), 0)
            moved += np.array([[0.04], [0.0]])
            seen.append(flipped_p_values(moved, np.arange(int(needed)), seed=draw)[0] <= 0.025)
    assert len(seen) > 150 and 0.7 < np.mean(seen) < 0.95


def test_pairs_of_a_group_tell_less_so_that_more_are_needed():
    values = np.repeat(np.random.default_rng(0).normal(0, 0.2, (1, 50)), 4, axis=1)
    one_by_one, by_fours = (pairs_needed(values, of, 0.04, 0.025) for of in (np.arange(200), np.arange(200) // 4))
    assert by_fours == pytest.approx(4 * one_by_one, rel=0.05)
    assert math.isnan(pairs_needed(np.zeros((1, 9)), np.arange(9), 0.04, 0.025))


def test_paired_test_on_a_steady_gain():
    rng = np.random.default_rng(0)
    before = rng.normal(0.3, 0.1, 60)
    after = before + rng.normal(0.05, 0.02, 60)
    result = paired_test(before, after, ALONE, seed=0)
    assert result.n == 60 and math.isclose(result.difference, (after - before).mean())
    assert result.difference_ci95[0] < 0.05 < result.difference_ci95[1]
    assert result.p_t < 1e-10 and result.p_permutation < 0.001
    assert math.isclose(result.t, result.d_z * math.sqrt(60), rel_tol=1e-9)


def test_paired_test_finds_nothing_in_noise():
    rng = np.random.default_rng(1)
    before = rng.normal(size=60)
    result = paired_test(before, rng.permutation(before), ALONE, seed=0)
    assert result.p_permutation > 0.05 and result.difference_ci95[0] < 0 < result.difference_ci95[1]


def test_a_constant_shift_has_no_t_but_an_interval():
    result = paired_test([0.0, 0.5, 0.25] * 2, [0.5, 1.0, 0.75] * 2, np.arange(6), seed=0)
    assert math.isnan(result.t) and result.difference_ci95 == (0.5, 0.5)


def test_lists_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="at least two values"):
        paired_test([0.1, 0.2], [0.1], np.arange(2), seed=0)


def test_a_change_of_few_pairs_has_no_interval_and_one_of_more_holds_the_truth():
    """Sixty pairs of which some come to be found: by how much the mean moves is known where several did."""
    drawn = np.random.default_rng(0)

    def moved(part: float) -> np.ndarray:
        return np.where(drawn.random((4000, 60)) < part, drawn.uniform(0.3, 1, (4000, 60)), 0)

    assert np.isnan(change_interval(np.array([[0.5] * 4 + [0.0] * 56]), ALONE)).all()
    assert np.isfinite(change_interval(np.array([[0.5] * 5 + [0.0] * 55]), ALONE)).all()
    # What one pair of a group gains and the other loses has not moved it.
    assert np.isnan(change_interval(np.array([[0.5, -0.5] * 30]), np.repeat(np.arange(30), 2))).all()
    for part in (0.05, 0.1, 0.3):
        low, high = change_interval(moved(part), ALONE).T
        known = np.isfinite(low)
        assert ((low <= part * 0.65) & (part * 0.65 <= high))[known].mean() > 0.93
