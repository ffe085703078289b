"""How often verdicts are wrong, on lists whose truth is planted; the whole table is `python -m tests.truths`."""

import numpy as np
import pytest

from tests import planted, truths

MOST_FALSE = 20
"""Of 400 draws at a level of 0.025, ten are expected; more than twenty come once in five hundred times."""


@pytest.mark.parametrize("name", truths.NOTHING)
@pytest.mark.parametrize("n", [5, 10, 20, 60])
def test_nothing_is_seldom_called_something_and_never_aligned(name, n):
    said = [word for (word,) in truths.said_of_lists(name, n, layers=1, draws=400)]
    assert sum(word not in truths.SAYS_NOTHING for word in said) <= MOST_FALSE and said.count("aligned") <= 4


@pytest.mark.parametrize("name", planted.BESIDE_THEMSELVES)
@pytest.mark.parametrize("n", [5, 10, 19])
def test_a_word_that_is_in_the_reference_pool_is_no_rival_of_itself(name, n):
    said = truths.said_beside_themselves(name, n, draws=400)
    assert sum(word not in truths.SAYS_NOTHING for word in said) <= MOST_FALSE


@pytest.mark.parametrize(("n", "draws"), [(3, 40), (10, 40), (20, 40)])
def test_of_33_layers_of_noise_seldom_one_is_called_anything(n, draws):
    said = truths.said_of_lists("noise", n, layers=33, draws=draws)
    assert sum(any(word not in truths.SAYS_NOTHING for word in words) for words in said) <= 5


@pytest.mark.parametrize("n", [10, 20, 60])
def test_no_change_is_seldom_called_one(n):
    said = truths.said_of_changes("nothing changed", n, draws=400)
    assert sum(word not in truths.SAYS_NOTHING for word in said) <= MOST_FALSE


@pytest.mark.parametrize("name", planted.LISTS)
def test_every_truth_of_150_pairs_gets_its_name(name):
    said = [word for (word,) in truths.said_of_lists(name, 150, layers=1, draws=60)]
    assert said.count(planted.LISTS[name][1]) >= 56, said


@pytest.mark.parametrize("name", planted.INTERVALS)
@pytest.mark.parametrize(("n", "draws"), [(20, 1000), (60, 400)])
def test_intervals_hold_what_they_should_however_pairs_depend_on_each_other(name, n, draws):
    """In 93 to 97 % of lists, and as far beside that as chance takes so many draws once in a hundred times."""
    covered = truths.coverage(name, n, draws)
    low, high = (share + side * 2.5 * np.sqrt(share * (1 - share) / draws) for share, side in ((0.93, -1), (0.97, 1)))
    assert all(low <= share <= high or np.isnan(share) for share in covered.values()), covered


@pytest.mark.parametrize("name", planted.BOTH_LISTS)
def test_of_two_lists_what_must_be_noticed_is(name):
    noticed = truths.noticed_of_lists(name, 150, draws=20)
    assert noticed.count(planted.BOTH_LISTS[name][1]) >= 19, noticed


@pytest.mark.parametrize(("name", "hub"), [("hubs", True), ("noise", False), ("aligned", False)])
def test_hubs_are_named_where_they_are(name, hub):
    assert all(found == hub for n in (20, 60, 150) for found in truths.hubs_noticed(name, n, draws=40))


@pytest.mark.parametrize("name", planted.CHANGES)
def test_every_change_of_150_pairs_gets_its_name(name):
    said = truths.said_of_changes(name, 150, draws=30)
    assert said.count(planted.CHANGES[name][1]) >= 28, said
