"""What the names of columns say: which holds the source, which the target, and what the others are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import yaml

from tli_core.lists.language_pair import LanguagePair, known_languages, language
from tli_core.lists.pairs import normalise

VOCABULARY = Path(__file__).parent.parent / "headers.yaml"
SIDES = ("source", "target")
ROLES = ("word", "translation")
"""What a column of words may be called without a language."""

MOST_WORDS = 12
"""Words of a cell that may be the name of a column, as forms ask for them; more are a title or a sentence."""

JOINING = frozenset(
    # English and Swahili
    ("a", "an", "and", "by", "for", "from", "in", "into", "its", "kwa", "language", "la", "lugha", "my", "of", "or",
     "our", "the", "to", "wa", "ya", "your", "za")
)  # fmt: skip
"""What joins the words of a name."""

REGIONS = frozenset(["arab", "cd", "cyrl", "ethi", "fr", "gb", "ke", "latn", "ng", "rw", "tz", "ug", "us", "za"])
"""Countries and scripts that follow a language's code."""

NAMELESS = re.compile(r"|\d{1,3}|(?:unnamed: ?|col(?:umn)?[ _]?|field[ _]?|var|[vx])\d{1,3}", re.IGNORECASE)
"""What programs write where a column has no name: numbers, V1, Column1, Unnamed: 0."""


@dataclass(frozen=True)
class Name:
    """What one name says. language: source, target, or empty. role: a key of headers.yaml, or empty.

    whole: every word of it is one that names of columns are made of.
    """

    language: str = ""
    role: str = ""
    whole: bool = False


@dataclass(frozen=True)
class NamedColumns:
    """Columns by their numbers from 0, as a header names them.

    ordered: the header says which language each side is; without that, the two are what it calls word and translation.
    strong: both languages are named, in cells that hold nothing else, so that it is a header wherever it stands.
    further: there are more columns of both languages.
    """

    source: int
    target: int
    ordered: bool
    glosses: tuple[int, ...] = ()
    topic: int | None = None
    others: dict[int, str] = field(default_factory=dict)
    strong: bool = False
    further: bool = False


def named_columns(cells: Sequence[str], pair: LanguagePair) -> NamedColumns | None:
    """The columns that a row names, or None where it is no header."""
    names = [name_of(cell, pair) for cell in cells]
    source, target = (_of_language(names, side) for side in SIDES)
    word, translation = (_of_role(names, role, (source, target)) for role in ROLES)
    # A definition is taken for the translation only where nothing else is.
    translation = translation if translation is not None else _of_role(names, "definition", (source, target))
    strong = all(side is not None and names[side].whole for side in (source, target))
    ordered = source is not None or target is not None
    if source is None and target is not None:
        source = word if word is not None else translation
        source = source if source is not None else _the_other(cells, names, target, pair)
    elif target is None and source is not None:
        target = word if _is_definition(names, translation) and word is not None else translation
        target = target if target is not None else word
        target = target if target is not None else _the_other(cells, names, source, pair)
    elif source is None:
        source, target = word, translation
    if source is None or target is None:
        return None
    others = {i: name.role for i, name in enumerate(names) if i not in (source, target)}
    glosses = tuple(i for i, role in others.items() if role == "glosses" and names[i].language != "source")
    topic = next((i for i, role in others.items() if role == "topic"), None)
    more = [sum(n.language == side and n.role in ("", *SIDES, *ROLES) for n in names) > 1 for side in SIDES]
    return NamedColumns(source, target, ordered, glosses, topic, others, strong, all(more))


def may_name_languages(cells: Sequence[str], pair: LanguagePair) -> bool:
    """Whether a row holds names of both languages, which is quickly seen of rows that do not."""
    codes = (pair.source.code, pair.target.code)
    words = {word for cell in cells for word in _words(cell)}
    return all(words & _name_words(code) for code in codes)


@cache
def _name_words(code: str) -> frozenset[str]:
    return frozenset(word for name in _language_names(code) for word in name)


def is_called(cell: str, *roles: str) -> bool:
    """Whether a cell is just the name of a column with one of these roles."""
    return _vocabulary().get(_words(cell)) in roles


def is_nameless(cells: Sequence[str]) -> bool:
    """Whether a row holds what programs write for columns without names."""
    return any(cell.strip() for cell in cells) and all(NAMELESS.fullmatch(cell.strip()) for cell in cells)


CERTAIN = frozenset(("definition", "gloss", "maana", "meaning", "meanings", "tafsiri", "traduction", "translation"))
"""Names of columns that are seldom the words of a list."""


def is_half_named(cells: Sequence[str], pair: LanguagePair) -> bool:
    """Whether a row names one column for sure, and none the way a pair of words would: Verb, Meaning."""
    names = [name_of(cell, pair) for cell in cells]
    languages = {name.language for name in names if name.language and name.whole}
    sure = any(set(_words(cell)) <= CERTAIN and _words(cell) for cell in cells)
    same = len({(name.language, name.role) for name in names}) == 1
    coded = any(len(cell.strip()) < 4 for cell, name in zip(cells, names, strict=True) if name.language)
    return not same and not coded and (sure or len(languages) == 1) and not any(other_language(c, pair) for c in cells)


def _is_definition(names: Sequence[Name], column: int | None) -> bool:
    return column is not None and names[column].role == "definition"


def _the_other(cells: Sequence[str], names: Sequence[Name], named: int, pair: LanguagePair) -> int | None:
    """Of two columns the one beside that of a language alone, whatever it is called but another language."""
    alone = len(names) == 2 and names[named].whole and names[named].role == "" and len(cells[named].strip()) > 3
    return 1 - named if alone and not other_language(cells[1 - named], pair) else None


def _of_language(names: Sequence[Name], side: str) -> int | None:
    """The column of a language's words: one that is called nothing else before examples and forms, then any."""
    found = [i for i, name in enumerate(names) if name.language == side and name.role != "glosses"]
    plain = [i for i in found if names[i].role in ("", "source", "target", *ROLES)]
    sentences = [i for i in found if names[i].role in ("definition", "example", "inflection")]
    return next(iter((*plain, *sentences, *found)), None)


def _of_role(names: Sequence[Name], role: str, taken: Sequence[int | None]) -> int | None:
    return next((i for i, name in enumerate(names) if name.role == role and i not in taken and not name.language), None)


def name_of(cell: str, pair: LanguagePair) -> Name:
    """What a cell says as the name of a column; nothing where it is too long to be one."""
    if len(cell) > 200:
        return Name()
    readings = [_name(words, cell, pair) for words in dict.fromkeys((_words(cell), _words(cell, camel=True)))]
    return max(readings, key=lambda name: (bool(name.language), bool(name.role), name.whole))


def _name(words: tuple[str, ...], cell: str, pair: LanguagePair) -> Name:
    if not words or len(words) > MOST_WORDS:
        return Name()
    role = _role(words)
    if role in SIDES:
        return Name(role, role, whole=True)
    codes = (pair.source.code, pair.target.code)
    # A code in a phrase is a word of some language: en question.
    coded = len(words) == 1 or not re.search(r"[^\W_] [^\W_]", cell.strip())
    called = [[name for name in _language_names(code) if coded or not _is_code(name, code)] for code in codes]
    places = [min((at for name in names if (at := _place(name, words)) is not None), default=None) for names in called]
    said = [(at, side) for at, side in zip(places, SIDES, strict=True) if at is not None]
    known = {word for names in called for name in names for word in name} | JOINING | REGIONS | _role_words()
    whole = all(word in known or word.isdigit() for word in words)
    if not said and not whole:
        # A phrase of which one word may name a column: Answer the question.
        return Name("", role if len(words) < 3 or not _is_sentence(words) else "", whole)
    return Name(min(said)[1] if said else "", role, whole)


def _is_code(name: tuple[str, ...], code: str) -> bool:
    return name == (code,) or name in {(other,) for other in language(code).codes}


def _is_sentence(words: Sequence[str]) -> bool:
    """Whether an article or the like stands between the words."""
    return bool(set(words) & {"a", "an", "the", "your", "my"})


def is_known(cell: str) -> bool:
    """Whether a name is one that columns have, of whatever languages."""
    called = normalise(cell)
    return bool(_role(_words(cell))) or called in _all_languages() or called in _all_languages().values()


def other_language(cell: str, pair: LanguagePair) -> str:
    """The code of the language that a cell names, where it is neither of the pair's; empty otherwise."""
    code = _all_languages().get(normalise(cell), "")
    return "" if name_of(cell, pair).language else code


def _words(cell: str, camel: bool = False) -> tuple[str, ...]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell.strip()[:200]) if camel else cell.strip()[:200]
    return tuple(re.findall(r"[^\W_]+|#", normalise(apart)))


@cache
def _role_words() -> frozenset[str]:
    return frozenset(word for name in _vocabulary() for word in name)


def _place(name: Sequence[str], words: Sequence[str]) -> int | None:
    """Where a name's words stand in a row among these."""
    return next((at for at in range(len(words) - len(name) + 1) if tuple(words[at : at + len(name)]) == name), None)


# A page reads the same few cells again with every list that is typed.
@lru_cache(maxsize=4096)
def _role(words: tuple[str, ...]) -> str:
    """The role that the longest known name among the words has; of equally long ones, that of the last."""
    found = [(len(name), at, role) for name, role in _vocabulary().items() if (at := _place(name, words)) is not None]
    # `word` is part of many names that say more: word class, example word.
    found = [one for one in found if one[2] not in ROLES] or found
    return max(found)[2] if found else ""


@cache
def _vocabulary() -> dict[tuple[str, ...], str]:
    read = yaml.safe_load(VOCABULARY.read_text(encoding="utf-8"))
    return {_words(name): role for role, names in read.items() for name in names}


@cache
def _language_names(code: str) -> tuple[tuple[str, ...], ...]:
    """How a language is called as words: in its own and several more languages, and by its codes."""
    known = language(code)
    names = {known.name, code, *known.codes, *known.called}
    if not known.called:
        names |= {locale.languages.get(code, code) for locale in _locales((code, *NEIGHBOURS))}
    return tuple(filter(None, map(_words, names)))


NEIGHBOURS = ("en", "sw", "fr", "pt", "de", "es", "it", "nl", "ar")
"""Languages in which people name the columns of their lists."""


@cache
def _all_languages() -> dict[str, str]:
    """The codes of languages of two letters by their names in several languages, and in their own."""
    found: dict[str, str] = {}
    for locale in _locales(NEIGHBOURS):
        found.update({normalise(name): code for code, name in locale.languages.items() if len(code) == 2})
        found[normalise(locale.languages.get(locale.language, locale.language))] = locale.language
    for code in known_languages():
        found.update(dict.fromkeys(map(normalise, (language(code).name, *language(code).called)), code))
    return found


def _locales(codes: Sequence[str]) -> list:
    try:
        # Here, as machines that only measure and train may lack Babel.
        from babel import Locale, UnknownLocaleError
    except ImportError:
        return []
    found = []
    for code in dict.fromkeys(codes):
        try:
            found.append(Locale(code))
        except (UnknownLocaleError, ValueError):
            continue
    return found
