"""A word that is typed alone, with its translations from the lexicon that ships."""

import re
from dataclasses import dataclass

from tli_core.lists.formats.cleaning import cleaned
from tli_core.lists.language_guess import leanings
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.lexicon import lexicon, translations
from tli_core.lists.pairs import WordPair, normalise

MOST_WORDS = 20
"""Lines of single words that are looked up; a longer list is one whose second column is missing."""


def translations_of(word: str, languages: str = DEFAULT) -> tuple[WordPair, ...]:
    """The lexicon's pairs of a word of either language, one for each translation; empty where it does not know it.

    An infinitive may be typed without its mark: read for to read.
    """
    source, target = translations(languages)
    asked = normalise(word)
    found = [WordPair(word, gloss) for gloss in source.get(asked, ())]
    for form in (asked, f"to {asked}"):
        found += [WordPair(other, form) for other in target.get(form, ())]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class ReadWord:
    """A word as it is read: in the lexicon's spelling where that knows it, the name of its language, and why that one:
    KNOWN, IN_BOTH, or by its LETTERS alone."""

    word: str
    language: str
    by: str


KNOWN, IN_BOTH, LETTERS = "known", "in both", "letters"


def read_word(word: str, languages: str = DEFAULT, language: str | None = None) -> ReadWord:
    """In which of the two languages a word is: the lexicon's that has it, else the one whose words look like it.

    A word that both have is taken to be of the source language. An infinitive may be typed without its mark.

    Args:
        language: the name of one of the two, where somebody said which it is.
    """
    pair, asked = language_pair(languages), normalise(word)
    spelled = [
        {normalise(form): form for entry in reversed(lexicon(languages)) for form in forms(entry.pair)}
        for forms in (lambda of: (of.source,), lambda of: of.accepted)
    ]
    names = pair.source.name, pair.target.name
    found = {
        name: known[form]
        for name, known in zip(names, spelled, strict=True)
        for form in (f"to {asked}", asked)
        if form in known
    }
    by = (KNOWN, IN_BOTH)[len(found) - 1] if found else LETTERS
    if language is None:
        leaning = leanings([word], pair.source.code, pair.target.code)[0] if not found else 0
        language = next(iter(found), names[0] if leaning >= 0 else names[1])
    return ReadWord(found.get(language, word), language, by)


def beginning_with(letters: str, languages: str = DEFAULT, count: int = 8) -> tuple[str, ...]:
    """Words of the lexicon, of either language, that begin with these letters: the shortest, in alphabetical order."""
    begun = normalise(letters)
    if not begun:
        return ()
    known = {word for side in translations(languages) for word in side if word.startswith(begun)}
    return tuple(sorted(sorted(known, key=len)[:count]))


def words_alone(text: str) -> tuple[str, ...]:
    """The words of a text that holds nothing else: one a line, or one; empty for pairs and for longer texts."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines or len(lines) > MOST_WORDS or any(re.search(r"[,;\t|=:→(\[{]|->|\s[-–—]\s", line) for line in lines):
        return ()
    return tuple(word for line in lines if (word := cleaned(line).word))


def completed(text: str, languages: str = DEFAULT) -> tuple[WordPair, ...]:
    """The pairs of words that are typed alone, each with its first translation and the others as glosses.

    Empty where the text holds anything else, or a word that the lexicon does not know.
    """
    pairs = []
    for word in words_alone(text):
        listed = translations_of(word, languages)
        if not listed:
            return ()
        first = listed[0]
        same = (pair.target for pair in listed[1:] if pair.source == first.source)
        pairs.append(first._replace(glosses=tuple(same)))
    return tuple(pairs)
