"""The Saved tab: measurements that were made elsewhere, looked at and compared here without their models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from ui.page_context import PageContext
from ui.widgets import chart_table
from ui.widgets.empty_plot import empty_plot
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED
from ui.widgets.measurement import legend_text, reading_of
from ui.widgets.mobile import bring_into_sight

ID, LABEL = "saved", N_("Saved measurements")
MOST = 3
"""As many lines with their bands can be told apart in one chart."""

HOW = N_(
    "Whoever has the machine for a large model measures once, with `python -m tli_core measure --model MODEL --save "
    "DIR`. The file holds every figure and no weights: here it is looked at, and set beside others, without the model."
)
BEFORE = N_("Choose measurements, or upload your own: their curves come here.")


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            gr.Markdown(HOW)
            shipped = gr.CheckboxGroup(
                list(core.reports.saved.shipped_measurements()),
                label=N_("Measurements that ship with this page"),
                elem_id="saved-shipped",
            )
            upload = gr.File(
                label=N_("Your own files"),
                file_types=[core.reports.saved.ENDING],
                file_count="multiple",
                height=140,
                elem_id="saved-upload",
            )
            show = gr.Button(N_("Show them"), variant="primary", elem_id="saved-show")
            origin = gr.Markdown(elem_id="saved-origin", elem_classes="hint")
        with gr.Column(scale=3, min_width=300):
            reading = gr.Markdown(elem_id="saved-reading")
            plot = empty_plot(BEFORE, "saved-curve")
            chart_table.beside(plot, "saved-curve-table")
    pairs = gr.Dataframe(
        label=N_("Each pair at the output, with the words that lie nearest"),
        interactive=False,
        max_height=420,
        visible=False,
        elem_id="saved-pairs",
    )
    with gr.Accordion(N_("The curve as a table"), open=False):
        layers = gr.Dataframe(interactive=False, max_height=520, elem_id="saved-layers")
        legend = gr.Markdown(elem_classes="hint")
    parts = [origin, reading, plot, pairs, layers, legend]

    @explained
    def run(names: list[str], files: list[str] | None):
        found = _read(names, files or [])
        results = _labelled(found)
        headers, *rows = core.reports.tables.compared_rows(results)
        return {
            origin: "\n\n".join(_origin(of) for of in found),
            reading: _reading(results),
            plot: core.reports.figures.chart_figure(core.reports.charts.curve_chart(results)),
            pairs: gr.Dataframe(_pair_rows(*results[0]), visible=True),
            layers: {"headers": list(headers), "data": [list(row) for row in rows]},
            legend: legend_text(core.reports.tables.LAYER_MEASURES),
        }

    bring_into_sight([show.click], "saved-reading")
    for event in (show.click, shipped.input, upload.upload):
        event(run, [shipped, upload], parts, **CHECKED)


def _read(names: Sequence[str], files: Sequence[str]) -> tuple[core.reports.saved.SavedMeasurement, ...]:
    """The measurements of a choice, those that ship first.

    Raises:
        ValueError: none or too many are chosen, or one of them cannot be read.
    """
    if not 1 <= len(names) + len(files) <= MOST:
        text = N_("Choose one to {most} measurements: {n} are chosen.")
        raise ValueError(translate(text, most=MOST, n=len(names) + len(files)))
    own = (core.reports.saved.read_measurement(Path(file)) for file in files)
    return (*(core.reports.saved.read_shipped(name) for name in names), *own)


def _labelled(saved: Sequence[core.reports.saved.SavedMeasurement]) -> list[tuple[str, core.LayerAlignment]]:
    """The results by what they are called; those of one name are numbered."""
    names = [of.result.provenance.label for of in saved]
    labels = [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]
    return [(label, of.result) for label, of in zip(labels, saved, strict=True)]


def _origin(of: core.reports.saved.SavedMeasurement) -> str:
    """Where a measurement is from, and its checksum."""
    line = core.reports.html.provenance_line(of.result.provenance)
    told = translate("{name}: {origin}. Checksum {sum}.", name=of.name, origin=line, sum=of.sha256[:16])
    return core.reports.messages.plain_text(told)


def _reading(results: list[tuple[str, core.LayerAlignment]]) -> str:
    """What each curve means, and what sets the others apart from the first where they are of the same pairs."""
    safe = [(core.reports.messages.plain_text(label), result) for label, result in results]
    told = [reading_of([of]) for of in safe]
    for other in safe[1:]:
        try:
            told.append(core.reports.across_models.models_sentence(safe[0], other))
        except ValueError as error:
            told.append(core.reports.messages.plain_text(str(error)))
    return "\n\n".join(told)


def _pair_rows(label: str, result: core.LayerAlignment) -> dict:
    """Each pair of the first measurement at its output: cosine, rank, and the nearest words, right ones marked."""
    size = result.reference_size
    headers = [*map(translate, result.languages.names), translate("cosine"), translate("rank of {size}", size=size)]
    headers.append(translate("nearest, {label}", label=label))
    near = result.nearest["to_target"].pair[-1]  # (n, k)
    rows = []
    for i, pair in enumerate(result.pairs):
        words = [result.pairs[j].target for j in near[i]]
        marked = (f"✓ {word}" if word in pair.accepted else word for word in words)
        rank = int(result.reference_rank[-1, i])
        rows.append([pair.source, pair.target, f"{result.cosine[i, -1]:.3f}", str(rank), ", ".join(marked)])
    return {"headers": headers, "data": rows}
