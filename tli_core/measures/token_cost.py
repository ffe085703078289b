"""What a tokenizer takes for the words of each language: a model thinks less about a word that it reads in crumbs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TokenCost:
    """Tokens of a word, and bytes (UTF-8) of a token, on average over a list's distinct words: (source, target) each.

    Bytes of a token are all bytes over all tokens, so that long words count as much as they are long.
    """

    per_word: tuple[float, float]
    bytes_per_token: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How many times as many tokens a source word takes as a target word."""
        return self.per_word[0] / self.per_word[1]


def token_cost(sides: Sequence[tuple[Sequence[str], np.ndarray]]) -> TokenCost:
    """The cost of source and target words.

    Args:
        sides: the distinct words of each side, and the number of tokens of each word.
    """
    (source, target), (source_bytes, target_bytes) = (
        [float(pieces.mean()) for _, pieces in sides],
        [sum(len(word.encode()) for word in words) / int(pieces.sum()) for words, pieces in sides],
    )
    return TokenCost((source, target), (source_bytes, target_bytes))


def mean_cost(parts: Sequence[TokenCost], sizes: np.ndarray) -> TokenCost:
    """The cost of a list from that of its parts and their shares of it."""
    (source, target), (source_bytes, target_bytes) = (
        (sizes @ np.array([getattr(part, name) for part in parts])).tolist() for name in ("per_word", "bytes_per_token")
    )
    return TokenCost((source, target), (source_bytes, target_bytes))
