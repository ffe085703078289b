"""The word list that ships with a language pair, in four splits that share no word in either language."""

import csv
from functools import cache
from typing import NamedTuple

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.pairs import WordPair, normalise

SPLITS = ("train", "control", "pool", "reserved")


class LexiconEntry(NamedTuple):
    """A row of the shipped lexicon: a pair with its part of speech and split."""

    pair: WordPair
    pos: str
    split: str


@cache
def lexicon(pair: str = DEFAULT) -> tuple[LexiconEntry, ...]:
    """The shipped lexicon of a language pair, empty where there is none.

    Its splits share no word in either language: see SPLITS.
    """
    path = language_pair(pair).lexicon
    if path is None:
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            LexiconEntry(
                WordPair(row["source"], row["target"], tuple(g for g in row["glosses"].split("; ") if g), row["topic"]),
                row["pos"],
                row["split"],
            )
            for row in csv.DictReader(file)
        )


def shipped(split: str, pair: str = DEFAULT) -> tuple[WordPair, ...]:
    """The lexicon's pairs of one split: train, control, pool (the reference pool) or reserved (never trained on)."""
    if split not in SPLITS:
        text = N_("There is no split {split!r}: choose one of {choices}.")
        raise ValueError(translate(text, split=split, choices=", ".join(SPLITS)))
    return tuple(entry.pair for entry in lexicon(pair) if entry.split == split)


@cache
def translations(languages: str = DEFAULT) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The lexicon's words of each language in normal form, each with its translations."""
    source: dict[str, list[str]] = {}
    target: dict[str, list[str]] = {}
    for entry in lexicon(languages):
        for gloss in entry.pair.accepted:
            source.setdefault(normalise(entry.pair.source), []).append(gloss)
            target.setdefault(normalise(gloss), []).append(entry.pair.source)
    return source, target


@cache
def shipped_sentences(pair: str = DEFAULT) -> tuple[WordPair, ...]:
    """The pairs of sentences that ship with two languages, written for this project; empty where there are none."""
    path = language_pair(pair).sentences
    if path is None:
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(WordPair(row["source"], row["target"]) for row in csv.DictReader(file))
