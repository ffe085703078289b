"""The Fine-tune tab: choose pairs and a preset, try, train, watch held-out pairs, run the control, get the adapter."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import gradio as gr
from gradio.events import Dependency

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.training.config import TrainingConfig
from ui.page_context import PageContext
from ui.server.job import Job
from ui.server.sender import sender_of
from ui.server.training_run import DRAW_SECONDS, TYPED, RunRequest, dry_run_on_server, held_out, pilot_on_server
from ui.server.visitors import Visitor
from ui.widgets import preset_panel, run_view, runs_panel
from ui.widgets.deep_links import ADDRESS
from ui.widgets.errors import explained, remark
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, Updates, uncover
from ui.widgets.mobile import bring_into_sight
from ui.widgets.training_form import TrainingForm

ID, LABEL = "finetune", N_("Fine-tune")
SHUFFLED_ENDING = "-shuffled"
FEW = 30
"""A run on fewer pairs is worth a word of warning."""


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = FineTuneTab(context)
    tab.wire_pilot_and_dry_run()
    tab.wire_runs()
    tab.wire_opening()


class FineTuneTab:
    """The tab's parts and what their events do.

    shown holds the id of the run on the page, protocol what pilot and dry run have told: a
    `core.reports.protocol.Protocol` or None. Gradio looks up what handlers are annotated with as it wires them, and to
    name that class there would bring PyTorch in before the page is up.
    """

    def __init__(self, context: PageContext):
        self.context = context
        self.protocol = gr.State(None)
        self.shown = gr.State(None)
        self.view = run_view.RunView(context.jobs)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.form = TrainingForm(context.model)
                with gr.Row():
                    self.pilot = gr.Button(N_("1 · Pilot"), min_width=120, elem_id="pilot")
                    self.rehearse = gr.Button(N_("2 · Dry run"), min_width=120, elem_id="dry-run")
                self.start = gr.Button(N_("3 · Fine-tune"), variant="primary", elem_id="start")
                self.control = gr.Button(
                    N_("4 · Shuffled control of this run"), interactive=False, elem_id="control-run"
                )
                gr.Markdown(
                    N_(
                        "The pilot picks a layer as the published work did. The dry run tells the first loss, time and "
                        "memory. The control trains the same way on wrong translations. Only the fine-tune is needed; "
                        "the others tell what its result is worth."
                    ),
                    elem_classes="hint",
                )
            with gr.Column(scale=3, min_width=300):
                self.view.beside()
        self.view.below()
        self.panel = runs_panel.build()
        preset_panel.build(self.form)
        context.train_pairs, context.train_languages = self.form.typed, self.form.languages

    @property
    def buttons(self) -> list[gr.Button]:
        """Those that a run at work changes."""
        return [self.start, self.view.stop, self.view.go_on, self.control, self.pilot, self.rehearse]

    def wire_pilot_and_dry_run(self) -> None:
        """The pilot and the dry run, which train nothing."""
        form, view, models = self.form, self.view, self.context.models

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
            return {
                view.status: f"{core.reports.training_messages.pilot_sentence(found)}\n\n{follows}",
                view.live: core.reports.figures.chart_figure(core.reports.charts.curve_chart([with_bos, words])),
                view.steps: run_view.steps_text(now),
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
            return {
                view.status: f"{told}\n\n{table}",
                view.steps: run_view.steps_text(now),
                self.protocol: now,
            }

        outputs = [view.status, view.live, view.steps, form.settings["layer"], self.protocol]
        for button, handler in ((self.pilot, try_pilot), (self.rehearse, try_run)):
            running = button.click(
                handler,
                {self.protocol, *form.inputs},
                outputs,
                api_visibility="private",
                show_progress_on=[view.status],
                **MODEL_QUEUE,
            )
            uncover(running, view.status)

    def wire_runs(self) -> None:
        """Start, stop, go on, and the shuffled control."""
        view, jobs, visitor = self.view, self.context.jobs, self.context.visitor

        @explained
        def order(data, request: gr.Request):
            given = self.form.read(data)
            config = given.config()
            self.context.models.check_ready(given.model)
            who = data[visitor]
            jobs.sync(who)
            name = who.check_new_name(given.model, given.name)
            pairs = given.pairs()
            if len(pairs) < FEW:
                remark(
                    translate("{n} pairs teach little: a run that shows something has a hundred or more.", n=len(pairs))
                )
            sender = sender_of(request)
            unseen = held_out(pairs, given.languages)
            asked = RunRequest(name, given.model, config, pairs, unseen, languages=given.languages)
            job = jobs.submit(asked, who.token, sender)
            return {
                self.shown: job.id,
                self.protocol: _still_true(data[self.protocol], config),
                view.result: gr.Column(visible=False),
                view.status: translate("Preparing …"),
            }

        @explained
        def start_control(request: gr.Request, visitor: Visitor, shown: str | None):
            first = jobs.find(shown)
            if first is None or not first.adapter:
                raise ValueError(translate("There is no run to control yet: fine-tune first."))
            config = replace(first.request.config, shuffled=True)
            jobs.sync(visitor)
            wanted = f"{first.request.name[: 64 - len(SHUFFLED_ENDING)]}{SHUFFLED_ENDING}"
            new_name = visitor.check_new_name(first.request.model, wanted)
            control = replace(first.request, name=new_name, config=config, of=first.id)
            return jobs.submit(control, visitor.token, sender_of(request)).id

        def stop_it(shown: str | None):
            if job := jobs.find(shown):
                jobs.stop(job)
            return gr.Button(interactive=False)

        triggers = [self.pilot, self.rehearse, self.start, self.control, view.go_on]
        bring_into_sight([button.click for button in triggers], "train-status")
        asked, changed = (
            {visitor, self.protocol, *self.form.inputs},
            [self.shown, self.protocol, view.result, view.status],
        )
        self._redrawn(self._followed_by(self.start.click(order, asked, changed, **CHECKED)))
        controlled = self.control.click(start_control, [visitor, self.shown], self.shown, **CHECKED)
        self._redrawn(self._followed_by(controlled))
        view.stop.click(stop_it, self.shown, view.stop, **QUIET)
        self._redrawn(self._followed_by(view.go_on.click(self._resume, self.shown, self.shown, **CHECKED)))

    def wire_opening(self) -> None:
        """The run that a page's address names, and the list of this browser's runs."""
        context, panel, jobs = self.context, self.panel, self.context.jobs

        def find_run(visitor: Visitor, base: str, request: gr.Request):
            """When the page opens: the run that its address names, or the one that is still at work."""
            runs = jobs.sync(visitor)
            linked = jobs.find(request.query_params.get("job"))
            chosen = linked or next((job for job in reversed(runs) if job.active), None)
            changed = panel.listed(runs)
            changed |= {context.tabs: context.open(ID)} if linked else {}
            return changed | ({found: chosen.id} if chosen else {})

        found = context.opening.flag()
        context.opening.follow(find_run, [found, context.tabs, *panel.outputs])
        self._followed_by(found.change(lambda found: found, found, self.shown, **QUIET))
        panel.wire(jobs, context.visitor, self.shown, self._followed_by, self._resume, context.pickers)
        typed, source = self.form.typed, self.form.source
        typed.change(
            lambda text: {source: TYPED, typed: gr.Textbox(visible=True)} if text else {source: gr.skip()},
            typed,
            [source, typed],
            **QUIET,
        )

    def _resume(self, chosen: str | None, request: gr.Request) -> str:
        return _resumed(self.context.jobs, chosen, sender_of(request))

    def _ready(self, shown: str | None, visitor: Visitor, model: str, name: str):
        """The buttons beside a run, the next free name, and the run's link."""
        job = self.context.jobs.find(shown)
        buttons = zip(self.buttons, self._button_updates(job, visitor), strict=True)
        updates: Updates = dict(buttons)
        if not (job and job.active):
            updates[self.form.name] = visitor.free_name(model, name)
        return {**updates, self.view.link: _link(job)}

    def _button_updates(self, job: Job | None, visitor: Visitor) -> list[gr.Button]:
        at_work = bool(job and job.active)
        controlled = job and any(other.request.of == job.id for other in self.context.jobs.sync(visitor))
        to_control = bool(job and not at_work and job.adapter and not job.request.config.shuffled and not controlled)
        return [
            gr.Button(interactive=not at_work),
            gr.Button(visible=at_work, interactive=not (job and job.stopping)),
            gr.Button(visible=bool(job and job.resumable)),
            gr.Button(interactive=to_control),
            gr.Button(interactive=not at_work),
            gr.Button(interactive=not at_work),
        ]

    async def _follow(self, shown: str | None, protocol, visitor: Visitor):
        """Show a run as it goes, until it ends; closing the page ends this, never the run."""
        jobs, view, panel, context = self.context.jobs, self.view, self.panel, self.context
        no_note = {context.run_note: gr.Markdown(visible=False)}
        job = jobs.find(shown)
        if job is None:
            yield {**no_note, **panel.listed(jobs.sync(visitor))}
            return
        first = jobs.find(job.request.of) or job
        before = state = None
        while job.active:
            now = (job.state, job.message, len(job.steps), job.stopping)
            if now != before:
                listed = {} if job.state == state else panel.listed(jobs.sync(visitor))
                yield {context.run_note: run_view.note(jobs, job), **view.under_way(first, job), **listed}
                before, state = now, job.state
            await asyncio.sleep(DRAW_SECONDS / 2)
        if job.deleted:
            yield {**no_note, **view.deleted(), **panel.listed(jobs.sync(visitor))}
            return
        # Measured again where an earlier server had done it, so not on the thread that serves everybody.
        drawn = await asyncio.to_thread(view.ended, first, job, protocol)
        listed = panel.listed(jobs.sync(visitor))
        chosen = first.request.name if first.adapter else None
        picked = context.pickers.updates(visitor, first.request.model, chosen)
        yield {**no_note, **drawn, **listed, context.visitor: visitor, **picked}

    def _followed_by(self, event: Dependency) -> Dependency:
        """After an event that has put a run on the page: the address and the buttons, and then the run itself."""
        context, view = self.context, self.view
        asked = [self.shown, context.visitor, context.model, self.form.name]
        ready = [*self.buttons, self.form.name, view.link]
        event = event.success(self._ready, asked, ready, **QUIET)
        event.success(None, view.link, None, js=ADDRESS, **QUIET)
        event = event.success(
            self._follow,
            [self.shown, self.protocol, context.visitor],
            [context.run_note, *view.outputs, *self.panel.outputs, context.visitor, *context.pickers.outputs],
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=None,
        )
        return event.then(self._ready, asked, ready, **QUIET)

    def _redrawn(self, event: Dependency) -> None:
        """After a run has ended, the first tab, which now offers its adapter."""
        event.success(*self.context.draw, api_visibility="private", show_progress="hidden", **MODEL_QUEUE)


@explained
def _resumed(jobs, chosen: str | None, sender: str) -> str:
    """Have a run go on; its id.

    Raises:
        ValueError: it is no longer there, or cannot go on.
    """
    job = jobs.find(chosen)
    if job is None:
        raise ValueError(translate("This run is no longer there: choose another under Your runs."))
    jobs.resume(job, sender)
    return job.id


def _still_true(known: core.reports.protocol.Protocol | None, config: TrainingConfig) -> core.reports.protocol.Protocol:
    """What is still true of a run: a pilot for the same preset, a dry run where the settings are the same."""
    if known is None or known.config.preset != config.preset:
        return core.reports.protocol.Protocol(config)
    return core.reports.protocol.Protocol(config, known.pilot, known.tried if known.config == config else None)


def _link(job: Job | None) -> str:
    if job is None:
        return ""
    if not job.active:
        text = N_(
            "This browser finds the run again, and so does [its link](?job={run}), with which anybody can delete it."
        )
        return translate(text, run=job.id)
    return translate(
        "The run goes on if you close this page; this browser finds it again, and so does [its link](?job={run}). "
        "Whoever has the link can watch, stop and delete it.",
        run=job.id,
    )
