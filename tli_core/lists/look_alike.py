"""Which words look alike: loans, names, and chance likenesses."""

import re
import unicodedata
from functools import lru_cache

import numpy as np

from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair, normalise

LOOK_ALIKE = 0.2
"""From this similarity on, two words look alike: 5 in 100 of the lexicon's wrong pairs do, and loans as far apart as
`daktari, doctor`. Rather a pair too many is left out than the likeness of words taken for their meaning."""

BRACKETS = re.compile(r"\([^)]*\)|\[[^]]*\]")

LONGEST = 3
"""Letters of the longest piece that is compared."""


@lru_cache(maxsize=4)
def similarity(source: tuple[str, ...], target: tuple[str, ...]) -> np.ndarray:
    """How alike words look, from 0 to 1: (a,) and (b,) words -> (a, b).

    The cosine of the sets of letter n-grams, n up to LONGEST, with the word's two ends as letters of their own. Case,
    accents, the mark of an infinitive that stands apart (`to`), what stands in brackets, as `(n.)` on both sides, and
    signs and digits, by which lists number words, are left out.
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
    plain = unicodedata.normalize("NFKD", BRACKETS.sub(" ", word).strip().casefold())
    # Vowel signs of Indian scripts are marks, too, but no accents.
    letters = [c for c in plain if not unicodedata.combining(c) and unicodedata.category(c)[0] not in "PSN"]
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
