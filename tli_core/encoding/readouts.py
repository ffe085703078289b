"""Readouts: in which text a word stands when the model reads it, and which of its tokens make its vector."""

from dataclasses import dataclass

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import Language, LanguagePair

ALONE, SPACED, ASKED, FRAMED = "alone", "spaced", "asked", "framed"
"""Texts for a word: itself; after a space, as in running text; inside a prompt that asks for its meaning; inside a
plain sentence of its language."""


@dataclass(frozen=True)
class Readout:
    """A way of turning a word into a vector: the kind of text that it stands in, and the pooling of its tokens there.

    Where there are several texts of a kind, the word's vector is the mean over them.
    """

    key: str
    label: str
    help: str
    text: str
    pooling: str


DEFAULT_READOUT, IN_CONTEXT = "spaced", "in_context"

READOUTS = {
    readout.key: readout
    for readout in (
        Readout(
            "spaced",
            N_("after a space"),
            N_("The mean of the word's tokens, without BOS, with the space in front that running text has."),
            SPACED,
            "words",
        ),
        Readout(
            "words", N_("word alone"), N_("The same without that space: a form that text hardly has."), ALONE, "words"
        ),
        Readout(
            "asked",
            N_("asked for its meaning"),
            N_("The last token of prompts that ask what the word means in one word."),
            ASKED,
            "last",
        ),
        Readout(
            IN_CONTEXT,
            N_("in a sentence"),
            N_("The mean of the word's tokens inside plain sentences of its language."),
            FRAMED,
            "words",
        ),
        Readout("last", N_("last token"), N_("The last token of the word alone."), ALONE, "last"),
        Readout(
            "weighted",
            N_("weighted by position"),
            N_("All tokens, BOS included, each weighted by its position, as MEXA has it for sentences."),
            ALONE,
            "weighted",
        ),
        Readout(
            "all",
            N_("every token, BOS too"),
            N_("The mean of all tokens with BOS among them: an artefact, as published."),
            ALONE,
            "all",
        ),
    )
}


TRAINED_ON = ("spaced", "words", "last", "all")
"""The readouts that a loss can take: one text a word, the same in all languages."""


def readout(key: str) -> Readout:
    """A readout by its key.

    Raises:
        ValueError: there is none of that key; the message lists those there are.
    """
    if key not in READOUTS:
        text = N_("There is no readout {key!r}: choose one of {choices}.")
        raise ValueError(translate(text, key=key, choices=", ".join(READOUTS)))
    return READOUTS[key]


def texts_of(of: Readout, language: Language, languages: LanguagePair) -> tuple[str, ...]:
    """The texts that a word of one language stands in, {word} in its place.

    Raises:
        ValueError: no sentences are known for that language.
    """
    if of.text in (ALONE, SPACED):
        return ("{word}",)
    if of.text == ASKED:
        return languages.asks
    if not language.frames:
        text = N_("{language} has no sentences here for a word to stand in: choose another readout, or add frames.")
        raise ValueError(translate(text, language=translate(language.name)))
    return language.frames
