"""Your runs: every fine-tune of this browser, to open, or to lay one over another."""

from __future__ import annotations

import time
from collections.abc import Sequence

import gradio as gr
from gradio.events import Dependency

import tli_core as core
from tli_core.i18n import N_, translate
from ui.server.job import Job
from ui.server.jobs import Jobs
from ui.server.visitors import Visitor
from ui.widgets import chart_table
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, QUIET, Parts, Updates

HEADERS = (
    N_("run"),
    N_("state"),
    N_("model"),
    N_("preset"),
    N_("loss at"),
    N_("steps"),
    N_("held out: P@1"),
    N_("right less wrong"),
    N_("begun (UTC)"),
)
NONE_YET = N_(
    "There is no run in this browser yet. Fine-tunes that you start are listed here, also after you come back."
)


class RunsPanel:
    """The list of runs; `opened` holds the id of the run that was asked for in it."""

    def __init__(self) -> None:
        self.opened = gr.State(None)
        gr.Markdown(N_("## Your runs"))
        self.note = gr.Markdown(NONE_YET, elem_classes="hint", elem_id="run-none")
        self.table = gr.Dataframe(
            headers=list(HEADERS),
            interactive=False,
            visible=False,
            show_label=False,
            max_height=360,
            elem_id="run-table",
        )
        with gr.Column(visible=False) as self.row:
            with gr.Row():
                self.chosen = gr.Dropdown([], label=N_("Run"), min_width=160, elem_id="run-chosen")
                self.show = gr.Button(N_("Open it"), min_width=110, elem_id="run-show")
            with gr.Row():
                self.other = gr.Dropdown([], label=N_("Beside it"), min_width=160, elem_id="run-other")
                self.overlay = gr.Button(N_("Lay one over the other"), min_width=110, elem_id="run-overlay")
        self.plot = gr.Plot(show_label=False, visible=False, elem_id="run-plot")
        chart_table.beside(self.plot, "run-chart-table")

    @property
    def outputs(self) -> Parts:
        """What `listed` updates."""
        return [self.note, self.table, self.row, self.chosen, self.other]

    def listed(self, runs: Sequence[Job]) -> Updates:
        """Updates of the parts for these runs, the newest first."""
        runs = list(reversed(runs))
        choices = [(run.request.name, run.id) for run in runs]
        rows = {"headers": [translate(header) for header in HEADERS], "data": [_cells(run) for run in runs]}
        second = choices[min(1, len(choices) - 1)][1] if choices else None
        return {
            self.note: gr.Markdown(translate(NONE_YET), visible=not runs),
            self.table: gr.Dataframe(rows, visible=bool(runs)),
            self.row: gr.Column(visible=bool(runs)),
            self.chosen: gr.Dropdown(choices=choices, value=choices[0][1] if choices else None),
            self.other: gr.Dropdown(choices=choices, value=second),
        }

    def wire(self, jobs: Jobs, visitor: gr.State) -> list[Dependency]:
        """Connect the events; those that it returns have put the run to open in `opened`."""

        def picked(visitor: Visitor, event: gr.SelectData):
            """The run of the row that was clicked, wherever sorting has put it."""
            name = str((event.row_value or [""])[0])
            return next((job.id for job in jobs.sync(visitor) if job.request.name == name), None)

        @explained
        def overlay(visitor: Visitor, chosen: str | None, other: str | None):
            runs = [own_run(jobs, visitor, run) for run in (chosen, other)]
            chart = core.reports.charts.training_chart([drawn_run(run) for run in runs])
            return gr.Plot(core.reports.figures.chart_figure(chart), visible=True)

        self.overlay.click(overlay, [visitor, self.chosen, self.other], self.plot, **CHECKED)
        return [
            self.show.click(lambda chosen: chosen, self.chosen, self.opened, **QUIET),
            self.table.select(picked, visitor, self.opened, **CHECKED),
        ]


def own_run(jobs: Jobs, visitor: Visitor, chosen: str | None) -> Job:
    """A run of this visitor's.

    Raises:
        ValueError: it is none of theirs, or no longer there.
    """
    for job in jobs.sync(visitor):
        if job.id == chosen:
            return job
    raise ValueError(translate("This run is no longer there: choose another under Your runs."))


def drawn_run(job: Job) -> core.reports.charts.DrawnRun:
    """A run as charts take it."""
    return core.reports.charts.DrawnRun(job.request.name, job.request.model, job.request.config.loss, job.steps)


def _cells(run: Job) -> list[str]:
    config = run.request.config
    checks = [step.check for step in run.steps if step.check]
    found = f"{checks[0].p_at_1:.3f} → {checks[-1].p_at_1:.3f}" if checks else ""
    gaps = [check.matched - check.mismatched for check in checks]
    apart = f"{gaps[0]:.3f} → {gaps[-1]:.3f}" if gaps else ""
    taken = f"{run.steps[-1].step} / {run.steps[-1].steps}" if run.steps else ""
    begun = time.strftime("%Y-%m-%d %H:%M", time.gmtime(run.created))
    preset = f"{config.preset}, {translate('shuffled')}" if config.shuffled else config.preset
    layer = translate(str(config.layer))
    return [run.request.name, translate(run.state), run.request.model, preset, layer, taken, found, apart, begun]
