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


@dataclass(frozen=True)
class Candidates:
    """Which of the candidates are right for each of n pairs, and which pairs are wrong.

    right (a, b): for each distinct source word of the list, its right ones among the list's b distinct target words.
    wrong (n, n): j's target word is no translation of i's source word. reference_wrong (n, m): nor is word j of the
    reference pool's m target words.
    """

    right: np.ndarray
    wrong: np.ndarray
    reference_wrong: np.ndarray

    @classmethod
    def of(cls, states: PairStates, reference: PairStates) -> "Candidates":
        """Those of a list beside the reference pool."""
        pairs = states.pairs
        target_words = _distinct(pairs, states.target_index, "target")
        listed = translation_table(pairs, target_words)  # (n, b)
        right = np.zeros((states.source.shape[1], len(target_words)), dtype=bool)
        right[states.source_index] = listed  # (a, b)
        wrong = ~listed[:, states.target_index]  # (n, n)
        np.fill_diagonal(wrong, False)
        reference_words = _distinct(reference.pairs, reference.target_index, "target")
        listed_reference = translation_table(pairs, reference_words)  # (n, m)
        listed_reference |= _as_listed_in(reference, states, reference_words)
        return cls(right, wrong, ~listed_reference)

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

    def rank_in_pool(self, own: np.ndarray, against: np.ndarray) -> np.ndarray:
        """Each right word's rank, from 1, as it joins the reference pool: (n,).

        Wrong words of the pool that are level with it, or no numbers, come before it.
        """
        return 1 + (~(against < own.diagonal()[:, None]) & self.reference_wrong).sum(axis=1)


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
