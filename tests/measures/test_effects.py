"""For which words an adapter's effect holds: planted effects on known words alone, and on trained words alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.planted import measured, unlike_pairs
from tests.truths import noticed_of_lists
from tli_core.measures.effects import effects_by_knowledge
from tli_core.measures.significance import two_list_p_value


def test_an_effect_on_known_words_alone_is_told_from_the_others():
    drawn, n = np.random.default_rng(0), 60
    known = np.arange(n) % 2 == 0
    one, other, both = (drawn.normal(size=(1, n, 64)) for _ in range(3))
    more = np.where(known, 1.5, 0.3)[None, :, None] * both
    before, after = (
        measured(unlike_pairs(n), vectors)
        for vectors in ((0.3 * both + one, 0.3 * both + other), (more + one, more + other))
    )
    effects = effects_by_knowledge(before, after, 0, {"to_target": known, "to_source": np.ones(n, dtype=bool)})
    # To source the base translates every word, so there is no other part.
    assert [(part.way, part.known, part.n) for part in effects] == [
        ("to_target", True, 30),
        ("to_target", False, 30),
        ("to_source", True, 60),
    ]
    on_known, on_others, _ = effects
    assert on_known.p < 0.01 and on_known.ci95[0] > 0.3
    assert on_others.p > 0.1 and abs(on_others.after - on_others.before) < 0.1
    mrr = after.retrieval["to_target"].mrr[0]
    assert mrr == pytest.approx((on_known.after + on_others.after) / 2)


def test_a_memorised_list_needs_more_than_one_test_passed_and_one_not():
    """Of lists of twenty pairs one is often found better and the other not, although both learnt the same."""
    assert all("memorised" not in codes for codes in noticed_of_lists("learnt", 20, draws=60))


def test_two_lists_compare_as_welch_does_and_groups_count_once():
    drawn = np.random.default_rng(0)
    first, second = drawn.normal(0.3, 1, 40), drawn.normal(0, 2, 70)
    theirs = stats.ttest_ind(first, second, equal_var=False).pvalue
    ours = two_list_p_value(first, np.arange(40), second, np.arange(70))
    assert ours == pytest.approx(theirs, rel=1e-6)
    tripled = two_list_p_value(np.tile(first, 3), np.tile(np.arange(40), 3), second, np.arange(70))
    assert tripled == pytest.approx(ours, rel=1e-6)
    assert np.isnan(two_list_p_value(np.ones(5), np.arange(5), np.ones(5), np.arange(5)))


def test_without_a_word_in_a_part_there_is_no_part():
    result = measured(unlike_pairs(20), tuple(np.random.default_rng(0).normal(size=(2, 1, 20, 64))))
    none = dict.fromkeys(("to_target", "to_source"), np.zeros(20, dtype=bool))
    assert [part.known for part in effects_by_knowledge(result, replace(result), 0, none)] == [False, False]
