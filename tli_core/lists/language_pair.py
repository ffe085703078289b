"""A pair of languages: everything that is known of it, read from one folder of data.

To add a pair, add a folder under `language_pairs` with a pair.yaml and a lexicon.csv like those of swahili_english.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tli_core.lists.prompts import Template

FOLDER = Path(__file__).parent / "language_pairs"
DEFAULT = "swahili_english"


@dataclass(frozen=True)
class Language:
    """A language's ISO 639 code, and its name in English."""

    code: str
    name: str


@dataclass(frozen=True)
class Inflection:
    """How forms of one word differ, as far as is needed to see that two are of one word.

    infinitives: beginnings of verbs. classes: beginnings that stand for each other, as of singular and plural. plurals:
    endings, each with what stands in the singular instead.
    """

    infinitives: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...] = ()
    plurals: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PageTexts:
    """What the page says of two languages.

    question: what the page answers. pairs_label: the heading of the box for pairs. examples: lists by their names, one
    pair a line; the first is what the page opens with, and its first line is the example in messages. picture: the
    list that is drawn first. untidy: a list with faults for the linter to find.
    """

    question: str
    pairs_label: str
    examples: Mapping[str, str]
    picture: str
    untidy: str


@dataclass(frozen=True)
class LanguagePair:
    """Two languages and what measuring and showing them needs.

    translations: the prompts that ask for a translation, to_target first. probes: the published kinds of question.
    source_inflection and target_inflection: how forms of a word differ. source_sentences and target_sentences: plain
    sentences for perplexity. lexicon: the file of its word list.
    """

    source: Language
    target: Language
    translations: tuple[Template, Template]
    probes: tuple[Template, ...]
    source_inflection: Inflection
    target_inflection: Inflection
    source_sentences: tuple[str, ...]
    target_sentences: tuple[str, ...]
    lexicon: Path
    page: PageTexts

    @property
    def example(self) -> str:
        """A pair as people write it, for messages."""
        return next(iter(self.page.examples.values())).splitlines()[0]

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


@cache
def language_pair(key: str = DEFAULT) -> LanguagePair:
    """A pair by the name of its folder.

    Raises:
        ValueError: there is none of that name; the message lists those there are.
    """
    folder = FOLDER / key
    if not (folder / "pair.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in FOLDER.glob("*/pair.yaml")))
        raise ValueError(f"There is no language pair {key!r}: choose one of {known}.")
    read = yaml.safe_load((folder / "pair.yaml").read_text(encoding="utf-8"))
    source, target = Language(**read["source"]), Language(**read["target"])
    shows = "a translation in the format the bundled model was trained on"
    return LanguagePair(
        source=source,
        target=target,
        translations=(
            Template(f"Translate to {target.name}", read["prompts"]["to_target"], shows),
            Template(f"Translate to {source.name}", read["prompts"]["to_source"], shows),
        ),
        probes=tuple(Template(**probe) for probe in read["probes"]),
        source_inflection=_inflection(read["inflection"]["source"]),
        target_inflection=_inflection(read["inflection"]["target"]),
        source_sentences=tuple(read["sentences"]["source"]),
        target_sentences=tuple(read["sentences"]["target"]),
        lexicon=folder / "lexicon.csv",
        page=PageTexts(**read["page"]),
    )


def _inflection(read: Mapping[str, Any]) -> Inflection:
    classes = tuple(tuple(prefixes) for prefixes in read.get("classes", ()))
    return Inflection(tuple(read["infinitives"]), classes, tuple(read.get("plurals", {}).items()))
