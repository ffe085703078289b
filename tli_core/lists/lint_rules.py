"""The rules of one pair: each gives the pair as it should be, or nothing where it has no say.

A rule is certain where what it mends is never part of a word; the others are for people to judge.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from tli_core.i18n import N_
from tli_core.lists.formats.cleaning import PARTS_OF_SPEECH, decoded_again
from tli_core.lists.language_pair import LanguagePair, language_pair
from tli_core.lists.leaks import HYPHENS
from tli_core.lists.lexicon import lexicon, translations
from tli_core.lists.pairs import WordPair, normalise

TYPO_SIMILARITY = 0.75
"""Words that share at least this part of their letters, in order, count as two spellings of one word: two swapped
letters out of four still count."""

EITHER = f"(?:{PARTS_OF_SPEECH}|{PARTS_OF_SPEECH.upper()})"
LABEL = re.compile(
    rf"^(?:{EITHER}[.:]\s+|[(\[]{EITHER}\.?[)\]]\s*)+(?=[^\W\d_])|\s*(?:[(\[]{EITHER}\.?[)\]]|(?:,\s*|\s){EITHER}\.)$"
)
"""A part of speech before or behind a word: `n. water`, `(v) to read`, `water (n.)`, `water, n.`. With a capital it is
rather a title: `Kt. Juma`."""

SENSES = (
    re.compile(r"(?:^|(?<=\s))\(?([1-9])[.)]\s+(?=[^\W\d])|\[([1-9])\]\s*(?=[^\W\d])"),
    re.compile(r"(?:^|(?<=\s))\(?([a-f])\)\s+(?=\w)"),
    re.compile(r"([①-⑨])\s*"),
)
"""The number or letter of a sense: `1. right 2. justice`, `(1) right (2) justice`, `a) barn b) granary`."""

NOTE = re.compile(r"(?:^|(?<=\s))[(\[][^)\]]*[)\]](?=[\s,;.]|$)")
"""A note in brackets. Without a space before it, it holds letters that may be left out: ki(s)wahili."""

ARTICLES = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """A rule of one pair. why: what goes wrong where the pair is measured as it is."""

    message: str
    why: str
    mend: Callable[[WordPair, LanguagePair], WordPair | None]
    certain: bool = False


def _right_way_round(pair: WordPair, languages: LanguagePair) -> WordPair | None:
    """The sides swapped, where the lexicon knows each word as one of the other side's language only."""
    source, target = translations(languages.key)
    left, right = normalise(pair.source), normalise(pair.target)
    swapped = left in target and right in source and left not in source and right not in target
    return pair._replace(source=pair.target, target=pair.source, glosses=()) if swapped else None


def _respelt(pair: WordPair, languages: LanguagePair) -> WordPair | None:
    """A word that the lexicon does not know, as the lexicon spells what its partner means and it resembles."""
    source, target = translations(languages.key)
    left, right = normalise(pair.source), normalise(pair.target)
    if left == right or left.startswith(HYPHENS):
        return None  # a name, a loan or a stem, each of which has a finding of its own
    if left not in source and (meant := _alike(left, target.get(right, ()))):
        return pair._replace(source=meant)
    if right not in target and (meant := _alike(right, source.get(left, ()))):
        return pair._replace(target=meant)
    return None


def _alike(word: str, others: Iterable[str]) -> str | None:
    """The first of these that is nearly this word.

    An ending or a beginning more is another form, not a slip; neither is a space or hyphen more or less, as in `pole
    pole`, nor a word more or another in a phrase, as in `habari ya asubuhi`.
    """
    for other in others:
        forms = word.startswith(other) or other.startswith(word) or word.endswith(other) or other.endswith(word)
        one_word = not re.search(r"[\s-]", word + other)
        if one_word and not forms and SequenceMatcher(None, word, other).ratio() >= TYPO_SIMILARITY:
            return other
    return None


def _unbroken(pair: WordPair, _: LanguagePair) -> WordPair | None:
    """Letters that were read in the wrong encoding put right: `cafÃ©` is café."""
    mended = [decoded_again(word) for word in pair[:2]]
    return pair._replace(source=mended[0], target=mended[1]) if tuple(mended) != pair[:2] else None


def _without_label(pair: WordPair, _: LanguagePair) -> WordPair | None:
    source, target = (LABEL.sub("", word).strip() for word in pair[:2])
    return pair._replace(source=source, target=target) if (source, target) != pair[:2] and source and target else None


def _without_notes(pair: WordPair, _: LanguagePair) -> WordPair | None:
    source, target = (re.sub(r"\s+(?=[,;.]|$)", "", NOTE.sub("", word)).strip() for word in pair[:2])
    changed = (source, target) != pair[:2] and source and target
    return pair._replace(source=source, target=target) if changed else None


def _one_sense(pair: WordPair, languages: LanguagePair) -> WordPair | None:
    """`1. right 2. justice`, `right; justice` and `right | justice` as a word and its glosses.

    What stands on both sides is a phrase in two halves.
    """
    if re.search(r"[;|]", pair.source):
        return None
    return _first_of(pair._replace(target=_without_numbers(pair.target)), r"[;|]", languages, pair)


def _without_numbers(text: str) -> str:
    """Senses with `;` between them for the numbers that count them; a number that counts nothing stays."""
    for senses in SENSES:
        marks = ["".join(filter(None, mark)) for mark in senses.findall(text)]
        first = [chr(ord(marks[0]) + i) for i in range(len(marks))] if marks else []
        begins = senses.match(text) is not None
        if begins and marks == first and marks[0] in "1a①" and (len(marks) > 1 or marks[0] == "1"):
            return senses.sub("; ", text).strip("; ")
    return text


def _one_gloss(pair: WordPair, languages: LanguagePair) -> WordPair | None:
    if any(mark in pair.source and mark in pair.target for mark in ",;"):
        return None  # a phrase in two halves
    return _first_of(pair, r"[,;/|]", languages, pair)


def _first_of(pair: WordPair, marks: str, languages: LanguagePair, before: WordPair) -> WordPair | None:
    """The pair with the first of several words on each side, and the target's others as glosses."""
    source, target = ([part for part in map(str.strip, re.split(marks, word)) if part] for word in pair[:2])
    if not source or not target:
        return None
    more = target
    for to in languages.target.inflection.infinitives:
        more = [f"{to}{word}" if target[0].startswith(to) and not word.startswith(to) else word for word in more]
    glosses = tuple(dict.fromkeys((*pair.glosses, *more[1:])))
    found = pair._replace(source=source[0], target=target[0], glosses=glosses)
    return found if found[:2] != (before.source.strip(), before.target.strip()) else None


def _without_hyphen(pair: WordPair, _: LanguagePair) -> WordPair | None:
    bare = pair.source.strip().lstrip("".join(HYPHENS))
    return pair._replace(source=bare) if bare and bare != pair.source.strip() and " " not in bare else None


def _in_small_letters(pair: WordPair, languages: LanguagePair) -> WordPair | None:
    """A word in capitals, or with one where the lexicon has none; a phrase may begin with one."""
    known, written = translations(languages.key), _lexicon_spellings(languages.key)
    acronym = any(word.isupper() and word in side for word, side in zip(pair[:2], written, strict=True))
    if acronym or any(word[:1].isupper() and " " in word and not word.isupper() for word in pair[:2]):
        return None  # UKIMWI, AIDS; and a greeting, which begins with a capital
    mended = [_lowered(word, side, plain) for word, side, plain in zip(pair[:2], known, written, strict=True)]
    return pair._replace(source=mended[0], target=mended[1]) if tuple(mended) != pair[:2] else None


def _lowered(word: str, known: Mapping[str, object], written: frozenset[str]) -> str:
    capital = word.isupper() or (word[:1].isupper() and " " not in word)
    return word.lower() if capital and normalise(word) in known and word not in written else word


@cache
def _lexicon_spellings(languages: str) -> tuple[frozenset[str], frozenset[str]]:
    """Every word of each side as the lexicon writes it, names with their capitals."""
    entries = lexicon(languages)
    return (
        frozenset(entry.pair.source for entry in entries),
        frozenset(word for entry in entries for word in entry.pair.accepted),
    )


def _both_infinitives(pair: WordPair, languages: LanguagePair) -> WordPair | None:
    """`kufungua, open` or `fungua, to open`, made the same form on both sides.

    Not every word with ku- is a verb (kuku is a hen, kura a vote), so `to` is added only where the lexicon knows the
    English verb and does not know the Swahili word as anything else.
    """
    ku, to = (side.inflection.infinitives for side in (languages.source, languages.target))
    if not ku or not to:
        return None
    verb = pair.source.startswith(ku)
    verbs, others = _lexicon_verbs(languages.key)
    known = normalise(f"{to[0]}{pair.target}") in verbs and normalise(pair.source) not in others
    if verb and known and not pair.target.startswith(to):
        return pair._replace(target=f"{to[0]}{pair.target}")
    # Bare verbs are one word with a vowel at the end, and none of a place (-ni); `to the market` is no infinitive.
    bare = re.fullmatch(r"[^\W\d]+[aeiu]", pair.source) and not pair.source.endswith("ni")
    phrase = re.match(r"(?:the|a|an|some|my|your|his|her|this|that)\b", pair.target.removeprefix(to[0]))
    if not verb and pair.target.startswith(to) and bare and not phrase:
        return pair._replace(source=f"{ku[0]}{pair.source}")
    return None


@cache
def _lexicon_verbs(languages: str) -> tuple[frozenset[str], frozenset[str]]:
    """The lexicon's target infinitives, and its source words that are no verbs."""
    entries, infinitives = lexicon(languages), language_pair(languages).target.inflection.infinitives
    target = (normalise(word) for entry in entries for word in entry.pair.accepted)
    verbs = frozenset(word for word in target if word.startswith(infinitives))
    return verbs, frozenset(normalise(entry.pair.source) for entry in entries if entry.pos != "verb")


RULES: dict[str, Rule] = {
    N_("broken letters"): Rule(
        N_("Letters were read in the wrong encoding: {source}, {target}."),
        N_("The file was saved in one encoding and opened in another, so that é became Ã©; no text holds such words."),
        _unbroken,
        certain=True,
    ),
    N_("swapped sides"): Rule(
        N_("The two sides look swapped: {source}, {target}."),
        N_("The lexicon knows each word, and as one of the other language only."),
        _right_way_round,
        certain=True,
    ),
    N_("several senses"): Rule(
        N_("Several senses stand in one place: {source}, {target}."),
        N_("The first is measured, and the others count as right answers too; together they would be one long phrase."),
        _one_sense,
        certain=True,
    ),
    N_("part of speech"): Rule(
        N_("A part of speech stands beside the word: {source}, {target}."),
        N_("All that stands in a cell is measured, so the label would be part of the word's vector."),
        _without_label,
        certain=True,
    ),
    N_("spelling"): Rule(
        N_("A slip of the hand? {source}, {target}."),
        N_("The lexicon does not know the word, and knows one like it that has the same translation. It may be another "
           "word or another spelling, so look before you accept."),
        _respelt,
    ),
    N_("note in brackets"): Rule(
        N_("A note in brackets is read as part of the word: {source}, {target}."),
        N_("All that stands in a cell is measured, so the note would be part of the word's vector."),
        _without_notes,
        certain=True,
    ),
    N_("several glosses"): Rule(
        N_("Several words stand in one place: {source}, {target}."),
        N_("The first is measured, and the others count as right answers too. A comma or a slash may also belong to a "
           "phrase, so look before you accept."),
        _one_gloss,
    ),
    N_("hyphen stem"): Rule(
        N_("{source!r} is a stem with a hyphen, which no text holds."),
        N_("Dictionaries give stems so; a model has read the word only with what goes before the stem, or bare."),
        _without_hyphen,
        certain=True,
    ),
    N_("capitals"): Rule(
        N_("Capitals: {source}, {target}."),
        N_("To a model Maji and maji are different pieces, and it has read the small one far more often. Names, days "
           "and languages keep theirs."),
        _in_small_letters,
    ),
    N_("verb form"): Rule(
        N_("Infinitive against bare verb: {source}, {target}."),
        N_("`kuimba` is `to sing` and `imba` is `sing`; set against each other, the pair also measures the form."),
        _both_infinitives,
    ),
}  # fmt: skip
"""By what they are called, in the order in which they are tried, each on what those before it would leave."""
