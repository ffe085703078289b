"""A word that is typed alone, with its translations from the lexicon that ships."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from tli_core.i18n import N_, translate
from tli_core.lists.formats.cleaning import cleaned
from tli_core.lists.formats.rows import single_word
from tli_core.lists.language_guess import leanings
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.leaks import word_forms
from tli_core.lists.lexicon import lexicon, translations
from tli_core.lists.pairs import WordPair, normalise

MOST_TOGETHER = 3
"""Words of a phrase that the lexicon does not know; more are a sentence."""

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


KNOWN, IN_BOTH, SAID, FORM, LETTERS = "known", "in both", "said", "form", "letters"


@dataclass(frozen=True)
class ReadWord:
    """A word as it is read: in the lexicon's spelling where that knows it, the name of its language, and why that one.

    by is KNOWN (the lexicon has it), IN_BOTH (of two languages that have it the first), SAID (by whoever asks), FORM
    (the lexicon has another form of it in this language alone), or LETTERS. listed are its translations in the lexicon,
    those of an infinitive that is typed without its mark, too; empty where it is not known in this language. form_of is
    the lexicon's word of which one that it does not know is a form, as `mtoto` of `watoto`; empty without one.
    """

    word: str
    language: str
    by: str
    listed: tuple[str, ...]
    form_of: str = ""


def read_word(word: str, languages: str = DEFAULT, language: str | None = None) -> ReadWord:
    """In which of the two languages a word is: the lexicon's that has it, or a form of it, else that of its letters.

    Args:
        language: the name of one of the two, where somebody said which it is.

    Raises:
        ValueError: no word, or an overlong one.
    """
    typed = single_word(word).strip(ENDS)
    if not any(map(str.isalpha, typed)):
        raise ValueError(translate("There is no letter in {word!r}: type a word.", word=word.strip()[:20]))
    pair, listed = language_pair(languages), translations(languages)
    names = pair.source.name, pair.target.name
    asked = normalise(typed)
    known = {
        name: [form for form in (asked, f"to {asked}") if form in of] for name, of in zip(names, listed, strict=True)
    }
    found = [name for name in names if known[name]]
    if not found and (len(typed.split()) > MOST_TOGETHER or re.search(r"\w\s*[,;=|\t]\s*\w", typed)):
        text = N_("{word!r} is more than one word: type one here. Pairs are for Alignment, sentences for Answers.")
        raise ValueError(translate(text, word=typed[:40] + "…" * (len(typed) > 40)))
    form_of = dict(zip(names, _form_of(asked, languages), strict=True))
    inflected = [name for name in names if form_of[name]]
    if language:
        by = SAID
    elif found:
        by = KNOWN if len(found) == 1 else IN_BOTH
    else:
        by = FORM if len(inflected) == 1 else LETTERS
    if language is None and by != LETTERS:
        language = found[0] if found else inflected[0]
    elif language is None:
        language = names[0] if leanings([typed], pair.source.code, pair.target.code)[0] >= 0 else names[1]
    side, forms = names.index(language), known[language]
    meanings = dict.fromkeys(meaning for form in forms for meaning in listed[side][form])
    spelled = _spelled(languages)[side].get(forms[0], typed) if forms else typed
    return ReadWord(spelled, language, by, tuple(meanings), "" if forms else form_of[language])


def _form_of(word: str, languages: str) -> tuple[str, str]:
    """The lexicon's word of each language of which a word is another form; empty where there is none."""
    pair = language_pair(languages)
    of_sides = zip(_forms(languages), (pair.source, pair.target), strict=True)
    source, target = (
        next((known[form] for form in sorted(word_forms(word, language.inflection)) if form in known), "")
        for known, language in of_sides
    )
    return source, target


@cache
def _forms(languages: str) -> tuple[dict[str, str], dict[str, str]]:
    """The lexicon's words of both languages by every key under which their forms meet; of several the shortest."""
    pair = language_pair(languages)
    source, target = {}, {}
    for known, spelled, language in zip((source, target), _spelled(languages), (pair.source, pair.target), strict=True):
        for word in sorted(spelled.values(), key=lambda word: (len(word), word)):
            for form in word_forms(word, language.inflection):
                known.setdefault(form, word)
    return source, target


CLOSE = 0.75
"""From this likeness on (`difflib`), a word may be a slip of the hand: `mjai` and `maji` have 0.75."""

ENDS = ' .,;:!?…¿¡"“”„«»()[]'
"""What people type around a word and do not mean."""


@cache
def _spelled(languages: str) -> tuple[dict[str, str], dict[str, str]]:
    """The lexicon's words of both languages as it spells them, by their normal form."""
    source, target = {}, {}
    for entry in reversed(lexicon(languages)):
        source[normalise(entry.pair.source)] = entry.pair.source
        target |= {normalise(gloss): gloss for gloss in reversed(entry.pair.accepted)}
    return source, target


def beginning_with(letters: str, languages: str = DEFAULT, count: int = 8) -> tuple[str, ...]:
    """Words of the lexicon, of either language, that begin with these letters: the shortest, in alphabetical order.

    An infinitive may be begun without its mark.
    """
    begun = normalise(letters)
    if not begun:
        return ()
    known = {
        word for side in _spelled(languages) for form, word in side.items() if form.startswith((begun, f"to {begun}"))
    }
    return tuple(sorted(sorted(known, key=lambda word: (len(word.removeprefix("to ")), word))[:count]))


def close_to(word: str, languages: str = DEFAULT, count: int = 3) -> tuple[str, ...]:
    """Words of the lexicon, of either language, that one which it does not know may be meant for, best first: those of
    which it is another form, then those that are spelled much like it."""
    known = {form: spelled for side in _spelled(languages) for form, spelled in side.items()}
    asked = normalise(word)
    found = get_close_matches(asked, known, 4 * count, CLOSE)
    # Letters in another order are the likeliest slip, which difflib counts as two.
    found.sort(key=lambda form: sorted(form) != sorted(asked))
    forms = filter(None, _form_of(asked, languages))
    return tuple(dict.fromkeys((*forms, *(known[form] for form in found))))[:count]


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
