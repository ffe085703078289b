"""The Evaluate tab: what an adapter changed, on trained and on unseen pairs, at any layer, with every control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gradio as gr

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.models.layers import PICK
from ui.page_context import PageContext
from ui.server.cancel import CancellableProgress, StopRequests
from ui.server.session_files import SessionFiles
from ui.server.visitors import Visitor
from ui.widgets import chart_table, figure_files
from ui.widgets.errors import explained
from ui.widgets.evaluation_view import VIEWS, Measured, answered, chart_of, drawn, evaluated, report_file
from ui.widgets.events import MODEL_QUEUE, QUIET, Parts, Updates
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import MAX_PAIRS, legend_text, note_list, too_many
from ui.widgets.mobile import bring_into_sight
from ui.widgets.pairs_input import LIST_LINES, languages_choices, languages_picker

ID, LABEL = "evaluate", N_("Evaluate")
ITS_OWN, TYPED = N_("what it was trained on"), N_("pairs I type")
UNSEEN = N_("the shipped control pairs")
RESERVED = N_("{number} words no training saw").format(number=len(shipped("reserved")))
MAX_ANSWERED = 200
UNFINISHED = N_("Not finished: what is below, if anything, is from before.")
AGAIN = N_("Press **Evaluate** again: what is below is still of the earlier choice.")


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = EvaluateTab(context)
    tab.wire_evaluation()
    tab.wire_views()
    tab.wire_answers()


class EvaluateTab:
    """The tab's parts and what their events do; measured holds what is `Measured`, or None."""

    def __init__(self, context: PageContext):
        self.context = context
        self.adapter = context.pickers.evaluate
        self.readout, self.vectors, self.layer = context.reading.parts
        self.stops = StopRequests()
        self.downloads = SessionFiles()
        self.measured = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.adapter.render()
                self.languages = languages_picker(
                    N_("Those that the adapter was trained on, where it says so."), "evaluate-languages"
                )
                self.trained = gr.Radio(
                    [ITS_OWN, TYPED], value=ITS_OWN, label=N_("Trained pairs"), elem_id="evaluate-trained"
                )
                self.trained_text = gr.Textbox(
                    label=N_("Trained pairs, one a line"),
                    lines=LIST_LINES,
                    max_lines=LIST_LINES,
                    visible=False,
                    elem_id="evaluate-trained-pairs",
                )
                self.control = gr.Radio(
                    [UNSEEN, RESERVED, TYPED],
                    value=UNSEEN,
                    label=N_("Pairs it has not seen"),
                    info=N_(
                        "No fine-tune on the shipped list has seen the control pairs. lugha-mini itself has met its "
                        "Swahili ones in dictionary lines; the others, Swahili words too, nobody saw."
                    ),
                    elem_id="evaluate-control",
                )
                self.control_text = gr.Textbox(
                    label=N_("Unseen pairs, one a line"),
                    lines=LIST_LINES,
                    max_lines=LIST_LINES,
                    visible=False,
                    elem_id="evaluate-control-pairs",
                )
                self.picks = gr.Checkbox(
                    label=N_("Pick the layer by the trained list"),
                    info=N_("Otherwise it is the layer that is chosen above for all tabs."),
                    elem_id="evaluate-pick",
                )
                with gr.Row():
                    self.go_button = gr.Button(N_("Evaluate"), variant="primary", elem_id="evaluate")
                    self.cancel = gr.Button(N_("Cancel"), interactive=False, elem_id="evaluate-cancel")
            with gr.Column(scale=3, min_width=300):
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
            gr.Markdown(
                N_(
                    "## Does it reach the output?\nThe model is asked to translate every control word, "
                    "both ways, without and with the adapter, to rank the right word among all others, "
                    "and to read plain sentences. A minute or two on two CPU cores."
                )
            )
            self.answers_button = gr.Button(N_("Ask both for translations"), elem_id="ask")
            self.answers_note = gr.Markdown(elem_id="answers-note")
            self.answers = gr.Dataframe(
                show_label=False, interactive=False, visible=False, elem_id="answers", wrap=True
            )
            self.probes = gr.Dataframe(
                label=N_("The six kinds of probe of the published work, to be read"),
                interactive=False,
                visible=False,
                wrap=True,
                max_height=480,
                elem_id="probes",
            )
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
            adapter: str,
            languages: str,
            trained: str,
            trained_text: str,
            control: str,
            control_text: str,
            readout: str,
            vectors: str,
            layer: str,
            picks: bool,
            view: str,
            words: str,
            visitor: Visitor,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
        ):
            tell = CancellableProgress(stops.begin(request), progress, 4)
            try:
                if trained == ITS_OWN:
                    visitor.check_languages(model, adapter, languages)
                pairs = visitor.trained_on(model, adapter) if trained == ITS_OWN else _typed(trained_text, languages)
                unseen = _typed(control_text, languages) if control == TYPED else _shipped(control, languages)
                asked = _layer(layer, picks), Lens(languages, readout, vectors)
                report = evaluated(context.models, visitor, model, adapter, pairs, unseen, *asked, tell)
                held = Measured(model, adapter, report)
            finally:
                stops.end(request)
            hidden = gr.Dataframe(visible=False)
            yield {**self._updates(held, view, words), self.answers_note: "", self.answers: hidden, self.probes: hidden}
            yield {self.download: gr.DownloadButton(value=self._file(held, visitor, request))}

        def ask_to_stop(request: gr.Request):
            stops.ask(request)
            return gr.Button(interactive=False)

        for radio, box in ((self.trained, self.trained_text), (self.control, self.control_text)):
            radio.input(lambda chosen: gr.Textbox(visible=chosen == TYPED), radio, box, **QUIET)
        bring_into_sight([self.go_button.click], "evaluate-status")
        lists = [self.trained, self.trained_text, self.control, self.control_text]
        lens = [*context.reading.parts, self.picks]
        view = [self.view, context.picked.words]
        asked = [context.model, self.adapter, self.languages, *lists, *lens, *view, context.visitor]
        cleared = [self.answers_note, self.answers, self.probes, self.download]
        self._wire(self.go_button, run, asked, [*self._shown_parts, *cleared], self.status)
        self.cancel.click(ask_to_stop, None, self.cancel, **QUIET)
        self.adapter.change(
            _languages_of,
            [context.model, self.adapter, context.visitor],
            self.languages,
            **QUIET,
        )
        choices = [self.adapter, self.languages, self.trained, self.control, self.readout, self.vectors]
        for changed in (choice.input for choice in choices):
            changed(lambda held: translate(AGAIN) if held else gr.skip(), self.measured, self.status, **QUIET)

    def wire_views(self) -> None:
        """What is measured, at another layer or seen otherwise: no forward pass follows."""
        context, layer, view = self.context, self.layer, self.view

        @explained
        def at_layer(measured: Measured | None, layer: str, picks: bool, view: str, words: str):
            if measured is None:
                return {self.measured: gr.skip()}
            lists = measured.report.evaluations
            evaluations = core.measures.before_after.compare_lists(
                *(r for item in lists for r in (item.before, item.after)), layer=_layer(layer, picks)
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
        for changed in (layer.input, self.picks.input):
            looked = [self.measured, layer, self.picks, view, context.picked.words]
            moved = changed(at_layer, looked, self._shown_parts, **QUIET)
            moved.success(
                file_at_layer,
                [self.measured, context.visitor],
                self.download,
                api_visibility="private",
                show_progress="hidden",
            )
        view.input(look, [self.measured, view, context.picked.words], [self.plot, self.view_note], **QUIET)
        context.picked.follow(look, [self.measured, view], [self.plot, self.view_note])
        context.picked.from_table(self.moved, column=1)
        context.picked.from_plot(self.plot)

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
            return {**self._answer_updates(report), self.download: gr.DownloadButton(value=file), self.measured: held}

        told = [self.answers_note, self.answers, self.probes, self.download, self.measured]
        self._wire(self.answers_button, ask, [self.measured, self.context.visitor], told, self.answers_note)

    def _updates(self, held: Measured, view: str, words: str) -> Updates:
        """Updates that put an evaluation on the page."""
        report = held.report
        told = [*map(core.reports.messages.change_sentence, report.evaluations)]
        lines = [f"- {text}" for text in (*told, core.reports.messages.linear_sentence(report)) if text]
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

    def _answer_updates(self, report: core.measures.before_after.EvaluationReport) -> Updates:
        """The sentence, the table and the probes of what the models write."""
        headers, *data = core.reports.tables.output_rows(*report.outputs)
        answers = {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in data]}
        asked = [[p.kind, p.prompt, p.base, p.adapted] for p in report.probes]
        probes = {
            "headers": [translate(head) for head in (N_("kind"), N_("prompt"), N_("base"), N_("adapter"))],
            "data": asked,
        }
        return {
            self.answers_note: "\n\n".join(
                (
                    core.reports.written.written_sentence(report),
                    core.reports.written.prompts_sentence(report.outputs[0].languages),
                    core.reports.messages.knowledge_sentence(report),
                )
            ),
            self.answers: gr.Dataframe(answers, visible=True),
            self.probes: gr.Dataframe(probes, visible=True),
        }

    def _file(self, held: Measured, visitor: Visitor, request: gr.Request) -> str:
        return report_file(held, visitor, self.downloads.fresh(request))

    def _wire(self, button: gr.Button, function: Callable, inputs: list, outputs: list, place: gr.Markdown) -> None:
        """A button for long work, which `cancel` ends; its progress and its end are told at `place`."""
        buttons = [self.go_button, self.cancel, self.answers_button]

        def busy(working: bool) -> Updates:
            return {part: gr.Button(interactive=working is (part is self.cancel)) for part in buttons}

        def pressed(request: gr.Request):
            self.stops.expect(request)
            return {**busy(True), place: translate("Measuring …")}

        running = button.click(pressed, None, [*buttons, place], **QUIET).then(
            function, inputs, outputs, api_visibility="private", show_progress_on=[place], **MODEL_QUEUE
        )
        running.success(lambda: busy(False), None, buttons, **QUIET)
        running.failure(lambda: {**busy(False), place: translate(UNFINISHED)}, None, [*buttons, place], **QUIET)


def _chart(measured: Measured | None, view: str, words: str):
    return None if measured is None else chart_of(measured.report, view, words)


def _languages_of(model: str, adapter: str, visitor: Visitor) -> gr.Dropdown:
    """The languages that an adapter was trained on, offered where they are none of those that ship."""
    own = visitor.languages_of(model, adapter)
    return gr.Dropdown(choices=languages_choices(own), value=own)


def _layer(layer: str, picks: bool) -> int | str:
    return PICK if picks else chosen_layer(layer)


def _shipped(choice: str, languages: str) -> tuple[WordPair, ...]:
    """The shipped pairs of a choice.

    Raises:
        ValueError: none ship of these languages.
    """
    pairs = shipped("reserved" if choice == RESERVED else "control", languages)
    if not pairs:
        source, target = map(translate, language_pair(languages).names)
        text = N_("There is no such list of {source} and {target}: choose the shipped control pairs.")
        raise ValueError(translate(text, source=source, target=target))
    return pairs


def _typed(text: str, languages: str) -> tuple[WordPair, ...]:
    pairs = parse_pairs(text, languages).pairs
    if len(pairs) > MAX_PAIRS:
        raise ValueError(too_many(len(pairs)))
    return pairs
