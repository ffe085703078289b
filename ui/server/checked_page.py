"""A page that refuses what none of its parts can send, before a handler sees it.

A browser sends what its reader typed and chose. A program can send anything, and Gradio hands most of it on.
"""

from __future__ import annotations

import inspect
from typing import Any, cast

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.components import Component
from gradio.components.api_component import Api

from tli_core.i18n import N_, translate
from ui.widgets.errors import NOT_OF_THIS_PAGE, plain_html

TOO_SMALL = N_("{label}: {value} is less than {least}, the least that is possible here.")
TOO_LARGE = N_("{label}: {value} is more than {most}, the most that is possible here.")
NOT_SUCH_ARGUMENT = N_("{name} must be of the kind {kind}: see the page's description of its API.")
MOST_CHARACTERS = 60
"""Of a number that is refused, as a sentence repeats it."""

LARGEST = 2.0**53
"""Whole numbers above it are not exact in a browser."""

ARGUMENTS: dict[str, Any] = {"string": str, "boolean": bool, "integer": int}
"""Kinds of an endpoint's arguments, as Gradio describes them; of others, which are settings, their `Setting` judges."""

EMPTY: tuple[tuple[Any, Any], ...] = (
    (gr.CheckboxGroup, []),
    (gr.Textbox | gr.Radio | gr.Dropdown, ""),
    (gr.Checkbox, False),
)
"""What parts hold in which nothing is written or chosen, as a browser sends null for them."""


CALL = inspect.signature(gr.Blocks.call_function)


class CheckedPage(gr.Blocks):
    """Blocks whose handlers get text where they expect text, finite numbers, and choices that are offered."""

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """The values for a handler.

        Raises:
            gr.Error: a value is none that its part can have.
        """
        uploads = {part for part, event in block_fn.targets if event == "upload"}
        names = list(inspect.signature(block_fn.fn).parameters) if block_fn.fn else []
        for number, (part, value) in enumerate(zip(block_fn.inputs, inputs, strict=False)):
            if isinstance(part, Api):
                _check_argument(names[number], part, value)
            else:
                _check(cast(Component, part), value)
            if value is None and part._id in uploads:
                raise _refusal(NOT_OF_THIS_PAGE)
        try:
            values = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except (gr.Error, ValueError, TypeError, LookupError, AttributeError) as error:
            # A file that is not there, a choice that is not offered, too few values: all of it is the sender's.
            raise _refusal(NOT_OF_THIS_PAGE) from error
        return [_filled(cast(Component, part), value) for part, value in zip(block_fn.inputs, values, strict=True)]

    async def call_function(self, block_fn: BlockFunction | int, *args: Any, **settings: Any) -> dict[str, Any]:
        """What a handler returns.

        Raises:
            gr.Error: it asks what was clicked, and is told nothing that can be clicked.
        """
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        given = CALL.bind(self, block_fn, *args, **settings).arguments
        if function.collects_event_data and not _is_selection(given.get("event_data")):
            raise _refusal(NOT_OF_THIS_PAGE)
        return await super().call_function(block_fn, *args, **settings)


def _check(part: Component, value: Any) -> None:
    """Refuse a value of another kind than the part's, a number out of its bounds, or one that is none."""
    if value is None or part.stateful:
        return
    if isinstance(part, gr.Number | gr.Slider):
        _check_number(part, value)
    elif isinstance(part, gr.Checkbox):
        _check_kind(value, bool)
    elif isinstance(part, gr.Textbox | gr.Markdown | gr.Code | gr.BrowserState):
        _check_kind(value, str)
    elif isinstance(part, gr.CheckboxGroup) or (isinstance(part, gr.Dropdown) and part.multiselect):
        _check_kind(value, list)
        for one in value:
            _check_kind(one, str)
    elif isinstance(part, gr.Radio | gr.Dropdown):
        _check_kind(value, str | int | float)
    elif isinstance(part, gr.Dataframe):
        _check_kind(value, dict)
        for row in value.get("data") or []:
            _check_kind(row, list)
            for cell in row:
                _check_kind(cell, str | int | float | None)


def _check_kind(value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or not _is_sound(value):
        raise _refusal(NOT_OF_THIS_PAGE)


def _is_sound(value: Any) -> bool:
    """Whether a text can be written, as half a surrogate pair cannot, or a number is one that a browser can hold."""
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    # Not so of NaN and of infinity.
    return not isinstance(value, int | float) or -LARGEST <= value <= LARGEST


def _check_argument(name: str, part: Api, value: Any) -> None:
    """Refuse what a program sends for an endpoint's argument where it is of another kind."""
    told = str(part._api_info["type"])
    truth = isinstance(value, bool) and told != "boolean"
    if value is None and part.value is not None:
        return
    if told in ARGUMENTS and (truth or not isinstance(value, ARGUMENTS[told]) or not _is_sound(value)):
        raise _refusal(NOT_SUCH_ARGUMENT, name=name, kind=told)


def _check_number(part: gr.Number | gr.Slider, value: Any) -> None:
    if isinstance(value, bool):
        raise _refusal(NOT_OF_THIS_PAGE)
    _check_kind(value, int | float)
    label, said = translate(str(part.label)), f"{value}"[:MOST_CHARACTERS]
    if part.minimum is not None and value < part.minimum:
        raise _refusal(TOO_SMALL, label=label, value=said, least=part.minimum)
    if part.maximum is not None and value > part.maximum:
        raise _refusal(TOO_LARGE, label=label, value=said, most=part.maximum)


def _filled(part: Component, value: Any) -> Any:
    """The value, or what an empty part holds, or an argument that is left out."""
    if value is not None or (isinstance(part, gr.Dropdown) and part.multiselect):
        return value
    if isinstance(part, Api):
        return part.value
    return next((empty for kind, empty in EMPTY if isinstance(part, kind)), None)


def _is_selection(event: gr.EventData | None) -> bool:
    """Whether an event says what was clicked as a table does: a place, its cell, and the cells of its row."""
    data = event._data if event is not None else None
    if not isinstance(data, dict) or not {"index", "value"} <= set(data):
        return False
    row = data.get("row_value")
    cells = [data["value"], *(row if isinstance(row, list) else [])]
    return (row is None or isinstance(row, list)) and all(isinstance(cell, str | int | float | None) for cell in cells)


def _refusal(text: str, **values: object) -> gr.Error:
    return gr.Error(plain_html(translate(text, **values)), print_exception=False)
