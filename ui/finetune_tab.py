"""The Fine-tune tab: choose pairs and a preset, try, train, watch held-out pairs, run the control, get the adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import gradio as gr

import tli_core as core
from tli_core.pooling import POOLINGS
from tli_core.presets import LOSSES, PRESETS
from ui.adapter_pickers import AdapterPickers
from ui.alignment_tab import MODEL_QUEUE, AlignmentTab
from ui.cancel import StopRequests
from ui.empty_plot import empty_plot
from ui.errors import explained
from ui.training_run import SHIPPED, TYPED, UPLOADED, Finished, Knobs, check_name, train
from ui.visitors import Models, Visitor

PRESET_NOTES = {
    "corrected": "**Corrected**: words only, every other word of a large batch as a wrong answer, in both directions.",
    "published": "**Published** (arXiv 2506.15415): layer 2, BOS averaged in, the hardest of seven wrong answers. "
    "Cosine rises; watch whether the wrong pairs rise with it.",
}
SHUFFLED_ENDING = "-shuffled"


@dataclass(frozen=True)
class Progressed:
    """What this page has done so far: the steps of the protocol, and the last run with its control."""

    protocol: core.protocol.Protocol
    finished: Finished | None = None
    shuffled: Finished | None = None


def build(
    models: Models, visitor: gr.State, model: gr.Dropdown, pickers: AdapterPickers, alignment: AlignmentTab
) -> gr.Textbox:
    """Lay the tab out and wire it; returns the box for pairs to train on, which the Word lists tab fills."""
    stops = StopRequests()
    done = gr.State(None)
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
                pilot = gr.Button("1 · Pilot", min_width=120, elem_id="pilot")
                rehearse = gr.Button("2 · Dry run", min_width=120, elem_id="dry-run")
            with gr.Row():
                start = gr.Button("3 · Fine-tune", variant="primary", min_width=120, elem_id="start")
                stop = gr.Button("Stop and keep", interactive=False, min_width=120, elem_id="stop")
            control_run = gr.Button("4 · Shuffled control of this run", interactive=False, elem_id="control-run")
            gr.Markdown(
                "The pilot picks a layer as the published work did. The dry run tells the first loss, time and memory. "
                "The control trains the same way on wrong translations. Only the fine-tune is needed; the others tell "
                "what its result is worth.",
                elem_classes="hint",
            )
        with gr.Column(scale=3, min_width=300):
            status = gr.Markdown(
                "Press **Fine-tune**. Held-out words, which the run never trains on, are measured as it goes: "
                "a run that learns lifts the right pairs and P@1 while the wrong pairs stay down.",
                elem_id="train-status",
            )
            waiting = empty_plot("The loss and the held-out pairs are drawn here as it learns.")
            live = gr.Plot(waiting, show_label=False, elem_id="train-plot")
    protocol = gr.Markdown(elem_id="protocol")
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
    inputs = [model, source, typed, uploaded, name, preset, shuffled, *knobs, seed]

    buttons = [start, stop, control_run, pilot, rehearse]

    @explained
    def try_pilot(done: Progressed | None, *values):
        given = Knobs(*values)
        config, loaded = given.config(), models.get(given.model)
        found = core.pilot.run_pilot(loaded, given.pairs(), seed=config.seed)
        now = Progressed(replace(_protocol(done, config), pilot=found))
        figure = core.figures.alignment_figure([("with BOS", found.with_bos), ("words only", found.words)])
        published = given.preset == "published"
        follows = (
            f"**The layer that the loss reads is now set to {found.layer}** (under More knobs)."
            if published
            else "The corrected preset goes on reading the output."
        )
        chosen = str(found.layer) if published else gr.skip()
        return f"{core.sentences.pilot_sentence(found)}\n\n{follows}", figure, _steps(now), chosen, now

    pilot.click(
        try_pilot,
        [done, *inputs],
        [status, live, protocol, layer, done],
        api_visibility="private",
        show_progress_on=[status],
        **MODEL_QUEUE,
    ).success(_ready, done, buttons, queue=False, api_visibility="private")

    @explained
    def try_run(done: Progressed | None, *values):
        given = Knobs(*values)
        config, loaded = given.config(), models.get(given.model)
        tried = core.dry_run.dry_run(loaded, given.pairs(), config)
        now = Progressed(replace(_protocol(done, config), tried=tried))
        table = core.tables.markdown_table(core.tables.dry_run_rows(tried, config.loss))
        return f"{core.sentences.dry_run_sentence(tried, config.loss)}\n\n{table}", _steps(now), now

    rehearse.click(
        try_run,
        [done, *inputs],
        [status, protocol, done],
        api_visibility="private",
        show_progress_on=[status],
        **MODEL_QUEUE,
    ).success(_ready, done, buttons, queue=False, api_visibility="private")

    outputs = [status, live, protocol, result, verdict, curve, table, download, visitor, done, *pickers.outputs]
    unchanged = (gr.skip(),) * (len(outputs) - 2)

    @explained
    def run(visitor: Visitor, done: Progressed | None, request: gr.Request, *values):
        given, session = Knobs(*values), str(request.session_hash)
        config, new_name = given.config(), check_name(visitor, given.model, given.name)
        pairs = given.pairs()
        control = given.control(pairs)
        yield (
            "Preparing …",
            core.figures.training_figure([], config.loss),
            "",
            gr.Column(visible=False),
            *unchanged[2:],
        )
        asked = stops.begin(session)
        try:
            for item in train(models, visitor, given.model, new_name, config, pairs, control, asked):
                if isinstance(item, Finished):
                    now = Progressed(
                        replace(_protocol(done, config), trained=item.trained, control=item.evaluations[0]), item
                    )
                    yield _ended(now, visitor, pickers)
                else:
                    text, steps = item
                    yield text, core.figures.training_figure(steps, config.loss), *unchanged
        finally:
            stops.end(session)

    @explained
    def run_control(visitor: Visitor, done: Progressed | None, request: gr.Request):
        if done is None or done.finished is None:
            raise ValueError("There is no run to control yet: fine-tune first.")
        first, session = done.finished, str(request.session_hash)
        config = replace(first.config, shuffled=True)
        new_name = check_name(visitor, first.model, f"{first.name[: 64 - len(SHUFFLED_ENDING)]}{SHUFFLED_ENDING}")
        asked = stops.begin(session)
        try:
            for item in train(models, visitor, first.model, new_name, config, first.pairs, first.control, asked):
                if isinstance(item, Finished):
                    now = replace(done, protocol=replace(done.protocol, shuffled=item.evaluations[0]), shuffled=item)
                    yield _ended(now, visitor, pickers)
                else:
                    text, steps = item
                    figure = core.figures.training_figure(first.steps, config.loss, steps)
                    yield f"Shuffled control: {text}", figure, *unchanged
        finally:
            stops.end(session)

    def wire(button: gr.Button, function: Callable, given: list) -> None:
        def pressed(request: gr.Request):
            stops.expect(request)
            return [gr.Button(interactive=one is stop) for one in buttons]

        running = button.click(
            pressed,
            None,
            buttons,
            queue=False,
            api_visibility="private",
        ).then(
            function,
            given,
            outputs,
            api_visibility="private",
            show_progress="hidden",
            concurrency_id="training",
            concurrency_limit=1,
        )
        redraw, shown_inputs, shown_outputs = alignment.first_drawing
        running.success(
            redraw, shown_inputs, shown_outputs, api_visibility="private", show_progress="hidden", **MODEL_QUEUE
        )
        # `then` alone does not follow a run that raised.
        for ended in (running.success, running.failure):
            ended(_ready, done, buttons, queue=False, api_visibility="private")

    wire(start, run, [visitor, done, *inputs])
    wire(control_run, run_control, [visitor, done])

    def ask_to_stop(request: gr.Request):
        stops.ask(str(request.session_hash))
        return gr.Button(interactive=False), "Stopping after this step; what was learned is kept …"

    stop.click(ask_to_stop, None, [stop, status], queue=False, api_visibility="private")
    typed.change(
        lambda text: (TYPED, gr.Textbox(visible=True)) if text else (gr.skip(), gr.skip()),
        typed,
        [source, typed],
        queue=False,
        api_visibility="private",
    )
    return typed


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


def _ready(done: Progressed | None) -> list[gr.Button]:
    """The buttons between two runs: start, stop, control, pilot, dry run."""
    to_control = bool(done and done.finished and not done.finished.config.shuffled and not done.shuffled)
    return [gr.Button(interactive=on) for on in (True, False, to_control, True, True)]


def _protocol(done: Progressed | None, config) -> core.protocol.Protocol:
    """The steps so far that still hold: a pilot for the same preset, a dry run where the knobs are the same."""
    if done is None or done.protocol.config.preset != config.preset:
        return core.protocol.Protocol(config)
    same = done.protocol.config == config
    return core.protocol.Protocol(config, done.protocol.pilot, done.protocol.tried if same else None)


def _steps(done: Progressed) -> str:
    return "## Step by step\n" + core.tables.markdown_table(core.protocol.protocol_rows(done.protocol))


def _ended(done: Progressed, visitor: Visitor, pickers: AdapterPickers) -> tuple:
    """Everything that follows from a run that has ended, in the order of the outputs."""
    first, control = done.finished, done.shuffled
    last = control or first
    record = last.trained.record
    curves = [(first.model, first.evaluations[0].before), (first.name, first.evaluations[0].after)]
    if control:
        curves.append((control.name, control.evaluations[0].after))
    headers, *rows = core.tables.evaluation_rows(last.evaluations)
    return (
        f"{'Control done' if control else 'Done'}{last.early}: {record['steps']} steps in {record['seconds']:.0f} s. "
        f"**{first.name}** is now chosen in the other tabs.",
        core.figures.training_figure(first.steps, first.config.loss, control.steps if control else ()),
        _steps(done),
        gr.Column(visible=True),
        _verdict(first, control),
        core.figures.alignment_figure(curves),
        {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in rows]},
        gr.DownloadButton(value=first.archive),
        visitor,
        done,
        *pickers.updates(visitor, first.model, first.name),
    )


def _verdict(first: Finished, control: Finished | None) -> str:
    lines = [f"- {core.sentences.change_sentence(item)}" for item in first.evaluations]
    if control:
        gained = control.evaluations[0].change.matched >= core.alignment.LEAST_CHANGE
        ending = " What it gained, it gained without learning a single translation." if gained else ""
        told = core.sentences.change_sentence(control.evaluations[0])
        lines.append(f"- The control, trained on wrong translations: {told}{ending}")
    if first.config.shuffled:
        lines.append("- This was the control: whatever it gained, it gained from wrong translations.")
    return "\n".join(["## What it did, at the output", *lines])
