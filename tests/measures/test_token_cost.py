"""Tokens of a word and bytes of a token, by hand and as real words come."""

import numpy as np
import pytest

from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.token_cost import TokenCost, mean_cost, token_cost
from tli_core.reports.messages import tokens_sentence


def test_by_hand():
    found = token_cost(((("maji", "ሰላም"), np.array([1, 9])), (("water", "peace"), np.array([1, 1]))))
    # Three Amharic letters are nine bytes of UTF-8.
    assert found.per_word == (5, 1) and found.ratio == 5
    assert found.bytes_per_token == pytest.approx((13 / 10, 5))
    halves = [TokenCost((1, 1), (2, 2)), TokenCost((3, 1), (4, 2))]
    assert mean_cost(halves, np.array([0.5, 0.5])) == TokenCost((2, 1), (3, 2))


def test_a_word_counts_once_and_no_prefix_counts(tiny):
    """The tiny model's tokenizer makes a token of every letter, and puts BOS in front."""
    found = measure(tiny, [WordPair("maji", "water"), WordPair("maji", "aqua"), WordPair("moto", "fire")]).tokens
    assert found.per_word == pytest.approx((4, 13 / 3)) and found.bytes_per_token == (1, 1)


def test_a_sentence_says_it(tiny, pairs):
    source, target = (np.mean([len(word) for word in side]) for side in list(zip(*pairs, strict=True))[:2])
    told = tokens_sentence(measure(tiny, pairs))
    assert told.startswith(f"Tokens of a word: Swahili {source:.1f} (1.0 bytes each), English {target:.1f} (1.0)"), told
