"""A pair of languages: everything that is known of it, read from one folder of data.

Any two languages can be named. To ship a word list, add a folder under `language_pairs` with a lexicon.csv, and what
else is known of the two in a pair.yaml, like those of sw-en.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tli_core.i18n import N_, translate
from tli_core.lists.prompts import Template

FOLDER = Path(__file__).parent / "language_pairs"
LANGUAGES = Path(__file__).parent / "languages.yaml"
DEFAULT = "sw-en"
CODES = re.compile(r"(?P<source>[a-z]{2,3})-(?P<target>[a-z]{2,3})")


@dataclass(frozen=True)
class Inflection:
    """How forms of one word differ, as far as is needed to see that two are of one word.

    infinitives: beginnings of verbs. classes: beginnings that stand for each other, as of singular and plural. plurals:
    endings, each with what stands in the singular instead.
    """

    infinitives: tuple[str, ...] = ()
    classes: tuple[tuple[str, ...], ...] = ()
    plurals: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Language:
    """A language's ISO 639 code, and its name in English.

    codes: its other codes. called: its names in other languages. frames: plain sentences with a place for any {word},
    which tell nothing of its meaning. sentences: plain ones for perplexity.
    """

    code: str
    name: str
    frames: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    inflection: Inflection = Inflection()
    codes: tuple[str, ...] = ()
    called: tuple[str, ...] = ()


@dataclass(frozen=True)
class PageTexts:
    """What the page says of two languages; empty but for the pair that it opens with.

    question: what the page answers. pairs_label: the heading of the box for pairs. examples: lists by their names, one
    pair a line; the first is what the page opens with, and its first line is the example in messages. picture: the
    list that is drawn first. untidy: a list with faults for the linter to find.
    """

    question: str = ""
    pairs_label: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)
    picture: str = ""
    untidy: str = ""


@dataclass(frozen=True)
class LanguagePair:
    """Two languages and what measuring and showing them needs; key are their codes.

    asks: prompts that ask what a {word} of either language means; read out is the last token.
    translations: the prompts that ask for a translation, to_target first. probes: the published kinds of question.
    lexicon: the file of its word list, sentences: that of its pairs of sentences; None where none ships.
    """

    key: str
    source: Language
    target: Language
    asks: tuple[str, ...]
    translations: tuple[Template, Template]
    probes: tuple[Template, ...]
    lexicon: Path | None
    sentences: Path | None
    page: PageTexts

    @property
    def example(self) -> str:
        """A pair as people write it, for messages; without a list of the two languages, the default's."""
        examples = self.page.examples or language_pair().page.examples
        return next(iter(examples.values())).splitlines()[0]

    @property
    def names(self) -> tuple[str, str]:
        """The names of source and target."""
        return self.source.name, self.target.name

    @property
    def answers(self) -> Mapping[str, Language]:
        """The language that each direction ends in, by `to_target` and `to_source`."""
        return {"to_target": self.target, "to_source": self.source}

    @property
    def templates(self) -> tuple[Template, ...]:
        """All prompts, the two translations first."""
        return (*self.translations, *self.probes)


ASKS = (
    'This word: "{word}" means in one word: "',
    'The word "{word}" means the same as the word "',
    'In one word, "{word}" is "',
)
"""How any model is asked what a word means. After Jiang et al. 2024 (arXiv 2307.16645), who ask so for sentences."""


@cache
def language_pair(key: str = DEFAULT) -> LanguagePair:
    """A pair of languages by their codes: what its folder knows of it, if it has one, and defaults for the rest.

    Args:
        key: two ISO 639 codes with a dash between them, as in sw-en.

    Raises:
        ValueError: it is no such key.
    """
    if not (found := CODES.fullmatch(key)):
        text = N_("{key!r} names no two languages: give their codes, as in fr-en; there are lists of {choices}.")
        raise ValueError(translate(text, key=key[:40], choices=", ".join(language_pairs())))
    source, target = language(found["source"]), language(found["target"])
    file = FOLDER / key / "pair.yaml"
    read = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    plain = {
        "to_target": f"{source.name}: {{source}}\n{target.name}:",
        "to_source": f"{target.name}: {{target}}\n{source.name}:",
    }
    prompts = read.get("prompts", {})
    shows = "a translation in the format the bundled model was trained on"
    lexicon, sentences = FOLDER / key / "lexicon.csv", FOLDER / key / "sentences.csv"
    return LanguagePair(
        key=key,
        source=source,
        target=target,
        asks=tuple(read.get("asks", ASKS)),
        translations=(
            Template(f"Translate to {target.name}", prompts.get("to_target", plain["to_target"]), shows),
            Template(f"Translate to {source.name}", prompts.get("to_source", plain["to_source"]), shows),
        ),
        probes=tuple(Template(**probe) for probe in read.get("probes", ())),
        lexicon=lexicon if lexicon.is_file() else None,
        sentences=sentences if sentences.is_file() else None,
        page=PageTexts(**read.get("page", {})),
    )


@cache
def language_pairs() -> tuple[str, ...]:
    """The keys of all pairs of which a word list ships, the default first."""
    keys = sorted(path.parent.name for path in FOLDER.glob("*/lexicon.csv"))
    return (DEFAULT, *(key for key in keys if key != DEFAULT))


def language(code: str) -> Language:
    """A language by its code; of one that `languages.yaml` does not know the name alone, or its code for a name."""
    known = _languages().get(code)
    if known is not None:
        frames, sentences = (tuple(known.get(texts, ())) for texts in ("frames", "sentences"))
        inflection = _inflection(known.get("inflection", {}))
        codes, called = (tuple(known.get(names, ())) for names in ("codes", "called"))
        return Language(code, known["name"], frames, sentences, inflection, codes, called)
    try:
        # Here, as machines that only measure and train may lack Babel.
        from babel import Locale
    except ImportError:
        return Language(code, code)
    return Language(code, Locale("en").languages.get(code, code))


def known_languages() -> tuple[str, ...]:
    """The codes of the languages of which anything is known."""
    return tuple(_languages())


@cache
def _languages() -> Mapping[str, Any]:
    return yaml.safe_load(LANGUAGES.read_text(encoding="utf-8"))


def _inflection(read: Mapping[str, Any]) -> Inflection:
    classes = tuple(tuple(prefixes) for prefixes in read.get("classes", ()))
    return Inflection(tuple(read.get("infinitives", ())), classes, tuple(read.get("plurals", {}).items()))
