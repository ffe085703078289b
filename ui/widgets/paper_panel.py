"""The published protocol step by step: its pilot, a dry run, and what a run and its control gave, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.training.config import TrainingConfig
from ui.server.training_run import Finished, dry_run_on_server, pilot_on_server
from ui.server.visitors import Models
from ui.widgets.errors import explained
from ui.widgets.events import MODEL_QUEUE, Parts, Updates, uncover
from ui.widgets.mobile import bring_into_sight
from ui.widgets.run_page import Run
from ui.widgets.training_form import TrainingForm

ABOUT = N_(
    "The published work (arXiv 2506.15415) goes in three steps: a pilot picks a layer, a fine-tune pulls translations "
    "together there, a table compares cosines. Choose the preset *published* to follow it. Only the fine-tune is "
    "needed; the pilot, a dry run (first loss, time and memory) and the control tell what its result is worth."
)
COMMAND = N_(
    "All of it at once, with the corrected way beside it and a report to keep: "
    "`python -m tli_core reproduce --report DIR`."
)


class PaperPanel:
    """A closed panel below the form.

    protocol holds a `core.reports.protocol.Protocol` or None. Gradio looks up what handlers are annotated with as it
    wires them, and to name that class there would bring PyTorch in before the page is up.
    """

    def __init__(self) -> None:
        self.protocol = gr.State(None)
        with gr.Accordion(N_("Reproduce the paper, step by step"), open=False, elem_id="paper"):
            gr.Markdown(ABOUT, elem_classes="hint")
            gr.Markdown(COMMAND, elem_classes="hint")
            with gr.Row():
                self.pilot = gr.Button(N_("1 · Pilot"), min_width=120, elem_id="pilot")
                self.rehearse = gr.Button(N_("2 · Dry run"), min_width=120, elem_id="dry-run")
            self.told = gr.Markdown(
                N_("Then press **Start the fine-tune**: the run (3) and its shuffled control (4) train side by side."),
                elem_id="paper-told",
            )
            self.plot = gr.Plot(show_label=False, visible=False, elem_id="paper-plot")
            self.steps = gr.Markdown(elem_id="protocol")

    def wire(self, form: TrainingForm, models: Models) -> None:
        """Connect the pilot and the dry run, which train nothing."""

        @explained
        def try_pilot(data):
            given = form.read(data)
            config = given.config()
            found = pilot_on_server(models, given.model, given.pairs(), config.seed, given.languages)
            now = replace(_still_true(data[self.protocol], config), pilot=found)
            with_bos, words = (translate("with BOS"), found.with_bos), (translate("words only"), found.words)
            follows = translate("The corrected preset goes on reading the output.")
            updates: Updates = {}
            if given.preset == "published":
                text = N_("**The layer that the loss reads is now set to {layer}** (under More settings).")
                follows = translate(text, layer=found.layer)
                updates = {form.settings["layer"]: str(found.layer)}
            figure = core.reports.figures.chart_figure(core.reports.charts.curve_chart([with_bos, words]))
            return {
                self.told: f"{core.reports.training_messages.pilot_sentence(found)}\n\n{follows}",
                self.plot: gr.Plot(figure, visible=True),
                self.steps: _steps_text(now),
                self.protocol: now,
                **updates,
            }

        @explained
        def try_run(data):
            given = form.read(data)
            config = given.config()
            tried = dry_run_on_server(models, given.model, given.pairs(), config, given.languages)
            now = replace(_still_true(data[self.protocol], config), tried=tried)
            table = core.reports.tables.markdown_table(core.reports.tables.dry_run_rows(tried, config.loss))
            told = core.reports.training_messages.dry_run_sentence(tried, config.loss)
            return {self.told: f"{told}\n\n{table}", self.steps: _steps_text(now), self.protocol: now}

        outputs = [self.told, self.plot, self.steps, form.settings["layer"], self.protocol]
        handlers: tuple[tuple[gr.Button, Callable], ...] = ((self.pilot, try_pilot), (self.rehearse, try_run))
        for button, handler in handlers:
            running = button.click(
                handler,
                {self.protocol, *form.inputs},
                outputs,
                api_visibility="private",
                show_progress_on=[self.told],
                **MODEL_QUEUE,
            )
            uncover(running, self.told)
        bring_into_sight([self.pilot.click, self.rehearse.click], "paper-told")

    @property
    def outputs(self) -> Parts:
        """What `done` updates."""
        return [self.steps, self.protocol]

    def again(self, known: core.reports.protocol.Protocol | None) -> Updates:
        """The steps once more: what is sent to a form while the page of a run hides it may be lost on its way."""
        return {self.steps: _steps_text(known)} if known else {}

    def done(self, run: Run, known: core.reports.protocol.Protocol | None) -> Updates:
        """The steps with what a measured run and its control gave.

        Args:
            known: what pilot and dry run have told on this page; it counts where the run had the same settings.
        """
        result = run.first.finished
        if result is None:
            return {}
        now = _finished(known, result, run.control.finished if run.control else None)
        return {self.steps: _steps_text(now), self.protocol: now}


def _steps_text(protocol: core.reports.protocol.Protocol) -> str:
    """The steps that have been done."""
    table = core.reports.tables.markdown_table(core.reports.protocol.protocol_rows(protocol))
    title = translate("Step by step")
    return f"## {title}\n{table}"


def _still_true(known: core.reports.protocol.Protocol | None, config: TrainingConfig) -> core.reports.protocol.Protocol:
    """What is still true of a run: a pilot for the same preset, a dry run where the settings are the same."""
    if known is None or known.config.preset != config.preset:
        return core.reports.protocol.Protocol(config)
    return core.reports.protocol.Protocol(config, known.pilot, known.tried if known.config == config else None)


def _finished(
    known: core.reports.protocol.Protocol | None, result: Finished, control: Finished | None
) -> core.reports.protocol.Protocol:
    start = _still_true(known, result.request.config)
    shuffled = control.evaluations[0] if control else None
    return replace(start, record=result.record, control=result.evaluations[0], shuffled=shuffled)
