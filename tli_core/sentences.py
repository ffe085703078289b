"""What the numbers say, in plain sentences that always name the control."""

import re
from collections.abc import Sequence

import numpy as np

from .alignment import LEAST_CHANGE, LayerAlignment, change, verdict
from .dry_run import DryRun
from .evaluation import Evaluation
from .outputs import OutputCheck
from .pilot import Pilot
from .space import Neighbourhood, Projection

ALIKE = 0.05
"""Below this gap in cosine, right and wrong pairs look the same to a reader of the curve."""

SATURATED = 0.9
"""Where even wrong pairs score above this, a high cosine is an artefact."""

TRANSLATED = 0.02
"""A share of right translations that moves by less has hardly changed."""

HARM = 1.1
"""Perplexity that grows by this factor is harm."""

CHANGES = {
    "improved": "Right pairs moved away from wrong ones",
    "collapsed": "Collapsed: wrong pairs came closer as much as right ones or more, so the rise says nothing",
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
    one = len(result.pairs) == 1
    count, typical = ("This pair ranks", "") if one else (f"These {len(result.pairs)} pairs rank", "typically ")
    rank = int(np.median(result.reference_rank[best]))
    layers = f"{result.names[best]} (layer {best})" if best != output else _last_layer(result)
    text = (
        f"**{label}.** {count} best at {layers}, where your English word is {typical}number {rank} among "
        f"{result.reference_size} common words: cosine {result.matched[best]:.2f} for yours, "
        f"{mismatched[best]:.2f} for wrong ones (nine in ten between {band[best, 0]:.2f} and {band[best, 1]:.2f})."
    )
    return f"{text} {_reading(result, best)}{_saturation(result)}"


def overlay_sentence(before: LayerAlignment, after: LayerAlignment, label: str) -> str:
    """What an adapter changed at the output for the pairs on the page, wrong pairs and ranks beside it."""
    output = len(before.names) - 1
    ranks = [int(np.median(result.reference_rank[output])) for result in (before, after)]
    said = change(before, after, output).verdict if before.own_band else _few_pairs_change(before, after, ranks)
    return (
        f"**{label}**, at {_last_layer(before)}: right pairs {before.matched[output]:.2f} → "
        f"{after.matched[output]:.2f}, wrong pairs {before.control[0][output]:.2f} → {after.control[0][output]:.2f}, "
        f"typical rank {ranks[0]} → {ranks[1]} of {before.reference_size}. {CHANGES[said]}."
    )


def _last_layer(result: LayerAlignment) -> str:
    """The last layer in words: the output, unless only a model's first blocks are loaded."""
    return "the output" if result.names[-1] == "output" else result.names[-1]


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
        f"score {bos.mismatched[at]:.4f}, and BOS carries {100 * bos.anchor_share[at]:.0f} % of every vector, so the "
        f"figure says nothing about translation. With words only it is {words.matched[at]:.3f} for right and "
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
    where = "below" if tried.apart < 0 else "above"
    return (
        f"There is something to learn: on average the right pair lies {abs(tried.apart):.3f} {where} its hardest wrong "
        "one, and the loss tells the two apart."
    )


def outputs_sentence(before: OutputCheck, after: OutputCheck) -> str:
    """Whether what the model writes got better or worse, in words, each direction and language by itself."""

    def moved(change: float) -> str:
        return "got worse" if change <= -TRANSLATED else "got better" if change >= TRANSLATED else "hardly changed"

    ways = [
        (name, getattr(before.greedy, way), getattr(after.greedy, way))
        for way, name in (("sw_en", "English"), ("en_sw", "Swahili"))
    ]
    translations = "; ".join(
        f"translations to {name} {moved(now - was)} ({was:.2f} → {now:.2f} right)" for name, was, now in ways
    )
    reads = [
        (name, getattr(before.health, name.lower()), getattr(after.health, name.lower()))
        for name in ("Swahili", "English")
    ]
    harm = (
        "plain sentences surprise it more than before"
        if any(now >= HARM * was for _, was, now in reads)
        else ("its plain sentences are unharmed")
    )
    figures = ", ".join(f"{name} {was:,.0f} → {now:,.0f}" for name, was, now in reads)
    text = f"{translations}; {harm} (perplexity {figures})."
    return text[0].upper() + text[1:]


def projection_sentence(projection: Projection, labels: Sequence[str]) -> str:
    """What the full space says, beside a picture that cannot."""
    shares = ", ".join(
        f"{100 * share:.0f} % under {label}" for share, label in zip(projection.partners_nearest, labels, strict=True)
    )
    return (
        f"At {projection.layer_name}, of {len(projection.pairs)} Swahili words these have their own partner as the "
        f"nearest English word of the list: {shares} (chance {100 / len(projection.pairs):.1f} %). That is "
        f"counted in the full space. A {projection.method} picture keeps only a shadow of it: short lines may be an "
        "accident."
    )


def neighbours_sentence(word: str, label: str, nearby: Neighbourhood) -> str:
    """Where the right translation of a word stands under one model."""
    if nearby.right_rank is None:
        return f"**{label}**: the lexicon does not know *{plain_text(word)}*, so no neighbour is marked as right."
    return f"**{label}**: the right word is number {nearby.right_rank} of {nearby.candidates} for *{plain_text(word)}*."


def plain_text(text: str) -> str:
    """A visitor's own text as Markdown in which no mark means anything: no tag, link or image comes of it."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
