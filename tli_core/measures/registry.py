"""Every measure that a layer has, one entry each: tables, JSON, CSV and the docs read this list.

To add one, write a function of a `LayerView` and an entry in MEASURES. Whatever shows measures then shows it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tli_core.encoding.pair_states import PairStates
from tli_core.i18n import N_
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.retrieval import auc, mexa


@dataclass(frozen=True)
class LayerView:
    """What a measure sees of one layer.

    own is (n, n), the cosines of the list's source words with its target words, right pairs on the diagonal; wrong
    (w,) those of all wrong pairs in ascending order. The vectors themselves are states.source[layer] and
    states.target[layer], and those of the reference pool are in `reference`.
    """

    own: np.ndarray
    wrong: np.ndarray
    states: PairStates
    reference: PairStates
    layer: int


@dataclass(frozen=True)
class Measure:
    """One measure: how it is called, computed or read, and shown.

    key names it in JSON and CSV, label in tables; help says what it is in one sentence. Of compute and read exactly one
    is there: compute gives its value at one layer, read takes it from a result. form is how a table writes a value.
    in_table, in_evaluation: whether the table of layers, and that of before and after, show it.
    both_ways: it is of one direction of retrieval, and read is given which.
    """

    key: str
    label: str
    help: str
    compute: Callable[[LayerView], float] | None = None
    read: Callable[..., np.ndarray] | None = None
    form: str = ".3f"
    higher_is_better: bool | None = True
    in_table: bool = True
    in_evaluation: bool = False
    both_ways: bool = False

    @property
    def ways(self) -> tuple[str | None, ...]:
        """The directions that it is of; None stands for both at once."""
        return DIRECTIONS if self.both_ways else (None,)

    def values(self, result: LayerAlignment, way: str | None = None) -> np.ndarray:
        """Its values at every layer of a result: (layers,), or (layers, 2) for an interval or a band."""
        if self.read is None:
            return result.scores[self.key]
        return self.read(result, way) if self.both_ways else self.read(result)


def _auc(view: LayerView) -> float:
    return auc(view.own.diagonal(), view.wrong)


def _mexa(view: LayerView) -> float:
    return mexa(view.own)


def _centred(view: LayerView) -> float:
    """Matched cosine after each language's mean over the reference pool is taken away."""
    states, reference, layer = view.states, view.reference, view.layer
    source = states.source[layer] - reference.source[layer].mean(dim=0)  # (a, d)
    target = states.target[layer] - reference.target[layer].mean(dim=0)  # (b, d)
    pairwise = torch.nn.functional.cosine_similarity(
        source[states.source_index], target[states.target_index], dim=-1
    )  # (n,)
    return float(pairwise.mean())


MEASURES = (
    Measure("matched", N_("matched"), N_("Mean cosine of right pairs."), read=lambda result: result.matched),
    Measure(
        "matched_ci95",
        N_("95 %"),
        N_("Bootstrap interval of the matched cosine."),
        read=lambda result: result.matched_ci95,
        higher_is_better=None,
    ),
    Measure(
        "mismatched",
        N_("mismatched"),
        N_("Mean cosine of wrong pairs, the control."),
        read=lambda result: result.mismatched,
        higher_is_better=False,
        in_evaluation=True,
    ),
    Measure(
        "mismatched_band",
        N_("band"),
        N_("The 5th and 95th percentiles of wrong pairs' cosines."),
        read=lambda result: result.mismatched_band,
        higher_is_better=None,
    ),
    Measure(
        "gap",
        N_("gap"),
        N_("Matched less mismatched."),
        read=lambda result: result.gap,
        form="+.3f",
        in_evaluation=True,
    ),
    Measure(
        "gap_ci95",
        N_("gap's 95 %"),
        N_("Bootstrap interval of the gap."),
        read=lambda result: result.gap_ci95,
        higher_is_better=None,
        in_table=False,
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
    ),
    Measure(
        "p_at_1",
        N_("P@1"),
        N_("Share of words whose nearest candidate is a right translation."),
        read=lambda result, way: result.retrieval[way].p_at_1,
        both_ways=True,
        in_evaluation=True,
    ),
    Measure(
        "p_at_5",
        N_("P@5"),
        N_("Share of words with a right translation among the five nearest candidates."),
        read=lambda result, way: result.retrieval[way].p_at_5,
        both_ways=True,
        in_table=False,
    ),
    Measure(
        "mrr",
        N_("MRR"),
        N_("Mean of 1 / rank of the best right translation."),
        read=lambda result, way: result.retrieval[way].mrr,
        both_ways=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "csls_p_at_1",
        N_("CSLS P@1"),
        N_("P@1 after hubs are corrected for (Conneau et al. 2018)."),
        read=lambda result, way: result.retrieval[way].csls_p_at_1,
        both_ways=True,
        in_table=False,
        in_evaluation=True,
    ),
    Measure(
        "mexa",
        N_("MEXA"),
        N_("Share of pairs whose own cosine beats every other in its row and column (Kargaran et al. 2024)."),
        compute=_mexa,
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
COMPUTED = {measure.key: measure.compute for measure in MEASURES if measure.compute is not None}
"""The functions of those that are worked out from a layer's cosines or vectors, in `alignment.align`."""
