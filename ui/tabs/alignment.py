"""The Alignment tab: type pairs, see every layer's curve against wrong pairs, for the base and an adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.encoding.readouts import POOLINGS
from tli_core.i18n import Message, say
from tli_core.lists.lint import doubts, read_by_byte
from tli_core.lists.pairs import parse_pairs
from ui.server.gpu import on_gpu
from ui.server.session_files import SessionFiles
from ui.server.token_limits import check_tokens
from ui.server.visitors import BASE, Models, Visitor
from ui.widgets import pairs_input
from ui.widgets.adapter_pickers import AdapterPickers, adapter_choices
from ui.widgets.deep_links import Arrival
from ui.widgets.errors import explained, remark
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, uncover
from ui.widgets.links import ADDRESS, MAX_LINK, asked_for, not_here, view_link
from ui.widgets.mobile import bring_into_sight
from ui.widgets.pairs_input import CONTROL_EXAMPLE

MAX_PAIRS = 2000
MAX_NOTES = 6
SOON = 100
"""Pairs that are measured before their progress could be read; to draw it would take longer."""

LOADING = "The model is loading … its first curve will be here in a moment. You can type pairs meanwhile."
NOT_MEASURED = "These pairs were **not** measured: mend them, and press *Show the curve*."
STALE = "These pairs were **not** measured. What is below is from before."

WHY = (
    "Every text that a Llama model reads begins with a token of its own, BOS. Its vector is very long, and the same "
    "whatever follows. Average it into the vectors of two words, and both are nearly BOS: they point the same way "
    "whether the words are translations or not.\n\n"
    "The pilot of [arXiv 2506.15415](https://arxiv.org/abs/2506.15415) averaged BOS in and found a mean cosine of "
    "0.99998 at layer 2 of Lugha-Llama, for right pairs; wrong pairs were not measured. Here you can see both: with "
    "*every token, BOS too*, the solid line rises to the top and the dotted line of wrong pairs rises with it. What "
    "tells translations apart is the distance between the two lines, never the height of one."
)

POOLING_LABELS = [("words only", "words"), ("every token, BOS too", "all"), ("last token", "last")]


CURVE, HEAT_MAP = "Curve", "Every pair at every layer"
HINTS = {
    CURVE: "Solid: right pairs (*matched*) with a 95 % interval. Dotted: wrong pairs (*mismatched*), nine in ten of "
    "them inside the pale band. Where you point, both are in brackets. Only the distance between the two means "
    "anything. Click a row of the table below for that pair's own line, and once more to take it away.",
    HEAT_MAP: "Each pair's cosine less the mean of *wrong* pairs at that layer: purple is above them, orange below, "
    "white is no better than a wrong pair.",
}


@dataclass(frozen=True)
class Shown:
    """The measurements on the page under every pooling, so that views change without measuring again.

    pieces are each word's subwords; picked is the number of the pair that was clicked.
    """

    measured: tuple[tuple[str, core.measures.alignment.ByPooling], ...]
    pooling: str
    doubtful: tuple[str, ...]
    pieces: dict[str, tuple[str, ...]]
    picked: int | None = None

    @property
    def results(self) -> tuple[tuple[str, core.measures.result.LayerAlignment], ...]:
        """The base's measurement, and the adapter's where there is one, under the present pooling."""
        return tuple((name, by_pooling[self.pooling]) for name, by_pooling in self.measured)

    @property
    def file_name(self) -> str:
        """A name for what is measured, as a file: models, pooling and number of pairs."""
        who, result = "-".join(name for name, _ in self.results), self.results[0][1]
        name = core.models.adapter_sources.folder_name(f"{Path(who).name}-{self.pooling}-{len(result.pairs)}-pairs")
        return f"alignment-{name}.json"

    @property
    def notes(self) -> tuple[str | Message, ...]:
        """What could not be read or is likely a slip, and what the measurement warns of."""
        return tuple(dict.fromkeys([*self.doubtful, *self.results[0][1].warnings]))


@dataclass(frozen=True)
class AlignmentTab:
    """What others need of this tab: the box that a mended list goes to, and how to draw."""

    text: gr.Textbox
    first_drawing: tuple


def build(
    models: Models, visitor: gr.State, model: gr.Dropdown, pickers: AdapterPickers, arrival: Arrival
) -> AlignmentTab:
    """Lay the tab out and wire it."""
    shown = gr.State(None)
    downloads = SessionFiles()
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            given = pairs_input.build()
            go_button = gr.Button("Show the curve", variant="primary", elem_id="measure")
            adapter = pickers.alignment
            adapter.render()
            pooling = gr.Radio(
                POOLING_LABELS,
                value="words",
                label="Pooling: which tokens make a word's vector",
                info="A word is cut into tokens. BOS is the token that every text begins with: averaged in, it makes "
                "all words alike.",
                elem_id="pooling",
            )
            with gr.Accordion("Why a cosine of 0.99998 can mean nothing", open=False):
                gr.Markdown(WHY)
                show_me = gr.Button("Show me, on the control pairs", size="sm", elem_id="show-me")
        with gr.Column(scale=3, min_width=300):
            stale = gr.Markdown(visible=False, elem_id="alignment-stale", elem_classes="warning")
            reading = gr.Markdown(elem_id="reading")
            warning = gr.Markdown(visible=False, elem_id="alignment-warning")
            view = gr.Radio([CURVE, HEAT_MAP], value=CURVE, label="Look at", elem_id="alignment-view")
            lines = gr.Checkbox(label="Show each pair's own line", elem_id="pair-lines")
            plot = gr.Plot(label="Cosine by layer", show_label=False, elem_id="curve")
            hint = gr.Markdown(HINTS[CURVE], elem_classes="hint")
            link = gr.Markdown(elem_classes="hint", elem_id="alignment-link")
    table = gr.Dataframe(
        headers=["Swahili", "English", "cosine", "all wrong pairs", "rank", "pieces"],
        label="Each pair at the output",
        interactive=False,
        max_height=420,
        elem_id="pair-table",
    )
    with gr.Accordion("The curve as a table", open=False):
        layers = gr.Dataframe(interactive=False, max_height=520, elem_id="layer-table")
    download = gr.DownloadButton("Download every number (JSON)", visible=False, elem_id="alignment-json")

    drawn_parts = [plot, reading, warning, table, layers, download, shown]
    outputs = [*drawn_parts, stale]

    def drawn(found: Shown, view: str, lines: bool, request: gr.Request) -> tuple:
        path = downloads.fresh(request) / found.file_name
        core.reports.json_csv.write_json(core.reports.json_csv.measurements_json(found.results, found.notes), path)
        headers, *rows = core.reports.tables.compared_rows(found.results)
        caption = core.reports.tables.caption(found.results[-1][1].provenance)
        return (
            gr.Plot(redrawn(found, view, lines), elem_classes=[]),
            gr.Markdown(_reading(found.results), elem_classes=[]),
            gr.Markdown(note_list(found.notes), visible=bool(found.notes)),
            pair_table(found),
            gr.Dataframe({"headers": list(headers), "data": [list(row) for row in rows]}, label=caption),
            gr.DownloadButton(value=str(path), visible=True),
            found,
        )

    @explained
    def run(
        text: str,
        model: str,
        adapter: str,
        pooling: str,
        view: str,
        lines: bool,
        visitor: Visitor,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
    ):
        found = measured(models, visitor, text, model, adapter, pooling, progress)
        return *drawn(found, view, lines, request), gr.Markdown(visible=False)

    inputs = [given.text, model, adapter, pooling, view, lines, visitor]
    link_inputs = [given.text, model, adapter, pooling, given.example]

    def draws(event):
        """After an event: measure and draw, and say so where that was not to be."""
        running = event(run, inputs, outputs, api_visibility="private", show_progress_on=[plot], **MODEL_QUEUE)
        running.success(linked_view, link_inputs, link, **QUIET).success(None, link, None, js=ADDRESS, **QUIET)
        running.failure(refused, shown, [stale, reading, plot], **QUIET)
        uncover(running, plot)

    def refused(shown: Shown | None):
        """What is shown is of earlier pairs, and says so itself, or there is nothing yet."""
        said = say(STALE) if shown else say(NOT_MEASURED)
        before = say("*From before:* {reading}", reading=_reading(shown.results)) if shown else ""
        return gr.Markdown(said, visible=True), gr.Markdown(before, elem_classes="stale"), gr.Plot(elem_classes="stale")

    def linked_view(text: str, model: str, adapter: str, pooling: str, example: str | None) -> str:
        listed = example and text == pairs_input.example_text(example)
        pairs = {"example": example} if listed else {"pairs": text}
        return view_link("alignment", **pairs, model=model, adapter=adapter, pooling=pooling)

    for trigger in (go_button.click, adapter.input):
        draws(trigger)
    bring_into_sight([table.select], "curve")
    draws(given.example.input(pairs_input.example_text, given.example, given.text, **QUIET).then)
    draws(given.upload.upload(lambda: None, None, None, **QUIET).then)
    asked = [go_button.click, adapter.input, pooling.input, given.example.input, given.upload.upload, show_me.click]
    bring_into_sight(asked, "reading")
    show_me.click(
        lambda: (pairs_input.example_text(CONTROL_EXAMPLE), "all", CONTROL_EXAMPLE),
        None,
        [given.text, pooling, given.example],
        **QUIET,
    ).then(run, inputs, outputs, api_visibility="private", show_progress_on=[plot], **MODEL_QUEUE)

    def pooled_otherwise(shown: Shown | None, pooling: str, view: str, lines: bool, request: gr.Request):
        if shown is None or pooling not in POOLINGS:
            return [gr.skip()] * len(drawn_parts)
        return drawn(replace(shown, pooling=pooling), view, lines, request)

    # All poolings come of the one pass, so that what pooling does is seen at once.
    pooling.input(pooled_otherwise, [shown, pooling, view, lines], drawn_parts, **CHECKED)
    lines.input(redrawn, [shown, view, lines], plot, **CHECKED)
    view.input(
        lambda shown, view, lines: (redrawn(shown, view, lines), say(HINTS[view]), gr.Checkbox(visible=view == CURVE)),
        [shown, view, lines],
        [plot, hint, lines],
        **CHECKED,
    )

    def pick(shown: Shown | None, lines: bool, event: gr.SelectData):
        """The line of the pair whose row was clicked; a second click takes it away."""
        if shown is None:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        row = event.index[0]
        now = replace(shown, picked=None if shown.picked == row else row)
        return now, redrawn(now, CURVE, lines), CURVE, say(HINTS[CURVE])

    table.select(pick, [shown, lines], [shown, plot, view, hint], **CHECKED)

    def opened(visitor: Visitor, base: str, request: gr.Request):
        """The view that the address asks for; the drawing that follows an opened page checks what it holds."""
        query = asked_for(request, "alignment")
        if query is None:
            return {}
        chosen = query.get("model", models.names[0])
        chosen = chosen if chosen in models.names else models.names[0]
        adapters, wanted = visitor.adapters(chosen), query.get("adapter", BASE)
        if wanted not in adapters:
            remark(not_here(wanted))
        example = query.get("example") if query.get("example") in pairs_input.ALL_EXAMPLES else None
        return {
            given.text: pairs_input.example_text(example) if example else query.get("pairs", "")[:MAX_LINK],
            model: chosen,
            adapter: gr.Dropdown(choices=adapter_choices(adapters), value=wanted if wanted in adapters else BASE),
            pooling: query.get("pooling") if query.get("pooling") in POOLINGS else "words",
            given.example: example,
            linked: True,
        }

    def says_it_loads(visitor: Visitor, base: str, request: gr.Request):
        # Of a model in memory the curve itself comes as fast, and its reading would be written over.
        return {reading: say(LOADING)} if models.loads_by_itself(base) and not models.is_loaded(base) else {}

    arrival.follow(says_it_loads, [reading])
    linked = arrival.flag()
    arrival.follow(opened, [*link_inputs, linked])
    draws(linked.change)
    return AlignmentTab(given.text, (run, inputs, outputs))


@on_gpu(30)
def measured(
    models: Models,
    visitor: Visitor,
    text: str,
    model: str,
    adapter: str,
    pooling: str,
    progress: Callable | None = None,
) -> Shown:
    """Measure the pairs of a text under the base, and under the adapter where one is chosen, for every pooling.

    Args:
        progress: told the share that is done, and of what.

    Raises:
        ValueError: nothing can be read, there are too many pairs, or the adapter is not this visitor's to use.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"There is no pooling {pooling!r}: choose one of {', '.join(POOLINGS)}.")
    read = parse_pairs(text)
    if len(read) > MAX_PAIRS:
        raise ValueError(too_many(len(read)))
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    check_tokens(loaded, read.pairs)
    results = []
    for name, used in [(model, None)] if key is None else [(model, None), (adapter, key)]:

        def tell(done: int, blocks: int, name: str = name) -> None:
            if progress and len(read) > SOON:
                said = say("Block {done} of {blocks}, {name}", done=done, blocks=blocks, name=name)
                progress(done / blocks, desc=said)

        results.append((name, core.measures.alignment.measure_by_pooling(loaded, read.pairs, used, tell=tell)))
    pieces = {word: core.encoding.tokens.subwords(loaded.tokenizer, word) for pair in read for word in pair[:2]}
    by_byte = read_by_byte(pieces, pieces.__getitem__)
    notes = (*read.warnings, *doubts(read.pairs), *([by_byte] if by_byte else []))
    return Shown(tuple(results), pooling, notes, pieces)


def too_many(count: int) -> str:
    """What to say of a list that is longer than this page measures."""
    return say("{n} pairs are more than {most}, the most this page measures: use fewer.", n=count, most=MAX_PAIRS)


def note_list(notes: Sequence[str | Message]) -> str:
    """Notes as a Markdown list in which a visitor's own text stays text: no tag, link or image comes of it."""
    shown = [core.reports.messages.plain_text(str(note)) for note in notes[:MAX_NOTES]]
    if len(notes) > MAX_NOTES:
        shown.append(say("and {n} more", n=len(notes) - MAX_NOTES))
    return "\n".join(f"- {note}" for note in shown)


def _reading(results: Sequence[tuple[str, core.measures.result.LayerAlignment]]) -> str:
    (label, base), *adapted = results
    return "\n\n".join(
        [
            core.reports.messages.curve_sentence(base, label),
            *(core.reports.messages.overlay_sentence(base, after, name) for name, after in adapted),
        ]
    )


def redrawn(shown: Shown | None, view: str, lines: bool) -> go.Figure | None:
    """The figure of what was measured: the curve, with or without the pairs' own lines, or the heat map."""
    if shown is None:
        return None
    results = shown.results
    n, most = len(results[0][1].pairs), core.reports.figures.PAIRS_DRAWN
    if (lines or view == HEAT_MAP) and n > most:
        text = "The first {most} of {n} pairs are drawn one by one; the table below has every one."
        remark(say(text, most=most, n=n))
    if view == HEAT_MAP:
        return core.reports.figures.heat_map_figure(*results[-1])
    return core.reports.figures.alignment_figure(results, lines, shown.picked)


def pair_table(shown: Shown) -> gr.Dataframe:
    """Each pair at the last layer: cosine, the wrong pairs' mean, its rank; and its pieces.

    One layer for every row, as rows at layers of their own could not be compared with each other or with an adapter's.
    """
    results = shown.results
    first, layer = results[0][1], len(results[0][1].names) - 1
    size = first.reference_size
    columns = (say("cosine"), say("all wrong pairs"), say("rank of {size}", size=size))
    if len(results) > 1:
        columns = (say("cosine"), say("wrong"), say("rank/{size}", size=size))
        columns = tuple(f"{what} ({who})" for who in (say("base"), say("new")) for what in columns)
    data = []
    for i, pair in enumerate(first.pairs):
        row = [pair.swahili, pair.english]
        for _, result in results:
            cosine, wrong, rank = result.cosine[i, layer], result.mismatched[layer], result.reference_rank[layer, i]
            row += [f"{cosine:.3f}", f"{wrong:.3f}", str(int(rank))]
        data.append([*row, " | ".join("·".join(p.strip() for p in shown.pieces[word]) for word in pair[:2])])
    headers = [say("Swahili"), say("English"), *columns, say("pieces")]
    label = say(
        "Each pair at {layer} ({caption})",
        layer=core.models.layers.layer_words(first.names[layer]),
        caption=core.reports.tables.caption(results[-1][1].provenance),
    )
    return gr.Dataframe({"headers": headers, "data": data}, label=label)
