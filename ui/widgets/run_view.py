"""A run as the page shows it, while it goes and when it has ended."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr

import tli_core as core
from tli_core.i18n import say
from ui.server.jobs import BROKEN_OFF, STOPPED, Job, Jobs
from ui.server.training_run import Finished, archive


def under_way(jobs: Jobs, first: Job, job: Job) -> tuple:
    """A run at work: status and live chart, and nothing else changed, in the order of the tab's view.

    Args:
        first: the run that `job` is the shuffled control of; `job` itself where it is none.
    """
    now = jobs.progress(job)
    told = now if job is first else say("Shuffled control: {progress}", progress=now)
    return f"{_heading(job)}\n\n{told}", _chart(first, job), *(gr.skip(),) * 6


def note(jobs: Jobs, job: Job) -> gr.Markdown:
    """That a run is going on, for those who look at another tab."""
    text = "**{name}** is being fine-tuned (tab Fine-tune). {progress}"
    return gr.Markdown(say(text, name=job.order.name, progress=jobs.progress(job)), visible=True)


def _heading(job: Job) -> str:
    """Whose run this is: its name, its base, its preset, and the knobs that differ from it."""
    config = job.order.config
    knobs = {knob: value for knob, value in core.training.config.changed_knobs(config).items() if knob != "shuffled"}
    told = [job.order.model, f"{config.preset}, {say('shuffled')}" if config.shuffled else config.preset]
    told += [f"{knob.replace('_', ' ')} {_told(value)}" for knob, value in knobs.items()]
    return f"**{job.order.name}** · {' · '.join(told)} · {say('{n} pairs', n=len(job.order.pairs))}"


def _told(value: object) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, (tuple, list))
        else say("output")
        if value is None
        else str(value)
    )


def ended(jobs: Jobs, first: Job, job: Job, protocol: core.reports.protocol.Protocol | None) -> tuple:
    """Everything that follows from a run that has ended, in the order of the tab's view.

    Args:
        protocol: what pilot and dry run have told on this page.
    """
    if not job.adapter or not first.adapter:
        headings = {BROKEN_OFF: say("**The run was broken off.**"), STOPPED: ""}
        words = headings.get(job.state, say("**The run failed.**"))
        return (
            f"{_heading(job)}\n\n{words} {say(job.said) if job.said else ''}".strip(),
            _chart(first, job),
            "",
            gr.Column(visible=False),
            *(gr.skip(),) * 4,
        )
    try:
        result = jobs.result(first)
        control = jobs.result(job) if job is not first else None
    except (ValueError, OSError) as error:
        words = say("**The adapter is kept, but could not be measured.** {reason}", reason=error)
        return f"{_heading(job)}\n\n{words}", _chart(first, job), "", gr.Column(visible=False), *(gr.skip(),) * 4
    last = control or result
    told = [*result.evaluations, *(control.evaluations if control else ())]
    before, after = result.evaluations[0].before, result.evaluations[0].after
    curves = [(first.order.model, before), (first.order.name, after)]
    if control:
        curves.append((job.order.name, control.evaluations[0].after))
    headers, *rows = core.reports.tables.evaluation_rows(told)
    return (
        f"{_heading(job)}\n\n"
        + say(
            "{done}{early}: {steps} steps in {seconds:.0f} s. **{name}** is now chosen in the other tabs.",
            done=say("Control done") if control else say("Done"),
            early=last.early,
            steps=last.record["steps"],
            seconds=last.record["seconds"],
            name=first.order.name,
        ),
        _chart(first, job),
        steps_text(_protocol(protocol, result, control)),
        gr.Column(visible=True),
        _verdict(result, control),
        core.reports.figures.alignment_figure(curves),
        {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in rows]},
        gr.DownloadButton(value=archive(result.folder, jobs.downloads(first))),
    )


def steps_text(protocol: core.reports.protocol.Protocol) -> str:
    """The steps of the protocol that have been done, as text."""
    return f"## {say('Step by step')}\n" + core.reports.tables.markdown_table(
        core.reports.protocol.protocol_rows(protocol)
    )


def _protocol(
    known: core.reports.protocol.Protocol | None, result: Finished, control: Finished | None
) -> core.reports.protocol.Protocol:
    config = result.order.config
    start = known if known and known.config == config else core.reports.protocol.Protocol(config)
    shuffled = control.evaluations[0] if control else None
    return replace(start, record=result.record, control=result.evaluations[0], shuffled=shuffled)


def _chart(first: Job, job: Job):
    runs = [first] if job is first else [first, job]
    labels = ("", say("shuffled"))
    return core.reports.figures.training_figure(
        [
            core.reports.figures.DrawnRun(label, run.order.config.loss, run.steps)
            for label, run in zip(labels, runs, strict=False)
        ]
    )


def _verdict(result: Finished, control: Finished | None) -> str:
    lines = [f"- {core.reports.messages.change_sentence(item)}" for item in result.evaluations]
    if control:
        gained = control.evaluations[0].change.matched >= core.measures.verdicts.LEAST_CHANGE
        ending = say("What it gained, it gained without learning a single translation.") if gained else ""
        told = core.reports.messages.change_sentence(control.evaluations[0])
        line = say("The control, trained on wrong translations: {told} {ending}", told=told, ending=ending)
        lines.append(f"- {line.strip()}")
    if result.order.config.shuffled:
        line = say("This was the control: whatever it gained, it gained from wrong translations.")
        lines.append(f"- {line}")
    if "kept_step" in result.record:
        line = say(
            "Step {step} was kept because the held-out pairs were best there, so their figures flatter it a little; "
            "the words that no training saw (under Evaluate) had no say in it.",
            step=result.record["kept_step"],
        )
        lines.append(f"- {line}")
    first = result.evaluations[0]
    title = say("What it did, at {layer}", layer=core.models.layers.layer_words(first.before.names[first.layer]))
    return "\n".join([f"## {title}", *lines])
