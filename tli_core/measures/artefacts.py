"""Artefacts that make a cosine high: one token or a few dimensions that dominate it, a first subword that is an
attention sink, NaN vectors; and warnings about the list itself."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from tli_core.encoding.pair_states import PairStates
from tli_core.lists.pairs import WordPair, normalise
from tli_core.measures.rank_tests import FEWEST_TOPICS, telling_topics
from tli_core.measures.significance import FEWEST
from tli_core.models.provenance import Provenance
from tli_core.notices import Notice, notice

LARGE_SHARE = 0.5
"""Where one token or three dimensions carry this share of the squared norm, the cosine is mostly about them."""

SINK_RATIO = 5
"""How many times as long as its other pieces a first piece is that is no part of the word any more. On
SmolLM2-135M it is below 4 behind a prefix token and above 50 without one (`tests/test_real_models.py`)."""

ROGUE_DIMENSIONS = 3

HUB_SHARE, HUB_WORDS = 0.25, 10
"""A word that is the nearest of so large a share, and of so many words, is a hub: among words of pure noise none is in
400 lists of 20 to 150 (`tests/truths.py`)."""


def rogue_shares(states: PairStates) -> np.ndarray:
    """The mean share of a word vector's squared norm that its three largest dimensions carry, per layer: (layers,).

    A vector of zeros has no such share, and counts for nothing.
    """
    squares = torch.cat([states.source, states.target], dim=1).square()  # (layers, a + b, d)
    largest = squares.topk(min(ROGUE_DIMENSIONS, squares.shape[-1]), dim=-1).values.sum(dim=-1)  # (layers, a + b)
    whole = squares.sum(dim=-1)  # (layers, a + b)
    return torch.where(whole == 0, torch.nan, largest / whole).double().nanmean(dim=1).numpy()


def dominance_notices(names: Sequence[str], prefix_share: np.ndarray, rogue_share: np.ndarray) -> Iterator[Notice]:
    """Notices on layers where one token or three dimensions carry most of the vectors: shares are (layers,)."""
    for code, share in (("bos_averaged_in", prefix_share), ("rogue_dimensions", rogue_share)):
        heavy = np.flatnonzero(share >= LARGE_SHARE)
        if heavy.size:
            yield notice(code, first=names[heavy[0]], layers=heavy.size, share=100 * share[heavy].max())


def hub_notice(names: Sequence[str], share: np.ndarray, words: int, word_at: Callable[[int], str]) -> Iterator[Notice]:
    """A notice on layers where one word is the nearest of many.

    Args:
        share: (layers,), the largest hub's.
        words: how many words the language with fewer has.
        word_at: the largest hub at a layer.
    """
    heavy = np.flatnonzero((share >= HUB_SHARE) & (share * words >= HUB_WORDS))
    if heavy.size:
        worst = int(heavy[share[heavy].argmax()])
        yield notice("hub", first=names[heavy[0]], layers=heavy.size, share=100 * share[worst], word=word_at(worst))


def not_numbers(names: Sequence[str], cosine: np.ndarray) -> Iterator[Notice]:
    """A notice on layers whose cosines (layers, n) are NaN."""
    lost = np.flatnonzero(~np.isfinite(cosine).all(axis=1))
    if lost.size:
        yield notice("not_numbers", first=names[lost[0]], layers=lost.size)


def prefix_note(provenance: Provenance) -> Iterator[Notice]:
    """A notice where the tokenizer puts no token in front of a text."""
    if provenance.prefix_added:
        yield notice("prefix_added", model=provenance.model, token=provenance.prefix_token)
    elif provenance.prefix_token is None:
        yield notice("no_prefix", model=provenance.model)


def attention_sinks(names: Sequence[str], first_piece: np.ndarray) -> Iterator[Notice]:
    """A notice on layers where a word's first piece is an attention sink: first_piece is (layers,)."""
    heavy = np.flatnonzero(np.nan_to_num(first_piece) >= SINK_RATIO)
    if heavy.size:
        yield notice("attention_sink", first=names[heavy[0]], layers=heavy.size, times=first_piece[heavy].max())


def list_warnings(
    pairs: Sequence[WordPair], groups: np.ndarray, wrong: np.ndarray, pool: Sequence[WordPair]
) -> Iterator[Notice]:
    """Notices on the list itself.

    Args:
        groups: (n,), the group of each pair; pairs of one group share words.
        wrong: (n, n), which are its wrong pairs.
        pool: the reference pool.
    """
    if pool == pairs:
        yield notice("own_pool")
    alike = sum(normalise(pair.source) == normalise(pair.target) for pair in pairs)
    if alike:
        yield notice("same_spelling", alike=alike, n=len(pairs))
    topics = [normalise(pair.topic) for pair in pairs]
    named = set(topics) - {""}
    if named and not any(telling_topics(topics)):
        yield notice("topics_of_pairs", n=len(named), pairs=len(pairs))
    elif 1 < len(named) < FEWEST_TOPICS:
        yield notice("few_topics", n=len(named))
    if (count := len(np.unique(groups))) < FEWEST <= len(pairs):
        yield notice("hang_together", n=len(pairs), groups=count)
    if both := _on_both_sides(pairs, wrong):
        yield notice("on_both_sides", n=len(both), words=", ".join(both[:3]))
    if not wrong.any():
        yield notice("no_wrong_pair" if pool == pairs else "no_own_wrong_pair")


def _on_both_sides(pairs: Sequence[WordPair], wrong: np.ndarray) -> list[str]:
    """The source words that another pair has as a target word, where it does not translate them."""
    source, target = (np.array([normalise(pair[side]) for pair in pairs]) for side in (0, 1))
    rows = ((source[:, None] == target) & wrong).any(axis=1)
    return list(dict.fromkeys(pair.source for pair, row in zip(pairs, rows, strict=True) if row))
