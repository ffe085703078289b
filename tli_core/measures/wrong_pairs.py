"""Wrong pairs: which they are, how they score, and where a right word ranks among the reference pool's.

A wrong pair is a source word with a target word that no row of the list, or of the reference pool, gives as its
translation. Of a list of FEW_PAIRS or more they are the list's own, of a shorter one the reference pool's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tli_core.lists.look_alike import similarity
from tli_core.lists.pairs import WordPair, normalise, numbered, translation_table
from tli_core.measures.result import FEW_PAIRS, OWN_PAIRS, REFERENCE_POOL


@dataclass(frozen=True, eq=False)
class Candidates:
    """Which of the candidates are right for each of n pairs, and which pairs are wrong.

    pairs are the list's, and pool those of the reference pool. words are the list's distinct source and target words.
    right (a, b): for each distinct source word of the list, its right ones among the list's b distinct target words.
    wrong (n, n): j's target word is no translation of i's source word. reference_wrong (n, m): nor is word j of the
    reference pool's m target words. reference_wrong_source (n, l): nor does i's target word translate word j of its l
    source words.
    """

    pairs: tuple[WordPair, ...]
    pool: tuple[WordPair, ...]
    words: tuple[tuple[str, ...], tuple[str, ...]]
    right: np.ndarray
    wrong: np.ndarray
    reference_wrong: np.ndarray
    reference_wrong_source: np.ndarray

    @property
    def own(self) -> bool:
        """Whether wrong pairs are the list's own rather than the reference pool's."""
        return len(self.wrong) >= FEW_PAIRS and bool(self.wrong.any())

    @property
    def wrong_from(self) -> str:
        """Where wrong pairs come from, as results name it."""
        return OWN_PAIRS if self.own or self.pool == self.pairs else REFERENCE_POOL

    @cached_property
    def wrong_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """How many wrong partners each pair's source word has, (n,), and its target word among the list's: (n,).

        The reference pool's words are the same for every list, so where they are the wrong partners, target words count
        none.
        """
        wrong = self.wrong if self.own else self.reference_wrong
        return wrong.sum(axis=1), wrong.sum(axis=0) if self.own else np.zeros(len(self.pairs), dtype=np.int64)

    def wrong_among(self, own: np.ndarray, against: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cosines that hold the wrong pairs, and which of them those are.

        Args:
            own: (n, n), of the list's source words with its target words.
            against: (n, m), of the list's source words with the reference pool's target words.
        """
        return (own, self.wrong) if self.own else (against, self.reference_wrong)

    def of_wrong_pairs(self, table: np.ndarray, wrong: np.ndarray) -> dict[str, np.ndarray]:
        """What the cosines that `wrong_among` gives tell: fields of `LayerAlignment` at one layer.

        Their mean, each source word's own, (n,), and each pair's part in the mean, (n,). Another list would have other
        words on both sides, so a pair's part is how far those of both its words lie from the mean, and the mean; where
        some words have more wrong partners than others, they count for more, as in the mean.
        """
        cosines = np.where(wrong, table, 0)
        of_source, of_target = self.wrong_counts
        rows = cosines.sum(axis=1, dtype=np.float64)  # (n,)
        with np.errstate(invalid="ignore"):
            mismatched = rows.sum() / of_source.sum()
            apart = rows - mismatched * of_source  # (n,)
            if self.own:
                apart += cosines.sum(axis=0, dtype=np.float64) - mismatched * of_target
            part = mismatched + apart * len(rows) / of_source.sum()
            return {"mismatched": mismatched, "wrong_cosine": rows / of_source, "wrong_part": part}

    def reciprocal_ranks_in_pool(
        self, own: np.ndarray, against: np.ndarray, against_source: np.ndarray, tested: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """1 / rank of every target word (column) for every source word (row) as it joins the reference pool's.

        Whether a pair is right makes no difference to how its word is ranked, as a permutation test must have it: where
        the word stands in the pool itself, it does not come before itself, and the right word may come before it.

        Args:
            own, against: as in `wrong_among`.
            against_source: (n, l), of the list's target words with the reference pool's source words.
            tested: (m,), the pairs that count.

        Returns:
            To target, and to source: (m, m) each, rows source words in both.
        """
        pairs = own[np.ix_(tested, tested)]  # (m, m)
        listed = [self.pairs[i] for i in tested]
        # Where each pair's own word stands in the pool: (m, pool's words).
        same_target = _same([pair.target for pair in listed], [pair.target for pair in self.pool])
        same_source = _same([pair.source for pair in listed], [pair.source for pair in self.pool])
        others = (self.reference_wrong[tested] | same_target)[:, None] & ~same_target  # (m, m, pool's words)
        others_source = (self.reference_wrong_source[tested] | same_source) & ~same_source[:, None]
        to_target = ~(against[tested][:, None] < pairs[..., None]) & others
        to_source = ~(against_source[tested][None] < pairs[..., None]) & others_source
        return 1 / (1.0 + to_target.sum(axis=2)), 1 / (1.0 + to_source.sum(axis=2))

    def rank_in_pool(self, own: np.ndarray, against: np.ndarray) -> np.ndarray:
        """Each right word's rank, from 1, as it joins the reference pool: (n,).

        Wrong words of the pool that are level with it, or no numbers, come before it.
        """
        return 1 + (~(against < own.diagonal()[:, None]) & self.reference_wrong).sum(axis=1)


# Of a list under base and adapter, and of its reference pool: words alone decide, whatever the vectors.
@lru_cache(maxsize=4)
def candidates_of(pairs: tuple[WordPair, ...], pool: tuple[WordPair, ...]) -> Candidates:
    """The candidates of a list beside a reference pool."""
    source_words, source_index = numbered(pair.source for pair in pairs)
    target_words, target_index = numbered(pair.target for pair in pairs)
    right = right_table(pairs, source_index, target_words)
    wrong = ~right[source_index][:, target_index]  # (n, n)
    np.fill_diagonal(wrong, False)
    pool_sources, pool_index = numbered(pair.source for pair in pool)
    pool_targets, _ = numbered(pair.target for pair in pool)
    listed_reference = translation_table(pairs, pool_targets)  # (n, m)
    listed_reference |= _as_listed_in(pool, pairs, pool_targets)
    listed_source = np.zeros((len(pool_sources), len(pairs)), dtype=bool)
    listed_source[pool_index] = translation_table(pool, [pair.target for pair in pairs])
    own_words = {pair.source: row for pair, row in zip(pairs, wrong, strict=True)}
    for row, word in enumerate(pool_sources):
        if word in own_words:  # what the list itself gives as its translations
            listed_source[row] |= ~own_words[word]
    words = source_words, target_words
    return Candidates(pairs, pool, words, right, wrong, ~listed_reference, ~listed_source.T)


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
    of_topic: the rows and columns, (k,) each, of all wrong pairs whose two words are of one topic.
    """

    alike: np.ndarray
    as_long: np.ndarray
    of_topic: tuple[np.ndarray, np.ndarray]


@lru_cache(maxsize=4)
def matched_partners(candidates: Candidates, pieces: tuple[int, ...], pool_pieces: tuple[int, ...]) -> MatchedPartners:
    """The matched wrong partners of a list.

    Args:
        pieces: the number of tokens of the list's distinct target words, and pool_pieces of the pool's.
    """
    pairs = candidates.pairs
    _, index = numbered(pair.target for pair in pairs)
    own_pieces, own_length = np.array(pieces)[index], np.array([len(pair.target) for pair in pairs])  # (n,) each
    if candidates.own:  # a column for each pair
        columns, column_pieces = pairs, own_pieces
    else:
        firsts = {pair.target: pair for pair in reversed(candidates.pool)}
        columns = [firsts[word] for word in numbered(pair.target for pair in candidates.pool)[0]]
        column_pieces = np.array(pool_pieces)
    wrong = candidates.wrong if candidates.own else candidates.reference_wrong  # (n, m)
    count = min(MATCHED_PARTNERS, int(wrong.sum(axis=1).min()))
    targets = tuple(pair.target for pair in columns)
    likeness = similarity(tuple(pair.source for pair in pairs), targets)  # (n, m)
    letters = np.array([len(word) for word in targets])
    # Pieces count before letters: a word has fewer than a thousand.
    apart = 1000 * np.abs(own_pieces[:, None] - column_pieces) + np.abs(own_length[:, None] - letters)  # (n, m)
    topics, other_topics = (np.array([normalise(pair.topic) for pair in of]) for of in (pairs, columns))
    of_topic = wrong & (topics[:, None] == other_topics) & (topics != "")[:, None]  # (n, m)
    rows, columns_of_topic = np.nonzero(of_topic)
    # Of partners that match equally well the first by the alphabet, so that the order of a list changes no figure.
    by_name = np.array(sorted(range(len(columns)), key=lambda column: (columns[column].target, columns[column].source)))
    alike, as_long = (_first(order, wrong, count, by_name) for order in (-likeness, apart))
    return MatchedPartners(alike, as_long, (rows, columns_of_topic))


def _first(order: np.ndarray, wrong: np.ndarray, count: int, by_name: np.ndarray) -> np.ndarray:
    """The wrong columns that come first in each row of (n, m), equals in the order of by_name (m,): (n, count)."""
    kept = np.where(wrong, order, np.inf)[:, by_name]
    return by_name[np.argsort(kept, axis=1, kind="stable")[:, :count]]


def _same(words: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Which of the others' distinct words is each of the words, in normal form: (words, distinct others)."""
    columns = np.array([normalise(word) for word in numbered(others)[0]])
    return np.array([normalise(word) for word in words])[:, None] == columns


def _as_listed_in(pool: Sequence[WordPair], pairs: Sequence[WordPair], pool_targets: Sequence[str]) -> np.ndarray:
    """Right translations that the reference pool, rather than the list itself, names: (n, m)."""
    known = translation_table(pool, pool_targets)  # (m rows, m words)
    by_word = {pair.source: row for pair, row in zip(pool, known, strict=True)}
    nothing = np.zeros(len(pool_targets), dtype=bool)
    return np.stack([by_word.get(pair.source, nothing) for pair in pairs])


def percentiles(ordered: np.ndarray) -> np.ndarray:
    """The 101 percentiles of values in ascending order, 0 to 100; nan where there is nothing."""
    if not ordered.size:
        return np.full(101, np.nan)
    place = np.linspace(0, ordered.size - 1, 101)
    low = place.astype(int)
    high = np.minimum(low + 1, ordered.size - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
