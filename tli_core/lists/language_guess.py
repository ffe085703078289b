"""Which language a column of words is in, by its letters: naive Bayes on the word lists that ship.

Fitted on one half of each list, it never took one column for the other in draws of three or more pairs of the other
half (tests/lists/test_language_guess.py); French, which looks most like English, it often does not tell at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tli_core.lists.language_pair import language_pairs
from tli_core.lists.lexicon import lexicon
from tli_core.lists.pairs import normalise

ENOUGH = 3
"""Rows that a decision takes: of single words about one in thirty is told wrong."""

MOST_OF_A_ROW = 8.0
"""Nats: no single row says more than this, so that one odd word does not outvote the rest."""

SURE = 5.0
"""Nats that all rows together must say."""

AGREE = 0.75
"""The part of the rows that must say the same, unless their mean is CLEAR standard errors from nothing."""

CLEAR = 4.0

FOR_ONE_LANGUAGE = 8
"""Rows that it takes to say that both columns are in one language, and ALIKE the part of each that must say so."""

ALIKE = 0.85

MUCH = 40.0
"""Nats of either column that stand for so many rows: a few sentences say as much as many words."""

LOOKED_AT = 300
"""Cells of a column that are looked at, spread over all of it."""


@dataclass(frozen=True)
class Sides:
    """Which of two columns is in the source language.

    order: 1 for the first, -1 for the second, 0 where the words do not tell. same: the code of the language that both
    columns are in, where the words tell so. agree: the part of the rows that say what order does.
    """

    order: int = 0
    same: str = ""
    agree: float = 1.0


def sides(first: Sequence[str], second: Sequence[str], source: str, target: str) -> Sides:
    """Which of two columns of equal length is in which language.

    Args:
        source, target: ISO 639 codes. One of which no word list ships counts as any other language.
    """
    step = max(1, len(first) // LOOKED_AT)
    both = [(one, two) for one, two in zip(first[::step], second[::step], strict=True) if one.strip() and two.strip()]
    rows = _different(both)
    if len(rows) < ENOUGH or source == target:
        return Sides()
    one = leanings([row[0] for row in rows], source, target)
    two = leanings([row[1] for row in rows], source, target)
    alike = _one_language(one, two, source, target)
    differences = np.clip(one - two, -MOST_OF_A_ROW, MOST_OF_A_ROW)
    order = int(np.sign(differences.sum()))
    agree = float((order * differences > 0).mean())
    told = not alike and abs(differences.sum()) > SURE and (agree >= AGREE or _is_clear(differences))
    return Sides(order if told else 0, alike, agree)


def _different(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows of which neither word was there before: a word that returns says no more than once."""
    seen: set[tuple[int, str]] = set()
    kept = []
    for row in rows:
        words = set(enumerate(map(normalise, row)))
        if not words & seen:
            kept.append(row)
            seen |= words
    return kept


def _is_clear(differences: np.ndarray) -> bool:
    """Whether the mean of many rows is far from nothing, though some say the opposite."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return len(differences) >= FOR_ONE_LANGUAGE and abs(differences.mean()) > CLEAR * error


def _one_language(one: np.ndarray, two: np.ndarray, source: str, target: str) -> str:
    """The language that nearly every word of both columns leans to; empty where there is none, or are few words."""
    for code, sign in ((source, 1), (target, -1)):
        much = len(one) >= FOR_ONE_LANGUAGE or min((sign * one).sum(), (sign * two).sum()) > MUCH
        if much and min((sign * one > 1).mean(), (sign * two > 1).mean()) > ALIKE:
            return code
    return ""


def leanings(words: Sequence[str], source: str, target: str) -> np.ndarray:
    """How much more likely each word is in the source than in the target language, in nats: (n,).

    A language of which no list ships stands for all those of which one does, the other of the two left out; where both
    are such, or are the same, nothing is more likely than anything else.
    """
    codes, vectorizer, classifier = _fitted()
    if source == target or (source not in codes and target not in codes) or not len(words):
        return np.zeros(len(words))
    letters = [re.sub(r"\d", "", normalise(word)) for word in words]
    scores = classifier.predict_joint_log_proba(vectorizer.transform(letters))  # (n, codes)

    def of(code: str, other: str) -> np.ndarray:
        if code in codes:
            return scores[:, codes.index(code)]
        others = [i for i, known in enumerate(codes) if known != other]
        return np.logaddexp.reduce(scores[:, others], axis=1) - np.log(len(others))

    return of(source, target) - of(target, source)


@cache
def _fitted() -> tuple[list[str], Any, Any]:
    """The codes of all languages of which a list ships, and the vectorizer and classifier fitted on their words."""
    # Here, as it takes a second to import, and many lists need no guess.
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    words: dict[str, dict[str, None]] = {}
    for key in language_pairs():
        source, target = key.split("-")
        for entry in lexicon(key):
            words.setdefault(source, {})[normalise(entry.pair.source)] = None
            words.setdefault(target, {}).update(dict.fromkeys(map(normalise, entry.pair.accepted)))
    codes = sorted(words)
    vectorizer = CountVectorizer(analyzer="char_wb", ngram_range=(1, 3))
    counts = vectorizer.fit_transform([word for code in codes for word in words[code]])
    labels = [i for i, code in enumerate(codes) for _ in words[code]]
    # No language is more likely for having the longer list.
    return codes, vectorizer, MultinomialNB(alpha=0.1, fit_prior=False).fit(counts, labels)
