"""The Evaluate tab: what an adapter changed, on trained and on unseen pairs, at any layer, with every control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.events import Dependency

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.models.layers import PICK
from ui.page_context import PageContext
from ui.server.cancel import CancellableProgress, StopRequests
from ui.server.session_files import SessionFiles
from ui.server.visitors import Visitor
from ui.widgets import chart_table, figure_files
from ui.widgets.answers_panel import AnswersPanel
from ui.widgets.deep_links import address_of, asked_for
from ui.widgets.errors import explained
from ui.widgets.evaluation_choice import Chosen, EvaluationChoice
from ui.widgets.evaluation_view import VIEWS, Measured, answered, chart_of, drawn, evaluated, report_file
from ui.widgets.events import MODEL_QUEUE, QUIET, Parts, Updates
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import legend_text, note_list
from ui.widgets.mobile import bring_into_sight

ID, LABEL = "evaluate", N_("Evaluate")
MAX_ANSWERED = 200
UNFINISHED = N_("Not finished: what is below, if anything, is from before.")
AGAIN = N_("Press **Evaluate** again: what is below is still of the earlier choice.")


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = EvaluateTab(context)
    tab.wire_evaluation()
    tab.wire_views()
    tab.wire_answers()
    tab.wire_opening()


class EvaluateTab:
    """The tab's parts and what their events do; measured holds what is `Measured`, or None."""

    def __init__(self, context: PageContext):
        self.context = context
        self.readout, self.vectors, self.layer = context.reading.parts
        self.stops = StopRequests()
        self.downloads = SessionFiles()
        self.measured = gr.State(None)
        self.linked = context.opening.flag()
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.choice = EvaluationChoice(context)
                with gr.Row():
                    self.go_button = gr.Button(N_("Evaluate"), variant="primary", elem_id="evaluate")
                    self.cancel = gr.Button(N_("Cancel"), interactive=False, elem_id="evaluate-cancel")
            with gr.Column(scale=3, min_width=300):
                self.link = gr.Markdown(elem_classes="hint", elem_id="evaluate-link")
                self.status = gr.Markdown(
                    N_(
                        "Press **Evaluate**. Base and adapter are measured on the pairs it was trained "
                        "on and on pairs it never saw, each beside wrong pairs."
                    ),
                    elem_id="evaluate-status",
                )
                self.warning = gr.Markdown(visible=False, elem_id="evaluate-warning", elem_classes="warning")
                self.view = gr.Radio(
                    list(VIEWS), value=next(iter(VIEWS)), label=N_("Look at"), visible=False, elem_id="view"
                )
                self.plot = gr.Plot(show_label=False, visible=False, elem_id="evaluate-plot")
                self.view_note = gr.Markdown(visible=False, elem_classes="hint")
                chart_table.beside(self.plot, "evaluate-chart-table")
                looked = [self.measured, self.view, context.picked.words]
                figure_files.below(_chart, looked, "evaluation", "evaluate-figure")
        with gr.Column(visible=False) as self.found:
            gr.Markdown(N_("## The paper's table, with the controls it lacks"))
            self.table = gr.Dataframe(
                show_label=False,
                interactive=False,
                wrap=True,
                column_widths=["34%", "33%", "33%"],
                max_height=1500,
                elem_id="evaluate-table",
            )
            with gr.Accordion(N_("What the measures are"), open=False):
                self.legend = gr.Markdown(elem_id="evaluate-legend", elem_classes="hint")
            gr.Markdown(
                N_("## Control pairs that moved most\nWhat a pair's cosine gained over that of its wrong partners.")
            )
            self.moved = gr.Dataframe(show_label=False, interactive=False, max_height=900, elem_id="movers")
            self.written = AnswersPanel()
            self.provenance = gr.Markdown(elem_classes="hint", elem_id="provenance")
            self.download = gr.DownloadButton(N_("Download the report (HTML, JSON, CSV; zip)"), elem_id="report")

    @property
    def _shown_parts(self) -> Parts:
        drawn = [self.status, self.warning, self.view, self.plot, self.view_note]
        return [*drawn, self.found, self.table, self.legend, self.moved, self.provenance, self.measured]

    def wire_evaluation(self) -> None:
        """Measure base and adapter on both lists; the button, and the one that ends it early."""
        context, stops = self.context, self.stops

        @explained
        def run(
            model: str,
            view: str,
            words: str,
            visitor: Visitor,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
            *parts: Any,
        ):
            chosen = Chosen(*parts)
            tell = CancellableProgress(stops.begin(request), progress, 4)
            try:
                pairs, unseen = chosen.trained_pairs(visitor, model), chosen.unseen_pairs()
                asked = model, chosen.adapter, pairs, unseen, chosen.at, chosen.lens
                report = evaluated(context.models, visitor, *asked, tell)
                held = Measured(model, chosen.adapter, report, chosen)
            finally:
                stops.end(request)
            yield {**self._updates(held, view, words), **self.written.none()}
            yield {self.download: gr.DownloadButton(value=self._file(held, visitor, request))}

        def ask_to_stop(request: gr.Request):
            stops.ask(request)
            return gr.Button(interactive=False)

        bring_into_sight([self.go_button.click], "evaluate-status")
        asked = [context.model, self.view, context.picked.words, context.visitor, *self.choice.parts]
        shown = [*self._shown_parts, *self.written.outputs, self.download]
        for trigger in (self.go_button.click, self.linked.change):
            running = self._wire(trigger, run, asked, shown, self.status)
            self._links(running.success)
        self.cancel.click(ask_to_stop, None, self.cancel, **QUIET)
        choice = self.choice
        choices = [choice.adapter, choice.languages, choice.trained, choice.unseen, self.readout, self.vectors]
        for changed in (part.input for part in choices):
            changed(lambda held: translate(AGAIN) if held else gr.skip(), self.measured, self.status, **QUIET)

    def wire_views(self) -> None:
        """What is measured, at another layer or seen otherwise: no forward pass follows."""
        context, layer, view = self.context, self.layer, self.view

        @explained
        def at_layer(measured: Measured | None, layer: str, picks: bool, view: str, words: str):
            if measured is None:
                return {self.measured: gr.skip()}
            first, second = lists = measured.report.evaluations
            evaluations = core.measures.before_after.compare_lists(
                *(r for item in lists for r in (item.before, item.after)),
                layer=PICK if picks else chosen_layer(layer),
                of_record=(first.of_record, second.of_record),
            )
            report = replace(measured.report, evaluations=evaluations)
            return self._updates(replace(measured, report=report), view, words)

        def file_at_layer(measured: Measured | None, visitor: Visitor, request: gr.Request):
            if measured is None:
                return gr.skip()
            return gr.DownloadButton(value=self._file(measured, visitor, request))

        def look(measured: Measured | None, view: str, words: str):
            if measured is None:
                return {self.plot: gr.skip()}
            return {self.plot: drawn(measured.report, view, words), self.view_note: gr.Markdown(translate(VIEWS[view]))}

        # The report to download is always of the layer on the page.
        for changed in (layer.input, self.choice.picks.input):
            looked = [self.measured, layer, self.choice.picks, view, context.picked.words]
            moved = changed(at_layer, looked, self._shown_parts, **QUIET)
            moved.success(
                file_at_layer,
                [self.measured, context.visitor],
                self.download,
                api_visibility="private",
                show_progress="hidden",
            )
            self._links(moved.success)
        view.input(look, [self.measured, view, context.picked.words], [self.plot, self.view_note], **QUIET)
        context.picked.follow(look, [self.measured, view], [self.plot, self.view_note])
        context.picked.from_table(self.moved, column=1)
        context.picked.from_plot(self.plot)

    def _links(self, trigger: Callable) -> None:
        """After an event: the link to what is evaluated, whatever was chosen since, here and in the address."""

        def link(measured: Measured | None, layer: str, picks: bool):
            if measured is None or measured.chosen is None:
                return gr.skip()
            return measured.chosen._replace(layer=layer, picks=picks).link(ID, measured.model)

        linking = trigger(link, [self.measured, self.layer, self.choice.picks], self.link, **QUIET)
        linking.success(None, self.link, None, js=address_of(ID), **QUIET)

    def wire_opening(self) -> None:
        """The evaluation that a page's address asks for."""
        choice, context = self.choice, self.context

        def opened(visitor: Visitor, base: str, request: gr.Request):
            query = asked_for(request, ID)
            if query is None or "adapter" not in query:
                return {}
            asked = choice.asked(query, visitor, base)
            return {**asked, self.linked: True} if asked else {}

        context.opening.follow(opened, [context.model, *choice.parts, self.linked])

    def wire_answers(self) -> None:
        """What both models write: translations and probes."""

        @explained
        def ask(
            measured: Measured | None,
            visitor: Visitor,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
        ):
            if measured is None:
                raise ValueError(translate("Nothing has been evaluated yet: press Evaluate first."))
            tell = CancellableProgress(self.stops.begin(request), progress, 7)
            try:
                pairs = measured.report.evaluations[-1].before.pairs
                if len(pairs) > MAX_ANSWERED:
                    text = N_("{n} unseen pairs are more than {most}, the most this page asks for: use fewer.")
                    raise ValueError(translate(text, n=len(pairs), most=MAX_ANSWERED))
                report = answered(self.context.models, visitor, measured, tell)
            finally:
                self.stops.end(request)
            held = replace(measured, report=report)
            file = self._file(held, visitor, request)
            return {**self.written.of(report), self.download: gr.DownloadButton(value=file), self.measured: held}

        told = [*self.written.outputs, self.download, self.measured]
        self._wire(self.written.button.click, ask, [self.measured, self.context.visitor], told, self.written.note)

    def _updates(self, held: Measured, view: str, words: str) -> Updates:
        """Updates that put an evaluation on the page."""
        report = held.report
        told = [*map(core.reports.messages.change_sentence, report.evaluations)]
        lines = [f"- {text}" for text in (*told, core.reports.beside_change.linear_sentence(report)) if text]
        headers, *data = core.reports.tables.report_rows(report)
        moved_headers, *moved = core.reports.tables.mover_rows(report, report.evaluations[-1])
        source = core.reports.html.provenance_line(report.provenance)
        return {
            self.status: "\n".join([f"## {held.adapter} · {held.model}", *lines]),
            self.warning: gr.Markdown(note_list(report.warnings), visible=bool(report.warnings)),
            self.view: gr.Radio(visible=True),
            self.plot: gr.Plot(drawn(report, view, words), visible=True),
            self.view_note: gr.Markdown(translate(VIEWS[view]), visible=True),
            self.found: gr.Column(visible=True),
            self.table: {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in data]},
            self.legend: legend_text(core.reports.tables.COMPARED_MEASURES),
            self.moved: {"headers": list(moved_headers), "data": [list(row) for row in moved]},
            self.provenance: translate("Measured on {what}.", what=source),
            self.measured: held,
        }

    def _file(self, held: Measured, visitor: Visitor, request: gr.Request) -> str:
        return report_file(held, visitor, self.downloads.fresh(request))

    def _wire(
        self, trigger: Callable, function: Callable, inputs: list, outputs: list, place: gr.Markdown
    ) -> Dependency:
        """An event that starts long work, which `cancel` ends; its progress and its end are told at `place`."""
        buttons = [self.go_button, self.cancel, self.written.button]

        def busy(working: bool) -> Updates:
            return {part: gr.Button(interactive=working is (part is self.cancel)) for part in buttons}

        def pressed(request: gr.Request):
            self.stops.expect(request)
            return {**busy(True), place: translate("Measuring …")}

        running = trigger(pressed, None, [*buttons, place], **QUIET).then(
            function, inputs, outputs, api_visibility="private", show_progress_on=[place], **MODEL_QUEUE
        )
        running.success(lambda: busy(False), None, buttons, **QUIET)
        running.failure(lambda: {**busy(False), place: translate(UNFINISHED)}, None, [*buttons, place], **QUIET)
        return running


def _chart(measured: Measured | None, view: str, words: str):
    return None if measured is None else chart_of(measured.report, view, words)
