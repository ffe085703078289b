"""Exceptions of the core turned into messages on the page."""

import functools
import inspect
from collections.abc import Callable

import gradio as gr


def explained(function: Callable) -> Callable:
    """The same event handler, with a ValueError's sentence shown to the visitor as it stands.

    Only ValueError carries text meant for people; anything else is a defect, and Gradio hides its text.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args, **kwargs):
            try:
                yield from function(*args, **kwargs)
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False, duration=None) from error

        return generator

    @functools.wraps(function)
    def plain(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False, duration=None) from error

    return plain
