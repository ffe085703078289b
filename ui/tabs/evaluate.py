"""The Evaluate tab: what an adapter changed, on trained and on unseen pairs, at any layer, with every control."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.i18n import say
from tli_core.lists.pairs import WordPair, parse_pairs, shipped
from tli_core.models.layers import PICK
from ui.server.cancel import StopRequests, Telling
from ui.server.gpu import on_gpu
from ui.server.session_files import SessionFiles
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models, Visitor
from ui.tabs.alignment import MAX_PAIRS, note_list, too_many
from ui.widgets import chart_table
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.errors import explained
from ui.widgets.events import MODEL_QUEUE
from ui.widgets.layer_picker import OUTPUT, chosen_layer, last_layer, layer_choices
from ui.widgets.mobile import bring_into_sight
from ui.widgets.model_bar import ModelBar
from ui.widgets.pairs_input import LIST_LINES

ITS_OWN, TYPED = "what it was trained on", "pairs I type"
UNSEEN = f"{len(shipped('control'))} control pairs"
RESERVED = f"{len(shipped('reserved'))} words no training saw"
MAX_ANSWERED = 200
UNFINISHED = "Not finished: what is below, if anything, is from before."
AGAIN = "Press **Evaluate** again: what is below is still of the earlier choice."
PICK_CHOICE = ("pick by the trained list", PICK)

VIEWS = {
    "Control pairs, before and after": "Solid: right pairs with a 95 % interval. Dotted: wrong pairs, nine in ten "
    "inside the pale band. Only the distance between the two means anything.",
    "Trained pairs, before and after": "The pairs that the adapter was trained on. A gain here that the control pairs "
    "do not show is memory, not alignment.",
    "What changed at every layer": "After minus before with 95 % intervals of the *difference*; p values (hover) are "
    "corrected for the number of layers (Holm). The dotted line, the gap, is the one that counts.",
    "Each control pair": "Above the dashed line the cosine rose. If the orange marks, the wrong pairs, rose as well, "
    "the rise says nothing.",
    "Right and wrong pairs": "How the cosines are spread. Where the two heaps lie on each other, a high cosine says "
    "nothing.",
    "With BOS averaged in": "The base on the control pairs, pooled as the published pilot does it. Its "
    "cosines near 1 are those of *wrong* pairs too: every vector is nearly the same BOS. That is why a figure such as "
    "0.99998 says nothing about translation.",
    "What carries the vectors": "Under the base: how much of the vectors' squared length is BOS, and how much lies in "
    "each vector's three largest dimensions, with words only and with BOS averaged in.",
}


@dataclass(frozen=True)
class Measured:
    """What is on the page, so that layers and views change without measuring again."""

    model: str
    adapter: str
    report: core.measures.before_after.EvaluationReport


def build(models: Models, visitor: gr.State, bar: ModelBar, pickers: AdapterPickers) -> None:
    """Lay the tab out and wire it."""
    model = bar.model
    stops = StopRequests()
    measured = gr.State(None)
    downloads = SessionFiles()
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            adapter = pickers.evaluate
            adapter.render()
            trained = gr.Radio([ITS_OWN, TYPED], value=ITS_OWN, label="Trained pairs", elem_id="evaluate-trained")
            trained_text = gr.Textbox(
                label="Trained pairs, one a line",
                lines=LIST_LINES,
                max_lines=LIST_LINES,
                visible=False,
                elem_id="evaluate-trained-pairs",
            )
            control = gr.Radio(
                [UNSEEN, RESERVED, TYPED],
                value=UNSEEN,
                label="Pairs it has not seen",
                info="Control: unseen by the fine-tune, met by the base in dictionary lines. The others nobody saw.",
                elem_id="evaluate-control",
            )
            control_text = gr.Textbox(
                label="Unseen pairs, one a line",
                lines=LIST_LINES,
                max_lines=LIST_LINES,
                visible=False,
                elem_id="evaluate-control-pairs",
            )
            layer = gr.Dropdown(
                layer_choices(models, models.names[0], PICK_CHOICE),
                value=OUTPUT,
                label="Layer",
                elem_id="evaluate-layer",
            )
            with gr.Row():
                go_button = gr.Button("Evaluate", variant="primary", elem_id="evaluate")
                cancel = gr.Button("Cancel", interactive=False, elem_id="evaluate-cancel")
        with gr.Column(scale=3, min_width=300):
            status = gr.Markdown(
                "Press **Evaluate**. Base and adapter are measured on the pairs it was trained on and on pairs it "
                "never saw, each beside wrong pairs.",
                elem_id="evaluate-status",
            )
            warning = gr.Markdown(visible=False, elem_id="evaluate-warning", elem_classes="warning")
            view = gr.Radio(list(VIEWS), value=next(iter(VIEWS)), label="Look at", visible=False, elem_id="view")
            plot = gr.Plot(show_label=False, visible=False, elem_id="evaluate-plot")
            view_note = gr.Markdown(visible=False, elem_classes="hint")
            chart_table.beside(plot, "evaluate-chart-table")
    with gr.Column(visible=False) as found:
        gr.Markdown("## The paper's table, with the controls it lacks")
        table = gr.Dataframe(
            show_label=False,
            interactive=False,
            wrap=True,
            column_widths=["34%", "33%", "33%"],
            max_height=1000,
            elem_id="evaluate-table",
        )
        gr.Markdown("## Control pairs that moved most\nWhat a pair's cosine gained over that of its wrong partners.")
        moved = gr.Dataframe(show_label=False, interactive=False, max_height=900, elem_id="movers")
        gr.Markdown(
            "## Does it reach the output?\nThe model is asked to translate every control word, both ways, without and "
            "with the adapter, to rank the right word among all others, and to read plain sentences. A minute or two "
            "on two CPU cores."
        )
        answers_button = gr.Button("Ask both for translations", elem_id="ask")
        answers_note = gr.Markdown(elem_id="answers-note")
        answers = gr.Dataframe(show_label=False, interactive=False, visible=False, elem_id="answers", wrap=True)
        probes = gr.Dataframe(
            label="The six kinds of probe of the published work, to be read",
            interactive=False,
            visible=False,
            wrap=True,
            max_height=480,
            elem_id="probes",
        )
        provenance = gr.Markdown(elem_classes="hint", elem_id="provenance")
        download = gr.DownloadButton("Download the report (HTML, JSON, CSV; zip)", elem_id="report")

    for radio, box in ((trained, trained_text), (control, control_text)):
        radio.input(
            lambda chosen: gr.Textbox(visible=chosen == TYPED), radio, box, queue=False, api_visibility="private"
        )

    shown = [status, warning, view, plot, view_note, found, table, moved, provenance, measured]
    cleared = [answers_note, answers, probes, download]

    @explained
    def run(
        model: str,
        adapter: str,
        trained: str,
        trained_text: str,
        control: str,
        control_text: str,
        layer: str,
        view: str,
        visitor: Visitor,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
    ):
        tell = Telling(stops.begin(request), progress, 4)
        try:
            pairs = visitor.trained_on(adapter) if trained == ITS_OWN else _typed(trained_text)
            splits = {UNSEEN: "control", RESERVED: "reserved"}
            unseen = shipped(splits[control]) if control in splits else _typed(control_text)
            report = evaluated(models, visitor, model, adapter, pairs, unseen, chosen_layer(layer), tell)
            held = Measured(model, adapter, report)
        finally:
            stops.end(request)
        yield (*_shown(held, view), "", gr.Dataframe(visible=False), gr.Dataframe(visible=False), gr.skip())
        file = _report_file(held, visitor, downloads.fresh(request))
        yield (*[gr.skip()] * (len(shown) + 3), gr.DownloadButton(value=file))

    def busy(working: bool):
        return gr.Button(interactive=not working), gr.Button(interactive=working), gr.Button(interactive=not working)

    buttons = [go_button, cancel, answers_button]

    def wire(button: gr.Button, function: Callable, inputs: list, outputs: list, place: gr.Markdown) -> None:
        def pressed(request: gr.Request):
            stops.expect(request)
            return *busy(True), say("Measuring …")

        running = button.click(pressed, None, [*buttons, place], queue=False, api_visibility="private").then(
            function, inputs, outputs, api_visibility="private", show_progress_on=[place], **MODEL_QUEUE
        )
        running.success(lambda: busy(False), None, buttons, queue=False, api_visibility="private")
        running.failure(
            lambda: (*busy(False), say(UNFINISHED)), None, [*buttons, place], queue=False, api_visibility="private"
        )

    bring_into_sight([go_button.click], "evaluate-status")
    wire(
        go_button,
        run,
        [model, adapter, trained, trained_text, control, control_text, layer, view, visitor],
        [*shown, *cleared],
        status,
    )

    def ask_to_stop(request: gr.Request):
        stops.ask(request)
        return gr.Button(interactive=False)

    cancel.click(ask_to_stop, None, cancel, queue=False, api_visibility="private")

    @explained
    def at_layer(measured: Measured | None, layer: str, view: str):
        if measured is None:
            return [gr.skip()] * len(shown)
        lists = measured.report.evaluations
        evaluations = core.measures.before_after.compare_lists(
            *(r for item in lists for r in (item.before, item.after)), layer=chosen_layer(layer)
        )
        held = replace(measured, report=replace(measured.report, evaluations=evaluations))
        return _shown(held, view)

    def file_at_layer(measured: Measured | None, visitor: Visitor, request: gr.Request):
        if measured is None:
            return gr.skip()
        return gr.DownloadButton(value=_report_file(measured, visitor, downloads.fresh(request)))

    # The report to download is always of the layer on the page.
    layer.input(at_layer, [measured, layer, view], shown, queue=False, api_visibility="private").success(
        file_at_layer, [measured, visitor], download, api_visibility="private", show_progress="hidden"
    )

    for changed in (adapter.input, trained.input, control.input):
        changed(lambda held: say(AGAIN) if held else gr.skip(), measured, status, queue=False, api_visibility="private")

    def look(measured: Measured | None, view: str):
        return (drawn(measured.report, view), gr.Markdown(say(VIEWS[view]))) if measured else (gr.skip(), gr.skip())

    view.input(look, [measured, view], [plot, view_note], queue=False, api_visibility="private")

    @explained
    def ask(
        measured: Measured | None,
        visitor: Visitor,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
    ):
        if measured is None:
            raise ValueError(say("Nothing has been evaluated yet: press Evaluate first."))
        tell = Telling(stops.begin(request), progress, 7)
        try:
            pairs = measured.report.evaluations[-1].before.pairs
            if len(pairs) > MAX_ANSWERED:
                text = "{n} unseen pairs are more than {most}, the most this page asks for: use fewer."
                raise ValueError(say(text, n=len(pairs), most=MAX_ANSWERED))
            report = answered(models, visitor, measured, tell)
        finally:
            stops.end(request)
        held = replace(measured, report=report)
        file = _report_file(held, visitor, downloads.fresh(request))
        return (*_answers(report), gr.DownloadButton(value=file), held)

    wire(
        answers_button,
        ask,
        [measured, visitor],
        [answers_note, answers, probes, download, measured],
        answers_note,
    )

    def for_model(model: str, visitor: Visitor):
        return [
            gr.Dropdown(
                choices=layer_choices(models, model, (say(PICK_CHOICE[0]), PICK)), value=last_layer(models, model)
            )
        ]

    bar.follow(for_model, [layer])


@on_gpu(60)
def evaluated(
    models: Models,
    visitor: Visitor,
    model: str,
    adapter: str,
    pairs: Sequence[WordPair],
    unseen: Sequence[WordPair],
    layer: int | str,
    tell: Callable[[str], None],
) -> core.measures.before_after.EvaluationReport:
    """Base and adapter on both lists."""
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    check_tokens(loaded, pairs, unseen)
    evaluations = core.measures.before_after.evaluate_lists(loaded, pairs, unseen, key, layer, tell=tell)
    return core.measures.before_after.report_of(loaded, evaluations)


@on_gpu(120)
def answered(
    models: Models, visitor: Visitor, measured: Measured, tell: Callable[[str], None]
) -> core.measures.before_after.EvaluationReport:
    """The report with what both write."""
    loaded, key = models.get(measured.model), visitor.key(models, measured.model, measured.adapter)
    return core.measures.before_after.with_answers(loaded, measured.report, key, tell)


def drawn(report: core.measures.before_after.EvaluationReport, view: str) -> go.Figure:
    """The figure of a view."""
    trained, control = report.evaluations
    name = report.provenance.adapter
    labels = {say("base"): lambda item: item.before, name: lambda item: item.after}
    poolings = [(say("words only"), control.before), (say("BOS averaged in"), report.with_bos)]
    makers: dict[str, Callable[[], go.Figure]] = dict(
        zip(
            VIEWS,
            (
                lambda: core.reports.figures.alignment_figure([(label, of(control)) for label, of in labels.items()]),
                lambda: core.reports.figures.alignment_figure([(label, of(trained)) for label, of in labels.items()]),
                lambda: core.reports.figures.differences_figure(report.evaluations),
                lambda: core.reports.figures.scatter_figure(control),
                lambda: core.reports.figures.distributions_figure(control),
                lambda: core.reports.figures.alignment_figure(poolings),
                lambda: core.reports.figures.shares_figure(poolings),
            ),
            strict=True,
        )
    )
    return makers[view]()


def _shown(held: Measured, view: str) -> tuple:
    """Everything that follows from a measurement, in the order of the components."""
    report = held.report
    lines = [f"- {core.reports.messages.change_sentence(item)}" for item in report.evaluations]
    headers, *data = core.reports.tables.evaluation_rows(report.evaluations)
    moved_headers, *moved = core.reports.tables.mover_rows(report, report.evaluations[-1])
    return (
        "\n".join([f"## {held.adapter} · {held.model}", *lines]),
        gr.Markdown(note_list(report.warnings), visible=bool(report.warnings)),
        gr.Radio(visible=True),
        gr.Plot(drawn(report, view), visible=True),
        gr.Markdown(say(VIEWS[view]), visible=True),
        gr.Column(visible=True),
        {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in data]},
        {"headers": list(moved_headers), "data": [list(row) for row in moved]},
        say("Measured on {what}.", what=core.reports.html.provenance_line(report.provenance)),
        held,
    )


def _answers(report: core.measures.before_after.EvaluationReport) -> tuple:
    """The sentence, the table and the probes of what the models write."""
    headers, *data = core.reports.tables.output_rows(*report.outputs)
    asked = [[p.kind, p.prompt, p.base, p.adapted] for p in report.probes]
    return (
        core.reports.messages.outputs_sentence(*report.outputs),
        gr.Dataframe({"headers": list(headers), "data": [[cell.strip() for cell in r] for r in data]}, visible=True),
        gr.Dataframe({"headers": [say(h) for h in ("kind", "prompt", "base", "adapter")], "data": asked}, visible=True),
    )


def _report_file(held: Measured, visitor: Visitor, folder: Path) -> str:
    """The report as a zip in a folder."""
    name = f"{held.report.provenance.adapter}-report"
    record = core.models.adapter_import.read_record(visitor.folder(held.model, held.adapter))
    core.reports.html.write_report(held.report, folder / name, record)
    return shutil.make_archive(str(folder / name), "zip", folder, name)


def _typed(text: str) -> tuple[WordPair, ...]:
    pairs = parse_pairs(text).pairs
    if len(pairs) > MAX_PAIRS:
        raise ValueError(too_many(len(pairs)))
    return pairs
