"""A list says the same of two languages whichever of them is named first."""

import numpy as np
import pytest

from tests.planted import WIDTH, measured, unlike_pairs
from tli_core.lists.pairs import WordPair
from tli_core.measures.verdicts import verdict


def half_of_one_word(drawn, strength: float):
    """Sixty source words with one target word, known to none of them, and sixty pairs that share so much."""
    listed = unlike_pairs(120)
    pairs = tuple(WordPair(pair.source, listed[i if i >= 60 else 0].target) for i, pair in enumerate(listed))
    both = strength * drawn.normal(size=(1, 120, WIDTH))
    source, target = (both + drawn.normal(size=both.shape) for _ in range(2))
    source[:, :60] = drawn.normal(size=(1, 60, WIDTH))
    target[:, :60] = target[:, :1]
    return pairs, (source, target)


@pytest.mark.parametrize("strength", [0.42, 0.6, 0.9])
def test_words_that_many_pairs_share_make_no_verdict_of_their_language(strength):
    drawn, said = np.random.default_rng(0), []
    for _ in range(4):
        pairs, vectors = half_of_one_word(drawn, strength)
        there = measured(pairs, vectors)
        back = measured(tuple(WordPair(pair.target, pair.source) for pair in pairs), vectors[::-1])
        assert there.chance == back.chance[::-1] and there.pool_size == back.pool_size[::-1] == (61, 120)
        said.append((verdict(there, 0), verdict(back, 0)))
    assert all(first == second for first, second in said), said
