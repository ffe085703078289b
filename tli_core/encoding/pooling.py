"""A word's tokens, and what each of them counts in its vector: the only definition of pooling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_, translate

WEIGHTED = "weighted"
POOLINGS = ("words", "all", "last", WEIGHTED)
"""`words`: mean over tokens that are not special. `all`: over every token, BOS included. `last`: the last one.
`weighted`: every token, BOS included, by its position from 1 (Muennighoff 2022, arXiv 2202.08904), for sentences."""


@dataclass(frozen=True)
class EncodedWord:
    """A word's token ids as the model reads it, and which of them the tokenizer added (BOS)."""

    ids: tuple[int, ...]
    special: tuple[bool, ...]


def pooling_weights(word: EncodedWord, pooling: str) -> np.ndarray:
    """What each of a word's tokens counts in its vector: (t,), summing to 1.

    Raises:
        ValueError: an unknown pooling.
    """
    if pooling not in POOLINGS:
        text = N_("There is no pooling {pooling!r}: choose one of {choices}.")
        raise ValueError(translate(text, pooling=pooling, choices=", ".join(POOLINGS)))
    counted = np.zeros(len(word.ids), dtype=np.float32)  # (t,)
    if pooling == "words":
        counted[:] = ~np.asarray(word.special)
    elif pooling == "all":
        counted[:] = 1
    elif pooling == WEIGHTED:
        counted[:] = np.arange(1, len(word.ids) + 1)
    else:
        counted[-1] = 1
    return counted / counted.sum()


def all_weights(words: Sequence[EncodedWord], pooling: str) -> list[np.ndarray]:
    """`pooling_weights` of every word; most share a pattern, so each pattern is worked out once.

    Raises:
        ValueError: an unknown pooling.
    """
    known = {word.special: word for word in words}
    weights = {special: pooling_weights(word, pooling) for special, word in known.items()}
    return [weights[word.special] for word in words]
