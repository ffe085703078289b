"""The Space tab: both languages in one plane, and a word's nearest neighbours in the other language."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.projections import PROJECTIONS
from ui.page_context import PageContext
from ui.server.gpu import on_gpu
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models, Visitor
from ui.widgets import chart_table, figure_files
from ui.widgets.empty_plot import empty_plot
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, uncover
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.mobile import bring_into_sight, on_phone
from ui.widgets.pairs_input import LIST_LINES
from ui.widgets.plot_events import on_plot_event

ID, LABEL = "space", N_("Space")
CONTROL = N_("{number} control pairs").format(number=len(shipped("control")))
RESERVED = N_("{number} words no training saw").format(number=len(shipped("reserved")))
TYPED = N_("pairs I type")
MAX_DRAWN = 300
BY_LANGUAGE, BY_TOPIC = N_("by language"), N_("by topic")
"""Of `pair_charts`, written out as a page opens before it is imported."""
STALE = N_("Not drawn: what is below is from before.")
STALE_WORDS = N_("No neighbours were looked for.")
BEFORE = N_(
    "Press **Draw the space**: every word is a point, partners are joined by a line, and base and adapter share their "
    "axes."
)
AGAIN = N_("Press **Draw the space** again: the picture is of the earlier choice.")
START = language_pair().page.picture


LASSO = N_("Draw around points with the mouse or a finger, and their words are listed here.")
LISTED = """
  const words = new Set((event?.points || []).map((point) => point.text).filter(Boolean));
  document.getElementById("space-chosen").textContent = [...words].join(", ").replaceAll("&lt;", "<");
"""


@dataclass(frozen=True, eq=False)
class Projected:
    """What is drawn, so that colours and words change without projecting again; labels are of its models."""

    labels: tuple[str, ...]
    projection: core.measures.projection.Projection


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    models, visitor, model = context.models, context.visitor, context.model
    held = gr.State(None)
    readout, vectors, layer = context.reading.parts
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            source = gr.Radio(
                [CONTROL, RESERVED, TYPED], value=CONTROL, label=N_("Words to draw"), elem_id="space-source"
            )
            typed = gr.Textbox(
                START, label=N_("Pairs, one a line"), lines=LIST_LINES, max_lines=LIST_LINES, visible=False
            )
            adapter = context.pickers.space
            adapter.render()
            method = gr.Radio(
                list(PROJECTIONS),
                value="PCA",
                label=N_("Projection"),
                info=N_("t-SNE and UMAP take seconds; UMAP half a minute on its very first use."),
                elem_id="projection",
            )
            colours = [BY_LANGUAGE, BY_TOPIC]
            coloured = gr.Radio(colours, value=BY_LANGUAGE, label=N_("Colours"), elem_id="space-colours")
            named = gr.Checkbox(label=N_("Write the words beside their points"), elem_id="space-words")
            draw = gr.Button(N_("Draw the space"), variant="primary", elem_id="draw-space")
        with gr.Column(scale=3, min_width=300):
            reading = gr.Markdown(BEFORE, elem_id="space-reading")
            plot = empty_plot(N_("Both languages in one plane are drawn here."), elem_id="space-plot")
            gr.Markdown(LASSO, elem_classes="hint")
            gr.HTML('<p id="space-chosen" aria-live="polite"></p>')
            chart_table.beside(plot, "space-chart-table")
            looked = [held, coloured, named, context.picked.words]
            figure_files.below(_chart, looked, "space", "space-figure")
    gr.Markdown(
        N_(
            "## Nearest neighbours\nType a word; its ten nearest words in the other language. ✓ marks right ones, ≈ "
            "those that look like it."
        )
    )
    with gr.Row():
        word = gr.Textbox(START.split(",")[0], label=N_("Word"), min_width=160, elem_id="neighbour-word")
        language = gr.Radio(
            list(language_pair().names),
            value=language_pair().source.name,
            label=N_("It is"),
            min_width=160,
            elem_id="neighbour-language",
        )
        look = gr.Button(N_("Find neighbours"), min_width=160, elem_id="find-neighbours")
    found = gr.Markdown(elem_id="neighbours-reading")
    table = gr.Dataframe(show_label=False, interactive=False, visible=False, elem_id="neighbours", max_height=460)

    source.input(
        lambda chosen: gr.Textbox(visible=chosen == TYPED), source, typed, queue=False, api_visibility="private"
    )

    @explained
    def show(
        model: str,
        adapter: str,
        source: str,
        typed: str,
        readout: str,
        vectors: str,
        layer: str,
        method: str,
        coloured: str,
        named: bool,
        words: str,
        visitor: Visitor,
        request: gr.Request,
    ):
        pairs = _pairs(source, typed)
        lens = Lens(DEFAULT, readout, vectors)
        labels, projection = projected(models, visitor, model, adapter, pairs, chosen_layer(layer), method, lens)
        space = Projected(tuple(labels), projection)
        said = core.reports.messages.projection_sentence(projection, labels)
        return {plot: space_plot(space, coloured, named, words, request), reading: said, held: space}

    def drawn_otherwise(space: Projected | None, coloured: str, named: bool, words: str, request: gr.Request):
        return gr.skip() if space is None else space_plot(space, coloured, named, words, request)

    looks = [coloured, named, context.picked.words]
    inputs = [model, adapter, source, typed, readout, vectors, layer, method, *looks, visitor]
    bring_into_sight([draw.click], "space-reading")
    drawing = draw.click(
        show, inputs, [plot, reading, held], api_visibility="private", show_progress_on=[plot], **MODEL_QUEUE
    )
    drawing.failure(lambda: translate(STALE), None, reading, **QUIET)
    for changed in (coloured.input, named.input):
        changed(drawn_otherwise, looked, plot, **CHECKED)
    context.picked.follow(drawn_otherwise, looked[:-1], plot)
    context.picked.from_plot(plot)
    on_plot_event(plot, "plotly_selected", LISTED)
    uncover(drawing, plot)

    for changed in (adapter.input, readout.input, vectors.input, layer.input, method.input, source.input):
        changed(
            lambda text: gr.skip() if text == translate(BEFORE) else translate(AGAIN),
            reading,
            reading,
            queue=False,
            api_visibility="private",
        )
    for changed in (adapter.input, readout.input, vectors.input, layer.input, word.input, language.input):
        changed(
            lambda: {found: "", table: gr.Dataframe(visible=False)},
            None,
            [found, table],
            queue=False,
            api_visibility="private",
        )

    @explained
    def look_up(
        word: str, language: str, model: str, adapter: str, readout: str, vectors: str, layer: str, visitor: Visitor
    ):
        lens = Lens(DEFAULT, readout, vectors)
        around = neighbourhoods(models, visitor, model, adapter, word.strip(), language, chosen_layer(layer), lens)
        text = "\n\n".join(
            core.reports.messages.neighbours_sentence(word.strip(), label, nearby) for label, nearby in around.items()
        )
        return {found: text, table: gr.Dataframe(neighbour_table(around), visible=True)}

    bring_into_sight([look.click, word.submit], "neighbours-reading")
    asked = [word, language, model, adapter, readout, vectors, layer, visitor]
    for trigger in (look.click, word.submit):
        looking = trigger(
            look_up, asked, [found, table], api_visibility="private", show_progress_on=[found], **MODEL_QUEUE
        )
        looking.failure(
            lambda: {found: translate(STALE_WORDS), table: gr.Dataframe(visible=False)}, None, [found, table], **QUIET
        )
        uncover(looking, found)


def _used(models: Models, visitor: Visitor, model: str, adapter: str) -> dict[str, str | None]:
    """The base and, where one is chosen, the adapter: names to keys."""
    key = visitor.key(models, model, adapter)
    return {model: None, adapter: key} if key else {model: None}


@on_gpu(60)
def projected(
    models: Models,
    visitor: Visitor,
    model: str,
    adapter: str,
    pairs: tuple[WordPair, ...],
    layer: int | str,
    method: str,
    lens: Lens,
) -> tuple[list[str], core.measures.projection.Projection]:
    """The names of base and adapter, and both in one plane."""
    used = _used(models, visitor, model, adapter)
    loaded = models.get(model)
    check_tokens(loaded, pairs)
    return list(used), core.measures.projection.project(loaded, pairs, list(used.values()), layer, method, lens=lens)


@on_gpu(30)
def neighbourhoods(
    models: Models, visitor: Visitor, model: str, adapter: str, word: str, language: str, layer: int | str, lens: Lens
) -> dict[str, core.measures.projection.Neighbourhood]:
    """A word's nearest words in the other language, under the base and the adapter."""
    used = _used(models, visitor, model, adapter)
    loaded = models.get(model)
    nearest = core.measures.projection.nearest_words
    return {name: nearest(loaded, word, language, key, layer, lens) for name, key in used.items()}


def _chart(space: Projected | None, coloured: str, named: bool, words: str):
    """What was projected as a chart, a picked pair marked."""
    if space is None:
        return None
    picked = core.reports.labels.number_of(space.projection.pairs, words)
    return core.reports.pair_charts.Space(space.labels, space.projection, coloured, named, picked)


def space_plot(space: Projected, coloured: str, named: bool, words: str, request: gr.Request) -> go.Figure:
    """The figure of what was projected; one panel below the other on a phone."""
    return core.reports.space_figure.space_figure(_chart(space, coloured, named, words), on_phone(request))


def neighbour_table(around: dict[str, core.measures.projection.Neighbourhood]) -> dict:
    """Neighbours by rank, one pair of columns a model; ✓ marks a listed translation, ≈ a word that looks alike."""
    headers = [translate("rank"), *(f"{label}{what}" for label in around for what in ("", f" {translate('cosine')}"))]
    columns = [
        column
        for nearby in around.values()
        for column in (
            [f"{n.word}{' ✓' if n.right else ''}{' ≈' if n.look_alike else ''}" for n in nearby.nearest],
            [f"{n.cosine:.3f}" for n in nearby.nearest],
        )
    ]
    return {"headers": headers, "data": [[str(i), *row] for i, row in enumerate(zip(*columns, strict=True), 1)]}


def _pairs(source: str, typed: str) -> tuple[WordPair, ...]:
    splits = {CONTROL: "control", RESERVED: "reserved"}
    pairs = shipped(splits[source]) if source in splits else parse_pairs(typed).pairs
    if len(pairs) > MAX_DRAWN:
        text = N_("{n} pairs are more than {most}, the most this page draws: use fewer.")
        raise ValueError(translate(text, n=len(pairs), most=MAX_DRAWN))
    return pairs
