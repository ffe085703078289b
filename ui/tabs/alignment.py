"""The Alignment tab: type pairs, see every layer's curve against wrong pairs, for the base and an adapter."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT, language_pair
from ui.page_context import PageContext
from ui.server.session_files import SessionFiles
from ui.server.visitors import BASE, Visitor
from ui.widgets import figure_files, pairs_input
from ui.widgets.adapter_pickers import adapter_choices
from ui.widgets.deep_links import MAX_LINK, address_of, asked_for, asked_languages, not_here, view_link
from ui.widgets.errors import explained, remark
from ui.widgets.events import CHECKED, QUICK_QUEUE, QUIET, Handler, Parts, Updates, uncover
from ui.widgets.made_file import made_file
from ui.widgets.measurement import (
    CURVE,
    HEAT_MAP,
    Shown,
    chart_of,
    legend_text,
    measured,
    note_list,
    pair_table,
    reading_of,
    redrawn,
)
from ui.widgets.mobile import bring_into_sight, scroll_to
from ui.widgets.pairs_input import CONTROL_EXAMPLE

ID, LABEL = "alignment", N_("Alignment")
LOADING = N_("The model is loading … its first curve will be here in a moment. You can type pairs meanwhile.")
INTRODUCTION = N_(
    "Type pairs, see every layer, and always see *wrong* pairs beside the right ones: a high cosine alone says nothing."
)
NOT_MEASURED = N_("These pairs were **not** measured: mend them, and press *Show the curve*.")
STALE = N_("These pairs were **not** measured. What is below is from before.")

WHY = N_(
    "Every text that a Llama model reads begins with a token of its own, BOS. Its vector is very long, and the same "
    "whatever follows. Average it into the vectors of two words, and both are nearly BOS: they point the same way "
    "whether the words are translations or not.\n\n"
    "The pilot of [arXiv 2506.15415](https://arxiv.org/abs/2506.15415) averaged BOS in and found a mean cosine of "
    "0.99998 at layer 2 of Lugha-Llama, for right pairs; wrong pairs were not measured. Here you can see both: with "
    "*every token, BOS too*, the solid line rises to the top and the dotted line of wrong pairs rises with it. What "
    "tells translations apart is the distance between the two lines, never the height of one."
)


HINTS = {
    CURVE: N_(
        "Solid: right pairs (*matched*) with a 95 % interval. Dotted: wrong pairs (*mismatched*), nine in ten of "
        "them inside the pale band. Where you point, both are in brackets. Only the distance between the two means "
        "anything. Click a row of the table below for that pair's own line, and once more to take it away; it is "
        "marked in all tabs."
    ),
    HEAT_MAP: N_(
        "Each pair's cosine less the mean of *wrong* pairs at that layer: purple is above them, orange below, "
        "white is no better than a wrong pair. Click a pair to mark it in all tabs."
    ),
}


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = AlignmentTab(context)
    tab.wire_drawing()
    tab.wire_views()
    tab.wire_opening()


class AlignmentTab:
    """The tab's parts and what their events do; shown holds what is `Shown`, or None."""

    def __init__(self, context: PageContext):
        self.context = context
        self.adapter = context.pickers.alignment
        self.readout, self.vectors, self.layer = context.reading.parts
        self.shown = gr.State(None)
        self.downloads = SessionFiles()
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.given = pairs_input.build()
                self.go_button = gr.Button(N_("Show the curve"), variant="primary", elem_id="measure")
                self.adapter.render()
                with gr.Accordion(N_("Why a cosine of 0.99998 can mean nothing"), open=False):
                    gr.Markdown(WHY)
                    self.show_me = gr.Button(N_("Show me, on the control pairs"), size="sm", elem_id="show-me")
            with gr.Column(scale=3, min_width=300):
                self.stale = gr.Markdown(visible=False, elem_id="alignment-stale", elem_classes="warning")
                self.reading = gr.Markdown(elem_id="reading")
                self.warning = gr.Markdown(visible=False, elem_id="alignment-warning")
                self.view = gr.Radio([CURVE, HEAT_MAP], value=CURVE, label=N_("Look at"), elem_id="alignment-view")
                self.lines = gr.Checkbox(label=N_("Show each pair's own line"), elem_id="pair-lines")
                self.plot = gr.Plot(label="Cosine by layer", show_label=False, elem_id="curve")
                self.hint = gr.Markdown(HINTS[CURVE], elem_classes="hint")
                looked = [self.shown, self.layer, self.view, self.lines, context.picked.words]
                figure_files.below(chart_of, looked, "alignment", "alignment-figure")
                self.link = gr.Markdown(elem_classes="hint", elem_id="alignment-link")
        self.table = gr.Dataframe(
            headers=[*language_pair().names, "cosine", N_("all wrong pairs"), "rank", "pieces", N_("look alike")],
            label=N_("Each pair at the layer"),
            interactive=False,
            max_height=420,
            elem_id="pair-table",
        )
        self.tokens = gr.Markdown(elem_id="tokens", elem_classes="hint")
        with gr.Accordion(N_("The curve as a table"), open=False):
            self.layers = gr.Dataframe(interactive=False, max_height=520, elem_id="layer-table")
            self.legend = gr.Markdown(elem_id="layer-legend", elem_classes="hint")
        self.download = made_file(N_("Download every number (JSON)"), self._file, [self.shown], "alignment-json")
        context.pairs, context.languages = self.given.text, self.given.languages
        context.draw = Handler(self._run, self._inputs, [*self._drawn_parts, self.stale])

    @property
    def _inputs(self) -> Parts:
        view = [*self._lens, self.layer, self.view, self.lines, self.context.picked.words]
        return [self.given.text, self.context.model, self.adapter, *view, self.given.example, self.context.visitor]

    @property
    def _lens(self) -> Parts:
        return [self.given.languages, self.readout, self.vectors]

    @property
    def _drawn_parts(self) -> Parts:
        return [
            self.plot,
            self.reading,
            self.warning,
            self.table,
            self.tokens,
            self.layers,
            self.legend,
            self.download,
            self.link,
            self.shown,
        ]

    @property
    def _linked_parts(self) -> Parts:
        return [self.given.text, self.context.model, self.adapter, *self._lens, self.layer, self.given.example]

    def wire_drawing(self) -> None:
        """Measure and draw: by the button, an adapter, an example, a file, or the lesson on BOS."""
        given, draw = self.given, self.context.draw
        for trigger in (self.go_button.click, self.adapter.input):
            self._draws(trigger)
        for trigger in (self.readout.input, self.vectors.input):
            self._draws_again(trigger)
        begun = given.languages.input(pairs_input.of_languages, given.languages, [given.text, given.example], **QUIET)
        self._draws(begun.then)
        bring_into_sight([self.table.select], "curve")
        self._draws(given.example.input(pairs_input.example_text, given.example, given.text, **QUIET).then)
        self._draws(given.upload.upload(lambda: None, None, None, **QUIET).then)
        asked = [self.go_button.click, self.adapter.input, given.example.input]
        bring_into_sight([*asked, given.upload.upload, self.show_me.click], "reading")
        button, its_pairs = self.context.deeper
        asked_for_more = button.click(
            lambda pairs: (pairs, DEFAULT, None, self.context.open(ID)),
            its_pairs,
            [given.text, given.languages, given.example, self.context.tabs],
            **QUIET,
        )
        self._draws(asked_for_more.then)
        asked_for_more.then(None, None, None, js=scroll_to("reading"), **QUIET)
        lesson = {
            given.text: pairs_input.example_text(CONTROL_EXAMPLE),
            self.readout: "all",
            given.example: CONTROL_EXAMPLE,
            given.languages: DEFAULT,
        }
        self.show_me.click(lambda: lesson, None, list(lesson), **QUIET).then(
            *draw, api_visibility="private", show_progress_on=[self.plot], **QUICK_QUEUE
        )

    def wire_views(self) -> None:
        """What is measured, seen otherwise: no forward pass follows."""
        shown, view, lines = self.shown, self.view, self.lines

        def looked_at(shown: Shown | None, layer: str, view: str, lines: bool, words: str):
            return {
                self.plot: redrawn(shown, layer, view, lines, words),
                self.hint: translate(HINTS[view]),
                self.lines: gr.Checkbox(visible=view == CURVE),
            }

        def at_layer(shown: Shown | None, layer: str, view: str, lines: bool, words: str):
            if shown is None:
                return {self.plot: gr.skip()}
            return {self.plot: redrawn(shown, layer, view, lines, words), self.table: pair_table(shown, layer)}

        def picked(shown: Shown | None, *looked):
            return gr.skip() if shown is None else redrawn(shown, *looked)

        choices = [shown, self.layer, view, lines]
        looked = [*choices, self.context.picked.words]
        lines.input(redrawn, looked, self.plot, **CHECKED)
        view.input(looked_at, looked, [self.plot, self.hint, lines], **CHECKED)
        self.context.picked.follow(picked, choices, self.plot)
        self.context.picked.from_table(self.table)
        self.context.picked.from_plot(self.plot)
        moved = self.layer.input(at_layer, looked, [self.plot, self.table], **CHECKED)
        linking = moved.success(_linked_view, self._linked_parts, self.link, **QUIET)
        linking.success(None, self.link, None, js=address_of(ID), **QUIET)

    def wire_opening(self) -> None:
        """The view that a page's address asks for."""
        models, given, opening = self.context.models, self.given, self.context.opening

        def opened(visitor: Visitor, base: str, request: gr.Request):
            """The view that the address asks for; the drawing that follows an opened page checks what it holds."""
            query = asked_for(request, ID)
            if query is None:
                return {}
            chosen = query.get("model", models.names[0])
            chosen = chosen if chosen in models.names else models.names[0]
            adapters, wanted = visitor.adapters(chosen), query.get("adapter", BASE)
            if wanted not in adapters:
                remark(not_here(wanted))
            example = query.get("example") if query.get("example") in pairs_input.ALL_EXAMPLES else None
            value = wanted if wanted in adapters else BASE
            return {
                given.text: pairs_input.example_text(example) if example else query.get("pairs", "")[:MAX_LINK],
                self.context.model: chosen,
                self.adapter: gr.Dropdown(choices=adapter_choices(adapters), value=value),
                given.languages: asked_languages(query),
                **self.context.reading.asked(query, chosen),
                given.example: example,
                linked: True,
            }

        def says_it_loads(visitor: Visitor, base: str, request: gr.Request):
            # Of a model in memory the curve itself comes as fast, and its reading would be written over.
            return (
                {self.reading: translate(LOADING)}
                if models.loads_by_itself(base) and not models.is_loaded(base)
                else {}
            )

        def drawn_when_opened(model: str, shown: Shown | None, request: gr.Request, *values):
            if shown is not None or not models.is_ready(model):
                return {self.shown: gr.skip()}
            return self.context.draw.function(*values, request)

        self.context.tab.select(
            drawn_when_opened,
            [self.context.model, self.shown, *self._inputs],
            self.context.draw.outputs,
            api_visibility="private",
            show_progress_on=[self.plot],
            **QUICK_QUEUE,
        )
        opening.follow(says_it_loads, [self.reading])
        linked = opening.flag()
        opening.follow(opened, [*self._linked_parts, linked])
        self._draws(linked.change)

    def _file(self, shown: Shown | None, request: gr.Request) -> str:
        """Every number of what is shown, as a file."""
        if shown is None:
            raise ValueError(translate("There is nothing here to make files of: draw it first."))
        path = self.downloads.fresh(request) / shown.file_name
        core.reports.json_csv.write_json(core.reports.json_csv.measurements_json(shown.results, shown.notes), path)
        return str(path)

    @property
    def _run(self) -> Callable:
        """The handler that measures and draws."""

        @explained
        def run(
            text: str,
            model: str,
            adapter: str,
            languages: str,
            readout: str,
            vectors: str,
            layer: str,
            view: str,
            lines: bool,
            words: str,
            example: str | None,
            visitor: Visitor,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
        ):
            is_last, lens = visitor.asking(ID), Lens(languages, readout, vectors)
            found = measured(self.context.models, visitor, text, model, adapter, lens, progress)
            if not is_last():
                return {self.shown: gr.skip()}  # others were asked for meanwhile, and may be drawn already
            return {
                **self._drawn(found, layer, view, lines, words),
                self.link: _linked_view(text, model, adapter, languages, readout, vectors, layer, example),
                self.stale: gr.Markdown(visible=False),
            }

        return run

    def _drawn(self, found: Shown, layer: str, view: str, lines: bool, words: str) -> Updates:
        """Updates that put measurements on the page."""
        headers, *rows = core.reports.tables.compared_rows(found.results)
        caption = core.reports.tables.caption(found.results[-1][1].provenance)
        layers = {"headers": list(headers), "data": [list(row) for row in rows]}
        return {
            self.plot: gr.Plot(redrawn(found, layer, view, lines, words), elem_classes=[]),
            self.reading: gr.Markdown(reading_of(found.results), elem_classes=[]),
            self.warning: gr.Markdown(note_list(found.notes), visible=bool(found.notes)),
            self.table: pair_table(found, layer),
            self.tokens: core.reports.messages.tokens_sentence(found.results[0][1]),
            self.layers: gr.Dataframe(layers, label=caption),
            self.legend: legend_text(core.reports.tables.LAYER_MEASURES),
            self.download: gr.Button(visible=True),
            self.shown: found,
        }

    def _draws(self, event: Callable) -> None:
        """After an event: measure and draw, and say so where that was not to be."""
        running = event(*self.context.draw, api_visibility="private", show_progress_on=[self.plot], **QUICK_QUEUE)
        self._told(running)

    def _draws_again(self, event: Callable) -> None:
        """After a choice that holds in all tabs: draw what is drawn already, and nothing that nobody looks at."""

        def drawn_again(shown: Shown | None, request: gr.Request, *values):
            return {self.shown: gr.skip()} if shown is None else self.context.draw.function(*values, request)

        running = event(
            drawn_again,
            [self.shown, *self._inputs],
            self.context.draw.outputs,
            api_visibility="private",
            show_progress_on=[self.plot],
            **QUICK_QUEUE,
        )
        self._told(running)

    def _told(self, running: Dependency) -> None:
        """After drawing: the link to the view, or that nothing was drawn."""

        def refused(shown: Shown | None):
            """What is shown is of earlier pairs, and says so itself, or there is nothing yet."""
            said = translate(STALE) if shown else translate(NOT_MEASURED)
            before = translate("*From before:* {reading}", reading=reading_of(shown.results)) if shown else ""
            return {
                self.stale: gr.Markdown(said, visible=True),
                self.reading: gr.Markdown(before, elem_classes="stale"),
                self.plot: gr.Plot(elem_classes="stale"),
            }

        running.success(None, self.link, None, js=address_of(ID), **QUIET)
        running.failure(refused, self.shown, [self.stale, self.reading, self.plot], **QUIET)
        uncover(running, self.plot)


def _linked_view(
    text: str, model: str, adapter: str, languages: str, readout: str, vectors: str, layer: str, example: str | None
) -> str:
    listed = example and text == pairs_input.example_text(example)
    pairs = {"example": str(example)} if listed else {"pairs": text}
    lens = {"languages": languages, "readout": readout, "vectors": vectors}
    return view_link(ID, **pairs, model=model, adapter=adapter, **lens, layer=layer)
