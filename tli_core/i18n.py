"""Sentences with figures in them, in the language of whoever reads them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Texts = Mapping[str, str]
"""What is said in place of an English text, by that text with its {fields}."""

ENGLISH: Texts = {}

_reader: Callable[[], Texts] = dict
_chosen: ContextVar[Texts | None] = ContextVar("chosen", default=None)


def say(text: str, /, **fields: object) -> str:
    """A text with its fields filled in, in the reader's language where it is known in that.

    A text without fields is said as it stands, as it may be somebody's own with braces in it.
    """
    chosen = _chosen.get()
    texts = _reader() if chosen is None else chosen
    said = texts.get(text, text)
    return said.format(**fields) if fields else said


@dataclass(frozen=True)
class Message:
    """A sentence that a result carries: its English text, as the code that it is known by, and the values in it.

    It becomes words when it is shown, in the language of whoever reads it then, not of whoever measured.
    """

    text: str
    values: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        return say(self.text, **dict(self.values))


def message(text: str, /, **values: object) -> Message:
    """A sentence for a result to carry; a value may be a message itself."""
    return Message(text, tuple(values.items()))


def ask_reader(texts: Callable[[], Texts]) -> None:
    """Have `say` ask for the texts of whoever reads at that moment; a page knows that, a command line does not."""
    global _reader
    _reader = texts


@contextmanager
def speaking(texts: Texts) -> Iterator[None]:
    """Say everything inside in one language, whoever asked for it."""
    token = _chosen.set(texts)
    try:
        yield
    finally:
        _chosen.reset(token)
