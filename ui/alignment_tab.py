"""The Alignment tab: type pairs, see every layer's curve against wrong pairs, for the base and an adapter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.pairs import parse_pairs, shipped
from tli_core.pooling import POOLINGS
from ui.adapter_pickers import AdapterPickers
from ui.errors import explained
from ui.events import MODEL_QUEUE
from ui.visitors import Models, Visitor

MAX_PAIRS = 2000
MAX_PAIR_LINES = 60
MAX_NOTES = 6

EXAMPLES = {
    "Everyday words": "maji, water\nmbwa, dog\nshule, school\nkusoma, to read\nrafiki, friend",
    "Food": "mkate, bread\nchai, tea\nasali, honey\nndizi, banana\nchumvi, salt",
    "Verbs": "kuimba, to sing\nkucheka, to laugh\nkuogelea, to swim\nkuandika, to write",
    "Phrases": "haraka haraka haina baraka, haste makes waste\nsafari njema, safe journey\nhakuna matata, no worries",
    "Wrong on purpose": "maji, school\nmbwa, bread\nrafiki, mountain\nasali, train",
}
CONTROL_EXAMPLE = f"All {len(shipped('control'))} control pairs"
RESERVED_EXAMPLE = f"{len(shipped('reserved'))} words no training saw"

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


@dataclass(frozen=True)
class Shown:
    """The measurements on the page, so that the overlays change without measuring again."""

    results: tuple[tuple[str, core.alignment.LayerAlignment], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class AlignmentTab:
    """What other tabs need of this one: the box that a mended list goes to, and the first drawing."""

    text: gr.Textbox
    first_drawing: tuple


def build(models: Models, visitor: gr.State, model: gr.Dropdown, pickers: AdapterPickers) -> AlignmentTab:
    """Lay the tab out and wire it."""
    shown = gr.State(None)
    # One file a session, overwritten by its next measurement; the folder goes when the server ends.
    downloads = tempfile.TemporaryDirectory(prefix="lugha-")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            text = gr.Textbox(
                EXAMPLES["Everyday words"],
                label="Swahili, English: one pair a line",
                info="Separate with a comma, a tab, a colon, = or a dash. Paste from a spreadsheet if you like.",
                lines=7,
                max_lines=14,
                elem_id="pairs",
            )
            example = gr.Radio(
                [*EXAMPLES, CONTROL_EXAMPLE, RESERVED_EXAMPLE],
                label="Or start from",
                elem_id="examples",
            )
            go_button = gr.Button("Show the curve", variant="primary", elem_id="measure")
            adapter = pickers.alignment
            adapter.render()
            pooling = gr.Radio(
                POOLING_LABELS,
                value="words",
                label="Pooling: which tokens make a word's vector",
                elem_id="pooling",
            )
            warning = gr.Markdown(visible=False, elem_id="alignment-warning")
            with gr.Accordion("Why a cosine of 0.99998 can mean nothing", open=False):
                gr.Markdown(WHY)
                show_me = gr.Button("Show me, on the control pairs", size="sm", elem_id="show-me")
        with gr.Column(scale=3, min_width=300):
            reading = gr.Markdown(_opening(models), elem_id="reading")
            plot = gr.Plot(label="Cosine by layer", show_label=False, elem_id="curve")
            lines = gr.Checkbox(label="Show each pair's own line", elem_id="pair-lines")
            gr.Markdown(
                "Solid: right pairs (*matched*) with a 95 % interval. Dotted: wrong pairs (*mismatched*), nine in ten "
                "of them inside the pale band. Only the distance between the two means anything.",
                elem_classes="hint",
            )
    table = gr.Dataframe(label="Each pair", interactive=False, max_height=420, elem_id="pair-table")
    download = gr.DownloadButton("Download every number (JSON)", visible=False, elem_id="alignment-json")

    outputs = [plot, reading, warning, table, download, shown]

    @explained
    def run(
        text: str,
        model: str,
        adapter: str,
        pooling: str,
        lines: bool,
        visitor: Visitor,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
    ):
        found = measured(models, visitor, text, model, adapter, pooling, progress)
        path = Path(downloads.name) / str(request.session_hash) / "alignment.json"
        core.reports.write_json(core.reports.alignment_json(found.results[-1][1]), path)
        return (
            redrawn(found, lines),
            _reading(found.results),
            gr.Markdown(note_list(found.notes), visible=bool(found.notes)),
            pair_table(found.results),
            gr.DownloadButton(value=str(path), visible=True),
            found,
        )

    inputs = [text, model, adapter, pooling, lines, visitor]
    for trigger in (go_button.click, adapter.input, pooling.input):
        trigger(run, inputs, outputs, api_visibility="private", show_progress_on=[plot], **MODEL_QUEUE)

    example.input(example_text, example, text, queue=False, api_visibility="private").then(
        run, inputs, outputs, api_visibility="private", show_progress_on=[plot], **MODEL_QUEUE
    )
    show_me.click(
        lambda: (example_text(CONTROL_EXAMPLE), "all", CONTROL_EXAMPLE),
        None,
        [text, pooling, example],
        queue=False,
        api_visibility="private",
    ).then(run, inputs, outputs, api_visibility="private", show_progress_on=[plot], **MODEL_QUEUE)
    text.input(lambda: None, None, example, queue=False, api_visibility="private")
    lines.input(redrawn, [shown, lines], plot, api_visibility="private", show_progress="hidden")

    return AlignmentTab(text, (run, inputs, outputs))


def measured(
    models: Models,
    visitor: Visitor,
    text: str,
    model: str,
    adapter: str,
    pooling: str,
    progress: Callable = lambda share, desc: None,
) -> Shown:
    """Measure the pairs of a text under the base, and under the adapter where one is chosen.

    Args:
        progress: told the share that is done, and of what.

    Raises:
        ValueError: nothing can be read, there are too many pairs, or the adapter is not this visitor's to use.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"There is no pooling {pooling!r}: choose one of {', '.join(POOLINGS)}.")
    read = parse_pairs(text)
    if len(read) > MAX_PAIRS:
        raise ValueError(f"{len(read)} pairs are more than {MAX_PAIRS}, the most this page measures: shorten the list.")
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    results = []
    for name, used in [(model, None)] if key is None else [(model, None), (adapter, key)]:

        def tell(done: int, blocks: int, name: str = name) -> None:
            progress(done / blocks, desc=f"Block {done} of {blocks}, {name}")

        results.append((name, core.alignment.measure(loaded, read.pairs, used, pooling, tell=tell)))
    return Shown(tuple(results), tuple(dict.fromkeys([*read.warnings, *results[0][1].warnings])))


def _opening(models: Models) -> str:
    """What the page says until the first curve is there."""
    first = models.names[0]
    if not models.loads_by_itself(first):
        return ""
    return f"Loading **{first}** … its first curve will be here in a moment. You can type pairs meanwhile."


def note_list(notes: Sequence[str]) -> str:
    """Notes as a Markdown list in which a visitor's own text stays text: no tag, link or image comes of it."""
    shown = [core.sentences.plain_text(note) for note in notes[:MAX_NOTES]]
    if len(notes) > MAX_NOTES:
        shown.append(f"and {len(notes) - MAX_NOTES} more")
    return "\n".join(f"- {note}" for note in shown)


def _reading(results: Sequence[tuple[str, core.alignment.LayerAlignment]]) -> str:
    (label, base), *adapted = results
    return "\n\n".join(
        [
            core.sentences.curve_sentence(base, label),
            *(core.sentences.overlay_sentence(base, after, name) for name, after in adapted),
        ]
    )


def redrawn(shown: Shown | None, lines: bool) -> go.Figure | None:
    """The figure of what was measured, with or without the pairs' own lines."""
    if shown is None:
        return None
    few = all(len(result.pairs) <= MAX_PAIR_LINES for _, result in shown.results)
    if lines and not few:
        gr.Info(f"Lines are drawn for up to {MAX_PAIR_LINES} pairs; the table below has every one.")
    return core.figures.alignment_figure(shown.results, lines and few)


def pair_table(results: Sequence[tuple[str, core.alignment.LayerAlignment]]) -> dict:
    """Each pair at its best layer: cosine, its wrong pairs' mean beside it, and its rank in the reference pool."""
    size = results[0][1].reference_size
    headers = ["Swahili", "English"]
    if len(results) == 1:
        headers += ["best layer", "cosine", "all wrong pairs", f"rank of {size}"]
    else:
        headers += [f"{who} {what}" for who in ("base", "new") for what in ("layer", "cosine", "wrong", f"rank/{size}")]
    data = []
    for i, pair in enumerate(results[0][1].pairs):
        row = [pair.swahili, pair.english]
        for _, result in results:
            ranks = result.reference_rank[:, i]
            layer = int(ranks.argmin())
            wrong = result.control[0][layer]
            row += [result.names[layer], f"{result.cosine[i, layer]:.3f}", f"{wrong:.3f}", str(int(ranks[layer]))]
        data.append(row)
    return {"headers": headers, "data": data}


def example_text(name: str) -> str:
    """The pairs that an example puts into the box."""
    splits = {CONTROL_EXAMPLE: "control", RESERVED_EXAMPLE: "reserved"}
    if name in splits:
        return "\n".join(f"{pair.swahili}, {pair.english}" for pair in shipped(splits[name]))
    return EXAMPLES.get(name, "")
