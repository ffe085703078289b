"""Views: what is done to the vectors of each language before they are compared."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tli_core.encoding.pair_states import PairStates

DIMENSIONS_A_COMPONENT = 100
"""One top component is taken away for so many dimensions, as Mu & Viswanath (2018) do."""


def viewed(states: PairStates, reference: PairStates, view: str) -> tuple[PairStates, PairStates]:
    """The vectors of a list and of the reference pool in a view, in which BOS and first pieces have shares no more.

    What is taken away of a language comes from its words in the reference pool, so it is the same for every list.
    `centred`: their mean. `standardised`: the mean, and every dimension divided by its spread (Timkey & van Schijndel
    2021, arXiv 2109.04404). `without_top`: the mean, and the directions along which they spread most (Mu & Viswanath
    2018, arXiv 1702.01417).
    """
    if view == "raw":
        return states, reference
    source = _viewed((states.source, reference.source), reference.source, view)
    target = _viewed((states.target, reference.target), reference.target, view)
    of_list, of_pool = zip(source, target, strict=True)
    # Taken from the vectors as they were, these would tell of an artefact that the mean took away with it.
    unknown = np.full(len(states.names), np.nan)
    return (
        replace(states, source=of_list[0], target=of_list[1], prefix_share=unknown, first_piece=unknown),
        replace(reference, source=of_pool[0], target=of_pool[1], prefix_share=unknown, first_piece=unknown),
    )


def viewed_words(states: Tensor, pool: Tensor, view: str) -> Tensor:
    """Words of one language at one layer, (n, d), in a view that its reference pool (m, d) decides."""
    return states if view == "raw" else _viewed((states[None],), pool[None], view)[0][0]


def _viewed(several: tuple[Tensor, ...], pool: Tensor, view: str) -> list[Tensor]:
    """Several sets of one language's vectors, (layers, n, d) each, in a view that its pool (layers, m, d) decides."""
    mean = pool.mean(dim=1, keepdim=True)  # (layers, 1, d)
    centred = [states - mean for states in several]
    if view == "centred":
        return centred
    if view == "standardised":
        spread = pool.std(dim=1, keepdim=True).clamp(min=1e-12)  # (layers, 1, d)
        return [states / spread for states in centred]
    count = max(1, pool.shape[-1] // DIMENSIONS_A_COMPONENT)
    top = torch.linalg.svd(pool - mean, full_matrices=False).Vh[:, :count]  # (layers, k, d)
    return [states - states @ top.mT @ top for states in centred]
