"""The criteria for the verdicts, on ranks; cosines only describe. `reports.messages` puts them into sentences.

Each verdict names the test that carries it: `rank_tests` for one measurement, `changed_ranks` for two.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_
from tli_core.measures.rank_tests import ALL, CONTROLS, LENGTH, PIECES, SPELLING, TOGETHER, TOPIC
from tli_core.measures.result import DIRECTIONS, FEW_PAIRS, LayerAlignment, Retrieval
from tli_core.measures.significance import (
    FEWEST,
    change_interval,
    flipped_p_values,
    mean_interval,
    pairs_needed,
    two_list_p_value,
)

LEVEL = 0.025
"""Of what is not so, this share is called so at most: half the usual, as a verdict stands on two tests or three."""

LEAST_FOUND = 0.2
"""P@1 above chance by less than this finds too few words to speak of alignment: topics of ten words give a tenth."""

FEWEST_TO_MOVE = 10
"""Words of one length, of as many pieces, or of one topic, that must be there for a permutation of them to tell."""

LEAST_CHANGE = 0.02
"""A change of the mean reciprocal rank by less than this does not matter."""

SEEN_CHANGE = 2 * LEAST_CHANGE
"""What a list should be long enough for. A change of LEAST_CHANGE itself is reached by half of all lists, however long
they are."""

GEOMETRY = 0.01
"""A change of the mean cosine by less than this is none."""


def verdict(result: LayerAlignment, layer: int) -> str:
    """What a layer does with the pairs of a measurement.

    A direction is found where the right words rank better than under the permutations of `rank_tests`, at LEVEL for
    all layers and both directions together, and well found where P@1 of the words that do not look alike also beats
    what guessing earns in that direction by LEAST_FOUND.

    `aligned`: both directions are well found. `one way`: one is. `weak`: something is found, but nothing well.
    `above chance`: something is found, in a list of fewer than FEW_PAIRS groups, or with fewer than FEWEST_TO_MOVE
    target words that have another of their length or topic: too short for more to be said.
    `spelling`: nothing is found but what words that look alike explain. `length`: nor but what the target words'
    length, or their number of pieces, explains. `topic`: nor but what the topics of the pairs explain, where the list
    names them; `confounded`: nor but what these explain together, where enough words are alike in all of them.
    `not discriminative`: nothing is found. `too few pairs`: fewer than
    FEWEST that share no word, or, where not most look alike, that do not look alike. `no numbers`: vectors are
    not finite.
    """
    if not np.isfinite(result.cosine[:, layer]).all():
        return N_("no numbers")
    if result.independent < FEWEST:
        return N_("too few pairs")
    below = {name: values[layer] <= LEVEL for name, values in result.p_values.items()}  # (2,) each
    if not below[ALL].any():
        return N_("not discriminative")
    if not (below[ALL] & below[SPELLING]).any():
        unlike = len(np.unique(result.groups[~result.look_alike]))
        mostly_alike = result.look_alike.mean() >= 0.5
        return N_("spelling") if mostly_alike or unlike >= FEWEST else N_("too few pairs")
    movable = min(result.movable[name] for name in (LENGTH, PIECES, TOPIC))
    if result.independent < FEW_PAIRS or movable < FEWEST_TO_MOVE:
        return N_("above chance")
    found = below[ALL] & below[SPELLING] & below[LENGTH] & below[PIECES]
    if not found.any():
        return N_("length")
    found &= below[TOPIC]
    if not found.any():
        return N_("topic")
    if result.movable[TOGETHER] >= FEWEST_TO_MOVE:
        found &= below[TOGETHER]
    if not found.any():
        return N_("confounded")
    plain = ~result.look_alike
    share = np.array([result.retrieval[way].hit[layer, plain].mean() for way in DIRECTIONS])
    well = found & (share - np.array(result.chance) >= LEAST_FOUND)
    return N_("aligned") if well.all() else N_("one way") if well.any() else N_("weak")


def tests_behind(result: LayerAlignment, said: str) -> tuple[str, ...]:
    """Which of `rank_tests.CONTROLS` carry a verdict: those that it passed, or the one that it did not.

    The largest of their p values is that of the verdict, as all of them must be passed.
    """
    behind = {"not discriminative": (ALL,), "spelling": (SPELLING,), "above chance": (ALL, SPELLING),
              "length": (LENGTH, PIECES), "topic": (TOPIC,), "confounded": (TOGETHER,)}  # fmt: skip
    if said in behind:
        return behind[said]
    return tuple(name for name in CONTROLS if name != TOGETHER or result.movable[TOGETHER] >= FEWEST_TO_MOVE)


@dataclass(frozen=True)
class RankChange:
    """How ranks moved in one direction: after less before of the mean reciprocal rank and of P@1.

    p is of the sign-flip test of the reciprocal ranks, corrected for both directions (and for all layers where the
    layer was picked by them); p_beyond_spelling of the same test on the pairs that do not look alike. p_look_alikes is
    of a t-test that those that look alike moved otherwise than the rest, corrected likewise; nan where either are few.
    """

    mrr: float
    mrr_ci95: tuple[float, float]
    p: float
    p_at_1: float
    p_at_1_ci95: tuple[float, float]
    mrr_beyond_spelling: float
    p_beyond_spelling: float
    p_look_alikes: float


@dataclass(frozen=True)
class Change:
    """How one layer's measures moved from base to adapter on the same pairs, and the verdict on it.

    needed is how many pairs like these show a change of SEEN_CHANGE four times in five, beyond spelling, too; nan where
    too few of these moved to tell.
    """

    layer: int
    matched: float
    mismatched: float
    gap: float
    gap_ci95: tuple[float, float]
    ranks: Mapping[str, RankChange]
    needed: float
    verdict: str


def change(
    before: LayerAlignment, after: LayerAlignment, layer: int, seed: int = 0, picked: bool = False, comparisons: int = 1
) -> Change:
    """Compare two measurements of the same pairs at a layer, by the ranks of their right words.

    A direction is better, or worse, where the sign-flip test says so at LEVEL for both directions together, its mean
    reciprocal rank moved by LEAST_CHANGE, and right words are found above chance after, or before, by `rank_tests`.

    `improved`: both directions are better. `improved one way`: one is, and the other not worse. `spelling`: better,
    but not surely so without the pairs that look alike, which gained surely more than the others. `worse`: one
    direction is worse and none better; `collapsed`: so, while cosines of right and wrong pairs rose. `mixed`: one is
    better and one worse. `no clear change`: none of these; the cosines may have moved all the same. `too few pairs`:
    so few that no change at all could be told from chance.

    Args:
        picked: whether the layer was picked on these pairs.
        comparisons: how many such comparisons stand side by side; p values are multiplied by it (Bonferroni).

    Raises:
        ValueError: the two were measured on different pairs.
    """
    if before.pairs != after.pairs:
        raise ValueError("Before and after must be measured on the same pairs.")
    matched = float(after.matched[layer] - before.matched[layer])
    mismatched = float(after.mismatched[layer] - before.mismatched[layer])
    per_pair = (after.gap_of_pairs - before.gap_of_pairs)[:, layer]  # (n,)
    ranks, needed = _rank_changes(before, after, layer, seed, picked, comparisons)
    said = _said(before, after, layer, ranks, matched, mismatched, comparisons)
    low, high = mean_interval(per_pair[None], before.clusters)[0]
    return Change(layer, matched, mismatched, matched - mismatched, (float(low), float(high)), ranks, needed, said)


def beyond_map(
    linear: Mapping[str, Retrieval], after: LayerAlignment, layer: int, seed: int = 0, picked: bool = False
) -> dict[str, tuple[float, float]]:
    """What an adapter finds more than a linear map on the base: change of the mean reciprocal rank, and its p.

    The test is that of `change`, on the map's ranks and the adapter's.

    Args:
        linear: the map's ranks by direction, (1, n) each.
        picked: whether the layer was picked on these pairs; p values are then multiplied by the number of layers, as
            the map is known of this one alone.
    """
    moved = np.stack([1 / after.retrieval[way].rank[layer] - 1 / linear[way].rank[0] for way in DIRECTIONS])  # (2, n)
    p = np.minimum(1, flipped_p_values(moved, after.clusters, seed) * (len(after.names) if picked else 1))
    return {way: (float(moved[i].mean()), float(p[i])) for i, way in enumerate(DIRECTIONS)}


def _said(
    before: LayerAlignment,
    after: LayerAlignment,
    layer: int,
    ranks: Mapping[str, RankChange],
    matched: float,
    mismatched: float,
    comparisons: int,
) -> str:
    if not (np.isfinite(before.cosine[:, layer]).all() and np.isfinite(after.cosine[:, layer]).all()):
        return N_("no numbers")
    # With so few, even if all moved the same way, signs fall so by chance too often.
    if comparisons * 2.0 ** (1 - len(np.unique(before.clusters))) > LEVEL:
        return N_("too few pairs")
    # Ties rank last, so that vectors that are all alike "rank" worse than noise: what is no better than chance is not
    # found better, and what was no better than chance is not found worse.
    was, now = (result.p_values[ALL][layer] <= LEVEL for result in (before, after))  # (2,) each
    return ranks_verdict(ranks, was, now, matched, mismatched)


def ranks_verdict(
    ranks: Mapping[str, RankChange], was: np.ndarray, now: np.ndarray, matched: float, mismatched: float
) -> str:
    """The verdict of `change` on how ranks moved, where there are numbers and pairs enough.

    Args:
        was, now: (2,), in which direction right words are found above chance, before and after.
        matched, mismatched: how far the cosines of right and wrong pairs moved.
    """
    moved = list(ranks.values())
    better = [r.p <= LEVEL and r.mrr >= LEAST_CHANGE and bool(found) for r, found in zip(moved, now, strict=True)]
    worse = [r.p <= LEVEL and r.mrr <= -LEAST_CHANGE and bool(found) for r, found in zip(moved, was, strict=True)]
    if any(better) and any(worse):
        return N_("mixed")
    if any(worse):
        return N_("collapsed") if matched >= GEOMETRY and mismatched >= GEOMETRY else N_("worse")
    if not any(better):
        return N_("no clear change")
    beyond = [r.p_beyond_spelling <= LEVEL and r.mrr_beyond_spelling >= LEAST_CHANGE for r in ranks.values()]
    if not any(up and also for up, also in zip(better, beyond, strict=True)):
        # What is not sure of the others is not surely absent there: only if look-alikes gained more is it spelling.
        less = [r.mrr_beyond_spelling < r.mrr and r.p_look_alikes <= LEVEL
                for up, r in zip(better, moved, strict=True) if up]  # fmt: skip
        return N_("spelling") if any(less) else N_("no clear change")
    return N_("improved") if all(better) else N_("improved one way")


def _rank_changes(
    before: LayerAlignment, after: LayerAlignment, layer: int, seed: int, picked: bool, comparisons: int
) -> tuple[dict[str, RankChange], float]:
    """How ranks moved in each direction, and how many pairs a change of SEEN_CHANGE would need."""
    was, now = (np.stack([reciprocal_ranks_of(result, way) for way in DIRECTIONS]) for result in (before, after))
    moved = now - was  # (2, layers, n)
    hits = np.stack(
        [after.retrieval[way].hit.astype(float) - before.retrieval[way].hit for way in DIRECTIONS]
    )  # (2, layers, n)
    plain = ~before.look_alike
    layers = slice(None) if picked else slice(layer, layer + 1)
    at = layer if picked else 0
    tested = moved[:, layers].reshape(-1, len(before.pairs))  # (2 · layers, n)
    p = flipped_p_values(tested, before.clusters, seed).reshape(2, -1)[:, at]
    p_plain = flipped_p_values(tested[:, plain], before.clusters[plain], seed).reshape(2, -1)[:, at]
    p, p_plain = (np.minimum(1, comparisons * of) for of in (p, p_plain))
    p_alike = look_alikes_apart(moved[:, layer], before) * comparisons * len(tested)
    intervals = [change_interval(of[:, layer], before.clusters) for of in (moved, hits)]
    found = {
        way: RankChange(
            float(moved[i, layer].mean()),
            (float(intervals[0][i, 0]), float(intervals[0][i, 1])),
            float(p[i]),
            float(hits[i, layer].mean()),
            (float(intervals[1][i, 0]), float(intervals[1][i, 1])),
            float(moved[i, layer, plain].mean()) if plain.any() else float("nan"),
            float(p_plain[i]),
            float(np.minimum(1, p_alike[i])),
        )
        for i, way in enumerate(DIRECTIONS)
    }
    # p values are corrected for as many tests as there are, as if these were independent.
    level = LEVEL / comparisons / len(tested)
    of_all = pairs_needed(moved[:, layer], before.clusters, SEEN_CHANGE, level)
    if not plain.any():
        return found, of_all
    of_plain = pairs_needed(moved[:, layer, plain], before.clusters[plain], SEEN_CHANGE, level) / plain.mean()
    return found, float(np.ceil(max(of_all, of_plain))) if np.isfinite([of_all, of_plain]).all() else float("nan")


def look_alikes_apart(moved: np.ndarray, pairs: LayerAlignment) -> np.ndarray:
    """p values that the pairs that look alike moved otherwise than the rest, (k, n) -> (k,), by Welch's t-test."""
    alike, groups = pairs.look_alike, pairs.clusters
    if len(np.unique(groups[alike])) < FEWEST or len(np.unique(groups[~alike])) < FEWEST:
        return np.full(len(moved), np.nan)
    return np.array([two_list_p_value(of[alike], groups[alike], of[~alike], groups[~alike]) for of in moved])


def reciprocal_ranks_of(result: LayerAlignment, way: str) -> np.ndarray:
    """1 / rank of each pair's right word among the list's own words, as MRR has it: (layers, n)."""
    return 1 / result.retrieval[way].rank
