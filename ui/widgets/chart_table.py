"""A chart's points as a table, for those who cannot see the chart or want its figures."""

from __future__ import annotations

import base64
import json
from typing import Any

import gradio as gr
import numpy as np

from tli_core.i18n import N_, translate
from ui.widgets.errors import NOT_OF_THIS_PAGE
from ui.widgets.events import CHECKED, QUIET

MAX_ROWS = 1000
TITLE = N_("This chart as a table")
HEADERS = (N_("line"), N_("across"), N_("up"), N_("what"))


def beside(plot: gr.Plot, elem_id: str) -> None:
    """Lay a closed table out below a chart; it comes with the chart, is filled when opened, and closes on a change."""
    with gr.Accordion(TITLE, open=False, visible=False, elem_id=elem_id) as panel:
        table = gr.Dataframe(interactive=False, show_label=False, max_height=420)

    def filled(shown: Any):
        try:
            return points(shown.plot if shown else "{}")
        except (ValueError, TypeError, LookupError, AttributeError):
            # A browser sends the chart back as it was drawn.
            raise gr.Error(translate(NOT_OF_THIS_PAGE), print_exception=False) from None

    panel.expand(filled, plot, table, **CHECKED)
    plot.change(lambda: gr.Accordion(open=False, visible=True), None, panel, show_progress="hidden", **QUIET)


def points(figure: str) -> dict:
    """The named lines and marks of a Plotly figure, given as JSON, with x and y of each of their points."""
    headers, rows = [translate(header) for header in HEADERS], []
    for trace in json.loads(figure).get("data", []):
        name = trace.get("name")
        if not name or trace.get("hoverinfo") == "skip":
            continue
        texts = _values(trace.get("text"))
        for i, (x, y) in enumerate(zip(_values(trace.get("x")), _values(trace.get("y")), strict=False)):
            rows.append([name, _format_value(x), _format_value(y), str(texts[i]) if i < len(texts) else ""])
            if len(rows) == MAX_ROWS:
                return {"headers": headers, "data": rows}
    return {"headers": headers, "data": rows}


def _values(array: Any) -> list:
    """The numbers or words of an array as Plotly writes it: a list, or bytes in base64 with their type."""
    if isinstance(array, dict) and {"dtype", "bdata"} <= set(array):
        return np.frombuffer(base64.b64decode(array["bdata"]), dtype=np.dtype(array["dtype"])).tolist()
    return array if isinstance(array, list) else []


def _format_value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
