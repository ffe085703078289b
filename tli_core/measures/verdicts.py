"""The criteria for the verdicts (aligned, improved, worse, collapsed). `reports.messages` puts them into sentences."""

from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_
from tli_core.measures.result import FEWEST, LayerAlignment
from tli_core.measures.significance import above_chance, interval_of_mean

LEAST_CHANGE = 0.01
"""A gap or change in cosine below this is too small to count, even if it is statistically significant."""


def verdict(result: LayerAlignment, layer: int) -> str:
    """`aligned`, `not discriminative` or `too few pairs` at a layer.

    Aligned: the gap's interval lies above 0, the gap is no smaller than LEAST_CHANGE, and P@1 beats chance. Words
    dominated by BOS can have a significant gap of 0.001 that means nothing: such a layer is not discriminative.
    Too few pairs: fewer than FEWEST, or even if every word were found, it might be chance.
    """
    n = len(result.pairs)
    if n < FEWEST or not above_chance(n, n, result.chance):
        return N_("too few pairs")
    hits = round(float(result.retrieval["to_target"].p_at_1[layer]) * n)
    clear = bool(result.gap_ci95[layer, 0] > 0 and result.gap[layer] >= LEAST_CHANGE)
    return N_("aligned") if clear and above_chance(hits, n, result.chance) else N_("not discriminative")


@dataclass(frozen=True)
class Change:
    """How one layer's measures moved from base to adapter on the same pairs, and the verdict on it."""

    layer: int
    matched: float
    mismatched: float
    gap: float
    gap_ci95: tuple[float, float]
    p_at_1: float
    verdict: str


def change(before: LayerAlignment, after: LayerAlignment, layer: int, seed: int = 0) -> Change:
    """Compare two measurements of the same pairs at a layer.

    `collapsed`: matched rose, and mismatched as much or more (the gap did not grow). `improved`: the gap grew beyond
    chance and by at least LEAST_CHANGE, and P@1 did not fall. `worse`: the gap or P@1 fell by as much. Else `no clear
    change`. Of a short list (`few`) the typical rank in the reference pool decides beside the gap; below FEWEST pairs
    it is `too few pairs`, and where vectors are none, `no numbers`.

    Raises:
        ValueError: the two were measured on different pairs.
    """
    if before.pairs != after.pairs:
        raise ValueError("Before and after must be measured on the same pairs.")
    matched = float(after.matched[layer] - before.matched[layer])
    mismatched = float(after.mismatched[layer] - before.mismatched[layer])
    per_pair = (after.cosine - after.wrong_cosine)[:, layer] - (before.cosine - before.wrong_cosine)[:, layer]  # (n,)
    gap_low, gap_high = map(float, interval_of_mean(per_pair[None], seed, FEWEST)[0])
    p_at_1 = float(after.retrieval["to_target"].p_at_1[layer] - before.retrieval["to_target"].p_at_1[layer])
    gap = matched - mismatched
    # On a handful of pairs a gap moves by chance and their own P@1 is coarse: the rank in the pool must move as well.
    ranks = [float(np.median(result.reference_rank[layer])) for result in (before, after)]
    found_better = ranks[1] < ranks[0] if before.few else gap_low > 0 and p_at_1 >= 0
    found_worse = gap <= -LEAST_CHANGE and (ranks[1] > ranks[0] if before.few else gap_high < 0)
    if not np.isfinite([matched, mismatched]).all():
        said = N_("no numbers")
    elif len(per_pair) < FEWEST:
        said = N_("too few pairs")
    elif matched >= LEAST_CHANGE and mismatched > 0 and gap <= 0:
        said = N_("collapsed")
    elif gap >= LEAST_CHANGE and found_better:
        said = N_("improved")
    elif found_worse or (not before.few and gap <= 0 and p_at_1 <= -LEAST_CHANGE):
        said = N_("worse")
    else:
        said = N_("no clear change")
    return Change(layer, matched, mismatched, gap, (gap_low, gap_high), p_at_1, said)
