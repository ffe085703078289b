"""What the numbers say, in plain sentences that always name the control."""

import numpy as np

from .alignment import LayerAlignment, verdict
from .evaluation import Evaluation

ALIKE = 0.05
"""Below this gap in cosine, right and wrong pairs look the same to a reader of the curve."""


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
        f"**{label}.** {count} come closest at {layers}: cosine {result.matched[best]:.2f} for right pairs, "
        f"{mismatched[best]:.2f} for wrong ones (nine in ten between {band[best, 0]:.2f} and {band[best, 1]:.2f}); "
        f"the right English word is typically number {rank} of {result.reference_size} common words."
    )
    if len(result.pairs) == 1:
        text = text.replace("come closest", "comes closest")
    return f"{text} {_reading(result, best)}"


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
    words = {
        "improved": "Right pairs moved away from wrong ones",
        "collapsed": "Collapsed: wrong pairs moved closer as much as right ones, so the rise in cosine says nothing",
        "worse": "Worse: right pairs are harder to tell from wrong ones than before",
        "no clear change": "No clear change between right and wrong pairs",
    }
    return (
        f"{words[moved.verdict]} ({evaluation.before.names[index]}, {evaluation.name}: "
        f"matched {moved.matched:+.3f}, mismatched {moved.mismatched:+.3f}, P@1 {before:.2f} → {after:.2f} "
        f"of {evaluation.before.pool_size}, chance {evaluation.before.chance:.3f})."
    )
