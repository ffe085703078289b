"""A word that is typed alone, with its translations from the lexicon that ships."""

import re

from tli_core.lists.formats.cleaning import cleaned
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.lexicon import translations
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
