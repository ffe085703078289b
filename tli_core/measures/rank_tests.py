"""Are right words found more often than chance finds them? Permutation tests of reciprocal ranks.

Target words change places among the pairs, and the right pairs' mean reciprocal rank is counted again. If the model
does not know which word translates which, the list as it is looks like any of these. A permutation within groups asks
more: target words of one length change places among themselves only, so what length alone finds is found again.

Words that several pairs share would count several times, so of each group of pairs that share words one pair is tested.
All layers and both directions see the same permutations, and a p value is corrected for all of them (the maximum of
the standardised statistics, Westfall & Young 1993): whichever layer is looked at, a list of noise is called found in
5 % of cases at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tli_core.lists.language_pair import LanguagePair
from tli_core.lists.leaks import word_forms
from tli_core.lists.pairs import WordPair, numbered
from tli_core.models.kernels.arithmetic import on_cores

PERMUTATIONS = 999
DEEPEST = 50
"""Ranks beyond this one count as never found: 1/50 is little, and the others need no sorting."""

ALL, SPELLING, LENGTH, PIECES, TOPIC, TOGETHER = "all", "spelling", "length", "pieces", "topic", "together"
CONTROLS = (ALL, SPELLING, LENGTH, PIECES, TOPIC, TOGETHER)
"""Every test: of all pairs; of those that do not look alike; of these within target words of one length, within target
words of as many pieces, within pairs of one topic (where the list names topics), and within all three together."""

FEWEST_TOPICS = 10
"""With so many topics a list is a sample of topics, and what is said of it holds for others; with fewer, of these."""


@dataclass(frozen=True)
class Shuffles:
    """The permutations of each test for one list.

    tested (m,) are the indices of the pairs that are tested, one a group. Of each control, places
    (k, 1 + PERMUTATIONS) say where in a table (m, m) of the tested source and target words, row after row, each of the
    list's k pairs that count stands, and where it stands in each permutation. So one row of places reads one row of
    the table.
    """

    tested: np.ndarray
    places: Mapping[str, np.ndarray]

    @cached_property
    def movable(self) -> dict[str, int]:
        """How many pairs of each control have another to change places with."""
        return {name: int((places[:, 1:] != places[:, :1]).any(axis=1).sum()) for name, places in self.places.items()}


def word_groups(pairs: Sequence[WordPair], languages: LanguagePair) -> np.ndarray:
    """Pairs that share a word in whatever form, directly or through other pairs, have one number: (n,).

    Of `kitabu` and `vitabu` a model knows both or neither, so their pairs tell hardly more than one.
    """
    keys: dict[tuple[int, str], int] = {}
    links = [
        (row, keys.setdefault((side, form), len(keys)))
        for row, pair in enumerate(pairs)
        for side, (word, language) in enumerate(((pair.source, languages.source), (pair.target, languages.target)))
        for form in word_forms(word, language.inflection)
    ]
    rows, columns = np.array(links).T
    nodes = len(pairs) + len(keys)
    graph = coo_array((np.ones(len(links)), (rows, len(pairs) + columns)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1][: len(pairs)]


def telling_topics(topics: Sequence[str]) -> tuple[str, ...]:
    """The topics within which words change places; all empty where they name pairs, not topics, so that few could.

    Args:
        topics: of each pair, in normal form; empty where it has none.
    """
    named = [topic for topic in topics if topic]
    return ("",) * len(topics) if 2 * len(set(named)) > max(len(named), FEWEST_TOPICS) else tuple(topics)


def topic_clusters(groups: np.ndarray, topics: Sequence[str]) -> np.ndarray:
    """Pairs that may have moved together: those of one topic, or of one group of `word_groups`, have one number: (n,).

    Topics count where the list names at least FEWEST_TOPICS. A group belongs to the first topic that is named in it.

    Args:
        topics: of each pair, in normal form; empty where it has none.
    """
    if len(set(topics) - {""}) < FEWEST_TOPICS:
        return groups
    named: dict[int, str] = {}
    for group, topic in zip(groups.tolist(), topics, strict=True):
        named[group] = named.get(group) or topic
    return numbered(named[group] or f"\0{group}" for group in groups.tolist())[1]


@lru_cache(maxsize=2)  # the trained list's and the control list's; 96 MB each for 2,000 pairs
def shuffles(
    groups: tuple[int, ...],
    look_alike: tuple[bool, ...],
    lengths: tuple[int, ...],
    pieces: tuple[int, ...],
    topics: tuple[str, ...],
    seed: int,
) -> Shuffles:
    """The permutations for a list, from each pair's group, likeness and topic, and its target word's length, pieces."""
    tested = np.unique(groups, return_index=True)[1]
    plain = np.flatnonzero(~np.array(look_alike)[tested])
    length, piece, topic = (numbered(map(str, of))[1][tested][plain] for of in (lengths, pieces, topics))
    together = numbered(map(str, zip(length, piece, topic, strict=True)))[1]
    strata = {
        ALL: (np.arange(len(tested)), np.zeros(len(tested), dtype=int)),
        SPELLING: (plain, np.zeros(len(plain), dtype=int)),
        LENGTH: (plain, length),
        PIECES: (plain, piece),
        TOPIC: (plain, topic),
        TOGETHER: (plain, together),
    }

    def places_of(name: str) -> np.ndarray:
        counted, stratum = strata[name]
        # Each test draws anew from the seed, so that tests of the same pairs agree.
        moved = counted[_within(stratum, np.random.default_rng(seed))]
        rows = np.concatenate([counted[None], moved]) + counted * len(tested)  # (1 + P, k)
        return np.ascontiguousarray(rows.T)

    # Sorting leaves Python's lock, so controls go side by side.
    return Shuffles(tested, dict(zip(strata, on_cores(places_of, tuple(strata)), strict=True)))


def _within(strata: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    """Permutations of k places within their strata: (k,) -> (PERMUTATIONS, k)."""
    shuffled = np.argsort(strata + drawn.random((PERMUTATIONS, len(strata)), dtype=np.float32) * 0.999, axis=1)
    found = np.empty_like(shuffled)
    found[:, np.argsort(strata, kind="stable")] = shuffled
    return found


def reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    """1 / rank of every column in its row, 0 beyond DEEPEST and where a score is no number: (m, m) -> (m, m)."""
    rows = np.where(np.isnan(scores), -np.inf, scores)
    count = min(DEEPEST, rows.shape[1])
    best = np.argpartition(rows, -count, axis=1)[:, -count:]  # (m, count), in no order
    values = np.take_along_axis(rows, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best, values = (np.take_along_axis(of, order, axis=1) for of in (best, values))
    found = np.zeros_like(rows)
    ranked = np.where(values == -np.inf, 0, 1 / np.arange(1, count + 1))
    np.put_along_axis(found, best, ranked.astype(found.dtype), axis=1)
    return found


def statistics(found: Sequence[np.ndarray], draws: Shuffles) -> np.ndarray:
    """Mean reciprocal rank, standardised, of the list and its permutations: (controls, 1 + PERMUTATIONS, directions).

    Args:
        found: for each of the two directions the reciprocal ranks of every tested target word (column) and source word
            (row).
    """
    values = np.zeros((len(CONTROLS), 1 + PERMUTATIONS, len(found)))
    # Both directions as one complex number: looking a place up costs more than what is read there.
    both = np.empty(found[0].shape, dtype=np.complex64)
    both.real, both.imag = found
    for c, name in enumerate(CONTROLS):
        places = draws.places[name]
        if not places.size:
            continue
        summed = both.ravel().take(places).sum(axis=0, dtype=np.complex128)  # (1 + P,)
        sums = np.stack([summed.real, summed.imag], axis=1)  # (1 + P, 2)
        spread = sums[1:].std(axis=0)
        values[c] = np.where(spread > 1e-9, (sums - sums[1:].mean(axis=0)) / np.maximum(spread, 1e-9), 0)
    return values


def corrected_p_values(values: np.ndarray) -> dict[str, np.ndarray]:
    """p values of each control, corrected for all layers and both directions, (layers, 2) each.

    Args:
        values: `statistics` of every layer, (layers, controls, 1 + PERMUTATIONS, 2).
    """
    found = {}
    for c, name in enumerate(CONTROLS):
        seen = values[:, c, 0]  # (layers, 2)
        most = np.sort(values[:, c, 1:].max(axis=(0, 2)))  # (PERMUTATIONS,)
        as_high = PERMUTATIONS - np.searchsorted(most, seen - 1e-9, side="left")
        found[name] = (1 + as_high) / (1 + PERMUTATIONS)
    return found
