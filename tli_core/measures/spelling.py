"""What spelling alone gives: the ranks that strings earn without any model.

A model can find `volkano` beside `volcano` without knowing either, by the pieces that the two share. So whatever is
said of retrieval is also said of the pairs that do not look alike.
"""

from collections.abc import Sequence

import numpy as np

from tli_core.lists.look_alike import similarity
from tli_core.lists.pairs import WordPair
from tli_core.measures.retrieval import best_rank


def spelling_alone(
    pairs: Sequence[WordPair], right: np.ndarray, sides: tuple[tuple[str, ...], ...]
) -> tuple[float, float]:
    """P@1 that a system earns which only sees letters, to target and to source.

    Args:
        right: (a, b), the right ones among the list's distinct target words for each of its distinct source words.
        sides: those words.
    """
    likeness, places = similarity(*sides), [{word: i for i, word in enumerate(side)} for side in sides]
    ranks = best_rank(likeness, right), best_rank(likeness.T, right.T)
    to_target = ranks[0][[places[0][pair.source] for pair in pairs]]
    to_source = ranks[1][[places[1][pair.target] for pair in pairs]]
    return float((to_target == 1).mean()), float((to_source == 1).mean())
