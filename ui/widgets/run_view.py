"""A run as the page shows it, while it goes and when it has ended."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from ui.server.job import BROKEN_OFF, STOPPED, Job
from ui.server.jobs import Jobs
from ui.server.training_run import Finished, archive
from ui.widgets import chart_table
from ui.widgets.empty_plot import empty_plot
from ui.widgets.events import Parts, Updates


class RunView:
    """The parts that show a run; `beside` and `below` lay them out, the others give their updates."""

    def __init__(self, jobs: Jobs):
        self._jobs = jobs

    def beside(self) -> None:
        """What stands beside the form: how far the run is, and its chart."""
        self.status = gr.Markdown(
            N_(
                "Press **Fine-tune**. Held-out words, which the run never trains on, are measured as it goes: "
                "a run that learns lifts the right pairs and P@1 while the wrong pairs stay down. *P@1* is the share "
                "of words whose own translation is the nearest of all."
            ),
            elem_id="train-status",
        )
        # Beside the progress: on a phone the button that began the run is out of sight by now.
        self.stop = gr.Button(N_("Stop and keep"), visible=False, elem_id="stop")
        self.go_on = gr.Button(N_("Go on from where it stopped"), visible=False, elem_id="resume")
        self.live = empty_plot(N_("The loss and the held-out pairs are drawn here as it learns."), elem_id="train-plot")
        chart_table.beside(self.live, "train-chart-table")
        self.link = gr.Markdown(elem_classes="hint", elem_id="run-link")

    def below(self) -> None:
        """What stands below the form: the steps of the protocol, and the result."""
        self.steps = gr.Markdown(elem_id="protocol")
        with gr.Column(visible=False) as self.result:
            self.verdict = gr.Markdown(elem_id="train-verdict")
            self.curve = gr.Plot(label="Control pairs: base and new adapter", show_label=False, elem_id="train-curve")
            chart_table.beside(self.curve, "train-curve-table")
            with gr.Accordion(N_("The paper's table, with the controls it lacks"), open=False):
                self.table = gr.Dataframe(show_label=False, interactive=False, max_height=700, elem_id="train-table")
            self.download = gr.DownloadButton(N_("Download the adapter (PEFT folder, zip)"), elem_id="train-download")

    @property
    def outputs(self) -> Parts:
        """What the updates are of."""
        return [self.status, self.live, self.steps, self.result, self.verdict, self.curve, self.table, self.download]

    def under_way(self, first: Job, job: Job) -> Updates:
        """A run at work: status and live chart, and nothing else changed.

        Args:
            first: the run that `job` is the shuffled control of; `job` itself where it is none.
        """
        now = self._jobs.progress(job)
        told = now if job is first else translate("Shuffled control: {progress}", progress=now)
        return {self.status: f"{_heading(job)}\n\n{told}", self.live: _chart(first, job)}

    def deleted(self) -> Updates:
        """A run that was deleted while it was on the page."""
        return {self.status: translate("The run was deleted."), self.steps: "", self.result: gr.Column(visible=False)}

    def ended(self, first: Job, job: Job, protocol: core.reports.protocol.Protocol | None) -> Updates:
        """Everything that follows from a run that has ended.

        Args:
            protocol: what pilot and dry run have told on this page.
        """
        nothing = {self.live: _chart(first, job), self.steps: "", self.result: gr.Column(visible=False)}
        if not job.adapter or not first.adapter:
            headings = {BROKEN_OFF: translate("**The run was broken off.**"), STOPPED: ""}
            words = headings.get(job.state, translate("**The run failed.**"))
            told = f"{_heading(job)}\n\n{words} {translate(job.message) if job.message else ''}".strip()
            return {self.status: told, **nothing}
        try:
            result = self._jobs.result(first)
            control = self._jobs.result(job) if job is not first else None
        except (ValueError, OSError) as error:
            words = translate("**The adapter is kept, but could not be measured.** {reason}", reason=error)
            return {self.status: f"{_heading(job)}\n\n{words}", **nothing}
        last = control or result
        told = [*result.evaluations, *(control.evaluations if control else ())]
        before, after = result.evaluations[0].before, result.evaluations[0].after
        curves = [(first.request.model, before), (first.request.name, after)]
        if control:
            curves.append((job.request.name, control.evaluations[0].after))
        headers, *rows = core.reports.tables.evaluation_rows(told)
        done = translate(
            "{done}{early}: {steps} steps in {seconds:.0f} s. **{name}** is now chosen in the other tabs.",
            done=translate("Control done") if control else translate("Done"),
            early=last.early,
            steps=last.record["steps"],
            seconds=last.record["seconds"],
            name=first.request.name,
        )
        return {
            self.status: f"{_heading(job)}\n\n{done}",
            self.live: _chart(first, job),
            self.steps: steps_text(_protocol(protocol, result, control)),
            self.result: gr.Column(visible=True),
            self.verdict: _verdict(result, control),
            self.curve: core.reports.figures.chart_figure(core.reports.charts.curve_chart(curves)),
            self.table: {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in rows]},
            self.download: gr.DownloadButton(value=archive(result.folder, self._jobs.downloads(first))),
        }


def note(jobs: Jobs, job: Job) -> gr.Markdown:
    """A note for the other tabs that a run is in progress."""
    text = N_("**{name}** is being fine-tuned (tab Fine-tune). {progress}")
    return gr.Markdown(translate(text, name=job.request.name, progress=jobs.progress(job)), visible=True)


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
    told.append(translate("{n} pairs", n=len(job.request.pairs)))
    return f"**{job.request.name}** · {' · '.join(told)}"


def _format_value(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return translate("output") if value == "output" else str(value)


def steps_text(protocol: core.reports.protocol.Protocol) -> str:
    """The steps of the protocol that have been done, as text."""
    table = core.reports.tables.markdown_table(core.reports.protocol.protocol_rows(protocol))
    title = translate("Step by step")
    return f"## {title}\n{table}"


def _protocol(
    known: core.reports.protocol.Protocol | None, result: Finished, control: Finished | None
) -> core.reports.protocol.Protocol:
    config = result.request.config
    start = known if known and known.config == config else core.reports.protocol.Protocol(config)
    shuffled = control.evaluations[0] if control else None
    return replace(start, record=result.record, control=result.evaluations[0], shuffled=shuffled)


def _chart(first: Job, job: Job):
    runs = [first] if job is first else [first, job]
    drawn = [core.reports.charts.DrawnRun(run.request.name, run.request.config.loss, run.steps) for run in runs]
    return core.reports.figures.chart_figure(core.reports.charts.training_chart(drawn))


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
