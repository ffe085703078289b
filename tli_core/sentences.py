"""What the numbers say, in plain sentences that always name the control."""

import numpy as np

from .alignment import LEAST_CHANGE, LayerAlignment, change, verdict
from .dry_run import DryRun
from .evaluation import Evaluation
from .pilot import Pilot

ALIKE = 0.05
"""Below this gap in cosine, right and wrong pairs look the same to a reader of the curve."""

SATURATED = 0.9
"""Where even wrong pairs score above this, a high cosine is an artefact."""

CHANGES = {
    "improved": "Right pairs moved away from wrong ones",
    "collapsed": "Collapsed: wrong pairs moved closer as much as right ones, so the rise in cosine says nothing",
    "worse": "Worse: right pairs are harder to tell from wrong ones than before",
    "no clear change": "No clear change between right and wrong pairs",
}


def best_layer(result: LayerAlignment) -> int:
    """The layer after the embeddings where the right words rank best in the reference pool (mean reciprocal rank)."""
    return int((1 / result.reference_rank[1:]).mean(axis=1).argmax()) + 1


def curve_sentence(result: LayerAlignment, label: str) -> str:
    """What one curve means: the best layer and the output against wrong pairs, and whether that tells them apart."""
    best, output = best_layer(result), len(result.names) - 1
    mismatched, band = result.control
    count = "This pair" if len(result.pairs) == 1 else f"These {len(result.pairs)} pairs"
    rank = int(np.median(result.reference_rank[best]))
    layers = f"{result.names[best]} (layer {best})" if best != output else "the output"
    text = (
        f"**{label}.** {count} can be told from wrong ones best at {layers}: "
        f"cosine {result.matched[best]:.2f} for yours, {mismatched[best]:.2f} for wrong ones "
        f"(nine in ten between {band[best, 0]:.2f} and {band[best, 1]:.2f}); "
        f"your English word is typically number {rank} among {result.reference_size} common words."
    )
    return f"{text} {_reading(result, best)}{_saturation(result)}"


def overlay_sentence(before: LayerAlignment, after: LayerAlignment, label: str) -> str:
    """What an adapter changed at the output for the pairs on the page, wrong pairs and ranks beside it."""
    output = len(before.names) - 1
    ranks = [int(np.median(result.reference_rank[output])) for result in (before, after)]
    said = change(before, after, output).verdict if before.own_band else _few_pairs_change(before, after, ranks)
    return (
        f"**{label}**, at the output: right pairs {before.matched[output]:.2f} → {after.matched[output]:.2f}, "
        f"wrong pairs {before.control[0][output]:.2f} → {after.control[0][output]:.2f}, "
        f"typical rank {ranks[0]} → {ranks[1]} of {before.reference_size}. {CHANGES[said]}."
    )


def _few_pairs_change(before: LayerAlignment, after: LayerAlignment, ranks: list[int]) -> str:
    """The verdict where wrong pairs and P@1 of the list's own would be too few: the reference pool stands in.

    A gap alone moves by chance on a handful of pairs, so an improvement must show in the rank as well.
    """
    output = len(before.names) - 1
    matched = after.matched[output] - before.matched[output]
    gap = matched - (after.control[0][output] - before.control[0][output])
    if gap >= LEAST_CHANGE and ranks[1] < ranks[0]:
        return "improved"
    if matched >= LEAST_CHANGE and gap <= 0:
        return "collapsed"
    return "worse" if gap <= -LEAST_CHANGE and ranks[1] > ranks[0] else "no clear change"


def _saturation(result: LayerAlignment) -> str:
    """A word on layers where any two words look alike; empty where there is none."""
    layers = [i for i, wrong in enumerate(result.control[0]) if wrong > SATURATED]
    if not layers:
        return ""
    span = f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]} to {layers[-1]}"
    return (
        f" At {span} even wrong pairs score {result.control[0][layers].max():.2f}: a high cosine there means nothing."
    )


def _reading(result: LayerAlignment, layer: int) -> str:
    mismatched, band = result.control
    matched = result.matched[layer]
    if matched - mismatched[layer] < ALIKE:
        return (
            f"Right and wrong pairs look alike here, so the cosine of {matched:.2f} says nothing about translation, "
            "however high it is."
        )
    if result.own_band:
        said = verdict(result, layer)
        if said == "aligned":
            return "Right pairs stand clear of wrong ones: the model does bring translations together."
        return "Right pairs are a little closer than wrong ones, but too little to find the translation by."
    if matched > band[layer, 1]:
        return "That is above the band of wrong pairs: the model does bring these translations together."
    return "That lies within the band of wrong pairs: close, but so are words that mean something else."


def change_sentence(evaluation: Evaluation) -> str:
    """What an adapter changed at one layer, with the controls beside it."""
    moved, index = evaluation.change, evaluation.layer
    before = evaluation.before.retrieval["sw_en"].p_at_1[index]
    after = evaluation.after.retrieval["sw_en"].p_at_1[index]
    return (
        f"{CHANGES[moved.verdict]} ({evaluation.before.names[index]}, {evaluation.name}: "
        f"matched {moved.matched:+.3f}, mismatched {moved.mismatched:+.3f}, P@1 {before:.2f} → {after:.2f} "
        f"of {evaluation.before.pool_size}, chance {evaluation.before.chance:.3f})."
    )


def pilot_sentence(pilot: Pilot) -> str:
    """What the published pilot picks, and what it does not show."""
    at, bos, words = pilot.layer, pilot.with_bos, pilot.words
    return (
        f"The pilot picks layer {at}: with BOS averaged in, right pairs score {bos.matched[at]:.4f} there. Wrong pairs "
        f"score {bos.mismatched[at]:.4f}, and BOS carries {bos.anchor_share[at]:.0%} of every vector, so the figure "
        f"says nothing about translation. With words only it is {words.matched[at]:.3f} for right and "
        f"{words.mismatched[at]:.3f} for wrong pairs; the two stand farthest apart at {words.names[pilot.best_gap]}."
    )


STALLED = 0.01
"""A first loss this near to its idle value says that right and wrong pairs look alike to it."""


def dry_run_sentence(tried: DryRun, loss: str) -> str:
    """Whether the run has anything to learn from, in words."""
    if loss == "triplet" and tried.active == 0:
        return "No triplet has a gradient: every right pair already beats every wrong one by the margin."
    if abs(tried.first_loss - tried.idle_loss) <= STALLED * max(1.0, tried.idle_loss):
        return (
            f"The loss starts where it would for a model that tells nothing apart ({tried.idle_loss:.3f}): to it, "
            "right and wrong pairs look alike, so there is almost no signal to learn from. Check the pooling: BOS "
            "drowns words."
        )
    return "The loss sees a difference between right and wrong pairs, so there is something to learn from."
