"""The Compare tab: models, adapters and saved measurements beside each other at one layer, with one legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from ui.page_context import PageContext
from ui.server.cancel import CancellableProgress, StopRequests
from ui.server.gpu import on_gpu
from ui.server.token_limits import check_tokens
from ui.server.visitors import BASE, Models, Visitor
from ui.widgets import chart_table, figure_files
from ui.widgets.empty_plot import empty_plot
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, Parts, Updates, uncover
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import MAX_PAIRS, legend_text, too_many
from ui.widgets.mobile import bring_into_sight, on_phone

ID, LABEL = "comparison", N_("Compare")
MOST = 12
"""More would take a server that strangers share too long."""

STARTING = ("mini-corrected", "mini-gentle", "mini-published")
"""Adapters that are ticked to begin with: one that finds more, one that harms less, one that does harm."""

CONTROL, RESERVED, OWN = (
    N_("the shipped control pairs"),
    N_("{number} words no training saw").format(number=len(shipped("reserved"))),
    N_("the pairs in Alignment"),
)
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


@dataclass(frozen=True, eq=False)
class Board:
    """What is compared on the page, so that layers and rows change without measuring again.

    reference is the label of what the others are set against. Compared by identity: Gradio hashes a state whose change
    is followed, and arrays have no hash.
    """

    compared: tuple[core.measures.across_models.Compared, ...]
    origins: tuple[str, ...]
    reference: str

    @property
    def reference_first(self) -> list[core.measures.across_models.Compared]:
        """What is compared, that which the others are set against before them."""
        return sorted(self.compared, key=lambda of: of.label != self.reference)


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = CompareTab(context)
    tab.wire_comparing()
    tab.wire_views()


class CompareTab:
    """The tab's parts and what their events do; board holds what is a `Board`, or None."""

    def __init__(self, context: PageContext):
        self.context = context
        self.layer = context.reading.layer
        self.stops = StopRequests()
        self.board = gr.State(None)
        with gr.Row():
            with gr.Column(min_width=300):
                names = _here(context.models, Visitor())
                self.here = gr.CheckboxGroup(
                    list(names),
                    value=[name for name, (_, adapter) in names.items() if adapter in (BASE, *STARTING)],
                    label=N_("Models, and their adapters"),
                    elem_id="comparison-here",
                )
                self.pairs = gr.Radio(
                    [CONTROL, RESERVED, OWN],
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
        figure_files.below(_chart, self._looked, "comparison", "comparison-figure")
        self.rows = gr.Dataframe(interactive=False, max_height=420, visible=False, elem_id="comparison-rows")
        context.picked.from_table(self.rows)
        self.origin = gr.Markdown(elem_id="comparison-origin", elem_classes="hint")

    @property
    def _looked(self) -> Parts:
        return [self.board, self.layer, self.context.picked.words]

    @property
    def _shown_parts(self) -> Parts:
        parts = [self.status, self.reference, self.table, self.reading, self.plot, self.rows, self.origin]
        return [*parts, self.board]

    def wire_comparing(self) -> None:
        """Measure what is ticked and set it side by side; the button, and the one that ends it early."""
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
                pairs = _pairs(chosen, typed, lens.languages) if here else ()
                asked = _asked(context.models, visitor, here)
                measured = []
                for name, (model, adapter) in asked.items():
                    tell(name)
                    measured.append(compared(context.models, visitor, model, adapter, pairs, lens))
            finally:
                self.stops.end(request)
            found = [core.reports.saved.read_shipped(name) for name in saved]
            found += [core.reports.saved.read_measurement(Path(file)) for file in files]
            kept = [core.measures.across_models.Compared(of.result.provenance.label, of.result) for of in found]
            all_of = core.reports.charts.distinctly_labelled([*measured, *kept])
            board = Board(tuple(all_of), tuple(map(_origin, found)), all_of[0].label)
            return self._updates(board, layer, words, request)

        def pressed(request: gr.Request):
            self.stops.expect(request)
            return {self.go_button: gr.Button(interactive=False), self.cancel: gr.Button(interactive=True)}

        def rest() -> Updates:
            return {self.go_button: gr.Button(interactive=True), self.cancel: gr.Button(interactive=False)}

        def ask_to_stop(request: gr.Request):
            self.stops.ask(request)
            return gr.Button(interactive=False)

        buttons = [self.go_button, self.cancel]
        ticked = [self.here, self.saved, self.upload, self.pairs, context.pairs, context.languages]
        bring_into_sight([self.go_button.click], "comparison-status")
        running = self.go_button.click(pressed, None, buttons, **QUIET).then(
            run,
            [*ticked, *reading.parts, context.picked.words, context.visitor],
            self._shown_parts,
            api_visibility="private",
            show_progress_on=[self.status],
            **MODEL_QUEUE,
        )
        running.success(rest, None, buttons, **QUIET)
        running.failure(lambda: {**rest(), self.status: translate(STALE)}, None, [*buttons, self.status], **QUIET)
        uncover(running, self.status)
        self.cancel.click(ask_to_stop, None, self.cancel, **QUIET)
        choices = [self.here, self.saved, self.pairs, reading.readout, reading.vectors]
        for changed in (choice.input for choice in choices):
            changed(lambda board: translate(AGAIN) if board else gr.skip(), self.board, self.status, **QUIET)

        def offered(model: str, visitor: Visitor):
            return {self.here: gr.CheckboxGroup(choices=list(_here(context.models, visitor)))}

        context.bar.follow(offered, [self.here])
        # A fine-tune that has ended, or an import: what is ticked stays.
        context.pickers.changed.change(
            lambda visitor: gr.CheckboxGroup(choices=list(_here(context.models, visitor))),
            context.visitor,
            self.here,
            **QUIET,
        )

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
            return gr.skip() if board is None else _figure(board, layer, words, request)

        @explained
        def pick(board: Board | None, layer: str, event: gr.SelectData):
            """The pairs of the row that was clicked, wherever sorting has put it."""
            named = {of.label: of for of in board.compared} if board else {}
            of = named.get(str((event.row_value or [""])[0]))
            return gr.skip() if of is None else pair_rows(of, layer)

        self.layer.input(at_layer, self._looked, self._shown_parts, **CHECKED)
        self.reference.input(against, [*self._looked, self.reference], self._shown_parts, **CHECKED)
        self.table.select(pick, [self.board, self.layer], self.rows, **CHECKED)
        bring_into_sight([self.table.select], "comparison-rows")
        self.context.picked.words.change(marked, self._looked, self.plot, show_progress="hidden", **QUIET)

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
                {"headers": list(headers), "data": [list(map(_sortable, row)) for row in rows]},
                visible=True,
                column_widths=["190px", *map(_width, list(zip(headers, *rows, strict=True))[1:])],
            ),
            self.reading: _reading(board, found, at),
            self.plot: _figure(board, layer, words, request),
            self.rows: pair_rows(board.reference_first[0], layer),
            self.origin: "\n\n".join(board.origins),
            self.board: board,
        }


@on_gpu(60)
def compared(
    models: Models, visitor: Visitor, model: str, adapter: str, pairs: Sequence[WordPair], lens: Lens
) -> core.measures.across_models.Compared:
    """A base or an adapter, measured."""
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    check_tokens(loaded, pairs)
    return core.measures.across_models.measure_compared(loaded, pairs, key, lens)


def pair_rows(of: core.measures.across_models.Compared, layer: str) -> gr.Dataframe:
    """Each pair at the layer: its cosine, its rank, and the words that lie nearest, right ones marked."""
    result = of.result
    try:
        at = core.models.layers.layer_index(result.names, chosen_layer(layer))
    except ValueError:
        return gr.Dataframe(visible=False)
    size = result.reference_size
    headers = [*map(translate, result.languages.names), translate("cosine")]
    headers += [translate("rank among {size} common words", size=size), translate("nearest in the list")]
    near, rows = result.nearest["to_target"].pair[at], []  # (n, k)
    for i, pair in enumerate(result.pairs):
        words = [result.pairs[j].target for j in near[i]]
        marked = (f"✓ {word}" if word in pair.accepted else word for word in words)
        rank = int(result.reference_rank[at, i])
        rows.append([pair.source, pair.target, f"{result.cosine[i, at]:.3f}", str(rank), ", ".join(marked)])
    where = core.models.layers.layer_words(result.names[at])
    label = translate("Each pair of {label}, at {layer}, with the words that lie nearest", label=of.label, layer=where)
    return gr.Dataframe({"headers": headers, "data": rows}, label=label, visible=True)


def _width(column: Sequence[str]) -> str:
    """As wide as the longest word of a column, as a table breaks words that have no room."""
    longest = max(len(word) for cell in column for word in cell.replace("-", " ").split() or [""])
    return f"{max(90, 30 + 9 * longest)}px"


def _sortable(cell: str) -> str | float:
    """A figure as a number, so that a table sorts it as one."""
    try:
        return float(cell) if "." in cell else int(cell)
    except ValueError:
        return cell


def _here(models: Models, visitor: Visitor) -> dict[str, tuple[str, str]]:
    """What can be measured here, by its label: each base that is ready, alone and with each adapter."""
    found = {}
    for model in filter(models.is_ready, models.names):
        for adapter in visitor.adapters(model):
            found[model if adapter == BASE else f"{model} + {adapter}"] = (model, adapter)
    return found


def _asked(models: Models, visitor: Visitor, labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """What is ticked, in the order in which it is offered.

    Raises:
        ValueError: something that is not offered is asked for.
    """
    offered = _here(models, visitor)
    for label in labels:
        if label not in offered:
            text = N_("{label} is not here to be compared: choose from the list.")
            raise ValueError(translate(text, label=str(label)[:100]))
    return {label: of for label, of in offered.items() if label in labels}


def _pairs(chosen: str, typed: str, languages: str) -> tuple[WordPair, ...]:
    if chosen != OWN:
        return shipped("reserved" if chosen == RESERVED else "control")
    pairs = parse_pairs(typed, languages).pairs
    if len(pairs) > MAX_PAIRS:
        raise ValueError(too_many(len(pairs)))
    return pairs


def _figure(board: Board, layer: str, words: str, request: gr.Request) -> go.Figure:
    """The comparison's chart as drawn, its panels below each other on a phone."""
    chart = _chart(board, layer, words)
    return core.reports.figures.chart_figure(chart, 1 if on_phone(request) else 3)


def _chart(board: Board | None, layer: str, words: str) -> core.reports.chart.Chart | None:
    """The comparison's chart, of the first that one chart can tell apart; None where nothing is compared."""
    if board is None:
        return None
    drawn = board.compared[: core.reports.chart.MOST_COMPARED]
    return core.reports.charts.comparison_chart([(of.label, of.result) for of in drawn], chosen_layer(layer), words)


def _reading(board: Board, found: Sequence[core.measures.across_models.Standing], layer: int | str) -> str:
    """What sets each apart from the first, and which of them are not drawn."""
    told = core.reports.across_models.standing_sentences(found, layer)
    if len(board.compared) > core.reports.chart.MOST_COMPARED:
        text = N_("The chart shows the first {most}; the table has all.")
        told.append(translate(text, most=core.reports.chart.MOST_COMPARED))
    return "\n".join(f"- {core.reports.messages.plain_text(line)}" for line in told)


def _origin(of: core.reports.saved.SavedMeasurement) -> str:
    """Where a measurement is from, and its checksum."""
    line = core.reports.html.provenance_line(of.result.provenance)
    told = translate("{name}: {origin}. Checksum {sum}.", name=of.name, origin=line, sum=of.sha256[:16])
    return core.reports.messages.plain_text(told)
