"""A linear map on the base, where the answer is known: one language is the other, turned."""

import pytest
import torch

from tests.measures.test_planted_truths import HIDDEN, PAIRS, planted, unit
from tli_core.lists.pairs import WordPair
from tli_core.measures import linear_map
from tli_core.measures.linear_map import map_base


def test_a_language_that_is_the_other_turned_is_found_by_the_map_and_by_nothing_else():
    source = unit(60, HIDDEN, seed=1)
    turn = torch.linalg.qr(unit(HIDDEN, HIDDEN, seed=2))[0]
    few = torch.zeros(HIDDEN, HIDDEN)
    few[:8, :8] = torch.eye(8)  # of eight dimensions, forty pairs fix the turn
    loaded = planted(source @ few, source @ few @ turn)
    found = map_base(loaded, PAIRS[:40], PAIRS[40:], 0)
    assert found.fitted_on == 40 and found.layer == 0 and found.shrinkage in linear_map.SHRINKAGE
    for way in ("to_target", "to_source"):
        assert found.retrieval[way].rank.shape == (1, 20) and found.retrieval[way].mrr[0] > 0.8


def test_noise_is_not_found_and_few_pairs_fit_no_map():
    loaded = planted(unit(60, HIDDEN, seed=3), unit(60, HIDDEN, seed=4))
    assert map_base(loaded, PAIRS[:40], PAIRS[40:], 0).retrieval["to_target"].mrr[0] < 0.5
    assert map_base(loaded, PAIRS[:19], PAIRS[40:], 0) is None


def test_a_word_with_two_translations_is_found_by_either():
    source = unit(60, HIDDEN, seed=5)
    loaded = planted(source, source)
    asked = (*PAIRS[40:], WordPair("sw40", "en41"))
    found = map_base(loaded, PAIRS[:40], asked, 0)
    assert found.retrieval["to_target"].rank.shape == (1, 21)
    assert found.retrieval["to_target"].rank[0, 0] == pytest.approx(found.retrieval["to_target"].rank[0, 20])
