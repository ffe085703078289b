"""A chart as files for a paper or a slide, made when they are asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from ui.server.session_files import SessionFiles
from ui.widgets.errors import explained
from ui.widgets.events import QUIET, Parts
from ui.widgets.made_file import made_file

TITLE = N_("This figure for a paper or a slide")
SIZES = ((N_("one column of a paper"), "column"), (N_("the width of a page"), "page"), (N_("a slide"), "slide"))
"""Of `print_figure.SIZES`, written out as a page opens before Matplotlib is imported."""


# As its caption is of what was drawn before. In the browser: it needs nothing of the server.
CLOSED = "() => ({__type__: 'update', open: false, visible: true})"


def below(
    chart_of: Callable[..., core.reports.chart.Chart | core.reports.pair_charts.PairChart | None],
    inputs: Parts,
    name: str,
    elem_id: str,
    board_of: Callable[..., Sequence[Sequence[str]]] = lambda *values: (),
) -> None:
    """Lay a closed panel out below a chart, which closes when the chart changes.

    Args:
        chart_of: gives the chart from the values of `inputs`, or None where there is none.
        inputs: the state of what is drawn first, then the choices of how it is looked at.
        name: of the files.
        board_of: gives the rows of a leaderboard, from the same values, to go with it.
    """
    downloads = SessionFiles()
    with gr.Accordion(TITLE, open=False, visible=False, elem_id=elem_id) as panel:
        size = gr.Radio(list(SIZES), value="page", label=N_("As large as"), elem_id=f"{elem_id}-size")
        titled = gr.Checkbox(True, label=N_("With its title above it"), elem_id=f"{elem_id}-titled")
        caption = gr.Textbox(
            label=N_("Caption"), lines=3, interactive=False, buttons=["copy"], elem_id=f"{elem_id}-caption"
        )
        cite = gr.Code(label="BibTeX", language=None, interactive=False, lines=6, max_lines=12)

        def make(size: str, titled: bool, request: gr.Request, *values):
            folder = downloads.fresh(request)
            chart, board = drawn(*values), board_of(*values)
            core.reports.print_figure.write_figure(chart, folder / name, name, size, board=board, titled=titled)
            return shutil.make_archive(str(Path(folder) / name), "zip", folder, name)

        made_file(
            N_("Download it (PDF, SVG, PNG, its points, caption and citations; zip)"),
            make,
            [size, titled, *inputs],
            f"{elem_id}-download",
            visible=True,
        )

    def drawn(*values) -> core.reports.chart.Chart | core.reports.pair_charts.PairChart:
        if (chart := chart_of(*values)) is None:
            raise ValueError(translate("There is nothing here to make files of: draw it first."))
        return chart

    @explained
    def tell(*values):
        chart = drawn(*values)
        return core.reports.print_figure.figure_caption(chart).strip(), core.reports.citations.citations(chart.models)

    panel.expand(tell, inputs, [caption, cite], concurrency_limit=None, api_visibility="private")
    # Not by the plot's own event, which comes when it is drawn at last: by then the panel may have been opened.
    shown, *choices = inputs
    shown.change(None, None, panel, js=CLOSED, **QUIET)
    for choice in choices:
        # What no visitor writes into, as the picked pair's words, is changed by handlers.
        chosen = choice.change if isinstance(choice, gr.Textbox) else choice.input
        chosen(None, None, panel, js=CLOSED, **QUIET)
