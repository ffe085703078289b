"""The Fine-tune tab: choose pairs and a preset, try, train, watch held-out pairs, run the control, get the adapter."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import gradio as gr

import tli_core as core
from tli_core.encoding.readouts import POOLINGS
from tli_core.i18n import say
from tli_core.models.architecture import MATRICES
from tli_core.training.config import LOSSES, PRESETS, TrainingConfig
from ui.server.jobs import Job, Jobs
from ui.server.sender import sender_of
from ui.server.training_run import DRAW_SECONDS, SHIPPED, TYPED, UPLOADED, Knobs, Order, held_out, piloted, rehearsed
from ui.server.visitors import Models, Visitor
from ui.tabs.alignment import AlignmentTab
from ui.widgets import chart_table, preset_panel, run_view, runs_panel
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.deep_links import Arrival
from ui.widgets.empty_plot import empty_plot
from ui.widgets.errors import explained, remark
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, uncover
from ui.widgets.links import ADDRESS
from ui.widgets.mobile import bring_into_sight
from ui.widgets.pairs_input import LIST_LINES
from ui.widgets.preset_panel import PRESET_NOTES

SHUFFLED_ENDING = "-shuffled"
FEW = 30
"""A run on fewer pairs is worth a word of warning."""


def build(
    models: Models,
    jobs: Jobs,
    visitor: gr.State,
    model: gr.Dropdown,
    pickers: AdapterPickers,
    alignment: AlignmentTab,
    arrival: Arrival,
    tabs: gr.Tabs,
    run_note: gr.Markdown,
) -> gr.Textbox:
    """Lay the tab out and wire it; returns the box for pairs to train on, which the Word lists tab fills."""
    protocol = gr.State(None)  # what pilot and dry run have told on this page
    shown = gr.State(None)  # the id of the run on the page
    start_config = PRESETS["corrected"]
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            source = gr.Radio([SHIPPED, TYPED, UPLOADED], value=SHIPPED, label="Train on", elem_id="train-source")
            typed = gr.Textbox(
                label="Pairs, one a line",
                lines=LIST_LINES,
                max_lines=LIST_LINES,
                visible=False,
                placeholder="maji, water\nmoto, fire",
                elem_id="train-pairs",
            )
            uploaded = gr.File(
                label="JSON, CSV or TSV",
                file_types=[".json", ".csv", ".tsv", ".txt"],
                visible=False,
                height=120,
                elem_id="train-file",
            )
            preset = gr.Radio(list(PRESET_NOTES), value="corrected", label="Preset", elem_id="preset")
            note = gr.Markdown(PRESET_NOTES["corrected"], elem_classes="hint")
            shuffled = gr.Checkbox(
                label="Shuffle the translations (control)",
                info="The same run on wrong pairs. If its cosine rises too, the rise means nothing.",
                elem_id="shuffled",
            )
            # Bounds are TrainingConfig's, whose sentences name the knob; Gradio's own name none and speak English.
            with gr.Row():
                name = gr.Textbox("my-adapter", label="Name", min_width=120, elem_id="adapter-name")
                epochs = gr.Number(
                    start_config.epochs,
                    label="Epochs",
                    precision=0,
                    min_width=90,
                    elem_id="epochs",
                )
            with gr.Accordion("More knobs", open=False):
                with gr.Row():
                    layer = gr.Textbox(
                        "output", label="Layer the loss reads", info="a number, or output", min_width=120
                    )
                    seed = gr.Number(0, label="Seed", precision=0, min_width=90)
                pooling = gr.Radio(list(POOLINGS), value=start_config.pooling, label="Pooling")
                loss = gr.Radio(list(LOSSES), value=start_config.loss, label="Loss")
                with gr.Row():
                    learning_rate = gr.Number(start_config.learning_rate, label="Learning rate", min_width=110)
                    batch_size = gr.Number(start_config.batch_size, label="Batch size", precision=0, min_width=90)
                with gr.Row():
                    margin = gr.Number(start_config.margin, label="Margin (triplet)", min_width=110)
                    temperature = gr.Number(start_config.temperature, label="Temperature (contrastive)", min_width=110)
                with gr.Row():
                    rank = gr.Number(start_config.rank, label="LoRA rank", precision=0, min_width=80)
                    alpha = gr.Number(start_config.alpha, label="Alpha", precision=0, min_width=80)
                    dropout = gr.Number(start_config.dropout, label="Dropout", min_width=80)
                targets = gr.CheckboxGroup(list(MATRICES), value=list(start_config.targets), label="LoRA on")
                with gr.Row():
                    warmup = gr.Number(start_config.warmup_steps, label="Warm-up steps", precision=0, min_width=110)
                    decay = gr.Number(start_config.weight_decay, label="Weight decay", min_width=110)
                patience = gr.Number(
                    start_config.patience,
                    label="Early stopping: patience",
                    info="Checks of the held-out pairs without a better one before it ends; the best step is kept. "
                    "0: never.",
                    precision=0,
                    elem_id="patience",
                )
            with gr.Row():
                pilot = gr.Button("1 · Pilot", min_width=120, elem_id="pilot")
                rehearse = gr.Button("2 · Dry run", min_width=120, elem_id="dry-run")
            start = gr.Button("3 · Fine-tune", variant="primary", elem_id="start")
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
                "a run that learns lifts the right pairs and P@1 while the wrong pairs stay down. *P@1* is the share "
                "of words whose own translation is the nearest of all.",
                elem_id="train-status",
            )
            # Beside the progress: on a phone the button that began the run is out of sight by now.
            stop = gr.Button("Stop and keep", visible=False, elem_id="stop")
            go_on = gr.Button("Go on from where it stopped", visible=False, elem_id="resume")
            live = empty_plot("The loss and the held-out pairs are drawn here as it learns.", elem_id="train-plot")
            chart_table.beside(live, "train-chart-table")
            link = gr.Markdown(elem_classes="hint", elem_id="run-link")
    steps = gr.Markdown(elem_id="protocol")
    with gr.Column(visible=False) as result:
        verdict = gr.Markdown(elem_id="train-verdict")
        curve = gr.Plot(label="Control pairs: base and new adapter", show_label=False, elem_id="train-curve")
        chart_table.beside(curve, "train-curve-table")
        with gr.Accordion("The paper's table, with the controls it lacks", open=False):
            table = gr.Dataframe(show_label=False, interactive=False, max_height=700, elem_id="train-table")
        download = gr.DownloadButton("Download the adapter (PEFT folder, zip)", elem_id="train-download")

    source.input(
        lambda chosen: (gr.Textbox(visible=chosen == TYPED), gr.File(visible=chosen == UPLOADED)),
        source,
        [typed, uploaded],
        **QUIET,
    )
    panel = runs_panel.build()
    knobs = [epochs, layer, pooling, loss, learning_rate, batch_size, margin, temperature, rank, alpha, dropout]
    knobs += [targets, warmup, decay, patience]
    inputs = [model, source, typed, uploaded, name, preset, shuffled, *knobs, seed]
    preset_panel.build(inputs, preset, note, knobs, shuffled, seed)

    buttons = [start, stop, go_on, control_run, pilot, rehearse]
    asked = [shown, visitor, model, name]

    def ready(shown: str | None, visitor: Visitor, model: str, name: str):
        job = jobs.find(shown)
        free = gr.skip() if job and job.active else visitor.free_name(model, name)
        return *_buttons(jobs, job, visitor), free, _link(job)

    # `protocol` below is a core.reports.protocol.Protocol or None. Gradio looks up what handlers are annotated with as
    # it wires them, and to name the class there would bring PyTorch in before the page is up.
    @explained
    def try_pilot(protocol, *values):
        given = Knobs(*values)
        config = given.config()
        found = piloted(models, given.model, given.pairs(), config.seed)
        now = replace(_still_true(protocol, config), pilot=found)
        figure = core.reports.figures.alignment_figure(
            [(say("with BOS"), found.with_bos), (say("words only"), found.words)]
        )
        published = given.preset == "published"
        follows = (
            say("**The layer that the loss reads is now set to {layer}** (under More knobs).", layer=found.layer)
            if published
            else say("The corrected preset goes on reading the output.")
        )
        chosen = str(found.layer) if published else gr.skip()
        return (
            f"{core.reports.messages.pilot_sentence(found)}\n\n{follows}",
            figure,
            run_view.steps_text(now),
            chosen,
            now,
        )

    piloting = pilot.click(
        try_pilot,
        [protocol, *inputs],
        [status, live, steps, layer, protocol],
        api_visibility="private",
        show_progress_on=[status],
        **MODEL_QUEUE,
    )
    uncover(piloting, status)

    @explained
    def try_run(protocol, *values):
        given = Knobs(*values)
        config = given.config()
        tried = rehearsed(models, given.model, given.pairs(), config)
        now = replace(_still_true(protocol, config), tried=tried)
        table = core.reports.tables.markdown_table(core.reports.tables.dry_run_rows(tried, config.loss))
        text = f"{core.reports.messages.dry_run_sentence(tried, config.loss)}\n\n{table}"
        return text, run_view.steps_text(now), now

    rehearsing = rehearse.click(
        try_run,
        [protocol, *inputs],
        [status, steps, protocol],
        api_visibility="private",
        show_progress_on=[status],
        **MODEL_QUEUE,
    )
    uncover(rehearsing, status)

    view = [status, live, steps, result, verdict, curve, table, download]
    followed = [run_note, *view, *panel.outputs, visitor, *pickers.outputs]

    async def follow(shown: str | None, protocol, visitor: Visitor):
        """Show a run as it goes, until it ends; closing the page ends this, never the run."""
        job = jobs.find(shown)
        unlisted, rest = (gr.skip(),) * len(panel.outputs), (gr.skip(),) * (1 + len(pickers.outputs))
        if job is None:
            yield gr.Markdown(visible=False), *(gr.skip(),) * len(view), *panel.listed(jobs.sync(visitor)), *rest
            return
        first = jobs.find(job.order.of) or job
        before = state = None
        while job.active:
            now = (job.state, job.said, len(job.steps), job.stopping)
            if now != before:
                listed = unlisted if job.state == state else panel.listed(jobs.sync(visitor))
                yield run_view.note(jobs, job), *run_view.under_way(jobs, first, job), *listed, *rest
                before, state = now, job.state
            await asyncio.sleep(DRAW_SECONDS / 2)
        if job.deleted:
            gone = (say("The run was deleted."), gr.skip(), "", gr.Column(visible=False), *(gr.skip(),) * 4)
            yield gr.Markdown(visible=False), *gone, *panel.listed(jobs.sync(visitor)), *rest
            return
        # Measured again where an earlier server had done it, so not on the thread that serves everybody.
        drawn = await asyncio.to_thread(run_view.ended, jobs, first, job, protocol)
        runs = jobs.sync(visitor)
        chosen = first.order.name if first.adapter else None
        yield (
            gr.Markdown(visible=False),
            *drawn,
            *panel.listed(runs),
            visitor,
            *pickers.updates(visitor, first.order.model, chosen),
        )

    def followed_by(event):
        """After an event that has put a run on the page: the address and the buttons, and then the run itself."""
        event = event.success(ready, asked, [*buttons, name, link], **QUIET)
        event.success(None, link, None, js=ADDRESS, **QUIET)
        event = event.success(
            follow,
            [shown, protocol, visitor],
            followed,
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=None,
        )
        return event.then(ready, asked, [*buttons, name, link], **QUIET)

    def redrawn(event):
        """After a run has ended, the first tab, which now offers its adapter."""
        function, its_inputs, its_outputs = alignment.first_drawing
        event.success(
            function, its_inputs, its_outputs, api_visibility="private", show_progress="hidden", **MODEL_QUEUE
        )

    @explained
    def order(request: gr.Request, visitor: Visitor, protocol, *values):
        given = Knobs(*values)
        config = given.config()
        models.check_ready(given.model)
        jobs.sync(visitor)
        new_name = visitor.check_new_name(given.model, given.name)
        pairs = given.pairs()
        if len(pairs) < FEW:
            remark(say("{n} pairs teach little: a run that shows something has a hundred or more.", n=len(pairs)))
        job = jobs.submit(
            Order(new_name, given.model, config, pairs, held_out(pairs)), visitor.token, sender_of(request)
        )
        return job.id, _still_true(protocol, config), gr.Column(visible=False), say("Preparing …")

    bring_into_sight([pilot.click, rehearse.click, start.click, control_run.click, go_on.click], "train-status")
    begun = start.click(order, [visitor, protocol, *inputs], [shown, protocol, result, status], **CHECKED)
    redrawn(followed_by(begun))

    @explained
    def order_control(request: gr.Request, visitor: Visitor, shown: str | None):
        first = jobs.find(shown)
        if first is None or not first.adapter:
            raise ValueError(say("There is no run to control yet: fine-tune first."))
        config = replace(first.order.config, shuffled=True)
        jobs.sync(visitor)
        wanted = f"{first.order.name[: 64 - len(SHUFFLED_ENDING)]}{SHUFFLED_ENDING}"
        new_name = visitor.check_new_name(first.order.model, wanted)
        control = replace(first.order, name=new_name, config=config, of=first.id)
        return jobs.submit(control, visitor.token, sender_of(request)).id

    redrawn(followed_by(control_run.click(order_control, [visitor, shown], shown, **CHECKED)))

    def stop_it(shown: str | None):
        if job := jobs.find(shown):
            jobs.stop(job)
        return gr.Button(interactive=False)

    stop.click(stop_it, shown, stop, **QUIET)

    @explained
    def resume(chosen: str | None, request: gr.Request):
        job = jobs.find(chosen)
        if job is None:
            raise ValueError(say("This run is no longer there: choose another under Your runs."))
        jobs.resume(job, sender_of(request))
        return job.id

    redrawn(followed_by(go_on.click(resume, shown, shown, **CHECKED)))

    def find_run(visitor: Visitor, base: str, request: gr.Request):
        """When the page opens: the run that its address names, or the one that is still at work."""
        runs = jobs.sync(visitor)
        linked = jobs.find(request.query_params.get("job"))
        chosen = linked or next((job for job in reversed(runs) if job.active), None)
        changed = dict(zip(panel.outputs, panel.listed(runs), strict=True))
        changed |= {tabs: gr.Tabs(selected="finetune")} if linked else {}
        return changed | ({found: chosen.id} if chosen else {})

    found = arrival.flag()
    arrival.follow(find_run, [found, tabs, *panel.outputs])
    followed_by(found.change(lambda found: found, found, shown, **QUIET))
    panel.wire(jobs, visitor, shown, followed_by, resume, pickers)
    typed.change(
        lambda text: (TYPED, gr.Textbox(visible=True)) if text else (gr.skip(), gr.skip()),
        typed,
        [source, typed],
        **QUIET,
    )
    return typed


def _buttons(jobs: Jobs, job: Job | None, visitor: Visitor) -> list[gr.Button]:
    """The buttons beside a run: start, stop, go on, control, pilot, dry run."""
    at_work = bool(job and job.active)
    controlled = job and any(other.order.of == job.id for other in jobs.sync(visitor))
    to_control = bool(job and not at_work and job.adapter and not job.order.config.shuffled and not controlled)
    return [
        gr.Button(interactive=not at_work),
        gr.Button(visible=at_work, interactive=not (job and job.stopping)),
        gr.Button(visible=bool(job and job.resumable)),
        gr.Button(interactive=to_control),
        gr.Button(interactive=not at_work),
        gr.Button(interactive=not at_work),
    ]


def _still_true(known: core.reports.protocol.Protocol | None, config: TrainingConfig) -> core.reports.protocol.Protocol:
    """What is still true of a run: a pilot for the same preset, a dry run where the knobs are the same."""
    if known is None or known.config.preset != config.preset:
        return core.reports.protocol.Protocol(config)
    return core.reports.protocol.Protocol(config, known.pilot, known.tried if known.config == config else None)


def _link(job: Job | None) -> str:
    if job is None:
        return ""
    if not job.active:
        text = "This browser finds the run again, and so does [its link](?job={run}), with which anybody can delete it."
        return say(text, run=job.id)
    return say(
        "The run goes on if you close this page; this browser finds it again, and so does [its link](?job={run}). "
        "Whoever has the link can watch, stop and delete it.",
        run=job.id,
    )
