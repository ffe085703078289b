"""What makes a cosine high without meaning: one token or a few dimensions that carry it, a first piece that is an
attention sink, vectors that are no numbers; and words of caution about a list itself."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tli_core.encoding.pair_states import PairStates
from tli_core.i18n import Message, message
from tli_core.lists.pairs import WordPair, normalise
from tli_core.models.layers import layer_message
from tli_core.models.provenance import Provenance

LARGE_SHARE = 0.5
"""Where one token or three dimensions carry this share of the squared norm, the cosine is mostly about them."""

SINK_RATIO = 5
"""How many times as long as its other pieces a first piece is that is no part of the word any more. On
SmolLM2-135M it is below 4 behind a prefix token and above 50 without one (`tests/test_real_models.py`)."""

ROGUE_DIMENSIONS = 3


def rogue_shares(states: PairStates) -> np.ndarray:
    """The mean share of a word vector's squared norm that its three largest dimensions carry, per layer: (layers,)."""
    squares = torch.cat([states.swahili, states.english], dim=1).square()  # (layers, a + b, d)
    largest = squares.topk(min(ROGUE_DIMENSIONS, squares.shape[-1]), dim=-1).values.sum(dim=-1)  # (layers, a + b)
    return (largest / squares.sum(dim=-1)).double().mean(dim=1).numpy()


def heavy_parts(names: Sequence[str], anchor_share: np.ndarray, rogue_share: np.ndarray) -> Iterator[Message]:
    for share, text in (
        (
            anchor_share,
            "At {where}, BOS is averaged in and carries up to {share:.0f} % of the vectors' squared length: any two "
            "words look alike there, right or wrong. Pool words only.",
        ),
        (
            rogue_share,
            "At {where}, three dimensions carry up to {share:.0f} % of the vectors' squared length: the cosine there "
            "is about them more than about the words.",
        ),
    ):
        heavy = np.flatnonzero(share >= LARGE_SHARE)
        if heavy.size:
            first = layer_message(names[heavy[0]])
            span = message("{n} layers from {first} on", n=heavy.size, first=first) if heavy.size > 1 else first
            yield message(text, where=span, share=100 * share[heavy].max())


def not_numbers(names: Sequence[str], cosine: np.ndarray) -> Iterator[Message]:
    """A warning on layers (layers, n) whose cosines are no numbers."""
    lost = np.flatnonzero(~np.isfinite(cosine).all(axis=1))
    if lost.size:
        first = layer_message(names[lost[0]])
        span = message("{n} layers from {first} on", n=lost.size, first=first) if lost.size > 1 else first
        text = "At {where}, vectors are no numbers (NaN or infinity): the model or the adapter is broken there."
        yield message(text, where=span)


def prefix_note(provenance: Provenance) -> Iterator[Message]:
    """A note where the tokenizer puts no token in front of a text."""
    if provenance.prefix_added:
        text = (
            "The tokenizer of {model} puts no token in front of a text. {token} was put there, so that no word's first "
            "piece is what the model parks its attention on; it is part of no word."
        )
        yield message(text, model=provenance.model, token=provenance.prefix_token)
    elif provenance.prefix_token is None:
        text = "The tokenizer of {model} has no token to put in front: every word's first piece sees only itself."
        yield message(text, model=provenance.model)


def attention_sinks(names: Sequence[str], first_piece: np.ndarray) -> Iterator[Message]:
    """A warning on layers where a word's first piece is an attention sink."""
    heavy = np.flatnonzero(np.nan_to_num(first_piece) >= SINK_RATIO)
    if heavy.size:
        first = layer_message(names[heavy[0]])
        span = message("{n} layers from {first} on", n=heavy.size, first=first) if heavy.size > 1 else first
        text = (
            "At {where}, a word's first piece is an attention sink, up to {times:.0f} times as long as its others: the "
            "model parks attention there, and any two words look alike, right or wrong."
        )
        yield message(text, where=span, times=first_piece[heavy].max())


def list_warnings(pairs: Sequence[WordPair], wrong: np.ndarray) -> Iterator[Message]:
    alike = [pair.swahili for pair in pairs if normalise(pair.swahili) == normalise(pair.english)]
    if alike:
        yield message(
            "Spelt the same in both languages, so the cosine is 1 whatever the model knows: {alike} of {n} pairs. "
            "Leave them out.",
            alike=len(alike),
            n=len(pairs),
        )
    if not wrong.any():
        yield message(
            "This list has no wrong pair of its own: those shown are the reference pool's. Add a second pair."
        )
