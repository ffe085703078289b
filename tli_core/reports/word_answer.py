"""What is said of one word, in sentences and a small table."""

from tli_core.i18n import N_, translate
from tli_core.lists.one_word import IN_BOTH, KNOWN, ReadWord
from tli_core.measures.word_answer import WordAnswer
from tli_core.reports.messages import plain_text

SHOWN = 6
"""Neighbours in the table: what a phone shows beside the sentences."""

READ_AS = {
    KNOWN: N_("*{word}* is {language}; in the lexicon it means {listed}."),
    IN_BOTH: N_("*{word}* is a word of both languages, read as {language}; in the lexicon it means {listed}."),
}


def verdict_sentence(answer: WordAnswer, model: str) -> str:
    """Whether the model puts the word beside its translation: the one sentence to take away."""
    nearby, word = answer.nearby, plain_text(answer.word)
    first = nearby.nearest[0]
    told = {
        "model": plain_text(model),
        "word": word,
        "n": nearby.candidates,
        "language": translate(answer.other),
        "first": plain_text(first.word),
    }
    if nearby.right_rank is None:
        return translate(
            "The lexicon does not know **{word}**, so nobody can say here whether the words nearest to it are right.",
            word=word,
        )
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


def answer_text(answer: WordAnswer, read: ReadWord | None, model: str) -> str:
    """All that is said of a word, as Markdown: the sentence, what the model writes, and its nearest words.

    Args:
        read: how its language was found; None where somebody said which it is.
    """
    language, word = translate(answer.language), plain_text(answer.word)
    lines = [verdict_sentence(answer, model)]
    if read is not None and answer.listed:
        listed = ", ".join(map(plain_text, answer.listed))
        lines.append(translate(READ_AS[read.by], word=word, language=language, listed=listed))
    elif read is not None:
        lines.append(translate("By its letters it is read as {language}.", language=language))
    if answer.written is not None:
        lines.append(_written(answer, model))
    heads = translate("rank"), translate("nearest in {language}", language=translate(answer.other)), translate("cosine")
    rows = [
        (str(rank), f"{plain_text(near.word)}{' ✓' * near.right}{' ≈' * near.look_alike}", f"{near.cosine:.2f}")
        for rank, near in enumerate(answer.nearby.nearest[:SHOWN], 1)
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [heads, ("---",) * 3, *rows])
    control = translate(
        "✓ is right, ≈ looks alike. Wrong words have a cosine of {wrong:.2f} on average.", wrong=answer.nearby.wrong
    )
    return "\n\n".join([*lines, table, control])


def _written(answer: WordAnswer, model: str) -> str:
    told = {"model": plain_text(model), "written": plain_text(answer.written or "")}
    if not answer.written:
        return translate("Asked for the translation, {model} writes nothing.", **told)
    if answer.written_right:
        return translate("Asked for the translation, {model} writes *{written}*, which is right.", **told)
    if answer.listed:
        return translate(
            "Asked for the translation, {model} writes *{written}*, which the lexicon does not list.", **told
        )
    return translate("Asked for the translation, {model} writes *{written}*.", **told)
