"""What is said of one word, in sentences and a small table."""

import re
import unicodedata

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import language_pair
from tli_core.lists.one_word import FORM, IN_BOTH, KNOWN, LETTERS, SAID
from tli_core.lists.prompts import one_line
from tli_core.measures.word_answer import WordAnswer
from tli_core.reports.messages import plain_text

SHOWN = 6
"""Neighbours in the table: what a phone shows beside the sentences."""

MEANS = N_("*{word}* is {language}; in the lexicon it means {listed}.")
READ_AS = {
    KNOWN: MEANS,
    SAID: MEANS,
    IN_BOTH: N_("*{word}* is a word of both languages, read as {language}; in the lexicon it means {listed}."),
}


def verdict_sentence(answer: WordAnswer, model: str) -> str:
    """Whether the model puts the word beside a translation of it: the one sentence to take away."""
    nearby, first = answer.nearby, answer.nearby.nearest[0]
    told = {
        "model": plain_text(model),
        "word": plain_text(answer.read.word),
        "n": nearby.candidates,
        "language": translate(answer.other),
        "first": plain_text(first.word),
    }
    if nearby.right_rank is None:
        text = N_(
            "The lexicon has no {own} word **{word}**, so it cannot be said here whether the words nearest to it "
            "are right."
        )
        return translate(text, word=told["word"], own=translate(answer.read.language))
    if nearby.right_rank > 1 and len(answer.read.listed) > 1:
        text = N_(
            "**{model} does not put {word} beside a translation**: of {n} words of {language} the best placed of its "
            "{k} translations is number {rank}; the nearest word is *{first}*."
        )
        return translate(text, rank=nearby.right_rank, k=len(answer.read.listed), **told)
    if nearby.right_rank > 1:
        text = N_(
            "**{model} does not put {word} beside its translation**: of {n} words of {language} the right one is "
            "number {rank}; the nearest is *{first}*."
        )
        return translate(text, rank=nearby.right_rank, **told)
    if first.look_alike:
        text = N_(
            "**{model} puts {word} beside *{first}*, its translation, but the two look alike**: spelling alone may "
            "have done that."
        )
        return translate(text, **told)
    text = N_("**{model} puts {word} beside its translation**: of {n} words of {language}, *{first}* is the nearest.")
    return translate(text, **told)


def plain_verdict(answer: WordAnswer, model: str) -> str:
    """The same sentence without Markdown."""
    return re.sub(r"\\(?=\W|_)", "", verdict_sentence(answer, model).replace("*", ""))


def answer_text(answer: WordAnswer, model: str) -> str:
    """All that is said of a word, as Markdown: the sentence, what the model writes, and its nearest words."""
    read, nearby = answer.read, answer.nearby
    language, lines = translate(read.language), [verdict_sentence(answer, model)]
    if read.listed:
        listed = ", ".join(map(plain_text, read.listed))
        lines.append(translate(READ_AS[read.by], word=plain_text(read.word), language=language, listed=listed))
    elif read.by == FORM:
        text = N_("It is taken for {language} as a form of *{known}*, which the lexicon has.")
        lines.append(translate(text, language=language, known=plain_text(read.form_of)))
    elif read.by == LETTERS and not all("LATIN" in unicodedata.name(one, "") for one in read.word if one.isalpha()):
        text = N_("Neither language is written in these letters; it is read as {language}.")
        lines.append(translate(text, language=language))
    elif read.by == LETTERS:
        lines.append(translate("It is taken for {language} by its letters, which is a guess.", language=language))
    if answer.written is not None:
        lines.append(_written(answer, model))
    heads = translate("rank"), translate("nearest in {language}", language=translate(answer.other)), translate("cosine")
    rows = [
        (str(rank), f"{plain_text(near.word)}{' ✓' * near.right}{' ≈' * near.look_alike}", f"{near.cosine:.2f}")
        for rank, near in enumerate(nearby.nearest[:SHOWN], 1)
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [heads, ("---",) * 3, *rows])
    if read.listed:
        text = N_("✓ is right, ≈ looks alike. Wrong words have a cosine of {wrong:.2f} on average.")
    else:
        text = N_("≈ looks alike. All words together have a cosine of {wrong:.2f} on average.")
    lines += [table, translate(text, wrong=nearby.wrong)]
    if answer.written is not None:
        lines.append(translate("The prompt of the translation: `{prompt}`", prompt=_prompt(answer)))
    return "\n\n".join(lines)


def _prompt(answer: WordAnswer) -> str:
    """How it was asked for the translation."""
    to_target, to_source = language_pair().translations
    swapped = answer.read.language != language_pair().source.name
    word = answer.read.word.replace("`", "'")
    return one_line((to_source if swapped else to_target).fill(word, word))


def _written(answer: WordAnswer, model: str) -> str:
    told = {"model": plain_text(model), "written": plain_text(answer.written or "")}
    if not answer.written:
        return translate("Asked for the translation, {model} writes nothing.", **told)
    if answer.written_right:
        return translate("Asked for the translation, {model} writes *{written}*, which is right.", **told)
    if answer.read.listed:
        return translate(
            "Asked for the translation, {model} writes *{written}*, which the lexicon does not list.", **told
        )
    return translate("Asked for the translation, {model} writes *{written}*.", **told)
