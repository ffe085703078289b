"""Models, adapters and saved measurements beside each other, as a leaderboard and in words."""

from collections.abc import Sequence

from tli_core.i18n import N_, translate
from tli_core.measures.across_models import Compared, Standing
from tli_core.measures.registry import MEASURES
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.verdicts import Change, verdict
from tli_core.models.layers import layer_words
from tli_core.reports.tables import measured_cell

UNKNOWN = "–"
BY_KEY = {measure.key: measure for measure in MEASURES}


def _models_sentence(first: Standing, second: Standing, moved: Change) -> str:
    """Whether the second finds the right words better than the first, by a sign-flip test."""
    assert first.layer is not None and second.layer is not None, "what was compared has a layer"
    (name, before), (other, after) = ((item.of.label, item.of.result) for item in (first, second))
    at = first.layer, second.layer
    ways = "; ".join(
        translate(
            "to {language} {before:.2f} and {after:.2f}, mean reciprocal rank {mrr:+.3f}, p {p:.2g}",
            language=translate(language.name),
            before=before.retrieval[way].p_at_1[at[0]],
            after=after.retrieval[way].p_at_1[at[1]],
            mrr=moved.ranks[way].mrr,
            p=moved.ranks[way].p,
        )
        for way, language in before.languages.answers.items()
    )
    return translate(
        "{second} beside {first}, each at {layer}: P@1 {ways}: {verdict}.",
        first=name,
        second=other,
        layer=layer_words(before.names[at[0]]),
        ways=ways,
        verdict=translate(moved.verdict),
    )


def leaderboard_rows(found: Sequence[Standing]) -> list[tuple[str, ...]]:
    """One row for each of those compared, at the layer that all are read at: a heading row first.

    Every figure is that of the table of layers; sentences and perplexity are unknown of saved measurements.
    """
    languages = found[0].of.result.languages
    ways = {way: language.code for way, language in languages.answers.items()}
    heading = [translate("compared")]
    # Before the verdict: of an adapter that made its base worse the words may still be aligned.
    heading += [translate("beside {first}", first=found[0].of.label)] if len(found) > 1 else []
    heading += [
        translate("verdict by itself"),
        *(f"P@1 →{code}" for code in ways.values()),
        *(translate("beyond spelling →{code}", code=code) for code in ways.values()),
        translate("gap"),
        *(translate("in sentences →{code}", code=code) for code in ways.values()),
        *(translate("perplexity, {code}", code=of.code) for of in (languages.source, languages.target)),
        translate("trained on"),
    ]
    return [tuple(heading), *(_row(item, beside=len(found) > 1, first=item is found[0]) for item in found)]


def picking_note(found: Sequence[Standing]) -> str:
    """What to know before the best of those that were measured alike is picked; empty of one or two."""
    compared = sum(item.change is not None for item in found)
    if compared < 2:
        return ""
    return translate(
        "The best of {n} that were measured alike is best on these pairs by luck as well: before you choose it, read "
        "it on other pairs. What is said beside the first is corrected for {comparisons} comparisons.",
        n=compared + 1,
        comparisons=compared,
    )


def standing_sentences(found: Sequence[Standing]) -> list[str]:
    """What sets each apart from the first, or why nothing can be said of the two."""
    first, told = found[0], []
    for item in found[1:]:
        if item.change is not None:
            told.append(_models_sentence(first, item, item.change))
        elif item.layer is not None and first.layer is not None:
            told.append(translate(_why_not(first, item), label=item.of.label, first=first.of.label))
    return told


def _why_not(first: Standing, second: Standing) -> str:
    """Why no test can compare two that have the layer."""
    one, other = first.of.result.pairs, second.of.result.pairs
    if one == other:
        return N_("{label} was not read as {first} was, so no test can compare the two.")
    if set(one) == set(other):
        return N_("{label} was measured on the pairs of {first} in another order: measure both in one order.")
    return N_("{label} was measured on other pairs than {first}, so no test can compare the two.")


def _row(item: Standing, beside: bool, first: bool) -> tuple[str, ...]:
    of, layer = item.of, item.layer
    against = [UNKNOWN if first or item.change is None else translate(item.change.verdict)] if beside else []
    health, sentences = of.health, of.in_sentences
    perplexity = (UNKNOWN, UNKNOWN) if health is None else (f"{health.source:.0f}", f"{health.target:.0f}")
    known = (*perplexity, _trained_on(of))
    if layer is None:
        return (of.label, *against, translate("no such layer"), *[UNKNOWN] * 7, *known)
    found = (measured_cell(BY_KEY["p_at_1"], of.result, way, layer) for way in DIRECTIONS)
    beyond = (BY_KEY["p_at_1_beyond_spelling"].values(of.result, way)[layer] for way in DIRECTIONS)
    framed = ([UNKNOWN] * 2 if sentences is None
              else [f"{sentences.retrieval[way].p_at_1[layer]:.2f}" for way in DIRECTIONS])  # fmt: skip
    return (
        of.label,
        *against,
        translate(verdict(of.result, layer)),
        *found,
        *(f"{value:.2f}" for value in beyond),
        measured_cell(BY_KEY["gap"], of.result, None, layer),
        *framed,
        *known,
    )


def _trained_on(of: Compared) -> str:
    """What an adapter was trained on, as its record says."""
    if of.record is None:
        return UNKNOWN
    config = of.record["config"]
    shuffled = N_("{n} shuffled pairs, {preset}") if config["shuffled"] else N_("{n} pairs, {preset}")
    return translate(shuffled, n=of.record["pairs"], preset=config["preset"])
