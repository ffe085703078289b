"""A line on every page while a run of this browser is at work, and the way to the page of that run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

from tli_core.i18n import N_, translate
from ui.server.fair_share import turns
from ui.server.job import Job
from ui.server.jobs import Jobs
from ui.server.training_run import DRAW_SECONDS
from ui.server.visitors import Visitor
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.events import Parts, Updates

Listed = Callable[[list[Job]], Updates]
"""listed(runs) -> updates of the list of this browser's runs."""


class Watcher:
    """Whether a page is being told of its runs already, so that one stream tells it and not several.

    again: there may be a run that the stream does not know of.
    """

    def __init__(self) -> None:
        self.at_work = self.again = False


class RunStrip:
    """Stands above the tabs, as on a phone the tab of the run may be behind a menu.

    running holds the id of the run that it tells of, ended changes when a run has ended with an adapter.
    """

    def __init__(self) -> None:
        self._watcher = gr.State(Watcher())
        self.running = gr.State(None)
        self.ended = gr.State("")
        with gr.Row(visible=False, elem_id="run-strip") as self._row:
            self._note = gr.Markdown(elem_classes="hint", elem_id="run-note")
            self.open = gr.Button(N_("Open"), size="sm", min_width=90, scale=0, elem_id="run-open")

    def wire(self, jobs: Jobs, visitor: gr.State, pickers: AdapterPickers, listed: Listed, list_parts: Parts) -> None:
        """Say what else changes as runs go: the list of runs, and what the pickers offer."""

        async def watch(watcher: Watcher, visitor: Visitor):
            """Tell of this browser's runs until none is at work; closing the page ends this, never the runs."""
            watcher.again = True
            if watcher.at_work:
                yield {self._row: gr.skip()}
                return
            watcher.at_work, runs, states, told = True, [], {}, ""
            try:
                while True:
                    updates: Updates = {}
                    # A visitor's runs are looked up in files, so not at every glance.
                    if watcher.again or states != {job.id: job.state for job in runs}:
                        watcher.again = False
                        runs = jobs.sync(visitor)
                        updates = listed(runs) | {visitor_state: visitor}
                        for job in runs:
                            if job.adapter and not job.active and states.get(job.id, job.state) != job.state:
                                updates |= self.offer(jobs, job, visitor, pickers)
                        states = {job.id: job.state for job in runs}
                    active = [job for job in runs if job.active]
                    if not active:
                        # Before it is said: a run that begins now is told of by a stream of its own.
                        watcher.at_work = False
                        yield {**updates, self._row: gr.Row(visible=False)}
                        return
                    line = _line(jobs, active)
                    if line != told or updates:
                        shown = {self._row: gr.Row(visible=True), self._note: line, self.running: active[0].id}
                        yield {**updates, **shown}
                        told = line
                    await asyncio.sleep(DRAW_SECONDS / 2)
            finally:
                watcher.at_work = False

        visitor_state = visitor
        self._watch = watch
        self._inputs = [self._watcher, visitor]
        self._outputs = [self._row, self._note, self.running, visitor, *list_parts, *self.offered(pickers)]

    def follow(self, event: Dependency) -> None:
        """Begin to tell of runs after an event that has put one in line."""
        event.success(
            self._watch,
            self._inputs,
            self._outputs,
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=None,
        )

    def offered(self, pickers: AdapterPickers) -> Parts:
        """What `offer` updates."""
        return [self.ended, *pickers.outputs]

    def offer(self, jobs: Jobs, job: Job, visitor: Visitor, pickers: AdapterPickers) -> Updates:
        """Have the pickers choose the adapter of a run that has ended, or of the run that it is the control of."""
        first = jobs.find(job.request.of) or job
        chosen = first if first.adapter else job
        # The same when two streams tell of one end, so that what follows is done once.
        ended = f"{job.id} {len(job.steps)}"
        return {**pickers.updates(visitor, chosen.request.model, chosen.request.name), self.ended: ended}


def _line(jobs: Jobs, active: list[Job]) -> str:
    """Of the run that was asked for first, and how many wait behind it."""
    text = N_("**{name}** is being fine-tuned. {progress}")
    line = translate(text, name=active[0].request.name, progress=jobs.progress(active[0]))
    more = len(turns(active)) - 1
    return line if not more else translate("{line} And {n} more.", line=line, n=more)
