"""Every measure that a layer has, one entry each: tables, JSON, CSV and the docs read this list.

To add one, write a function of a `LayerView` and an entry in MEASURES. Whatever shows measures then shows it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from tli_core.encoding.pair_states import PairStates
from tli_core.i18n import N_
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.retrieval import auc, beats_wrong, largest_hub
from tli_core.measures.significance import mean_interval, share_interval


@dataclass(frozen=True)
class LayerView:
    """What a measure sees of one layer.

    cosines is (a, b), of the list's distinct source words with its distinct target words, right (a, b) which of them
    translate each other, and own (n, n) the cosines of each pair's source word with every pair's target word, right
    pairs on the diagonal; is_wrong (n, n) marks its wrong pairs. wrong (w,) are the cosines of all wrong pairs in
    ascending order; alike, as_long and of_topic those of the wrong pairs that `wrong_pairs.matched_partners` picked.
    The vectors themselves are states.source[layer] and states.target[layer], and those of the reference pool are in
    `reference`.
    """

    cosines: np.ndarray
    right: np.ndarray
    own: np.ndarray
    is_wrong: np.ndarray
    wrong: np.ndarray
    alike: np.ndarray
    as_long: np.ndarray
    of_topic: np.ndarray
    states: PairStates
    reference: PairStates
    layer: int

    @cached_property
    def centred(self) -> np.ndarray:
        """Cosines (n, n) after each language's mean over the reference pool is taken away."""
        return _rescaled_cosines(self, standardise=False)


@dataclass(frozen=True)
class Measure:
    """One measure: how it is called, computed or read, and shown.

    key names it in JSON and CSV, label in tables; help says what it is in one sentence. Of compute and read exactly one
    is there: compute gives its value at one layer, or a value for each pair of which it is the mean; read takes it, or
    the values of all pairs (layers, n), from a result. share: the values lie between 0 and 1, as hits and misses do,
    for its interval.
    bounds: reads an interval, (layers, 2), that the values of pairs do not give; bounds_key ends its name in files.
    form is how a table writes a value.
    in_table, in_evaluation: whether the table of layers, and that of before and after, show it.
    both_ways: it is of one direction of retrieval, and read is given which.
    """

    key: str
    label: str
    help: str
    compute: Callable[[LayerView], float | np.ndarray] | None = None
    read: Callable[..., np.ndarray] | None = None
    share: bool = False
    bounds: Callable[[LayerAlignment], np.ndarray] | None = None
    bounds_key: str = "ci95"
    form: str = ".3f"
    higher_is_better: bool | None = True
    in_table: bool = True
    in_evaluation: bool = False
    both_ways: bool = False

    @property
    def ways(self) -> tuple[str | None, ...]:
        """The directions that it is of; None stands for both at once."""
        return DIRECTIONS if self.both_ways else (None,)

    def of_pairs(self, result: LayerAlignment, way: str | None = None) -> np.ndarray:
        """Its values of each pair, (layers, n), or of each layer alone, (layers,)."""
        if self.read is None:
            return result.scores[self.key]
        return self.read(result, way) if self.both_ways else self.read(result)

    def values(self, result: LayerAlignment, way: str | None = None) -> np.ndarray:
        """Its values at every layer of a result: (layers,)."""
        values = self.of_pairs(result, way)
        return values.mean(axis=1) if values.ndim == 2 else values

    def interval(self, result: LayerAlignment, way: str | None = None) -> np.ndarray | None:
        """Its 95 % interval, or its band, at every layer: (layers, 2); None where it has neither."""
        if self.bounds is not None:
            return self.bounds(result)
        values = self.of_pairs(result, way)
        if values.ndim == 1:
            return None
        return (share_interval if self.share else mean_interval)(values, result.clusters)


def _auc(view: LayerView) -> float:
    return auc(view.own.diagonal(), view.wrong)


def _alike(view: LayerView) -> float:
    return _mean(view.alike)


def _as_long(view: LayerView) -> float:
    return _mean(view.as_long)


def _of_topic(view: LayerView) -> float:
    return _mean(view.of_topic)


def _mean(cosines: np.ndarray) -> float:
    return float(cosines.mean()) if cosines.size else float("nan")


def _mexa(view: LayerView) -> np.ndarray:
    there, back = beats_wrong(view.own, view.is_wrong)
    return there & back


def _hub_share(view: LayerView) -> float:
    return largest_hub(view.cosines, view.right)[0]


def _centred(view: LayerView) -> float:
    """Matched cosine after each language's mean over the reference pool is taken away."""
    return float(view.centred.diagonal().mean())


def _p_at_1_centred(view: LayerView) -> np.ndarray:
    return _found(view.centred, view.is_wrong)


def _p_at_1_standardised(view: LayerView) -> np.ndarray:
    return _found(_rescaled_cosines(view, standardise=True), view.is_wrong)


def _rescaled_cosines(view: LayerView, standardise: bool) -> np.ndarray:
    """Cosines (n, n) of the pairs' words after each language's mean over the reference pool is taken away.

    Args:
        standardise: whether every dimension is also divided by its spread there (Timkey & van Schijndel 2021).
    """
    states, sides = view.states, []
    for own, (mean, spread) in zip((states.source, states.target), view.reference.spreads[view.layer], strict=True):
        rows = own[view.layer] - mean  # (a, d)
        spread = spread if standardise else torch.ones(rows.shape[1])
        sides.append(torch.nn.functional.normalize(rows / spread.clamp(min=1e-12), dim=-1))
    cosines = (sides[0] @ sides[1].T).numpy()  # (a, b)
    return cosines[states.source_index][:, states.target_index]


def _found(cosines: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Whether each pair's words find each other, by the mean of both directions: (n, n) -> (n,), 0, 0.5 or 1."""
    return np.mean(beats_wrong(cosines, wrong), axis=0)


def _gap_interval(result: LayerAlignment) -> np.ndarray:
    """The gap's 95 % interval, from each pair's part in it: (layers, 2)."""
    return mean_interval(result.gap_of_pairs.T, result.clusters)


def _beyond_spelling(result: LayerAlignment, way: str) -> np.ndarray:
    """P@1 over the pairs whose words do not look alike: (layers,)."""
    hit = result.retrieval[way].hit[:, ~result.look_alike]
    return hit.mean(axis=1) if hit.shape[1] else np.full(len(result.names), np.nan)


MEASURES = (
    Measure("matched", N_("matched"), N_("Mean cosine of right pairs."), read=lambda result: result.cosine.T),
    Measure(
        "mismatched",
        N_("mismatched"),
        N_("Mean cosine of wrong pairs, the control, and between which values nine in ten of them lie."),
        read=lambda result: result.mismatched,
        bounds=lambda result: result.mismatched_band,
        bounds_key="band",
        higher_is_better=False,
        in_evaluation=True,
    ),
    Measure(
        "look_alike_wrong",
        N_("wrong, look-alike"),
        N_("Mean cosine of each source word with the five wrong target words that look most like it."),
        compute=_alike,
        higher_is_better=False,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "as_long_wrong",
        N_("wrong, as long"),
        N_("Mean cosine of each source word with the five wrong target words most like its own in pieces and length."),
        compute=_as_long,
        higher_is_better=False,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "same_topic_wrong",
        N_("wrong, same topic"),
        N_("Mean cosine of the wrong pairs whose two words are of one topic, where the list names topics."),
        compute=_of_topic,
        higher_is_better=False,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "gap",
        N_("gap"),
        N_("Matched less mismatched."),
        read=lambda result: result.gap,
        bounds=_gap_interval,
        form="+.3f",
        in_evaluation=True,
    ),
    Measure(
        "auc",
        N_("AUC"),
        N_("Probability that a right pair scores above a wrong one, ties counted half."),
        compute=_auc,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "centred",
        N_("centred"),
        N_("Matched cosine after each language's mean over the reference pool is taken away."),
        compute=_centred,
        in_table=False,
    ),
    Measure(
        "p_at_1",
        N_("P@1"),
        N_("Share of words whose nearest candidate is a right translation."),
        read=lambda result, way: result.retrieval[way].hit,
        share=True,
        form=".2f",
        both_ways=True,
        in_evaluation=True,
    ),
    Measure(
        "p_at_1_beyond_spelling",
        N_("P@1 beyond spelling"),
        N_("P@1 of the pairs whose two words do not look alike."),
        read=_beyond_spelling,
        form=".2f",
        both_ways=True,
        in_evaluation=True,
    ),
    Measure(
        "p_at_5",
        N_("P@5"),
        N_("Share of words with a right translation among the five nearest candidates."),
        read=lambda result, way: result.retrieval[way].rank <= 5,
        share=True,
        both_ways=True,
        in_table=False,
    ),
    Measure(
        "mrr",
        N_("MRR"),
        N_("Mean of 1 / rank of the best right translation."),
        read=lambda result, way: 1 / result.retrieval[way].rank,
        share=True,
        both_ways=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "csls_p_at_1",
        N_("CSLS P@1"),
        N_("P@1 after hubs are corrected for (Conneau et al. 2018)."),
        read=lambda result, way: result.retrieval[way].csls_rank == 1,
        share=True,
        both_ways=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "p_at_1_centred",
        N_("P@1 centred"),
        N_("P@1 of both directions after each language's mean over the reference pool is taken away."),
        compute=_p_at_1_centred,
        share=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "p_at_1_standardised",
        N_("P@1 standardised"),
        N_("The same with every dimension divided by its spread, so that none outweighs the rest (arXiv 2109.04404)."),
        compute=_p_at_1_standardised,
        share=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "mexa",
        N_("MEXA"),
        N_("Share of pairs whose own cosine beats that of every wrong pair of its words (Kargaran et al. 2024)."),
        compute=_mexa,
        share=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "hub_share",
        N_("largest hub"),
        N_("Largest share of words, in either direction, to which one and the same wrong word is the nearest."),
        compute=_hub_share,
        higher_is_better=False,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "prefix_share",
        N_("BOS share"),
        N_("Share of a vector's squared length that the prefix token brings in."),
        read=lambda result: result.prefix_share,
        higher_is_better=False,
        in_table=False,
    ),
    Measure(
        "rogue_share",
        N_("three dimensions' share"),
        N_("Share of a vector's squared length in its three largest dimensions."),
        read=lambda result: result.rogue_share,
        higher_is_better=False,
        in_table=False,
    ),
)
MATCHED = MEASURES[0]
COMPUTED = {measure.key: measure.compute for measure in MEASURES if measure.compute is not None}
"""The functions of those that are worked out from a layer's cosines or vectors, in `alignment.align`."""
