"""Your runs: every fine-tune of this browser, to show, go on with, lay over another, rename or delete."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from ui.server.job import Job
from ui.server.jobs import Jobs
from ui.server.visitors import Visitor
from ui.widgets import chart_table
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, QUIET, Updates

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


@dataclass(frozen=True)
class RunsPanel:
    """The panel's parts."""

    note: gr.Markdown
    table: gr.Dataframe
    row: gr.Column
    chosen: gr.Dropdown
    other: gr.Dropdown
    show: gr.Button
    go_on: gr.Button
    overlay: gr.Button
    name: gr.Textbox
    rename: gr.Button
    delete: gr.Button
    sure: gr.Button
    keep: gr.Button
    plot: gr.Plot

    @property
    def outputs(self) -> list:
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

    def wire(
        self,
        jobs: Jobs,
        visitor: gr.State,
        shown: gr.State,
        followed_by: Callable,
        resume: Callable,
        pickers: AdapterPickers,
    ) -> None:
        """Connect the events; `followed_by` puts the run in `shown` on the page."""
        followed_by(self.show.click(lambda chosen: chosen, self.chosen, shown, **QUIET))
        followed_by(self.go_on.click(resume, self.chosen, shown, **CHECKED))

        def own(visitor: Visitor, chosen: str | None) -> Job:
            for job in jobs.sync(visitor):
                if job.id == chosen:
                    return job
            raise ValueError(translate("This run is no longer there: choose another under Your runs."))

        @explained
        def rename(visitor: Visitor, chosen: str | None, name: str):
            job = own(visitor, chosen)
            jobs.rename(job, visitor.check_new_name(job.request.model, name))
            runs = jobs.sync(visitor)
            return self.listed(runs) | {own_state: visitor} | pickers.updates(visitor, job.request.model)

        @explained
        def delete(visitor: Visitor, chosen: str | None):
            job = own(visitor, chosen)
            jobs.delete(job)
            runs = jobs.sync(visitor)
            return self.listed(runs) | {own_state: visitor} | pickers.updates(visitor, job.request.model)

        own_state = visitor
        changed = [*self.outputs, visitor, *pickers.outputs]
        # The run on the page is shown again, under its name of now.
        followed_by(self.rename.click(rename, [visitor, self.chosen, self.name], changed, **CHECKED))
        asked = [self.delete, self.sure, self.keep]
        self.delete.click(lambda: _asking(True), None, asked, **QUIET)
        gr.on([self.keep.click, self.chosen.change], lambda: _asking(False), None, asked, **QUIET)
        deleted = self.sure.click(delete, [visitor, self.chosen], changed, **CHECKED)
        deleted.then(lambda: _asking(False), None, asked, **QUIET)

        @explained
        def overlay(visitor: Visitor, chosen: str | None, other: str | None):
            runs = [own(visitor, chosen), own(visitor, other)]
            drawn = [core.reports.charts.DrawnRun(run.request.name, run.request.config.loss, run.steps) for run in runs]
            return gr.Plot(core.reports.figures.chart_figure(core.reports.charts.training_chart(drawn)), visible=True)

        self.overlay.click(overlay, [visitor, self.chosen, self.other], self.plot, **CHECKED)


def build() -> RunsPanel:
    """Lay the panel out."""
    with gr.Accordion(N_("Your runs"), open=False, elem_id="runs"):
        note = gr.Markdown(NONE_YET, elem_classes="hint")
        table = gr.Dataframe(
            headers=list(HEADERS),
            interactive=False,
            visible=False,
            show_label=False,
            max_height=360,
            elem_id="run-table",
        )
        with gr.Column(visible=False) as row:
            with gr.Row():
                chosen = gr.Dropdown([], label=N_("Run"), min_width=160, elem_id="run-chosen")
                show = gr.Button(N_("Show it"), min_width=110, elem_id="run-show")
                go_on = gr.Button(N_("Go on with it"), min_width=110, elem_id="run-go-on")
                delete = gr.Button(N_("Delete it …"), min_width=110, elem_id="run-delete")
                sure = gr.Button(
                    N_("Yes, delete it for good"),
                    variant="stop",
                    visible=False,
                    min_width=110,
                    elem_id="run-delete-sure",
                )
                keep = gr.Button(N_("Keep it"), visible=False, min_width=110, elem_id="run-keep")
            with gr.Row():
                name = gr.Textbox(label=N_("New name"), min_width=160, elem_id="run-name")
                rename = gr.Button(N_("Rename it"), min_width=110, elem_id="run-rename")
                other = gr.Dropdown([], label=N_("Beside it"), min_width=160, elem_id="run-other")
                overlay = gr.Button(N_("Lay one over the other"), min_width=110, elem_id="run-overlay")
        plot = gr.Plot(show_label=False, visible=False, elem_id="run-plot")
        chart_table.beside(plot, "run-chart-table")
    return RunsPanel(note, table, row, chosen, other, show, go_on, overlay, name, rename, delete, sure, keep, plot)


def _asking(sure: bool) -> list[gr.Button]:
    """The buttons of the confirmation step before a run is deleted."""
    return [gr.Button(visible=not sure), gr.Button(visible=sure), gr.Button(visible=sure)]


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
