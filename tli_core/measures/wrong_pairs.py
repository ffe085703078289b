"""Wrong pairs: which they are, how they score, and where a right word ranks among the reference pool's.

A wrong pair is a source word with a target word that no row of the list, or of the reference pool, gives as its
translation. Of a list of FEW_PAIRS or more they are the list's own, of a shorter one the reference pool's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.encoding.pair_states import PairStates
from tli_core.lists.pairs import WordPair, translation_table
from tli_core.measures.result import FEW_PAIRS, OWN_PAIRS, REFERENCE_POOL
from tli_core.measures.spelling import similarity


@dataclass(frozen=True)
class Candidates:
    """Which of the candidates are right for each of n pairs, and which pairs are wrong.

    words are the list's distinct source and target words. right (a, b): for each distinct source word of the list, its
    right ones among the list's b distinct target words. wrong (n, n): j's target word is no translation of i's source
    word. reference_wrong (n, m): nor is word j of the reference pool's m target words. reference_wrong_source (n, l):
    nor does i's target word translate word j of its l source words.
    """

    words: tuple[tuple[str, ...], tuple[str, ...]]
    right: np.ndarray
    wrong: np.ndarray
    reference_wrong: np.ndarray
    reference_wrong_source: np.ndarray

    @classmethod
    def of(cls, states: PairStates, reference: PairStates) -> "Candidates":
        """Those of a list beside the reference pool."""
        pairs = states.pairs
        target_words = _distinct(pairs, states.target_index, "target")
        right = right_table(pairs, states.source_index, target_words)
        wrong = ~right[states.source_index][:, states.target_index]  # (n, n)
        np.fill_diagonal(wrong, False)
        reference_words = _distinct(reference.pairs, reference.target_index, "target")
        listed_reference = translation_table(pairs, reference_words)  # (n, m)
        listed_reference |= _as_listed_in(reference, states, reference_words)
        listed_source = np.zeros((reference.source.shape[1], len(pairs)), dtype=bool)
        listed_source[reference.source_index] = translation_table(reference.pairs, [pair.target for pair in pairs])
        own_words = {pair.source: row for pair, row in zip(pairs, wrong, strict=True)}
        for row, word in enumerate(_distinct(reference.pairs, reference.source_index, "source")):
            if word in own_words:  # what the list itself gives as its translations
                listed_source[row] |= ~own_words[word]
        words = tuple(_distinct(pairs, states.source_index, "source")), tuple(target_words)
        return cls(words, right, wrong, ~listed_reference, ~listed_source.T)

    @property
    def own(self) -> bool:
        """Whether wrong pairs are the list's own rather than the reference pool's."""
        return len(self.wrong) >= FEW_PAIRS and bool(self.wrong.any())

    @property
    def wrong_from(self) -> str:
        """Where wrong pairs come from, as results name it."""
        return OWN_PAIRS if self.own else REFERENCE_POOL

    @property
    def wrong_counts(self) -> np.ndarray:
        """How many wrong partners each pair's source word has: (n,)."""
        return (self.wrong if self.own else self.reference_wrong).sum(axis=1)

    def wrong_among(self, own: np.ndarray, against: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cosines that hold the wrong pairs, and which of them those are.

        Args:
            own: (n, n), of the list's source words with its target words.
            against: (n, m), of the list's source words with the reference pool's target words.
        """
        return (own, self.wrong) if self.own else (against, self.reference_wrong)

    def reciprocal_ranks_in_pool(
        self, own: np.ndarray, against: np.ndarray, against_source: np.ndarray, tested: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """1 / rank of every target word (column) for every source word (row) as it joins the reference pool's.

        Args:
            own, against: as in `wrong_among`.
            against_source: (n, l), of the list's target words with the reference pool's source words.
            tested: (m,), the pairs that count.

        Returns:
            To target, and to source: (m, m) each, rows source words in both.
        """
        pairs = own[np.ix_(tested, tested)]  # (m, m)
        to_target = ~(against[tested][:, None] < pairs[..., None]) & self.reference_wrong[tested][:, None]
        to_source = ~(against_source[tested][None] < pairs[..., None]) & self.reference_wrong_source[tested][None]
        return 1 / (1.0 + to_target.sum(axis=2)), 1 / (1.0 + to_source.sum(axis=2))

    def rank_in_pool(self, own: np.ndarray, against: np.ndarray) -> np.ndarray:
        """Each right word's rank, from 1, as it joins the reference pool: (n,).

        Wrong words of the pool that are level with it, or no numbers, come before it.
        """
        return 1 + (~(against < own.diagonal()[:, None]) & self.reference_wrong).sum(axis=1)


def right_table(pairs: Sequence[WordPair], source_index: np.ndarray, target_words: Sequence[str]) -> np.ndarray:
    """Which target words are right for each of a list's distinct source words, by its pairs' rows: (a, b)."""
    right = np.zeros((source_index.max() + 1, len(target_words)), dtype=bool)
    right[source_index] = translation_table(pairs, target_words)
    return right


MATCHED_PARTNERS = 5
"""Wrong partners of each source word that are like the right one in something else than meaning."""


@dataclass(frozen=True)
class MatchedPartners:
    """Wrong partners that are matched on something: the columns of the table that `Candidates.wrong_among` gives.

    alike: target words that look most like the source word. as_long: those nearest to the right target word in their
    number of pieces, and then in length. Both are (n, MATCHED_PARTNERS), or as many as every source word has.
    """

    alike: np.ndarray
    as_long: np.ndarray


def matched_partners(candidates: Candidates, states: PairStates, reference: PairStates) -> MatchedPartners:
    """The matched wrong partners of a list."""
    pairs, side = states.pairs, states if candidates.own else reference
    target_words = _distinct(side.pairs, side.target_index, "target")
    pieces = side.target_pieces
    if candidates.own:  # a column for each pair
        target_words, pieces = [pair.target for pair in pairs], pieces[states.target_index]
    wrong = candidates.wrong if candidates.own else candidates.reference_wrong  # (n, m)
    count = min(MATCHED_PARTNERS, int(wrong.sum(axis=1).min()))
    likeness = similarity(tuple(pair.source for pair in pairs), tuple(target_words))  # (n, m)
    own_pieces, own_length = states.target_pieces[states.target_index], np.array([len(pair.target) for pair in pairs])
    letters = np.array([len(word) for word in target_words])
    # Pieces count before letters: a word has fewer than a thousand.
    apart = 1000 * np.abs(own_pieces[:, None] - pieces) + np.abs(own_length[:, None] - letters)  # (n, m)
    return MatchedPartners(_first(-likeness, wrong, count), _first(apart, wrong, count))


def _first(order: np.ndarray, wrong: np.ndarray, count: int) -> np.ndarray:
    """The wrong columns that come first in each row of (n, m): (n, count)."""
    return np.argsort(np.where(wrong, order, np.inf), axis=1, kind="stable")[:, :count]


def _distinct(pairs: Sequence[WordPair], index: np.ndarray, side: str) -> list[str]:
    """The distinct words of one side, in the order of their rows."""
    words = {int(row): getattr(pair, side) for pair, row in zip(pairs, index, strict=True)}
    return [words[row] for row in sorted(words)]


def _as_listed_in(reference: PairStates, states: PairStates, reference_words: list[str]) -> np.ndarray:
    """Right translations that the reference pool, rather than the list itself, names: (n, m)."""
    known = translation_table(reference.pairs, reference_words)  # (m rows, m words)
    by_word = {pair.source: row for pair, row in zip(reference.pairs, known, strict=True)}
    nothing = np.zeros(len(reference_words), dtype=bool)
    return np.stack([by_word.get(pair.source, nothing) for pair in states.pairs])


def percentiles(ordered: np.ndarray) -> np.ndarray:
    """The 101 percentiles of values in ascending order, 0 to 100; nan where there is nothing."""
    if not ordered.size:
        return np.full(101, np.nan)
    place = np.linspace(0, ordered.size - 1, 101)
    low = place.astype(int)
    high = np.minimum(low + 1, ordered.size - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
