"""The page of one run: its settings as they were, its charts, its control beside it, its verdict and its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

import tli_core as core
from tli_core.cli.train_command import train_command
from tli_core.i18n import N_, translate, translate_plural
from tli_core.lists.lexicon import shipped
from tli_core.training.config import SETTINGS, TrainingConfig
from ui.server.job import BROKEN_OFF, STOPPED, Job
from ui.server.jobs import Jobs
from ui.server.training_run import Finished, archive
from ui.widgets import chart_table, figure_files
from ui.widgets.empty_plot import empty_figure, empty_plot
from ui.widgets.events import Parts, Updates
from ui.widgets.runs_panel import drawn_run

LIVE = N_("The loss and the held-out pairs are drawn here as it learns.")
CONTROL_HELP = N_(
    "The control trains in the same way on wrong translations. What it gains as well, the run did not gain by learning "
    "translations."
)


@dataclass(frozen=True)
class Run:
    """A run and, where there is one, its shuffled control: what one page shows."""

    first: Job
    control: Job | None = None

    @property
    def at_work(self) -> Job | None:
        """The one of the two that waits or runs."""
        return next((job for job in self.jobs if job.active), None)

    @property
    def jobs(self) -> list[Job]:
        """One or two."""
        return [self.first, *([self.control] if self.control else [])]


def run_of(jobs: Jobs, job_id: str | None) -> Run | None:
    """The run of an id, also where that is its control's; None where it is no longer there."""
    job = jobs.find(job_id)
    if job is None:
        return None
    first = jobs.find(job.request.of) or job
    controls = [job] if job is not first else jobs.controls(first)
    return Run(first, controls[-1] if controls else None)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The charts of a run that has ended, for their files; Gradio hashes a state that is followed, by identity."""

    training: core.reports.chart.Chart
    curve: core.reports.chart.Chart | None


class RunPage:
    """The parts of the page; its methods give their updates."""

    def __init__(self, jobs: Jobs):
        self._jobs = jobs
        self.drawn = gr.State(None)
        with gr.Column(visible=False, elem_id="run-page") as self.whole:
            self.back = gr.Button(N_("← All runs, and a new one"), size="sm", min_width=200, elem_id="run-back")
            self.status = gr.Markdown(elem_id="train-status")
            # Beside the progress: on a phone the button that began the run is out of sight by now.
            with gr.Row():
                self.stop = gr.Button(N_("Stop and keep"), visible=False, elem_id="stop")
                self.go_on = gr.Button(N_("Go on from where it stopped"), visible=False, elem_id="resume")
                self.control = gr.Button(N_("Train its shuffled control"), visible=False, elem_id="control-run")
            self.control_help = gr.Markdown(CONTROL_HELP, visible=False, elem_classes="hint")
            self.verdict = gr.Markdown(visible=False, elem_id="train-verdict")
            with gr.Column(visible=False) as self.result:
                self.curve = gr.Plot(show_label=False, elem_id="train-curve")
                chart_table.beside(self.curve, "train-curve-table")
                figure_files.below(_curve, [self.drawn], "run", "train-curve-files")
            self.live = empty_plot(LIVE, elem_id="train-plot")
            chart_table.beside(self.live, "train-chart-table")
            figure_files.below(_training, [self.drawn], "training", "train-plot-files")
            self.rows = gr.Accordion(N_("The paper's table, with the controls it lacks"), open=False, visible=False)
            with self.rows:
                self.table = gr.Dataframe(show_label=False, interactive=False, max_height=700, elem_id="train-table")
            with gr.Accordion(N_("Its settings"), open=False, elem_id="run-settings"):
                self.settings = gr.Dataframe(show_label=False, interactive=False, max_height=500)
                self.command = gr.Code(
                    label=N_("The same on the command line"), language="shell", interactive=False, lines=2, max_lines=12
                )
            with gr.Row():
                self.download = gr.DownloadButton(
                    N_("Download the adapter (PEFT folder, zip)"), visible=False, elem_id="train-download"
                )
                self.ask_report = gr.Button(N_("Make the report"), visible=False, elem_id="run-report-make")
                self.report = gr.DownloadButton(
                    N_("Download the report (HTML, JSON, CSV; zip)"), visible=False, elem_id="run-report"
                )
            with gr.Accordion(N_("Rename or delete this run"), open=False, elem_id="run-manage"), gr.Row():
                self.name = gr.Textbox(label=N_("New name"), min_width=160, elem_id="run-name")
                self.rename = gr.Button(N_("Rename it"), min_width=110, elem_id="run-rename")
                self.delete = gr.Button(N_("Delete it, with its control …"), min_width=110, elem_id="run-delete")
                self.sure = gr.Button(
                    N_("Yes, delete for good"),
                    variant="stop",
                    visible=False,
                    min_width=110,
                    elem_id="run-delete-sure",
                )
                self.keep = gr.Button(N_("Keep it"), visible=False, min_width=110, elem_id="run-keep")
            self.link = gr.Markdown(elem_classes="hint", elem_id="run-link")

    @property
    def outputs(self) -> Parts:
        """What the updates are of."""
        results = [self.result, self.rows, self.verdict, self.curve, self.table, self.drawn]
        files = [self.settings, self.command, self.download, self.ask_report, self.report]
        return [self.whole, self.status, self.live, *results, *files, *self.buttons]

    @property
    def buttons(self) -> Parts:
        """What changes with the state of a run."""
        return [self.stop, self.go_on, self.control, self.control_help, self.link]

    def opened(self, run: Run) -> Updates:
        """A page that has just been opened: nothing of another run is left on it."""
        request = run.first.request
        config = request.config
        file = None if request.pairs == shipped("train", request.languages) else "pairs.csv"
        return {
            self.whole: gr.Column(visible=True),
            self.status: _heading(run.first),
            self.live: empty_figure(translate(LIVE)),
            self.settings: _settings_table(config),
            self.command: train_command(
                config, request.model, request.name, file, request.languages, with_control=run.control is not None
            ),
            **self._no_result(),
            **self.ready(run),
        }

    def closed(self) -> Updates:
        """No run is looked at."""
        return {self.whole: gr.Column(visible=False), self.link: "", **self._no_result()}

    def ready(self, run: Run) -> Updates:
        """The buttons of a run, as it stands now, and its link."""
        at_work = run.at_work
        can_control = not at_work and run.first.adapter and not run.first.request.config.shuffled and not run.control
        return {
            self.stop: gr.Button(visible=bool(at_work), interactive=not (at_work and at_work.stopping)),
            self.go_on: gr.Button(visible=bool(resumable(run))),
            self.control: gr.Button(visible=bool(can_control)),
            self.control_help: gr.Markdown(visible=bool(can_control)),
            self.link: _link(run),
        }

    def under_way(self, run: Run) -> Updates:
        """A run at work: status and live chart, and nothing else changed."""
        job = run.at_work or run.first
        now = self._jobs.progress(job)
        told = now if job is run.first else translate("Shuffled control: {progress}", progress=now)
        figure = core.reports.figures.chart_figure(_training_chart(run))
        return {self.status: f"{_heading(run.first)}\n\n{told}", self.live: figure}

    def ended(self, run: Run) -> Updates:
        """Everything that follows from a run that has ended."""
        first, control = run.first, run.control
        training = _training_chart(run)
        nothing = {**self._no_result(), self.live: core.reports.figures.chart_figure(training)}
        if not first.adapter:
            return {**nothing, self.status: f"{_heading(first)}\n\n{_ending(first)}", **self.ready(run)}
        try:
            result = self._jobs.result(first)
            controlled = self._jobs.result(control) if control and control.adapter else None
        except (ValueError, OSError) as error:
            words = translate("**The adapter is kept, but could not be measured.** {reason}", reason=error)
            return {**nothing, self.status: f"{_heading(first)}\n\n{words}", **self.ready(run)}
        told = [*result.evaluations, *(controlled.evaluations if controlled else ())]
        before, after = result.evaluations[0].before, result.evaluations[0].after
        curves = [(first.request.model, before), (first.request.name, after)]
        if control and controlled:
            curves.append((control.request.name, controlled.evaluations[0].after))
        curve = core.reports.charts.curve_chart(curves)
        headers, *rows = core.reports.tables.evaluation_rows(told)
        text = N_("Done{early}: {steps} steps in {seconds:.0f} s. **{name}** is now chosen in the other tabs.")
        done = [translate(text, name=first.request.name, **_how_far(result))]
        if controlled:
            done.append(translate("Control done{early}: {steps} steps in {seconds:.0f} s.", **_how_far(controlled)))
        elif control:
            done.append(translate("Shuffled control: {progress}", progress=_ending(control)))
        return {
            **nothing,
            self.status: f"{_heading(first)}\n\n{' '.join(done)}",
            self.result: gr.Column(visible=True),
            self.rows: gr.Accordion(visible=True),
            self.verdict: gr.Markdown(_verdict(result, controlled), visible=True),
            self.curve: core.reports.figures.chart_figure(curve),
            self.table: {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in rows]},
            self.drawn: Drawn(training, curve),
            self.download: gr.DownloadButton(value=archive(result.folder, self._jobs.downloads(first)), visible=True),
            self.ask_report: gr.Button(visible=True),
            **self.ready(run),
        }

    def _no_result(self) -> Updates:
        return {
            self.result: gr.Column(visible=False),
            self.rows: gr.Accordion(visible=False, open=False),
            self.verdict: gr.Markdown(visible=False),
            self.curve: None,
            self.drawn: None,
            self.download: gr.DownloadButton(visible=False),
            self.ask_report: gr.Button(visible=False),
            self.report: gr.DownloadButton(visible=False),
        }


def resumable(run: Run) -> list[Job]:
    """Of the run and its control those that can go on from where they stopped; none while one is at work."""
    return [] if run.at_work else [job for job in run.jobs if job.resumable]


def _curve(drawn: Drawn | None) -> core.reports.chart.Chart | None:
    return drawn.curve if drawn else None


def _training(drawn: Drawn | None) -> core.reports.chart.Chart | None:
    return drawn.training if drawn else None


def _training_chart(run: Run) -> core.reports.chart.Chart:
    return core.reports.charts.training_chart([drawn_run(job) for job in run.jobs])


def _settings_table(config: TrainingConfig) -> dict:
    """Every setting that the run had, by its label."""
    rows = [[translate(known.label), _format_value(getattr(config, name))] for name, known in SETTINGS.items()]
    return {"headers": [translate("setting"), translate("value")], "data": [["preset", config.preset], *rows]}


def _heading(job: Job) -> str:
    """Whose run this is: its name, its base, its preset, and the settings that differ from it."""
    config = job.request.config
    settings = {
        setting: value
        for setting, value in core.training.presets.changed_settings(config).items()
        if setting != "shuffled"
    }
    shuffled = translate("shuffled")
    told = [job.request.model, f"{config.preset}, {shuffled}" if config.shuffled else config.preset]
    told += [f"{setting.replace('_', ' ')} {_format_value(value)}" for setting, value in settings.items()]
    told.append(translate_plural("{n} pair", "{n} pairs", len(job.request.pairs)))
    return f"## {job.request.name}\n{' · '.join(told)}"


def _ending(job: Job) -> str:
    """How a run without an adapter has ended, or where it stands."""
    if job.active:
        return translate("Preparing …")
    headings = {BROKEN_OFF: translate("**The run was broken off.**"), STOPPED: ""}
    words = headings.get(job.state, translate("**The run failed.**"))
    return f"{words} {translate(job.message) if job.message else ''}".strip()


def _how_far(result: Finished) -> dict[str, Any]:
    return {"early": result.early, "steps": result.record["steps"], "seconds": result.record["seconds"]}


def _link(run: Run) -> str:
    if run.at_work is None:
        text = N_(
            "This browser finds the run again, and so does [its link](?tab=finetune&job={run}), with which anybody can "
            "delete it."
        )
        return translate(text, run=run.first.id)
    return translate(
        "The run goes on if you close this page; this browser finds it again, and so does "
        "[its link](?tab=finetune&job={run}). Whoever has the link can watch, stop and delete it.",
        run=run.first.id,
    )


def _format_value(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return translate("output") if value == "output" else str(value)


def _verdict(result: Finished, control: Finished | None) -> str:
    lines = [f"- {core.reports.messages.change_sentence(item)}" for item in result.evaluations]
    if control:
        gained = control.evaluations[0].change.matched >= core.measures.verdicts.GEOMETRY
        ending = translate("What it gained, it gained without learning a single translation.") if gained else ""
        told = core.reports.messages.change_sentence(control.evaluations[0])
        line = translate("The control, trained on wrong translations: {told} {ending}", told=told, ending=ending)
        lines.append(f"- {line.strip()}")
    if result.request.config.shuffled:
        line = translate("This was the control: whatever it gained, it gained from wrong translations.")
        lines.append(f"- {line}")
    if "kept_step" in result.record:
        line = translate(
            "Step {step} was kept because {n} pairs of the training list, set aside for the choice, were found best "
            "there; the control list had no say in it.",
            step=result.record["kept_step"],
            n=len(result.record["step_chosen_on"]),
        )
        lines.append(f"- {line}")
    if harm := core.reports.training_messages.harm_sentence(result.record):
        lines.append(f"- {harm}")
    first = result.evaluations[0]
    title = translate("What it did, at {layer}", layer=core.models.layers.layer_words(first.before.names[first.layer]))
    return "\n".join([f"## {title}", *lines])
