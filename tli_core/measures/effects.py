"""For which words an adapter's effect holds: those it was trained on and others, those the base knows and others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.significance import change_interval, flipped_p_values, two_list_p_value
from tli_core.measures.verdicts import LEVEL, Change, reciprocal_ranks_of
from tli_core.notices import Notice, notice


@dataclass(frozen=True)
class PartEffect:
    """What an adapter changed for a part of a list in one direction: the mean reciprocal rank, before and after.

    known: whether this part is the words that the base itself translates rightly in this direction, or the others; n
    counts them. p is of a sign-flip test, corrected for both parts and both directions.
    """

    way: str
    known: bool
    n: int
    before: float
    after: float
    ci95: tuple[float, float]
    p: float


def effects_by_knowledge(
    before: LayerAlignment, after: LayerAlignment, layer: int, right: Mapping[str, np.ndarray], seed: int = 0
) -> tuple[PartEffect, ...]:
    """What changed at a layer for words that the base translates and for those that it does not, in each direction.

    A part without words is left out. Words that the base finds by luck both translate and rank well, so as far as the
    two share their luck, known words fall and others rise by the choice alone.

    Args:
        right: for each direction whether the base's own greedy translation of a pair's word is right, (n,).
    """
    parts = [(way, known, right[way] == known) for way in DIRECTIONS for known in (True, False)]
    parts = [(way, known, chosen) for way, known, chosen in parts if chosen.any()]
    ranks = {way: [reciprocal_ranks_of(result, way)[layer] for result in (before, after)] for way in DIRECTIONS}
    moved = {way: now - was for way, (was, now) in ranks.items()}  # (n,) each
    # Words of the other part count as not moved, so that all parts see the same signs.
    p_values = flipped_p_values(np.stack([np.where(of, moved[way], 0) for way, _, of in parts]), before.clusters, seed)
    found = []
    for (way, known, of), p in zip(parts, p_values, strict=True):
        low, high = change_interval(moved[way][None, of], before.clusters[of])[0]
        was, now = (float(values[of].mean()) for values in ranks[way])
        found.append(PartEffect(way, known, int(of.sum()), was, now, (float(low), float(high)), float(p)))
    return tuple(found)


def memorised(
    trained: tuple[LayerAlignment, LayerAlignment, Change], held_out: tuple[LayerAlignment, LayerAlignment, Change]
) -> Notice | None:
    """A notice where an adapter finds the words that it was trained on better than before, and held-out words not.

    The two lists' own ranks cannot be compared, as one list is longer. So 1 / rank in the reference pool is compared,
    to target: the trained words must have gained more, and be found better now, by Welch's t-test. Held-out words that
    were found before had nothing to gain.

    Args:
        trained, held_out: a list measured before and after, and the verdict on its change.
    """
    (_, _, on_trained), (other, _, on_held_out) = trained, held_out
    gained = ("improved", "improved one way")
    if on_trained.verdict not in gained or on_held_out.verdict in gained or other.few:
        return None
    was = [1 / before.reference_rank[change.layer] for before, _, change in (trained, held_out)]  # (n,) and (m,)
    now = [1 / after.reference_rank[change.layer] for _, after, change in (trained, held_out)]
    moved = [after - before for before, after in zip(was, now, strict=True)]
    p = max(_more(moved, trained[0], other), _more(now, trained[0], other))
    if not p <= LEVEL:
        return None
    return notice("memorised", trained=float(moved[0].mean()), held_out=float(moved[1].mean()), p=p)


def _more(values: list[np.ndarray], first: LayerAlignment, second: LayerAlignment) -> float:
    """The p value that the first list's mean is the higher one; 1 where it is not."""
    p = two_list_p_value(values[0], first.clusters, values[1], second.clusters)
    return p if values[0].mean() > values[1].mean() else 1.0
