"""What the numbers say, in plain sentences that always name the control."""

import re
from collections.abc import Sequence

import numpy as np

from tli_core.i18n import N_, translate, translate_plural
from tli_core.measures.before_after import Evaluation
from tli_core.measures.projection import Neighbourhood, Projection
from tli_core.measures.rank_tests import ALL, SPELLING, TOGETHER, TOPIC
from tli_core.measures.result import LayerAlignment
from tli_core.measures.significance import FEWEST
from tli_core.measures.verdicts import (
    GEOMETRY,
    LEAST_CHANGE,
    LEVEL,
    SEEN_CHANGE,
    Change,
    change,
    tests_behind,
    verdict,
)
from tli_core.models.layers import layer_words
from tli_core.reports.tables import either

SATURATED = 0.9
"""Where even wrong pairs score above this, a high cosine is an artefact."""

NO_TYPICAL = 4
"""Up to so many pairs have no typical rank: each one's own is said."""

CHANGES = {
    "improved": N_("Improved: right words rank better than before, in both directions"),
    N_("improved one way"): N_(
        "Improved one way: right words rank better than before in one direction, and no worse in the other"
    ),
    "collapsed": N_(
        "Collapsed: in one direction or both right words are harder to find than before, while cosines of right and "
        "wrong pairs rose on average"
    ),
    "worse": N_("Worse: in one direction or both right words are harder to find than before"),
    N_("mixed"): N_("Mixed: right words rank better than before in one direction and worse in the other"),
    "spelling": N_("No better beyond spelling: only words that look alike rank better than before"),
    N_("too few pairs"): N_("Too few pairs to tell a change from chance"),
    N_("no numbers"): N_("Nothing can be told, as vectors are no numbers here"),
    N_("no clear change"): N_(
        "No clear change in where right words rank: for one the mean reciprocal rank must move by 0.02 with p of at "
        "most 0.025, and a gain must hold without the words that look alike"
    ),
}

VERDICTS = {
    N_("aligned"): N_(
        "Right words are found in both directions, by more than chance, spelling and length give, or topic where the "
        "list names topics: the model does bring their words together."
    ),
    N_("one way"): N_("Right words are found well enough in one direction only."),
    N_("above chance"): N_(
        "Right words are found more often than by chance or spelling; a longer list would tell whether that is more "
        "than the length or the topic of the words gives, and both ways."
    ),
    N_("weak"): N_("Right words rank higher than by chance, but too few come first to find the translation by."),
    N_("spelling"): N_("What is found are words that look alike; the others are found no more than by chance."),
    N_("length"): N_(
        "Beyond words that look alike, what is found is not surely more than the length of the words gives, or the "
        "number of their pieces."
    ),
    N_("topic"): N_(
        "Beyond words that look alike, what is found is not surely more than the topics of the words give."
    ),
    N_("confounded"): N_(
        "Beyond words that look alike, what is found is not surely more than length and number of pieces of the words "
        "give together, or with their topics where the list names them."
    ),
    N_("not discriminative"): N_("Right words are found no more than by chance, whatever their cosine."),
    N_("too few pairs"): N_("These are too few pairs to tell from chance."),
    N_("no numbers"): N_("Nothing can be told, as vectors are no numbers here."),
}


AMONG = {
    ALL: N_("of all pairs"),
    SPELLING: N_("of pairs that do not look alike"),
    TOPIC: N_("of pairs that do not look alike, within one topic"),
    TOGETHER: N_("of pairs that do not look alike, within one length, number of pieces and topic"),
}
"""Where the words of a permutation test change places, for tests that carry a verdict alone."""


def best_layer(result: LayerAlignment) -> int:
    """The layer after the embeddings where the right words rank best in the reference pool (mean reciprocal rank)."""
    return int((1 / result.reference_rank[1:]).mean(axis=1).argmax()) + 1


def curve_sentence(result: LayerAlignment, label: str) -> str:
    """What one curve means: the best layer and the output against wrong pairs, and whether that tells them apart."""
    best, output = best_layer(result), len(result.names) - 1
    mismatched, band = result.mismatched, result.mismatched_band
    place = {
        "layer": layer_words(result.names[best]) if best == output else translate("layer {number}", number=best),
        "rank": _rank_words(result, best),
        "size": result.reference_size,
        "target_language": translate(result.languages.target.name),
    }
    figures = translate(
        "cosine {matched:.2f} for yours, {mismatched:.2f} for wrong ones (nine in ten between {low:.2f} and "
        "{high:.2f})",
        matched=result.matched[best],
        mismatched=mismatched[best],
        low=band[best, 0],
        high=band[best, 1],
    )
    if 1 < len(result.pairs) <= NO_TYPICAL:
        text = N_(
            "These {n} pairs rank best at {layer}, where your {target_language} words are numbers {rank} among {size} "
            "common words: {figures}."
        )
        ranked = translate(text, n=len(result.pairs), figures=figures, **place)
    else:
        ranked = translate_plural(
            "This pair ranks best at {layer}, where your {target_language} word is number {rank} among {size} common "
            "words: {figures}.",
            "These {n} pairs rank best at {layer}, where your {target_language} word is typically number {rank} among "
            "{size} common words: {figures}.",
            len(result.pairs),
            figures=figures,
            **place,
        )
    if verdict(result, best) == "no numbers":
        return f"**{label}.** {translate(VERDICTS['no numbers'])}"
    told = (f"**{label}.**", _few(result), ranked, _reading(result, best), _saturation(result))
    return " ".join(filter(None, told))


def tokens_sentence(result: LayerAlignment) -> str:
    """What the tokenizer takes for the words of each language."""
    cost, names = result.tokens, result.languages.names
    (source, target), (source_bytes, target_bytes) = cost.per_word, cost.bytes_per_token
    return translate(
        "Tokens of a word: {source_language} {source:.1f} ({source_bytes:.1f} bytes each), {target_language} "
        "{target:.1f} ({target_bytes:.1f}); {ratio:.1f} times as many.",
        source_language=translate(names[0]),
        source=source,
        source_bytes=source_bytes,
        target_language=translate(names[1]),
        target=target,
        target_bytes=target_bytes,
        ratio=cost.ratio,
    )


def mexa_sentence(result: LayerAlignment) -> str:
    """MEXA over the layers, as its authors sum it up: its mean, and the highest."""
    scores = result.scores["mexa"].mean(axis=1)  # (layers,)
    layer, highest = layer_words(result.names[int(scores.argmax())]), scores.max()
    text = N_("MEXA {mean:.2f} on average over the layers, {highest:.2f} at most, at {layer}.")
    return translate(text, mean=scores.mean(), highest=highest, layer=layer)


def overlay_sentence(before: LayerAlignment, after: LayerAlignment, label: str, comparisons: int = 1) -> str:
    """What an adapter changed at the output for the pairs on the page, wrong pairs and ranks beside it.

    Args:
        comparisons: how many adapters are set beside the base.
    """
    output = len(before.names) - 1
    found = change(before, after, output, comparisons=comparisons)
    every = N_(
        "at {layer}: your pairs {matched[0]:.2f} → {matched[1]:.2f}, wrong pairs {mismatched[0]:.2f} → "
        "{mismatched[1]:.2f}, rank {ranks[0]} → {ranks[1]} of {size}."
    )
    typical = N_(
        "at {layer}: your pairs {matched[0]:.2f} → {matched[1]:.2f}, wrong pairs {mismatched[0]:.2f} → "
        "{mismatched[1]:.2f}, typical rank {ranks[0]} → {ranks[1]} of {size}."
    )
    moved = translate(
        every if len(before.pairs) <= NO_TYPICAL else typical,
        layer=layer_words(before.names[-1]),
        matched=[result.matched[output] for result in (before, after)],
        mismatched=[result.mismatched[output] for result in (before, after)],
        ranks=[_rank_words(result, output) for result in (before, after)],
        size=before.reference_size,
    )
    if found.verdict == "no numbers":
        return f"**{label}**: {translate(CHANGES[found.verdict])}."
    text = N_("(Mean reciprocal rank {ways}, by a sign-flip test for both directions.)")
    tested = translate(text, ways=_rank_changes(found, before, after))
    return f"**{label}**, {moved} {translate(CHANGES[found.verdict])}. {tested}"


def _rank_words(result: LayerAlignment, layer: int) -> str:
    """The right words' ranks in the reference pool: each of a few, in the order of the list, or the typical one."""
    ranks = result.reference_rank[layer]  # (n,)
    return ", ".join(map(str, ranks)) if len(ranks) <= NO_TYPICAL else str(int(np.median(ranks)))


def _few(result: LayerAlignment) -> str:
    """A word of caution on short lists; empty for long ones."""
    if not result.few:
        return ""
    return translate_plural(
        "A single pair is a hint at most: its best layer is picked for it alone.",
        "From {n} pairs this is a hint at most: the layer is picked for them.",
        len(result.pairs),
    )


def _saturation(result: LayerAlignment) -> str:
    """A word on layers where any two words look alike; empty where there is none."""
    layers = [i for i, wrong in enumerate(result.mismatched) if wrong > SATURATED]
    if not layers:
        return ""
    scores = result.mismatched[layers]
    if len(layers) == 1:
        return translate(
            "At layer {layer} even wrong pairs score {score:.2f}: a high cosine means nothing there.",
            layer=layers[0],
            score=scores[0],
        )
    return translate(
        "At layers {layers} even wrong pairs score {lowest:.2f} to {highest:.2f}: a high cosine means nothing there.",
        layers=_ranges(layers),
        lowest=scores.min(),
        highest=scores.max(),
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in few signs: 2–4, 6."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _reading(result: LayerAlignment, layer: int) -> str:
    """The verdict on a layer in words, and the test that it stands on."""
    said = verdict(result, layer)
    told = translate(VERDICTS[said])
    if said == "spelling" and len(np.unique(result.groups[~result.look_alike])) < FEWEST:
        told = translate("What is found are words that look alike; the others are too few to tell.")
    if said in ("too few pairs", "no numbers"):
        return told
    carried = tests_behind(result, said)
    alike = int(result.look_alike.sum())
    text = N_(
        "(Permutation test of ranks {among}, corrected for all layers: p {p[0]:.2g} to {target_language}, {p[1]:.2g} "
        "to {source_language}; {alike} of {n} pairs look alike.)"
    )
    several = N_(
        "({count} permutation tests of ranks, corrected for all layers; the largest p: {p[0]:.2g} to "
        "{target_language}, {p[1]:.2g} to {source_language}; {alike} of {n} pairs look alike.)"
    )
    tested = translate(
        text if len(carried) == 1 else several,
        among=translate(AMONG.get(carried[0], "")),
        count=len(carried),
        p=np.max([result.p_values[name][layer] for name in carried], axis=0),  # (2,)
        target_language=translate(result.languages.target.name),
        source_language=translate(result.languages.source.name),
        alike=alike,
        n=len(result.pairs),
    )
    return f"{told} {tested}"


def change_sentence(evaluation: Evaluation) -> str:
    """What an adapter changed at one layer: the verdict, the test that carries it, and the controls beside it."""
    moved, index = evaluation.change, evaluation.layer
    figures = translate(
        "{layer}, {list}: mean reciprocal rank {ways}, of {size}, chance {chance}, by a sign-flip test for both "
        "directions; cosines: matched {matched:+.3f}, mismatched {mismatched:+.3f}",
        layer=layer_words(evaluation.before.names[index]),
        list=translate(evaluation.name),
        ways=_rank_changes(moved, evaluation.before, evaluation.after),
        size=either(evaluation.before.pool_size),
        chance=either(evaluation.before.chance, ".3f"),
        matched=moved.matched,
        mismatched=moved.mismatched,
    )
    told = [f"{translate(CHANGES[moved.verdict])} ({figures})."]
    if evaluation.before.few:
        hint = translate_plural(
            "From {n} pair this is a hint at most, whatever the verdict.",
            "From {n} pairs this is a hint at most, whatever the verdict.",
            len(evaluation.before.pairs),
        )
        told.insert(0, hint)
    still = all(abs(ranks.mrr) < LEAST_CHANGE and ranks.p > LEVEL for ranks in moved.ranks.values())
    if moved.verdict == "no clear change" and abs(moved.matched) >= GEOMETRY and still:
        told.append(translate("Cosines moved, ranks did not: that is geometry, not translation."))
    unsure = [of for of in moved.ranks.values() if of.p <= LEVEL < of.p_beyond_spelling and of.mrr >= LEAST_CHANGE]
    if moved.verdict == "no clear change" and unsure:
        p = min(of.p_beyond_spelling for of in unsure)
        told.append(translate("Without the pairs that look alike it is not sure: p {p:.2g}.", p=p))
    known = evaluation.after.p_values[ALL][index] <= LEVEL  # (2,), whether right words are found by then
    lost = [of for of, is_found in zip(moved.ranks.values(), known, strict=True) if not is_found]
    if moved.verdict == "no clear change" and any(of.p <= LEVEL and of.mrr >= LEAST_CHANGE for of in lost):
        told.append(translate("They rank better, but are not found above chance by then, so nothing is learnt yet."))
    if moved.verdict in ("no clear change", "too few pairs") and moved.needed > len(evaluation.before.pairs):
        told.append(
            translate(
                "To show a change of {least:.2f} four times in five would take about {n:,.0f} pairs like these.",
                least=SEEN_CHANGE,
                n=moved.needed,
            )
        )
    return " ".join(told)


def _rank_changes(moved: Change, before: LayerAlignment, after: LayerAlignment) -> str:
    """How far ranks moved in each direction, with the test that says so."""
    return "; ".join(
        translate(
            "to {language} {mrr:+.3f}{within}, p {p:.2g}, P@1 {before:.2f} → {after:.2f}",
            language=translate(language.name),
            mrr=moved.ranks[way].mrr,
            within=bounds(*moved.ranks[way].mrr_ci95),
            p=moved.ranks[way].p,
            before=before.retrieval[way].p_at_1[moved.layer],
            after=after.retrieval[way].p_at_1[moved.layer],
        )
        for way, language in before.languages.answers.items()
    )


def bounds(low: float, high: float) -> str:
    """An interval behind its figure; nothing where there is none."""
    return f" [{low:+.3f}, {high:+.3f}]" if np.isfinite([low, high]).all() else ""


def projection_sentence(projection: Projection, labels: Sequence[str]) -> str:
    """What the full space says, beside a picture that cannot."""
    return translate(
        "At {layer}, of {n} {source_language} words these have their own partner as the nearest {target_language} word "
        "of the list: "
        "{shares} (chance {chance:.1f} %). That is counted in the full space. A {method} picture keeps only a shadow "
        "of it: short lines may be an accident. Hollow marks are the {alike} pairs that look alike.",
        layer=layer_words(projection.layer_name),
        n=len(projection.pairs),
        source_language=translate(projection.languages[0]),
        target_language=translate(projection.languages[1]),
        shares=", ".join(
            translate(
                "{share:.0f} % under {label} ({beyond} of those that do not look alike)",
                share=100 * share,
                beyond=f"{100 * beyond:.0f} %" if np.isfinite(beyond) else "–",
                label=label,
            )
            for (share, beyond), label in zip(projection.partners_nearest, labels, strict=True)
        ),
        alike=int(projection.look_alike.sum()),
        chance=100 / len(projection.pairs),
        method=projection.method,
    )


def neighbours_sentence(word: str, label: str, nearby: Neighbourhood) -> str:
    """Where the right translation of a word stands under one model."""
    word = plain_text(word)
    if nearby.right_rank is None:
        told = translate("the lexicon does not know *{word}*, so no neighbour is marked as right.", word=word)
    else:
        told = translate(
            "the right word is number {rank} of {candidates} for *{word}*.",
            rank=nearby.right_rank,
            candidates=nearby.candidates,
            word=word,
        )
    return f"**{label}**: {told}"


def plain_text(text: str) -> str:
    """A visitor's own text as Markdown in which no mark means anything: no tag, link or image comes from it."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
