"""The Fine-tune tab: choose pairs and a preset, train, watch held-out pairs, get the adapter."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from tli_core.alignment import LayerAlignment
from tli_core.cards import save_adapter, write_card
from tli_core.embeddings import POOLINGS
from tli_core.evaluation import Evaluation, evaluate
from tli_core.figures import alignment_figure, training_figure
from tli_core.model import check_adapter_name
from tli_core.pairs import WordPair, parse_pairs, read_pairs, shipped
from tli_core.sentences import change_sentence
from tli_core.tables import evaluation_rows
from tli_core.training import LOSSES, PRESETS, TrainedAdapter, TrainingConfig, TrainingStep, configured, train_adapter
from ui.alignment_tab import MODEL_QUEUE, AlignmentTab
from ui.errors import explained
from ui.visitors import Models, OwnAdapter, Visitor

SHIPPED, TYPED, UPLOADED = "the shipped lexicon", "pairs I type", "a file I upload"
MAX_TRAIN_PAIRS = 5000
MAX_SECONDS = 900
MAX_OWN = 12
DRAW_SECONDS = 0.8
PRESET_NOTES = {
    "corrected": "**Corrected**: words only, every other word of a large batch as a wrong answer, in both directions.",
    "published": "**Published** (arXiv 2506.15415): layer 2, BOS averaged in, the hardest of seven wrong answers. "
    "Cosine rises; watch whether the wrong pairs rise with it.",
}


class StopRequests:
    """Who has asked for their run to end early. Keyed by browser session, so nobody stops another's run."""

    def __init__(self) -> None:
        self._events: dict[str, threading.Event] = {}

    def begin(self, session: str) -> threading.Event:
        """A fresh event for a run that begins now."""
        self._events[session] = threading.Event()
        return self._events[session]

    def ask(self, session: str) -> None:
        """Ask this session's run, if there is one, to end."""
        if session in self._events:
            self._events[session].set()

    def end(self, session: str) -> None:
        """Forget a run that has ended."""
        self._events.pop(session, None)


@dataclass(frozen=True)
class Knobs:
    """The tab's inputs as they arrive, in the order of the components."""

    model: str
    source: str
    typed: str
    uploaded: str | None
    name: str
    preset: str
    shuffled: bool
    epochs: float
    layer: str
    pooling: str
    loss: str
    learning_rate: float
    batch_size: float
    margin: float
    temperature: float
    rank: float
    alpha: float
    dropout: float
    seed: float

    def pairs(self) -> tuple[WordPair, ...]:
        """The pairs to train on.

        Raises:
            ValueError: there are none, or too many.
        """
        if self.source == SHIPPED:
            return shipped("train")
        if self.source == UPLOADED:
            if not self.uploaded:
                raise ValueError("No file has been uploaded: choose one, or train on the shipped lexicon.")
            read = read_pairs(self.uploaded)
        else:
            read = parse_pairs(self.typed)
        if len(read) > MAX_TRAIN_PAIRS:
            raise ValueError(f"{len(read)} pairs are more than {MAX_TRAIN_PAIRS}, the most this page trains on.")
        if read.warnings:
            first = read.warnings[0].split(":")[0].lower()
            gr.Warning(f"{len(read.warnings)} entries were left out, the first at {first}.")
        return read.pairs

    def config(self) -> TrainingConfig:
        """The run's configuration.

        Raises:
            ValueError: a value is out of range or no number.
        """
        for name, value in vars(self).items():
            if value is None and name != "uploaded":
                raise ValueError(f"{name.replace('_', ' ').capitalize()} is empty: give it a value.")
        text = str(self.layer).strip().lower()
        if text != "output" and not text.isdecimal():
            raise ValueError(f"The layer is a number or 'output', got {self.layer!r}.")
        return configured(
            self.preset,
            shuffled=bool(self.shuffled),
            epochs=int(self.epochs),
            layer=None if text == "output" else int(text),
            pooling=self.pooling,
            loss=self.loss,
            learning_rate=float(self.learning_rate),
            batch_size=int(self.batch_size),
            margin=float(self.margin),
            temperature=float(self.temperature),
            rank=int(self.rank),
            alpha=int(self.alpha),
            dropout=float(self.dropout),
            seed=int(self.seed),
        )


def build(models: Models, visitor: gr.State, alignment: AlignmentTab, compare_adapter: gr.Dropdown) -> None:
    """Lay the tab out and wire it."""
    stops = StopRequests()
    start_config = PRESETS["corrected"]
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            source = gr.Radio([SHIPPED, TYPED, UPLOADED], value=SHIPPED, label="Train on", elem_id="train-source")
            typed = gr.Textbox(
                label="Pairs, one a line", lines=6, max_lines=12, visible=False, placeholder="maji, water\nmoto, fire",
                elem_id="train-pairs",
            )  # fmt: skip
            uploaded = gr.File(
                label="JSON, CSV or TSV", file_types=[".json", ".csv", ".tsv", ".txt"], visible=False, height=120
            )
            preset = gr.Radio(list(PRESET_NOTES), value="corrected", label="Preset", elem_id="preset")
            note = gr.Markdown(PRESET_NOTES["corrected"], elem_classes="hint")
            shuffled = gr.Checkbox(
                label="Shuffle the translations (control)",
                info="The same run on wrong pairs. If its cosine rises too, the rise means nothing.",
                elem_id="shuffled",
            )
            with gr.Row():
                name = gr.Textbox("my-adapter", label="Name", max_length=64, min_width=120, elem_id="adapter-name")
                epochs = gr.Number(
                    start_config.epochs,
                    label="Epochs",
                    precision=0,
                    minimum=1,
                    maximum=200,
                    min_width=90,
                    elem_id="epochs",
                )
            with gr.Accordion("More knobs", open=False):
                with gr.Row():
                    layer = gr.Textbox(
                        "output", label="Layer the loss reads", info="a number, or output", min_width=120
                    )
                    seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1, min_width=90)
                pooling = gr.Radio(list(POOLINGS), value=start_config.pooling, label="Pooling")
                loss = gr.Radio(list(LOSSES), value=start_config.loss, label="Loss")
                with gr.Row():
                    learning_rate = gr.Number(start_config.learning_rate, label="Learning rate", min_width=110)
                    batch_size = gr.Number(
                        start_config.batch_size, label="Batch size", precision=0, minimum=2, maximum=1024, min_width=90
                    )
                with gr.Row():
                    margin = gr.Number(
                        start_config.margin, label="Margin (triplet)", minimum=0, maximum=2, min_width=110
                    )
                    temperature = gr.Number(start_config.temperature, label="Temperature (contrastive)", min_width=110)
                with gr.Row():
                    rank = gr.Number(
                        start_config.rank, label="LoRA rank", precision=0, minimum=1, maximum=256, min_width=80
                    )
                    alpha = gr.Number(
                        start_config.alpha, label="Alpha", precision=0, minimum=1, maximum=1024, min_width=80
                    )
                    dropout = gr.Number(start_config.dropout, label="Dropout", minimum=0, maximum=0.9, min_width=80)
            with gr.Row():
                start = gr.Button("Fine-tune", variant="primary", elem_id="start")
                stop = gr.Button("Stop and keep", interactive=False, elem_id="stop")
        with gr.Column(scale=3, min_width=300):
            status = gr.Markdown(
                "Press **Fine-tune**. Held-out words, which the run never trains on, are measured as it goes: "
                "a run that learns lifts the right pairs and P@1 while the wrong pairs stay down.",
                elem_id="train-status",
            )
            live = gr.Plot(label="Training", show_label=False, elem_id="train-plot")
    with gr.Column(visible=False) as result:
        verdict = gr.Markdown(elem_id="train-verdict")
        curve = gr.Plot(label="Control pairs: base and new adapter", show_label=False, elem_id="train-curve")
        with gr.Accordion("The paper's table, with the controls it lacks", open=False):
            table = gr.Dataframe(show_label=False, interactive=False, max_height=700, elem_id="train-table")
        download = gr.DownloadButton("Download the adapter (PEFT folder, zip)", elem_id="train-download")

    source.input(
        lambda chosen: (gr.Textbox(visible=chosen == TYPED), gr.File(visible=chosen == UPLOADED)),
        source,
        [typed, uploaded],
        queue=False,
        api_visibility="private",
    )
    knobs = [epochs, layer, pooling, loss, learning_rate, batch_size, margin, temperature, rank, alpha, dropout]
    preset.input(preset_values, preset, [note, *knobs], queue=False, api_visibility="private")

    @explained
    def run(visitor: Visitor, request: gr.Request, *values):
        session = str(request.session_hash)
        asked = stops.begin(session)
        try:
            yield from _run(models, visitor, Knobs(*values), asked)
        finally:
            stops.end(session)

    inputs = [alignment.model, source, typed, uploaded, name, preset, shuffled, *knobs, seed]
    outputs = [status, live, result, verdict, curve, table, download, visitor, alignment.adapter, compare_adapter]
    running = start.click(
        lambda: (gr.Button(interactive=False), gr.Button(interactive=True)),
        None,
        [start, stop],
        queue=False,
        api_visibility="private",
    ).then(
        run,
        [visitor, *inputs],
        outputs,
        api_visibility="private",
        show_progress="hidden",
        concurrency_id="training",
        concurrency_limit=1,
    )
    function, shown_inputs, shown_outputs = alignment.first_drawing
    running.success(
        function, shown_inputs, shown_outputs, api_visibility="private", show_progress="hidden", **MODEL_QUEUE
    )
    # `then` alone does not follow a run that raised.
    for ended in (running.success, running.failure):
        ended(
            lambda: (gr.Button(interactive=True), gr.Button(interactive=False)),
            None,
            [start, stop],
            queue=False,
            api_visibility="private",
        )

    def ask_to_stop(request: gr.Request):
        stops.ask(str(request.session_hash))
        return gr.Button(interactive=False), "Stopping after this step; what was learned is kept …"

    stop.click(ask_to_stop, None, [stop, status], queue=False, api_visibility="private")


def preset_values(preset: str) -> tuple:
    """The note and the knobs of a preset, in the order of the components."""
    config = PRESETS[preset]
    return (
        PRESET_NOTES[preset],
        config.epochs,
        "output" if config.layer is None else str(config.layer),
        config.pooling,
        config.loss,
        config.learning_rate,
        config.batch_size,
        config.margin,
        config.temperature,
        config.rank,
        config.alpha,
        config.dropout,
    )


def _run(models: Models, visitor: Visitor, knobs: Knobs, asked: threading.Event) -> Iterator[tuple]:
    """Train, draw as it goes, and end with the result; yields one value for every output of the tab."""
    name = check_adapter_name(knobs.name.strip())
    if name in visitor.adapters(knobs.model):
        raise ValueError(f"There is already an adapter called {name}: give this one another name.")
    if len(visitor.own) >= MAX_OWN:
        raise ValueError(f"This session already holds {MAX_OWN} adapters: download what you need and reload the page.")
    loaded, config = models.get(knobs.model), knobs.config()
    pairs, control = knobs.pairs(), _unseen(knobs.pairs() if knobs.source != SHIPPED else ())
    skip = gr.skip()
    nothing = (skip,) * 7
    yield "Preparing …", training_figure([], config.loss), gr.Column(visible=False), *nothing

    steps: list[TrainingStep] = []
    drawn, deadline = 0.0, time.monotonic() + MAX_SECONDS
    trained: TrainedAdapter | None = None

    def stop() -> bool:
        return asked.is_set() or time.monotonic() > deadline

    with closing(train_adapter(loaded, pairs, config, control, stop)) as run:
        for item in run:
            if isinstance(item, TrainedAdapter):
                trained = item
                break
            steps.append(item)
            if time.monotonic() - drawn > DRAW_SECONDS:
                drawn = time.monotonic()
                yield _progress(steps), training_figure(steps, config.loss), skip, *nothing
            # Let whoever waits for the model have it between two steps.
            time.sleep(0.001)

    if not trained.record["steps"]:
        raise ValueError("The run was stopped before its first step, so there is nothing to keep.")
    early = " (stopped early)" if trained.record["steps"] < trained.record["steps_planned"] else ""
    yield f"Measuring base and adapter at every layer …{early}", training_figure(steps, config.loss), skip, *nothing
    folder = save_adapter(trained, Path(tempfile.mkdtemp(prefix="lugha-")), name)
    adapter = loaded.add_adapter(folder)
    visitor.own[name] = OwnAdapter(knobs.model, adapter.key, folder)
    evaluations = [evaluate(loaded, "control", control, adapter.key), evaluate(loaded, "trained", pairs, adapter.key)]
    write_card(folder, trained.record, evaluations)
    choices = visitor.adapters(knobs.model)
    yield (
        f"Done{early}: {trained.record['steps']} steps in {trained.record['seconds']:.0f} s. "
        f"**{name}** is now chosen in the other tabs.",
        training_figure(steps, config.loss),
        gr.Column(visible=True),
        _verdict(evaluations, config),
        alignment_figure(_overlay(evaluations[0], knobs.model, name)),
        _table(evaluations),
        gr.DownloadButton(value=shutil.make_archive(str(folder), "zip", folder.parent, name)),
        visitor,
        gr.Dropdown(choices=choices, value=name),
        gr.Dropdown(choices=choices, value=name),
    )


def _unseen(trained: Sequence[WordPair]) -> tuple[WordPair, ...]:
    """The shipped control pairs that share no word with a visitor's own training pairs."""
    seen = {word.casefold() for pair in trained for word in (pair.swahili, *pair.accepted)}
    return tuple(p for p in shipped("control") if not {p.swahili.casefold(), p.english.casefold()} & seen)


def _overlay(evaluation: Evaluation, model: str, name: str) -> list[tuple[str, LayerAlignment]]:
    return [(model, evaluation.before), (name, evaluation.after)]


def _table(evaluations: Sequence[Evaluation]) -> dict:
    headers, *data = evaluation_rows(evaluations)
    return {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in data]}


def _progress(steps: list[TrainingStep]) -> str:
    last = steps[-1]
    left = last.seconds / max(1, last.step) * (last.steps - last.step)
    loss = "" if last.loss is None else f", loss {last.loss:.3f}"
    return f"Step {last.step} of {last.steps}, epoch {last.epoch}{loss}, about {left:.0f} s left."


def _verdict(evaluations: Sequence[Evaluation], config: TrainingConfig) -> str:
    lines = [f"- {change_sentence(item)}" for item in evaluations]
    if config.shuffled:
        lines.append("- This was the control: whatever it gained, it gained from wrong translations.")
    return "\n".join(["### What it did, at the output", *lines])
