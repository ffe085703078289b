"""Exceptions of the core, and what a visitor should know, turned into messages on the page."""

import functools
import html
import inspect
from collections.abc import Callable, Sequence

import gradio as gr

from tli_core.i18n import N_, translate
from tli_core.out_of_memory import memory_sentence

LONGEST = 300
"""Characters of a message; a longer one repeats a name that somebody has made so long."""

SECONDS = 12
"""How long an error stays: it can be read twice, and does not stand over the next result."""


NOT_OF_THIS_PAGE = N_("That was nothing that this page sends: reload it, and try again.")


def plain_html(text: str) -> str:
    """A text for Gradio's messages, which read HTML: a visitor's own words stay words, and fetch nothing."""
    return html.escape(text, quote=False)


def remark(text: str) -> None:
    """Tell the visitor something that stops nothing."""
    gr.Warning(plain_html(text))


def remark_first(sentences: Sequence[str]) -> None:
    """Tell the visitor the first of several things that stop nothing, and how many more there are; nothing of none."""
    if sentences:
        more = len(sentences) - 1
        remark(translate("{first} And {n} more.", first=sentences[0], n=more) if more else sentences[0])


def explained(function: Callable) -> Callable:
    """The same event handler, with a ValueError's sentence shown to the visitor as it stands.

    Only ValueError carries text meant for people, and of memory that is full there is a sentence; anything else is a
    defect, and Gradio hides its text.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args, **kwargs):
            try:
                yield from function(*args, **kwargs)
            except (ValueError, MemoryError, RuntimeError) as error:
                raise _message(error) from error

        return generator

    @functools.wraps(function)
    def plain(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (ValueError, MemoryError, RuntimeError) as error:
            raise _message(error) from error

    return plain


def _message(error: Exception) -> Exception:
    told = str(error) if isinstance(error, ValueError) else memory_sentence(error)
    if told is None:
        return error
    if len(told) > LONGEST:  # what is wrong stands at its beginning, what to do at its end
        told = f"{told[: LONGEST // 2]} … {told[3 - LONGEST // 2 :]}"
    return gr.Error(plain_html(told), print_exception=False, duration=SECONDS)
