"""Pairs of words, and which words translate which."""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np

APOSTROPHES = str.maketrans(dict.fromkeys("’ʼʻ‘‛`´′＇ʹꞌ", "'"))
"""Every sign that people write for an apostrophe, as the one that most keyboards have: ng’ombe is ng'ombe."""


class WordPair(NamedTuple):
    """A source word or phrase, its translation, further translations that are also right, and what it is about."""

    source: str
    target: str
    glosses: tuple[str, ...] = ()
    topic: str = ""

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every target word that counts as a right translation of the source."""
        return (self.target, *self.glosses)


@lru_cache(maxsize=1 << 16)  # a list's words are asked for a dozen times in one evaluation
def normalise(word: str) -> str:
    """The form under which two spellings count as the same word: NFKC, which has one width of letters and no ligatures,
    case-folded, single spaces, one apostrophe."""
    # Once more behind it, as one letter, ŉ, holds an apostrophe; before it, as NFKC makes some of them spaces.
    folded = unicodedata.normalize("NFKC", word.translate(APOSTROPHES)).casefold()
    return " ".join(folded.translate(APOSTROPHES).split())


def counted_once(pairs: Sequence[WordPair]) -> tuple[WordPair, ...]:
    """The pairs without those that were there before: the same two words in normal form, whose glosses are joined.

    The first topic that is named for them holds.
    """
    first: dict[tuple[str, str], WordPair] = {}
    for pair in pairs:
        words = normalise(pair.source), normalise(pair.target)
        earlier = first.get(words)
        glosses = (*(earlier.glosses if earlier else ()), *pair.glosses)
        topic = (earlier.topic if earlier else "") or pair.topic
        first[words] = (earlier or pair)._replace(glosses=tuple(dict.fromkeys(glosses)), topic=topic)
    return tuple(first.values())


def pair_digest(pair: WordPair) -> str:
    """Twelve letters that stand for a pair in its normal form, so that a record tells of a list without its words."""
    return sha256("\0".join(map(normalise, pair[:2])).encode()).hexdigest()[:12]


def list_digest(pairs: Iterable[WordPair]) -> str:
    """Twelve letters that stand for a list of pairs, whatever their order."""
    return sha256("".join(sorted(set(map(pair_digest, pairs)))).encode()).hexdigest()[:12]


def numbered(words: Iterable[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct words in their order, (a,), and for each given word the number of its own: (n,)."""
    words = tuple(words)
    numbers = {word: i for i, word in enumerate(dict.fromkeys(words))}
    return tuple(numbers), np.array([numbers[word] for word in words], dtype=np.int64)


def listed_translations(pairs: Iterable[WordPair]) -> dict[str, set[str]]:
    """Every right translation of each Swahili word, both in normal form."""
    listed: dict[str, set[str]] = {}
    for pair in pairs:
        listed.setdefault(normalise(pair.source), set()).update(map(normalise, pair.accepted))
    return listed


def translation_table(rows: Sequence[WordPair], columns: Sequence[str]) -> np.ndarray:
    """Which English strings are right for which Swahili words.

    A Swahili word's listed translations are the English and the glosses of every row that carries it.

    Returns:
        A boolean array (len(rows), len(columns)): row i's Swahili may be translated by columns[j].
    """
    listed = listed_translations(rows)
    column_index: dict[str, list[int]] = {}
    for j, target in enumerate(columns):
        column_index.setdefault(normalise(target), []).append(j)
    table = np.zeros((len(rows), len(columns)), dtype=bool)
    for i, pair in enumerate(rows):
        for target in listed[normalise(pair.source)]:
            table[i, column_index.get(target, [])] = True
    return table
