"""What measuring a list of pairs gives: one frozen result, arrays by layer, shapes checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_
from tli_core.lists.language_pair import LanguagePair, language_pair
from tli_core.lists.pairs import WordPair
from tli_core.measures.token_cost import TokenCost
from tli_core.models.provenance import Provenance
from tli_core.notices import Notice

DIRECTIONS = ("to_target", "to_source")
BAND = [5, 95]
"""The percentiles between which nine in ten wrong pairs lie."""

FEW_PAIRS = 20
"""Below this many pairs their own wrong partners are too few, and the reference pool's serve in their place."""

OWN_PAIRS, REFERENCE_POOL = N_("list"), N_("reference pool")


@dataclass(frozen=True)
class Retrieval:
    """Where each pair's right translation ranks, from 1, by cosine and by CSLS: (layers, n) each."""

    rank: np.ndarray
    csls_rank: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        """Whether a right translation comes first: (layers, n)."""
        return self.rank == 1

    @property
    def p_at_1(self) -> np.ndarray:
        """Share of words with a right translation first: (layers,)."""
        return self.hit.mean(axis=1)

    @property
    def mrr(self) -> np.ndarray:
        """Mean reciprocal rank: (layers,)."""
        return (1 / self.rank).mean(axis=1)


NEAREST = 5
"""How many nearest words of the other language are kept of every word."""


@dataclass(frozen=True)
class Neighbours:
    """The list's words of the other language that lie nearest to each pair's word, nearest first.

    pair (layers, n, k) is the number of a pair that has the word, and cosine (layers, n, k) how near it is.
    """

    pair: np.ndarray
    cosine: np.ndarray


@dataclass(frozen=True)
class LayerAlignment:
    """What one list of pairs gives at every layer of one model with one adapter; arrays are indexed by layer.

    matched, mismatched and gap are (layers,). `scores` holds the computed measures of `registry` by their keys:
    (layers,) or, where they have a value for each pair, (layers, n). wrong_quantiles (layers, 101) are the percentiles
    of the wrong pairs' cosines. cosine is (n, layers), and wrong_cosine (n, layers) the mean of each source word with
    its wrong target words; gap_of_pairs (n, layers) is each pair's part in the gap, which is their mean: its cosine
    less its part in the mean of the wrong pairs, of both its words. Wrong partners are the list's own, or of a list too
    short for that, the reference pool's: wrong_from says which, and every figure about wrong pairs is of those, but for
    MEXA and the P@1 of centred and
    standardised vectors, which are of the list.
    spelling_alone is the P@1 of a system that only sees letters, in both DIRECTIONS.
    groups (n,) numbers the pairs that share words, clusters (n,) those that also share a topic, look_alike (n,) marks
    those whose words look alike, and p_values are those of each of `rank_tests.CONTROLS`, (layers, 2) for the two
    DIRECTIONS, corrected for all layers; movable is how many pairs each of them can move.
    nearest are each word's NEAREST words of the other language, in both DIRECTIONS.
    reference_rank (layers, n) is where each right target word ranks among the reference pool's, of reference_size words
    with itself.
    pool_size are the candidates, and chance the P@1 that guessing earns, in both DIRECTIONS: they differ where pairs
    share words of one language.
    prefix_share and rogue_share (layers,) tell how much of the vectors' squared norm comes from BOS, and from each
    vector's three largest dimensions.
    """

    pairs: tuple[WordPair, ...]
    names: tuple[str, ...]
    matched: np.ndarray
    mismatched: np.ndarray
    wrong_quantiles: np.ndarray
    gap: np.ndarray
    scores: Mapping[str, np.ndarray]
    retrieval: dict[str, Retrieval]
    cosine: np.ndarray
    wrong_cosine: np.ndarray
    gap_of_pairs: np.ndarray
    groups: np.ndarray
    clusters: np.ndarray
    look_alike: np.ndarray
    movable: Mapping[str, int]
    p_values: Mapping[str, np.ndarray]
    prefix_share: np.ndarray
    rogue_share: np.ndarray
    wrong_from: str
    nearest: dict[str, Neighbours]
    reference_rank: np.ndarray
    pool_size: tuple[int, int]
    spelling_alone: tuple[float, float]
    chance: tuple[float, float]
    tokens: TokenCost
    reference_size: int
    provenance: Provenance
    warnings: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        layers = len(self.names)
        for field in ("matched", "mismatched", "gap", "prefix_share", "rogue_share"):
            if getattr(self, field).shape != (layers,):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({layers},).")
        for key, values in self.scores.items():
            if values.shape not in ((layers,), (layers, len(self.pairs))):
                raise ValueError(f"{key} is {values.shape}, expected ({layers},) or ({layers}, {len(self.pairs)}).")
        for way in DIRECTIONS:
            near = self.nearest[way]
            if near.pair.shape[:2] != (layers, len(self.pairs)) or near.pair.shape != near.cosine.shape:
                raise ValueError(f"{near.pair.shape} neighbours do not fit {layers} layers of {len(self.pairs)} pairs.")
            if self.retrieval[way].rank.shape != (layers, len(self.pairs)):
                raise ValueError(f"{self.retrieval[way].rank.shape} ranks do not fit {len(self.pairs)} pairs.")
        for key, values in self.p_values.items():
            if values.shape != (layers, 2):
                raise ValueError(f"The p values of {key} are {values.shape}, expected ({layers}, 2).")
        for field in ("cosine", "wrong_cosine", "gap_of_pairs"):
            if getattr(self, field).shape != (len(self.pairs), layers):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({len(self.pairs)}, {layers}).")

    @property
    def languages(self) -> LanguagePair:
        """What is known of the two languages."""
        return language_pair(self.provenance.languages)

    @property
    def mismatched_band(self) -> np.ndarray:
        """The 5th and 95th percentiles of the wrong pairs: (layers, 2)."""
        return self.wrong_quantiles[:, BAND]

    @property
    def independent(self) -> int:
        """How many groups of pairs there are that share no word with another: what tests and intervals count."""
        return len(np.unique(self.groups))

    @property
    def few(self) -> bool:
        """Whether the list is so short that whatever it says is a hint at most."""
        return len(self.pairs) < FEW_PAIRS
