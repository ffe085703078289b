"""Vectors whose truth is known: lists of pairs, changes, and what must be said of them.

Words are of made-up syllables, so that nothing looks alike unless it is meant to. `tests.truths` counts how often the
truth is said.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from tli_core.encoding.pair_states import PairStates
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import align
from tli_core.measures.result import LayerAlignment
from tli_core.models.loaded_model import Provenance

WIDTH = 64
SOURCE = Provenance("planted", None, "float32", None, None, "sw-en", "words", "raw", "<s>", False, 0, 0)
Vectors = tuple[np.ndarray, np.ndarray]


@cache
def words(n: int, seed: int, letters: str) -> tuple[str, ...]:
    """Distinct words of two to four syllables over some letters."""
    drawn = np.random.default_rng(seed)
    vowels, found = letters[:3], {}
    while len(found) < n:
        syllables = (drawn.choice(list(letters[3:])) + drawn.choice(list(vowels)) for _ in range(drawn.integers(2, 5)))
        found["".join(syllables)] = None
    return tuple(found)


@cache
def unlike_pairs(n: int) -> tuple[WordPair, ...]:
    """Pairs whose two words share no letter."""
    return tuple(map(WordPair, words(n, 1, "aiubdgmnw"), words(n, 2, "eoyfhkpst")))


@cache
def pool() -> PairStates:
    """A reference pool of noise."""
    drawn = np.random.default_rng(0)
    pairs = tuple(map(WordPair, words(200, 3, "aiubdgmnw"), words(200, 4, "eoyfhkpst")))
    return states(pairs, (drawn.normal(size=(1, 200, WIDTH)), drawn.normal(size=(1, 200, WIDTH))))


def states(pairs: tuple[WordPair, ...], vectors: Vectors) -> PairStates:
    """Pairs with vectors of (layers, n, d) on each side, words that come several times with their first vector."""
    sides, indices = [], []
    for words_of, given in zip(zip(*(pair[:2] for pair in pairs), strict=True), vectors, strict=True):
        places = {word: i for i, word in reversed(list(enumerate(words_of)))}
        rows = dict.fromkeys(words_of)
        number = {word: k for k, word in enumerate(rows)}
        sides.append(torch.tensor(given[:, [places[word] for word in rows]], dtype=torch.float32))
        indices.append(np.array([number[word] for word in words_of]))
    layers = vectors[0].shape[0]
    pieces = np.array([len(word) // 2 for word in dict.fromkeys(pair.target for pair in pairs)])
    names = ("embeddings", *(f"block {i}" for i in range(1, layers)))
    source_pieces = np.array([len(word) // 2 for word in dict.fromkeys(pair.source for pair in pairs)])
    return PairStates(pairs, *sides, *indices, source_pieces, pieces, names, np.zeros(layers), np.ones(layers))


def measured(pairs: tuple[WordPair, ...], vectors: Vectors) -> LayerAlignment:
    """What is measured of planted vectors."""
    return align(states(pairs, vectors), widened(vectors[0].shape[0]), SOURCE)


@cache
def widened(layers: int) -> PairStates:
    """The reference pool with as many layers."""
    narrow = pool()
    repeated = [side.repeat(layers, 1, 1) for side in (narrow.source, narrow.target)]
    return PairStates(
        narrow.pairs, *repeated, narrow.source_index, narrow.target_index, narrow.source_pieces,
        narrow.target_pieces, tuple(map(str, range(layers))), np.zeros(layers), np.ones(layers),
    )  # fmt: skip


def shared(drawn: np.random.Generator, n: int, layers: int, strength: float) -> Vectors:
    """Noise, and in both words of a pair the same vector of so many times its length."""
    both = strength * drawn.normal(size=(layers, n, WIDTH))
    return tuple(both + drawn.normal(size=(layers, n, WIDTH)) for _ in range(2))  # type: ignore[return-value]


# One list: a drawn one, its pairs and vectors, by what must be said of it.

List = Callable[[np.random.Generator, int, int], tuple[tuple[WordPair, ...], Vectors]]


def noise(drawn, n, layers):
    return unlike_pairs(n), shared(drawn, n, layers, 0)


def no_pool_ships(drawn, n, layers):
    """Noise, of two languages that ship no reference pool, so that the list is its own."""
    made = states(unlike_pairs(n), shared(drawn, n, layers, 0))
    return made, made


def words_of_the_pool(drawn, n, layers):
    """Words of the reference pool in wrong pairs."""
    of_pool = pool().pairs
    vectors = drawn.normal(size=(layers, len(of_pool), WIDTH)), drawn.normal(size=(layers, len(of_pool), WIDTH))
    taken = drawn.permutation(len(of_pool))[:n]
    partners = np.roll(taken, 1)
    pairs = tuple(WordPair(of_pool[i].source, of_pool[j].target) for i, j in zip(taken, partners, strict=True))
    return states(pairs, (vectors[0][:, taken], vectors[1][:, partners])), states(of_pool, vectors)


def alike_words_of_the_pool(drawn, n, layers):
    """The same, and one language's vectors are nearly one and the same, as averaging BOS in makes them."""
    made, reference = words_of_the_pool(drawn, n, layers)
    common = reference.source[:, :1]
    return (replace(of, source=common + 0.02 * of.source) for of in (made, reference))


BESIDE_THEMSELVES = {
    "noise, no pool ships": no_pool_ships,
    "noise, words of the pool": words_of_the_pool,
    "noise, alike words of the pool": alike_words_of_the_pool,
}
"""Lists of noise whose words are in the reference pool: makers of a list's states and the pool's."""


def hubs(drawn, n, layers):
    """One target word is near every source word, and one source word near every target word."""
    source, target = shared(drawn, n, layers, 0)
    common = drawn.normal(size=(layers, 1, WIDTH))
    source, target = source + 0.5 * common, target + 0.5 * common
    source[:, :1], target[:, :1] = 3 * common, 3 * common
    return unlike_pairs(n), (source, target)


def aligned(drawn, n, layers):
    return unlike_pairs(n), shared(drawn, n, layers, 1.2)


def one_way(drawn, n, layers):
    """Target words are found; back again, a few source words are nearest to all."""
    source, target = shared(drawn, n, layers, 1.2)
    common = drawn.normal(size=(layers, 1, WIDTH))
    target = target + 2 * common
    source[:, : max(3, n // 10)] = source[:, : max(3, n // 10)] * 0.1 + 6 * common
    return unlike_pairs(n), (source, target)


def topics(drawn, n, layers):
    """Words of a topic are alike in both languages, and nothing more."""
    return unlike_pairs(n), _classes(drawn, layers, np.arange(n) % 10)


def lengths(drawn, n, layers):
    """Words of a length are alike, and the lists are in an order in which right pairs are equally long."""
    source = sorted(words(n, 1, "aiubdgmnw"), key=len)
    target = sorted(words(n, 2, "eoyfhkpst"), key=len)
    pairs = tuple(map(WordPair, source, target))
    return pairs, _classes(drawn, layers, np.array([len(pair.target) for pair in pairs]))


def topics_named(drawn, n, layers):
    """The same, and the list says which pair is of which topic."""
    pairs, vectors = topics(drawn, n, layers)
    return _with_topics(pairs), vectors


def aligned_with_topics(drawn, n, layers):
    """Right words are found within their topics, too."""
    pairs, (source, target) = topics_named(drawn, n, layers)
    both = 1.5 * drawn.normal(size=source.shape)
    return pairs, (source + both, target + both)


def _with_topics(pairs):
    return tuple(pair._replace(topic=f"topic {i % 10}") for i, pair in enumerate(pairs))


def _classes(drawn, layers, classes) -> Vectors:
    n, known = len(classes), 1.5 * drawn.normal(size=(layers, classes.max() + 1, WIDTH))
    return tuple(known[:, classes] + drawn.normal(size=(layers, n, WIDTH)) for _ in range(2))


def topic_and_length(drawn, n, layers):
    """Words of a topic are alike, and words of a length, and nothing more: neither alone explains what is found."""
    pairs, by_topic = topics_named(drawn, n, layers)
    lengths = np.array([len(pair.target) for pair in pairs])
    by_length = _classes(drawn, layers, lengths - lengths.min())
    return pairs, tuple(one + other for one, other in zip(by_topic, by_length, strict=True))


def loans(drawn, n, layers):
    """One pair in six is of words that look alike and are alike; the others are noise."""
    pairs = tuple(
        pair._replace(target=f"{pair.source[:-1]}o") if i % 6 == 0 else pair for i, pair in enumerate(unlike_pairs(n))
    )
    strength = np.where(np.arange(n) % 6 == 0, 2.0, 0.0)[None, :, None]
    both = strength * drawn.normal(size=(layers, n, WIDTH))
    return pairs, tuple(both + drawn.normal(size=(layers, n, WIDTH)) for _ in range(2))


def tiny_effect(drawn, n, layers):
    return unlike_pairs(n), shared(drawn, n, layers, 0.42)


def repeated(drawn, n, layers):
    """A tenth of the source words with ten translations each, all noise."""
    source = words(max(n // 10, 1), 1, "aiubdgmnw")
    pairs = tuple(WordPair(source[i % len(source)], target) for i, target in enumerate(words(n, 2, "eoyfhkpst")))
    return pairs, shared(drawn, n, layers, 0)


def synonyms(drawn, n, layers):
    """One source word with all the target words as its translations."""
    pairs = tuple(WordPair("maji", target) for target in words(n, 2, "eoyfhkpst"))
    return pairs, shared(drawn, n, layers, 1.2)


def of_all_lengths(drawn, n, layers):
    """Right words are found, but no two target words are of one length: nothing tells it from length."""
    long = tuple("eoyfhkpst"[i % 9] * 3 + "tsph"[i % 4] * i for i in range(n))
    return tuple(map(WordPair, words(n, 1, "aiubdgmnw"), long)), shared(drawn, n, layers, 1.2)


def many_to_one(drawn, n, layers):
    """Right words are found, but there are six of them for all source words."""
    targets = words(6, 2, "eoyfhkpst")
    source, target = shared(drawn, 6, layers, 1.2)
    pairs = tuple(WordPair(word, targets[i % 6]) for i, word in enumerate(words(n, 1, "aiubdgmnw")))
    own = np.arange(n) % 6
    return pairs, (source[:, own] + 0.3 * drawn.normal(size=(layers, n, WIDTH)), target[:, own])


LISTS: dict[str, tuple[List, str]] = {
    "noise": (noise, "not discriminative"),
    "hubs": (hubs, "not discriminative"),
    "aligned": (aligned, "aligned"),
    "one way": (one_way, "one way"),
    "topics": (topics, "weak"),
    "topics, named": (topics_named, "topic"),
    "aligned, topics named": (aligned_with_topics, "aligned"),
    "lengths": (lengths, "length"),
    "topic and length": (topic_and_length, "confounded"),
    "loans": (loans, "spelling"),
    "tiny effect": (tiny_effect, "weak"),
    "repeated words": (repeated, "not discriminative"),
    "of all lengths": (of_all_lengths, "above chance"),
    "many to one": (many_to_one, "above chance"),
    "synonyms": (synonyms, "too few pairs"),
}


# Lists whose intervals must hold what is measured of all such lists: plain, and with pairs that are not independent.


def plain(drawn, n, layers, strength):
    return unlike_pairs(n), shared(drawn, n, layers, 0.7 * strength)


def glosses(drawn, n, layers, strength):
    """A third as many source words, with three translations each, which mean nearly the same."""
    word = np.arange(n) // 3
    pairs = tuple(
        WordPair(words(n, 1, "aiubdgmnw")[i], target) for i, target in zip(word, words(n, 2, "eoyfhkpst"), strict=True)
    )
    source, target = shared(drawn, word.max() + 1, layers, 0.7 * strength)
    return pairs, (source[:, word], target[:, word] + 0.7 * drawn.normal(size=(layers, n, WIDTH)))


def topics_known_by_half(drawn, n, layers, strength):
    """Twenty topics, named, of which each is known more or less."""
    return _known_by_topic(drawn, np.arange(n) % 20, layers, strength)


def uneven_topics(drawn, n, layers, strength):
    """The same with topics that differ in size: the largest has a fifth of the pairs or more."""
    size = 1 / np.arange(1, 21)
    return _known_by_topic(
        drawn, np.searchsorted(np.cumsum(size) / size.sum(), (np.arange(n) + 0.5) / n), layers, strength
    )


def one_large_topic(drawn, n, layers, strength):
    """The same with two fifths of the pairs in one topic."""
    large = 2 * n // 5
    return _known_by_topic(
        drawn, np.r_[np.zeros(large, int), 1 + np.arange(n - large) * 19 // (n - large)], layers, strength
    )


def near_to_all(drawn, n, layers, strength):
    """Some target words are near every source word and others are not, by a direction that is the model's own."""
    source, target = shared(drawn, n, layers, strength)
    common = np.random.default_rng(0).normal(size=WIDTH)
    return unlike_pairs(n), (source + common, target + drawn.uniform(0, 1.5, size=(layers, n, 1)) * common)


def _known_by_topic(drawn, topic, layers, strength):
    n = len(topic)
    known = strength * np.where(drawn.random((layers, 20)) < 0.5, 0.9, 0.5)[:, topic, None]
    both = known * drawn.normal(size=(layers, n, WIDTH))
    pairs = tuple(pair._replace(topic=str(t)) for pair, t in zip(unlike_pairs(n), topic, strict=True))
    return pairs, tuple(both + drawn.normal(size=(layers, n, WIDTH)) for _ in range(2))


INTERVALS: dict[str, Callable[[np.random.Generator, int, int, float], tuple[tuple[WordPair, ...], Vectors]]] = {
    "plain": plain,
    "three glosses a word": glosses,
    "topics": topics_known_by_half,
    "uneven topics": uneven_topics,
    "one large topic": one_large_topic,
    "some words near all": near_to_all,
}
# Two measurements of the same pairs.

Twice = Callable[[np.random.Generator, int], tuple[Vectors, Vectors]]


def nothing_changed(drawn, n, strength=1.0):
    """The same model measured with other noise, as two equally good models are."""
    both = strength * drawn.normal(size=(1, n, WIDTH))
    return tuple(tuple(both + drawn.normal(size=(1, n, WIDTH)) for _ in range(2)) for _ in range(2))


def topics_moved_at_random(drawn, n):
    """Twenty topics, each as often better known before as after: a topic moves as one, and the list does not."""
    topic = np.arange(n) % 20
    coin = (drawn.random(20) < 0.5)[topic][None, :, None]
    both = drawn.normal(size=(1, n, WIDTH))
    strengths = np.where(coin, 0.4, 1.0), np.where(coin, 1.0, 0.4)
    return tuple(tuple(s * both + drawn.normal(size=(1, n, WIDTH)) for _ in range(2)) for s in strengths)


def improves(drawn, n):
    both, one, other = (drawn.normal(size=(1, n, WIDTH)) for _ in range(3))
    return (0.6 * both + one, 0.6 * both + other), (1.0 * both + one, 1.0 * both + other)


def worsens(drawn, n):
    before, after = improves(drawn, n)
    return after, before


def crash_with_rising_cosine(drawn, n):
    before, after = improves(drawn, n)
    common = 4 * drawn.normal(size=(1, 1, WIDTH))
    return after, (before[0] + common, before[1] + common)


def offset_added(drawn, n):
    """A direction that all words of both languages share: cosines rise, ranks stay as they were."""
    _, after = improves(drawn, n)
    plain = tuple(np.where(np.arange(WIDTH) == 0, 0, side) for side in after)
    even = tuple(side / np.linalg.norm(side, axis=2, keepdims=True) for side in plain)
    return even, tuple(np.where(np.arange(WIDTH) == 0, 2, side) for side in even)


def offset_taken_away(drawn, n):
    before, after = offset_added(drawn, n)
    return after, before


def all_alike_then_noise(drawn, n):
    """Vectors that are all the same rank every word last; noise ranks them by chance, and knows no more."""
    alike = np.ones((1, n, WIDTH))
    return (alike, alike), shared(drawn, n, 1, 0)


def noise_then_all_alike(drawn, n):
    before, after = all_alike_then_noise(drawn, n)
    return after, before


def better_there_worse_back(drawn, n):
    """Target words are found more often; back again, a few source words are nearest to all."""
    before, after = improves(drawn, n)
    common = drawn.normal(size=(1, 1, WIDTH))
    source, target = 2 * after[0], 2 * after[1] - after[1] + common
    source[:, : max(3, n // 10)] = 6 * common
    return before, (source, target)


CHANGES: dict[str, tuple[Twice, str]] = {
    "nothing changed": (nothing_changed, "no clear change"),
    "topics moved at random": (topics_moved_at_random, "no clear change"),
    "improved": (improves, "improved"),
    "worse": (worsens, "worse"),
    "all alike, then noise": (all_alike_then_noise, "no clear change"),
    "noise, then all alike": (noise_then_all_alike, "no clear change"),
    "better there, worse back": (better_there_worse_back, "mixed"),
    "crash, cosine up": (crash_with_rising_cosine, "collapsed"),
    "offset added": (offset_added, "no clear change"),
    "offset taken away": (offset_taken_away, "no clear change"),
}


# What must be noticed beside a verdict.


def memorised(drawn, n):
    """The trained words are found better than before, and the held-out ones as they were."""
    lists = words(2 * n, 1, "aiubdgmnw"), words(2 * n, 2, "eoyfhkpst")
    return [tuple(map(WordPair, *(side[part] for side in lists))) for part in (slice(n), slice(n, None))], (
        improves(drawn, n),
        nothing_changed(drawn, n, 0.6),
    )


def known_before(drawn, n):
    """The trained words are found better than before; the held-out ones were found before, and still are."""
    lists, (trained, _) = memorised(drawn, n)
    return lists, (trained, nothing_changed(drawn, n, 1.5))


def learnt(drawn, n):
    """Both lists are found better than before."""
    lists, _ = memorised(drawn, n)
    return lists, (improves(drawn, n), improves(drawn, n))


def leak(drawn, n):
    """One held-out pair in ten has a word that was trained on, in another form or as a gloss."""
    (trained, held_out), changes = learnt(drawn, n)
    forms = itertools.cycle(
        (
            lambda pair: pair._replace(source=trained[0].source.upper()),
            lambda pair: pair._replace(target=f"{trained[1].target}s"),
            lambda pair: pair._replace(glosses=(trained[2].target,)),
        )
    )
    held_out = tuple(next(forms)(pair) if i % 10 == 0 else pair for i, pair in enumerate(held_out))
    return [trained, held_out], changes


BOTH_LISTS = {
    "memorised": (memorised, {"memorised"}),
    "known before": (known_before, set()),
    "learnt": (learnt, set()),
    "leak": (leak, {"leak"}),
}
