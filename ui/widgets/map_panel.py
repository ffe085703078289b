"""Where training helps: the map of a sweep, shipped or brought along, whose fields fill the form."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, QUIET, Updates
from ui.widgets.plot_events import on_plot_event
from ui.widgets.training_form import TrainingForm

ABOUT = N_(
    "Each field is one choice of settings, trained from several seeds beside shuffled translations, and read on "
    "held-out words at the output, whatever layer its loss read. Click a field, or a row, to put its settings into "
    "the form."
)
NONE_YET = N_(
    "No map ships for {model}. `python -m tli_core sweep --model MODEL --report DIR` makes one: bring its map.json."
)
TAKE = """
  const number = event.points[0]?.customdata?.[1];
  const box = document.querySelector("#map-cell textarea, #map-cell input");
  if (number === undefined || !box) return;
  box.value = `${number}`;
  box.dispatchEvent(new Event("input", {bubbles: true}));
"""


def build(form: TrainingForm) -> None:
    """Lay the closed panel out and wire it."""
    # Annotated with a class of the core, handlers would bring PyTorch in before the page is up.
    held = gr.State(None)
    with gr.Accordion(N_("Where training helps: a map"), open=False, elem_id="map") as panel:
        gr.Markdown(ABOUT, elem_classes="hint")
        told = gr.Markdown(elem_id="map-told")
        plot = gr.Plot(show_label=False, visible=False, elem_id="map-plot")
        rows = gr.Dataframe(
            interactive=False,
            show_label=False,
            max_height=300,
            visible=False,
            wrap=True,
            column_widths=["42%", "30%", "28%"],
            elem_id="map-rows",
        )
        upload = gr.File(label=N_("Or a map of your own: map.json"), file_types=[".json"], height=110)
        cell = gr.Textbox(visible="hidden", show_label=False, elem_id="map-cell")

    @explained
    def opened(model: str):
        found = core.reports.saved_map.shipped_map(model)
        if found is None:
            text = translate(NONE_YET, model=core.reports.messages.plain_text(Path(model).name))
            return {told: text, plot: gr.Plot(visible=False), rows: gr.Dataframe(visible=False), held: None}
        return _shown(found)

    @explained
    def brought(path: str):
        return _shown(core.reports.saved_map.read_map(Path(path)))

    def _shown(found: core.reports.saved_map.SavedMap) -> Updates:
        lines = map(core.reports.messages.plain_text, core.reports.saved_map.map_sentences(found))
        figure = core.reports.map_figure.map_figure(found.model, found.cells)
        headers, *data = core.reports.saved_map.map_rows(found)
        return {
            told: "\n".join(f"- {line}" for line in lines),
            plot: gr.Plot(figure, visible=True),
            rows: gr.Dataframe({"headers": list(headers), "data": list(map(list, data))}, visible=True),
            held: found,
        }

    @explained
    def taken(number: str, found):
        if found is None or not number.isdecimal() or int(number) >= len(found.cells):
            return {cell: gr.skip()}
        return filled(found.cells[int(number)])

    @explained
    def picked(found, event: gr.SelectData):
        settings = str((event.row_value or [""])[0])
        chosen = zip(core.reports.saved_map.map_rows(found)[1:], found.cells, strict=True) if found else ()
        return next((filled(of) for row, of in chosen if row[0] == settings), {cell: gr.skip()})

    def filled(of: core.reports.sweep_map.MapCell) -> Updates:
        gr.Info(translate("These settings are in the form now."))
        return form.filled(of.config)

    shown = [told, plot, rows, held]
    panel.expand(opened, form.model, shown, show_progress_on=[told], concurrency_limit=None, api_visibility="private")
    form.model.change(lambda: gr.Accordion(open=False), None, panel, **QUIET)
    upload.upload(brought, upload, shown, **CHECKED)
    on_plot_event(plot, "plotly_click", TAKE)
    settings = [form.preset, form.note, *form.settings.values(), cell]
    cell.input(taken, [cell, held], settings, **CHECKED)
    rows.select(picked, held, settings, **CHECKED)
