"""Notices of results in words: the only place that has them."""

from tli_core.i18n import N_, translate, translate_plural
from tli_core.measures.result import FEW_PAIRS, LayerAlignment
from tli_core.models.layers import layer_words
from tli_core.notices import Notice, notice

TEXTS = {
    "bos_averaged_in": N_(
        "At {where}, BOS is averaged in and carries up to {share:.0f} % of the vectors' squared length: any two words "
        "look alike there, right or wrong. Pool words only."
    ),
    "rogue_dimensions": N_(
        "At {where}, three dimensions carry up to {share:.0f} % of the vectors' squared length: the cosine there is "
        "about them more than about the words."
    ),
    "not_numbers": N_(
        "At {where}, vectors are no numbers (NaN or infinity): the model or the adapter is broken there."
    ),
    "prefix_added": N_(
        "The tokenizer of {model} puts no token in front of a text. {token} was put there, for the model to park its "
        "attention on rather than on a word's first piece; it is part of no word."
    ),
    "no_prefix": N_(
        "The tokenizer of {model} has no token to put in front: every word's first piece sees only itself."
    ),
    "attention_sink": N_(
        "At {where}, a word's first piece is an attention sink, up to {times:.0f} times as long as its others on "
        "average: the model parks attention there, and words look more alike for it, right or wrong."
    ),
    "hub": N_(
        "At {where}, one word ({word}) is the nearest of up to {share:.0f} % of the other language's words: a hub, "
        "which takes the place of right words. CSLS P@1 corrects for it."
    ),
    "same_spelling": N_(
        "Spelt the same in both languages: {alike} of {n} pairs. A model finds such words whatever it knows, and read "
        "alone they have a cosine of 1. Leave them out."
    ),
    "few_pairs": N_(
        "The list is short ({n} of {least} pairs): ranks within it mean little, and whatever is said of it is a hint "
        "at most."
    ),
    "on_both_sides": N_(
        "On both sides of the list stand words such as {words} ({n} of them). A word is nearest to itself, so its "
        "translation cannot come first: keep each language to its side."
    ),
    "few_topics": N_(
        "The list names {n} topics, too few to stand for others: what is said holds for these topics only."
    ),
    "topics_of_pairs": N_(
        "Nearly every pair has a topic of its own ({n} for {pairs} pairs): they name pairs, not topics, and no "
        "word changes places within one."
    ),
    "hang_together": N_(
        "The {n} pairs share so many words that they count as {groups}, since those that share one tell the same "
        "thing: add pairs of other words."
    ),
    "no_own_wrong_pair": N_(
        "This list has no wrong pair of its own: cosines of wrong ones are the reference pool's, and MEXA counts "
        "nothing. Add a pair of another word."
    ),
    "no_wrong_pair": N_("This list has no wrong pair, so nothing can be told from it. Add a pair of another word."),
    "own_pool": N_(
        "No reference pool of these two languages ships, so the list is its own: ranks among common words are among "
        "its own words."
    ),
    "measured_in_parts": N_(
        "{n} pairs are measured in parts of {part}: wrong pairs and ranks are those within a part."
    ),
    "leak": N_(
        "{source} {source_language} and {target} {target_language} words of the control list are also in the trained "
        "list ({named} …): take them out, or its figures are not all about unseen words."
    ),
    "memorised": N_(
        "Words that it was trained on are found better than before ({trained:+.2f} of their mean reciprocal rank among "
        "the reference pool's words) and these are not ({held_out:+.2f}; t-test of the difference, p {p:.2g}): the "
        "adapter has memorised its list."
    ),
    "layer_picked_here": N_(
        "Layer {layer} was picked on {n} of these pairs, so its figures flatter: believe pairs that had no say in it."
    ),
    "training_unrecorded": N_(
        "Which pairs the adapter was trained on is not recorded: nobody can tell from it whether it has seen these, or "
        "whether the trained list is its own."
    ),
    "other_trained_list": N_(
        "These {given} pairs are not the list that the adapter was trained on: {n} of its {own} are among them, as its "
        "record says. So the linear map is fitted on other pairs than the adapter, and its own may be among the "
        "control words in other forms."
    ),
    "trained_on_these": N_(
        "{n} of these {given} pairs are pairs that the adapter was trained on, as its record says, so they are no "
        "unseen words: take them out."
    ),
    "step_chosen_here": N_(
        "Step {step} was kept because pairs set aside for the choice were best there, and {n} of these are among "
        "them: their figures flatter. Believe pairs that had no say in it."
    ),
    "step_chosen_unknown": N_(
        "Step {step} was kept because held-out pairs were best there, and the record does not tell which: these may be "
        "among them."
    ),
    "of_list": N_("{list}: {notice}"),
    "of_model": N_("{list}, {side}: {notice}"),
    "perplexity": N_(
        "perplexity {source:,.0f} on plain {source_language} and {target:,.0f} on plain {target_language}, where "
        "guessing gives {uniform:,}"
    ),
    "noisy_model": N_(
        "This model writes noise ({figures}): it was not trained, or not loaded whole. Believe nothing measured with "
        "it."
    ),
    "healthy_model": N_("The model reads both languages ({figures})."),
}

_NAMES = ("list", "side", "source_language", "target_language")
"""Values that are words of the page's own, said in the reader's language."""


def worded(notice: Notice | str) -> str:
    """A notice in the reader's language; what is words already is left as it is."""
    if isinstance(notice, str):
        return notice
    values = dict(notice.values)
    if "first" in values:
        values["where"] = _where(str(values.pop("first")), int(str(values.pop("layers"))))
    return translate(TEXTS[notice.code], **{name: _value(name, value) for name, value in values.items()})


def all_notices(result: LayerAlignment) -> tuple[Notice, ...]:
    """What to know about a measurement that stands alone, its length first."""
    few = (notice("few_pairs", n=len(result.pairs), least=FEW_PAIRS),) if result.few else ()
    return (*few, *result.warnings)


def _value(name: str, value: object) -> object:
    if isinstance(value, Notice):
        return worded(value)
    return translate(str(value)) if name in _NAMES else value


def _where(first: str, layers: int) -> str:
    """A layer, or several from one on."""
    return translate_plural("{first}", "{n} layers from {first} on", layers, first=layer_words(first))
