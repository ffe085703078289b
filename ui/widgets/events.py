"""How events are queued: so that long work at a model takes its turn, and nothing short waits behind it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

Updates = dict[Any, Any]
"""What a handler returns: new values or component updates, keyed by component."""

Parts = list[Any]
"""Parts of the page: what a handler takes or changes."""

MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Long work at the model: one at a time over the whole page, as each would only slow the others down."""

QUICK_QUEUE: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 2}
"""Work of less than a second at the model: some at a time, as most of it is reading, drawing and sending. The model's
own lock keeps their forward passes apart."""

QUIET: dict[str, Any] = {"queue": False, "api_visibility": "private"}
"""At once, for what cannot fail: an error outside the queue reaches the visitor as a failed request."""

CHECKED: dict[str, Any] = {"concurrency_limit": None, "api_visibility": "private", "show_progress": "hidden"}
"""At once, for what may refuse its input with a sentence; nothing on the page is covered meanwhile or afterwards."""


def uncover(running: Dependency, place: Component) -> None:
    """After a refusal, show again what Gradio covers with the word Error: it still holds, and the sentence is said."""
    running.failure(lambda: gr.skip(), None, place, **QUIET)


class Handler(NamedTuple):
    """An event handler with its inputs and outputs, for others to run as well."""

    function: Callable
    inputs: Parts
    outputs: Parts
