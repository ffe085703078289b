"""What sets two models apart that measured the same pairs, in words."""

from tli_core.i18n import translate
from tli_core.measures.across_models import compare_models
from tli_core.measures.result import LayerAlignment

Labelled = tuple[str, LayerAlignment]


def models_sentence(first: Labelled, second: Labelled) -> str:
    """Whether the second model finds the right words better than the first at its output, by a sign-flip test.

    Raises:
        ValueError: they were measured on different pairs, or read otherwise.
    """
    (name, before), (other, after) = first, second
    moved = compare_models(before, after)
    ways = "; ".join(
        translate(
            "to {language} {before:.2f} and {after:.2f}, mean reciprocal rank {mrr:+.3f}, p {p:.2g}",
            language=translate(language.name),
            before=before.retrieval[way].p_at_1[-1],
            after=after.retrieval[way].p_at_1[-1],
            mrr=moved.ranks[way].mrr,
            p=moved.ranks[way].p,
        )
        for way, language in before.languages.answers.items()
    )
    return translate(
        "{second} beside {first}, each at its output: P@1 {ways}: {verdict}.",
        first=name,
        second=other,
        ways=ways,
        verdict=translate(moved.verdict),
    )
