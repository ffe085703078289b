"""Texts in the reader's language, by gettext. The catalogues are in `locales`, kept with `python -m tli_core.locales`.

An English text is the key of its translations. It is marked in the code: by `translate`, which translates it at
once, or by `N_`, which only marks it for translation later.
"""

import gettext
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

ENGLISH, SWAHILI = "en", "sw"
LANGUAGES = (ENGLISH, SWAHILI)
"""The languages that the page and messages are in. A new one is a folder under `locales` and its code here."""

DOMAIN = "lugha"
LOCALES = Path(__file__).parent / "locales"

_reader: Callable[[], str] = ENGLISH.__str__
_chosen: ContextVar[str | None] = ContextVar("chosen", default=None)


def N_(text: str) -> str:
    """Mark a text for the catalogues and return it unchanged; `translate` translates it later."""
    return text


def translate(text: str, /, **fields: object) -> str:
    """Translate a text into the reader's language, if there is a translation, and fill in its fields.

    Without fields the text is not formatted, because it may be user input with braces in it.
    """
    said = translations(reader_language()).gettext(text) if text else text
    return said.format(**fields) if fields else said


def translate_plural(one: str, many: str, n: int, /, **fields: object) -> str:
    """As `translate`, in the form that the reader's language has for this number; both texts may use {n}."""
    return translations(reader_language()).ngettext(one, many, n).format(n=n, **fields)


def set_reader_language(language: Callable[[], str]) -> None:
    """Set the function that returns the current reader's language; the page sets it, the command line does not."""
    global _reader
    _reader = language


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Translate every text inside the context into this language, whatever the reader's language is."""
    token = _chosen.set(language)
    try:
        yield
    finally:
        _chosen.reset(token)


def reader_language() -> str:
    """The language of whoever reads what is said now."""
    return _chosen.get() or _reader()


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; English texts stand for themselves."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    # Here, as machines that only measure and train speak English and may lack Babel.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with catalogue_path(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def texts(language: str) -> Mapping[str, str]:
    """Every text of a language's catalogue by its English; of a text with plural forms the singular."""
    from babel.messages.pofile import read_po  # as above

    with catalogue_path(language).open("rb") as file:
        entries = [entry for entry in read_po(file, locale=language) if entry.id]
    return {_singular(entry.id): _singular(entry.string) for entry in entries}


def _singular(text: Any) -> str:
    """A text of a catalogue, or the first of its forms."""
    return text if isinstance(text, str) else text[0]


def catalogue_path(language: str) -> Path:
    """The file of a language's catalogue."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"
