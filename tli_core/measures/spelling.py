"""What spelling alone gives: how alike two words look, which pairs look alike, and the ranks that strings alone earn.

A model can find `volkano` beside `volcano` without knowing either, by the pieces that the two share. So whatever is
said of retrieval is also said of the pairs that do not look alike.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair, normalise
from tli_core.measures.retrieval import best_rank

LOOK_ALIKE = 0.2
"""From this similarity on, two words look alike: 5 in 100 of the lexicon's wrong pairs do, and loans as far apart as
`daktari, doctor`. Rather a pair too many is left out than the likeness of words taken for their meaning."""

LONGEST = 3
"""Letters of the longest piece that is compared."""


@lru_cache(maxsize=4)
def similarity(source: tuple[str, ...], target: tuple[str, ...]) -> np.ndarray:
    """How alike words look, from 0 to 1: (a,) and (b,) words -> (a, b).

    The cosine of the sets of letter n-grams, n up to LONGEST, with the word's two ends as letters of their own. Case,
    accents, the mark of an infinitive that stands apart (`to`) and digits, by which lists number words, are left out.
    """
    vocabulary: dict[str, int] = {}
    rows = [[vocabulary.setdefault(gram, len(vocabulary)) for gram in _ngrams(word)] for word in (*source, *target)]
    counts = np.zeros((len(rows), len(vocabulary)), dtype=np.float32)  # (a + b, n-grams)
    for row, columns in enumerate(rows):
        counts[row, columns] = 1 / np.sqrt(max(len(columns), 1))
    found = counts[: len(source)] @ counts[len(source) :].T
    found.setflags(write=False)
    return found


def _ngrams(word: str) -> set[str]:
    """The letter n-grams of a word: ^ma, aj, i$ …, without the bare ends."""
    for mark in language_pair().target.inflection.infinitives:
        if mark.endswith(" "):
            word = word.removeprefix(mark)
    plain = unicodedata.normalize("NFKD", word.casefold())
    letters = [c for c in plain if not unicodedata.combining(c) and not c.isdigit()]
    text = f"^{''.join(letters)}$"
    found = {text[i : i + n] for n in range(1, LONGEST + 1) for i in range(len(text) - n + 1)}
    return found - {"^", "$", "^$"}


@lru_cache(maxsize=8)
def look_alikes(pairs: tuple[WordPair, ...]) -> np.ndarray:
    """Which pairs' two words look alike, loans and chance likenesses both: (n,) of bool."""
    source, target = tuple(pair.source for pair in pairs), tuple(pair.target for pair in pairs)
    same = np.array([normalise(pair.source) == normalise(pair.target) for pair in pairs])
    found = same | (similarity(source, target).diagonal() >= LOOK_ALIKE)
    found.setflags(write=False)
    return found


def spelling_alone(
    pairs: Sequence[WordPair], right: np.ndarray, sides: tuple[tuple[str, ...], ...]
) -> tuple[float, float]:
    """P@1 that a system earns which only sees letters, to target and to source.

    Args:
        right: (a, b), the right ones among the list's distinct target words for each of its distinct source words.
        sides: those words.
    """
    likeness, places = similarity(*sides), [{word: i for i, word in enumerate(side)} for side in sides]
    ranks = best_rank(likeness, right), best_rank(likeness.T, right.T)
    to_target = ranks[0][[places[0][pair.source] for pair in pairs]]
    to_source = ranks[1][[places[1][pair.target] for pair in pairs]]
    return float((to_target == 1).mean()), float((to_source == 1).mean())
