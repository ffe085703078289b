"""What measuring a list of pairs gives: one frozen result, arrays by layer, shapes checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_
from tli_core.lists.pairs import WordPair
from tli_core.models.provenance import Provenance
from tli_core.notices import Notice

DIRECTIONS = ("to_target", "to_source")
BAND = [5, 95]
"""The percentiles between which nine in ten wrong pairs lie."""

FEW_PAIRS = 20
"""Below this many pairs their own wrong partners are too few, and the reference pool's serve in their place."""

FEWEST = 5
"""Below this many pairs nothing is judged, and no interval is drawn: a bootstrap of two knows two values."""

OWN_PAIRS, REFERENCE_POOL = N_("list"), N_("reference pool")


@dataclass(frozen=True)
class Retrieval:
    """Ranks of a right translation, per layer: each array is (layers,), and rank is (layers, n), counted from 1."""

    rank: np.ndarray
    p_at_1: np.ndarray
    p_at_5: np.ndarray
    mrr: np.ndarray
    csls_p_at_1: np.ndarray


@dataclass(frozen=True)
class LayerAlignment:
    """What one list of pairs gives at every layer of one model with one adapter; arrays are indexed by layer.

    matched, mismatched and gap are (layers,), as is every array of `scores`, which holds the computed measures of
    `registry` by their keys; intervals and bands are (layers, 2);
    wrong_quantiles (layers, 101) the percentiles of the wrong pairs' cosines. cosine is
    (n, layers), and wrong_cosine (n, layers) the mean of each Swahili word with its wrong English partners.
    Wrong partners are the list's own, or of a list too short for that, the reference pool's: wrong_from says which, and
    every figure about wrong pairs is of those. Intervals are nan below FEWEST pairs.
    prefix_share and rogue_share (layers,) tell how much of the vectors' squared norm comes from BOS, and from each
    vector's three largest dimensions.
    """

    pairs: tuple[WordPair, ...]
    names: tuple[str, ...]
    matched: np.ndarray
    matched_ci95: np.ndarray
    mismatched: np.ndarray
    wrong_quantiles: np.ndarray
    gap: np.ndarray
    gap_ci95: np.ndarray
    scores: Mapping[str, np.ndarray]
    retrieval: dict[str, Retrieval]
    cosine: np.ndarray
    wrong_cosine: np.ndarray
    prefix_share: np.ndarray
    rogue_share: np.ndarray
    wrong_from: str
    reference_rank: np.ndarray
    pool_size: int
    chance: float
    reference_size: int
    provenance: Provenance
    warnings: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        layers = len(self.names)
        for field in ("matched", "mismatched", "gap", "prefix_share", "rogue_share"):
            if getattr(self, field).shape != (layers,):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({layers},).")
        for key, values in self.scores.items():
            if values.shape != (layers,):
                raise ValueError(f"{key} is {values.shape}, expected ({layers},).")
        for field in ("matched_ci95", "gap_ci95"):
            if getattr(self, field).shape != (layers, 2):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({layers}, 2).")
        for field in ("cosine", "wrong_cosine"):
            if getattr(self, field).shape != (len(self.pairs), layers):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({len(self.pairs)}, {layers}).")

    @property
    def mismatched_band(self) -> np.ndarray:
        """The 5th and 95th percentiles of the wrong pairs: (layers, 2)."""
        return self.wrong_quantiles[:, BAND]

    @property
    def few(self) -> bool:
        """Whether the list is so short that whatever it says is a hint at most."""
        return len(self.pairs) < FEW_PAIRS
