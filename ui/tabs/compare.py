"""The Compare tab: models, adapters and saved measurements beside each other at one layer, with one legend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT
from ui.page_context import PageContext
from ui.server.cancel import CancellableProgress, StopRequests
from ui.server.visitors import BASE, Visitor
from ui.widgets import chart_table, comparison, figure_files
from ui.widgets.comparison import CONTROL, MOST, OWN, PAIRS, Board
from ui.widgets.deep_links import MAX_LINK, address_of, asked_choice, asked_for, asked_languages, not_here
from ui.widgets.empty_plot import empty_plot
from ui.widgets.errors import explained, remark
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, Parts, Updates, uncover
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import legend_text
from ui.widgets.mobile import bring_into_sight

ID, LABEL = "compare", N_("Compare")
STARTING = ("mini-corrected", "mini-gentle", "mini-published")
"""Adapters that are ticked to begin with: one that finds more, one that harms less, one that does harm."""

HOW = N_(
    "Tick what to compare, and press **Compare**. All are read at one layer, one of them is what the others are set "
    "against, and chance and spelling alone stand beside them."
)
SAVED_HELP = N_(
    "Whoever has the machine for a large model measures once, with `python -m tli_core measure --model MODEL --save "
    "DIR`. The file holds every figure and no weights, and is compared here without its model."
)
BEFORE = N_("How many words find their translation, and right and wrong pairs, at every layer: drawn here.")
STALE = N_("Not compared: what is below, if anything, is from before.")
AGAIN = N_("Press **Compare** again: what is below is of the earlier choice.")


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = CompareTab(context)
    tab.wire_comparing()
    tab.wire_views()
    tab.wire_opening()


class CompareTab:
    """The tab's parts and what their events do; board holds what is a `Board`, or None."""

    def __init__(self, context: PageContext):
        self.context = context
        self.layer = context.reading.layer
        self.stops = StopRequests()
        self.board = gr.State(None)
        with gr.Row():
            with gr.Column(min_width=300):
                names = comparison.offered(context.models, Visitor())
                self.here = gr.CheckboxGroup(
                    list(names),
                    value=[name for name, (_, adapter) in names.items() if adapter in (BASE, *STARTING)],
                    label=N_("Models, and their adapters"),
                    elem_id="comparison-here",
                )
                self.pairs = gr.Radio(
                    [(label, key) for key, label in PAIRS.items()],
                    value=CONTROL,
                    label=N_("Pairs to measure"),
                    info=N_("Saved measurements have their own."),
                    elem_id="comparison-pairs",
                )
                with gr.Row():
                    self.go_button = gr.Button(N_("Compare"), variant="primary", elem_id="comparison")
                    self.cancel = gr.Button(N_("Cancel"), interactive=False, elem_id="comparison-cancel")
            with gr.Column(min_width=300):
                self.saved = gr.CheckboxGroup(
                    list(core.reports.saved.shipped_measurements()),
                    label=N_("Saved measurements that ship with this page"),
                    info=SAVED_HELP,
                    elem_id="comparison-saved",
                )
                self.upload = gr.File(
                    label=N_("Saved measurements of your own"),
                    file_types=[core.reports.saved.ENDING],
                    file_count="multiple",
                    height=110,
                    elem_id="comparison-upload",
                )
        self.status = gr.Markdown(HOW, elem_id="comparison-status")
        self.reference = gr.Dropdown(
            [], label=N_("Set the others against"), visible=False, elem_id="comparison-reference"
        )
        self.table = gr.Dataframe(
            label=N_("Where each stands (click a row for its pairs)"),
            interactive=False,
            visible=False,
            wrap=True,
            # What a row is of stays in sight when the table is scrolled.
            pinned_columns=1,
            elem_id="leaderboard",
        )
        self.reading = gr.Markdown(elem_id="comparison-reading")
        with gr.Accordion(N_("What the measures are"), open=False):
            legend = gr.Markdown(elem_classes="hint")
        context.tab.select(lambda: legend_text(core.reports.tables.COMPARED_MEASURES), None, legend, **QUIET)
        self.plot = empty_plot(BEFORE, "comparison-plot")
        chart_table.beside(self.plot, "comparison-chart-table")
        figure_files.below(comparison.chart_of, self._looked, "comparison", "comparison-figure", comparison.board_rows)
        self.rows = gr.Dataframe(interactive=False, max_height=420, visible=False, elem_id="comparison-rows")
        context.picked.from_table(self.rows)
        self.origin = gr.Markdown(elem_id="comparison-origin", elem_classes="hint")
        self.link = gr.Markdown(elem_id="comparison-link", elem_classes="hint")

    @property
    def _looked(self) -> Parts:
        return [self.board, self.layer, self.context.picked.words]

    @property
    def _shown_parts(self) -> Parts:
        parts = [self.status, self.reference, self.table, self.reading, self.plot, self.rows, self.origin]
        return [*parts, self.link, self.board]

    def wire_comparing(self) -> None:
        """The button, the one that ends it early, and what follows the choices and what is offered."""
        context, reading = self.context, self.context.reading

        def ask_to_stop(request: gr.Request):
            self.stops.ask(request)
            return gr.Button(interactive=False)

        bring_into_sight([self.go_button.click], "comparison-status")
        self._compares(self.go_button.click)
        self.cancel.click(ask_to_stop, None, self.cancel, **QUIET)
        choices = [self.here, self.saved, self.pairs, reading.readout, reading.vectors]
        for changed in (*(choice.input for choice in choices), self.upload.upload, self.upload.clear):
            changed(lambda board: translate(AGAIN) if board else gr.skip(), self.board, self.status, **QUIET)

        def offered(model: str, visitor: Visitor):
            return {self.here: gr.CheckboxGroup(choices=list(comparison.offered(context.models, visitor)))}

        context.bar.follow(offered, [self.here])
        # A fine-tune that has ended, or an import: what is ticked stays.
        context.pickers.changed.change(
            lambda visitor: gr.CheckboxGroup(choices=list(comparison.offered(context.models, visitor))),
            context.visitor,
            self.here,
            **QUIET,
        )

    def _compares(self, trigger: Callable) -> None:
        """After an event: measure what is ticked and set it side by side, and then put its link into the address."""
        context, reading = self.context, self.context.reading

        @explained
        def run(
            here: list[str],
            saved: list[str],
            files: list[str] | None,
            chosen: str,
            typed: str,
            languages: str,
            readout: str,
            vectors: str,
            layer: str,
            reference: str | None,
            words: str,
            visitor: Visitor,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
        ):
            files = files or []
            count = len(here) + len(saved) + len(files)
            if not 1 <= count <= MOST:
                text = N_("Tick one to {most} to compare: {n} are ticked.")
                raise ValueError(translate(text, most=MOST, n=count))
            tell = CancellableProgress(self.stops.begin(request), progress, max(1, len(here)))
            try:
                lens = Lens(languages if chosen == OWN else DEFAULT, readout, vectors)
                pairs = comparison.pairs_of(chosen, typed, lens.languages) if here else ()
                asked = comparison.chosen_of(context.models, visitor, here)
                measured = []
                for name, (model, adapter) in asked.items():
                    tell(name)
                    measured.append(comparison.compared(context.models, visitor, model, adapter, pairs, lens))
            finally:
                self.stops.end(request)
            found = [core.reports.saved.read_shipped(name) for name in saved]
            found += [core.reports.saved.read_measurement(Path(file)) for file in files]
            kept = [core.measures.across_models.Compared(of.result.provenance.label, of.result) for of in found]
            all_of = core.reports.charts.distinctly_labelled([*measured, *kept])
            labels = [of.label for of in all_of]
            against = reference if reference and reference in labels else labels[0]
            if reference and reference != against:
                remark(translate("{label} is not compared here: the others are set against {first}.",
                                 label=reference[:100], first=against))  # fmt: skip
            query = None if files else comparison.query_of(here, saved, chosen, typed, lens)
            board = Board(tuple(all_of), tuple(map(comparison.origin, found)), against, query)
            return self._updates(board, layer, words, request)

        def pressed(request: gr.Request):
            self.stops.expect(request)
            working = {self.go_button: gr.Button(interactive=False), self.cancel: gr.Button(interactive=True)}
            return {**working, self.status: translate("Measuring …")}

        def rest() -> Updates:
            return {self.go_button: gr.Button(interactive=True), self.cancel: gr.Button(interactive=False)}

        buttons = [self.go_button, self.cancel]
        ticked = [self.here, self.saved, self.upload, self.pairs, context.pairs, context.languages]
        running = trigger(pressed, None, [*buttons, self.status], **QUIET).then(
            run,
            [*ticked, *reading.parts, self.reference, context.picked.words, context.visitor],
            self._shown_parts,
            api_visibility="private",
            show_progress_on=[self.status],
            **MODEL_QUEUE,
        )
        running.success(rest, None, buttons, **QUIET)
        running.success(None, self.link, None, js=address_of(ID), **QUIET)
        running.failure(lambda: {**rest(), self.status: translate(STALE)}, None, [*buttons, self.status], **QUIET)
        uncover(running, self.status)

    def wire_views(self) -> None:
        """What is compared, at another layer or a row at a time: no forward pass follows."""

        @explained
        def at_layer(board: Board | None, layer: str, words: str, request: gr.Request):
            return {self.board: gr.skip()} if board is None else self._updates(board, layer, words, request)

        @explained
        def against(board: Board | None, layer: str, words: str, reference: str, request: gr.Request):
            if board is None or reference not in [of.label for of in board.compared]:
                return {self.board: gr.skip()}
            return self._updates(replace(board, reference=reference), layer, words, request)

        def marked(board: Board | None, layer: str, words: str, request: gr.Request):
            return gr.skip() if board is None else comparison.drawn(board, layer, words, request)

        @explained
        def pick(board: Board | None, layer: str, event: gr.SelectData):
            """The pairs of the row that was clicked, wherever sorting has put it."""
            named = {of.label: of for of in board.compared} if board else {}
            of = named.get(str((event.row_value or [""])[0]))
            return gr.skip() if of is None else comparison.pair_rows(of, layer)

        for moved in (
            self.layer.input(at_layer, self._looked, self._shown_parts, **CHECKED),
            self.reference.input(against, [*self._looked, self.reference], self._shown_parts, **CHECKED),
        ):
            moved.success(None, self.link, None, js=address_of(ID), **QUIET)
        self.table.select(pick, [self.board, self.layer], self.rows, **CHECKED)
        bring_into_sight([self.table.select], "comparison-rows")
        self.context.picked.words.change(marked, self._looked, self.plot, show_progress="hidden", **QUIET)

    def wire_opening(self) -> None:
        """The comparison that a page's address asks for."""
        context, reading = self.context, self.context.reading

        def opened(visitor: Visitor, base: str, request: gr.Request):
            query = asked_for(request, ID)
            if query is None:
                return {}
            offered = list(comparison.offered(context.models, visitor))
            saved = core.reports.saved.shipped_measurements()
            if not query.keys() & {"here", "saved"}:
                return {}
            here, kept = (comparison.listed(query.get(key, "")) for key in ("here", "saved"))
            for name in (name for name in (*here, *kept) if name not in (*offered, *saved)):
                remark(not_here(name))
            against = query.get("against", "")[:200]
            return {
                self.here: gr.CheckboxGroup(choices=offered, value=[name for name in here if name in offered]),
                self.saved: [name for name in kept if name in saved],
                self.pairs: asked_choice(query, "list", PAIRS, CONTROL),
                **({context.pairs: query["pairs"][:MAX_LINK]} if "pairs" in query else {}),
                context.languages: asked_languages(query),
                **reading.asked(query, base),
                self.reference: gr.Dropdown([against], value=against, visible=False),
                linked: True,
            }

        linked = context.opening.flag()
        parts = [self.here, self.saved, self.pairs, context.pairs, context.languages, *reading.parts, self.reference]
        context.opening.follow(opened, [*parts, linked])
        self._compares(linked.change)

    def _updates(self, board: Board, layer: str, words: str, request: gr.Request) -> Updates:
        """Updates that put a comparison on the page."""
        at = chosen_layer(layer)
        found = core.measures.across_models.standings(board.reference_first, at)
        headers, *rows = core.reports.across_models.leaderboard_rows(found)
        return {
            self.status: core.reports.across_models.picking_note(found),
            self.reference: gr.Dropdown(
                [of.label for of in board.compared], value=board.reference, visible=len(board.compared) > 1
            ),
            self.table: gr.Dataframe(
                {"headers": list(headers), "data": [list(map(comparison.sortable, row)) for row in rows]},
                visible=True,
                column_widths=["150px", *map(comparison.width, list(zip(headers, *rows, strict=True))[1:])],
            ),
            self.reading: comparison.told(board, found, at),
            self.plot: comparison.drawn(board, layer, words, request),
            self.rows: comparison.pair_rows(board.reference_first[0], layer),
            self.origin: "\n\n".join(board.origins),
            self.link: comparison.link_of(ID, board, layer),
            self.board: board,
        }
