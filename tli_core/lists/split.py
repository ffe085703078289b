"""A list in two parts, one to train on and one to test with, that share no word in any form."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.leaks import word_forms
from tli_core.lists.pairs import WordPair

FEWEST = 10
"""Pairs of a list that is worth dividing."""


@dataclass(frozen=True)
class Split:
    """The numbers of a list's pairs on either side. held_together: pairs that another one keeps on its side."""

    train: tuple[int, ...]
    test: tuple[int, ...]
    held_together: int


def split(pairs: Sequence[WordPair], part: float = 0.2, seed: int = 0, languages: str = DEFAULT) -> Split:
    """Divide a list by chance, so that no word of the one part is in the other, in another form, or as a gloss.

    Pairs that share a word, such as `kitabu, book` and `vitabu, books`, go to the same side.

    Args:
        part: the share of the pairs to test with; a little less where groups do not fit.

    Raises:
        ValueError: there are too few pairs, the part is none, or all pairs hang together.
    """
    if len(pairs) < FEWEST:
        text = N_("There are {n} pairs, too few to divide: use at least {most}.")
        raise ValueError(translate(text, n=len(pairs), most=FEWEST))
    if not 0 < part < 1:
        raise ValueError(translate("The part to test with is between 0 and 1, such as 0.2."))
    groups = _groups(pairs, languages)
    random.Random(seed).shuffle(groups)
    wanted, test = round(part * len(pairs)), []
    for group in groups:
        if len(test) + len(group) <= wanted:
            test += group
    if not test:
        text = N_("The pairs share so many words that none can be set apart: use a list with more different words.")
        raise ValueError(translate(text))
    apart = set(test)
    together = sum(len(group) for group in groups if len(group) > 1)
    train = tuple(i for i in range(len(pairs)) if i not in apart)
    return Split(train, tuple(sorted(test)), together)


def _groups(pairs: Sequence[WordPair], languages: str) -> list[list[int]]:
    """The numbers of the pairs that share a word in any form, directly or through others."""
    pair = language_pair(languages)
    leader = list(range(len(pairs)))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    first: dict[tuple[int, str], int] = {}
    for index, one in enumerate(pairs):
        words = [(0, one.source, pair.source), *((1, word, pair.target) for word in one.accepted)]
        for side, word, language in words:
            for form in word_forms(word, language.inflection):
                leader[lead(index)] = lead(first.setdefault((side, form), index))
    groups: dict[int, list[int]] = {}
    for index in range(len(pairs)):
        groups.setdefault(lead(index), []).append(index)
    return list(groups.values())
