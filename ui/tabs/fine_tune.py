"""The Fine-tune tab: choose pairs and a preset and start, or look at a run on a page of its own."""

from __future__ import annotations

import asyncio

import gradio as gr
from gradio.events import Dependency

from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from ui.page_context import PageContext
from ui.server.sender import sender_of
from ui.server.session_files import SessionFiles
from ui.server.training_run import DRAW_SECONDS, TYPED, RunRequest, control_of, held_out
from ui.server.visitors import Visitor
from ui.widgets import map_panel, preset_panel
from ui.widgets.deep_links import address_of
from ui.widgets.errors import explained, remark
from ui.widgets.evaluation_view import Measured, evaluated, report_file
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, Updates, uncover
from ui.widgets.mobile import FIT, scroll_to
from ui.widgets.paper_panel import PaperPanel
from ui.widgets.run_page import RunPage, resumable, run_of
from ui.widgets.runs_panel import RunsPanel, own_run
from ui.widgets.training_form import TrainingForm

ID, LABEL = "finetune", N_("Fine-tune")
SHUFFLED_ENDING = "-shuffled"
FEW = 30
"""A run on fewer pairs is worth a word of warning."""

ABOUT = N_(
    "Held-out words, which a run never trains on, are measured as it goes: a run that learns lifts the right pairs and "
    "P@1 while the wrong pairs stay down. *P@1* is the share of words whose own translation is the nearest of all."
)


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = FineTuneTab(context)
    tab.wire_start()
    tab.wire_run()
    tab.wire_opening()


class Turn:
    """Whose turn it is to write into the page of a run: that of the stream that began last."""

    def __init__(self) -> None:
        self._last: object = None

    def take(self) -> object:
        """A turn of one's own; every earlier one is over."""
        self._last = object()
        return self._last

    def is_over(self, mine: object) -> bool:
        """Whether somebody has taken a turn since."""
        return mine is not self._last


class FineTuneTab:
    """The tab's parts and what their events do; shown holds the id of the run whose page is open, None for the form."""

    def __init__(self, context: PageContext):
        self.context = context
        self.shown = gr.State(None)
        self.turn = gr.State(Turn())
        self.downloads = SessionFiles()
        with gr.Column(elem_id="runs-home") as self.home, gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.form = TrainingForm(context.model)
                self.paper = PaperPanel()
                preset_panel.build(self.form)
                map_panel.build(self.form)
            with gr.Column(scale=3, min_width=300):
                self.panel = RunsPanel()
                gr.Markdown(ABOUT, elem_classes="hint")
        self.page = RunPage(context.jobs)
        self.paper.wire(self.form, context.models)
        context.train_pairs, context.train_languages = self.form.typed, self.form.languages
        context.strip.wire(context.jobs, context.visitor, context.pickers, self.panel.listed, self.panel.outputs)

    def wire_start(self) -> None:
        """Start a run, or the shuffled control of one."""
        jobs, visitor, page = self.context.jobs, self.context.visitor, self.page

        @explained
        def order(data, request: gr.Request):
            given = self.form.read(data)
            config = given.config()
            self.context.models.check_ready(given.model)
            who = data[visitor]
            jobs.sync(who)
            name = who.check_new_name(given.model, given.name)
            pairs = given.pairs()
            if len(pairs) < 2:
                text = N_("A fine-tune needs at least two pairs, got {n}: negatives come from the other pairs.")
                raise ValueError(translate(text, n=len(pairs)))
            if len(pairs) < FEW:
                remark(
                    translate("{n} pairs teach little: a run that shows something has a hundred or more.", n=len(pairs))
                )
            sender = sender_of(request)
            unseen = held_out(pairs, given.languages)
            asked = RunRequest(name, given.model, config, pairs, unseen, languages=given.languages)
            wanted = data[self.form.with_control] and not config.shuffled
            control = who.free_name(given.model, _control_name(name)) if wanted else None
            return jobs.submit(asked, who.token, sender, control).id

        @explained
        def start_control(request: gr.Request, visitor: Visitor, shown: str | None):
            first = jobs.find(shown)
            if first is None or not first.adapter:
                raise ValueError(translate("There is no run to control yet: fine-tune first."))
            if jobs.controls(first):
                raise ValueError(translate("{name} has a control already.", name=first.request.name))
            jobs.sync(visitor)
            name = visitor.free_name(first.request.model, _control_name(first.request.name))
            jobs.submit(control_of(first.request, first.id, name), visitor.token, sender_of(request))
            return first.id

        self._shown_by(self.form.start.click(order, {visitor, *self.form.inputs}, self.shown, **CHECKED))
        self._shown_by(page.control.click(start_control, [visitor, self.shown], self.shown, **CHECKED))

    def wire_run(self) -> None:
        """What is done on the page of a run."""
        jobs, visitor, page, context = self.context.jobs, self.context.visitor, self.page, self.context

        def stop_it(shown: str | None):
            run = run_of(jobs, shown)
            for job in run.jobs if run else ():
                jobs.stop(job)
            return gr.Button(interactive=False)

        @explained
        def go_on(shown: str | None, request: gr.Request):
            run = run_of(jobs, shown)
            left = resumable(run) if run else ()
            if run is None or not left:
                raise ValueError(translate("This run is no longer there: choose another under Your runs."))
            jobs.resume(*left, sender=sender_of(request))
            return run.first.id

        @explained
        def rename(visitor: Visitor, shown: str | None, name: str):
            job = own_run(jobs, visitor, shown)
            jobs.rename(job, visitor.check_new_name(job.request.model, name))
            return changed(visitor, job.request.model)

        @explained
        def delete(visitor: Visitor, shown: str | None):
            job = own_run(jobs, visitor, shown)
            for control in jobs.controls(job):
                if control.owner == job.owner:
                    jobs.delete(control)
            jobs.delete(job)
            return changed(visitor, job.request.model)

        def changed(visitor: Visitor, model: str) -> Updates:
            runs = jobs.sync(visitor)
            return self.panel.listed(runs) | {context.visitor: visitor} | context.pickers.updates(visitor, model)

        @explained
        def report(visitor: Visitor, shown: str | None, request: gr.Request):
            job = own_run(jobs, visitor, shown)
            asked, name = job.request, job.request.name
            lists = [asked.pairs, asked.control, "output", Lens(asked.languages), lambda doing: None]
            found = evaluated(context.models, visitor, asked.model, name, *lists)
            file = report_file(Measured(asked.model, name, found), visitor, self.downloads.fresh(request))
            return gr.Button(visible=False), gr.DownloadButton(value=file, visible=True)

        page.stop.click(stop_it, self.shown, page.stop, **QUIET)
        self._shown_by(page.go_on.click(go_on, self.shown, self.shown, **CHECKED))
        self._shown_by(page.back.click(lambda: None, None, self.shown, **QUIET))
        outputs = [*self.panel.outputs, visitor, *context.pickers.outputs]
        # The run is shown again, under its name of now.
        self._shown_by(page.rename.click(rename, [visitor, self.shown, page.name], outputs, **CHECKED))
        asked = [page.delete, page.sure, page.keep]
        page.delete.click(lambda: _asking(True), None, asked, **QUIET)
        page.keep.click(lambda: _asking(False), None, asked, **QUIET)
        deleted = page.sure.click(delete, [visitor, self.shown], outputs, **CHECKED)
        deleted.then(lambda: _asking(False), None, asked, **QUIET)
        self._shown_by(deleted)
        reporting = page.ask_report.click(
            report,
            [visitor, self.shown],
            [page.ask_report, page.report],
            api_visibility="private",
            show_progress_on=[page.ask_report],
            **MODEL_QUEUE,
        )
        uncover(reporting, page.ask_report)

    def wire_opening(self) -> None:
        """The run that a page's address names, or that is asked for in the list or in the line above the tabs."""
        context, panel, jobs = self.context, self.panel, self.context.jobs

        def find_run(visitor: Visitor, base: str, request: gr.Request):
            """When the page opens: the run that its address names, or the one that is still at work."""
            runs = jobs.sync(visitor)
            asked = request.query_params.get("job")
            linked = jobs.find(asked)
            if asked is not None and linked is None:
                remark(translate("The run of this link is no longer there."))
            chosen = linked or next((job for job in reversed(runs) if job.active), None)
            changed = panel.listed(runs)
            changed |= {context.tabs: context.open(ID)} if linked else {}
            return changed | ({found: chosen.id} if chosen else {})

        found = context.opening.flag()
        context.opening.follow(find_run, [found, context.tabs, *panel.outputs])
        self._shown_by(found.change(lambda found: found, found, self.shown, **QUIET))
        for event in panel.wire(jobs, context.visitor):
            self._shown_by(event.success(lambda opened: opened, panel.opened, self.shown, **QUIET))
        strip = context.strip
        opened = strip.open.click(
            lambda running: (context.open(ID), running), strip.running, [context.tabs, self.shown], **QUIET
        )
        self._shown_by(opened)
        context.strip.ended.change(*context.draw, api_visibility="private", show_progress="hidden", **MODEL_QUEUE)
        typed, source = self.form.typed, self.form.source
        typed.change(
            lambda text: {source: TYPED, typed: gr.Textbox(visible=True)} if text else {source: gr.skip()},
            typed,
            [source, typed],
            **QUIET,
        )

    def _shown_by(self, event: Dependency) -> None:
        """After an event that has set `shown`: the page of that run, or the form, and the run as it goes."""
        context, page = self.context, self.page
        asked = [self.shown, context.visitor, context.model, self.form.name]
        parts = [self.home, self.form.name, self.shown, *page.outputs]
        opening = event.success(self._opened, asked, parts, **QUIET)
        opening.success(None, page.link, None, js=address_of(ID), **QUIET)
        opening.success(None, None, None, js=scroll_to("run-page"), **QUIET)
        opening.success(None, None, None, js=FIT, **QUIET)
        context.strip.follow(opening)
        following = opening.success(
            self._follow,
            [self.shown, self.turn, self.paper.protocol, context.visitor],
            [self.home, *page.outputs, *self.paper.outputs, context.visitor, *context.strip.offered(context.pickers)],
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=None,
        )
        # What has come above a chart may have brought a scroll bar with it.
        following.success(None, None, None, js=FIT, **QUIET)

    def _opened(self, shown: str | None, visitor: Visitor, model: str, name: str):
        """The page of a run, with nothing of another one on it; or the form, with the next free name."""
        run = run_of(self.context.jobs, shown)
        self.context.jobs.sync(visitor)
        home: Updates = {
            self.home: gr.Column(visible=run is None),
            self.form.name: visitor.free_name(model, name),
            # Of a control the page is its run's, and so is what is done there.
            self.shown: run.first.id if run else None,
        }
        return home | (self.page.opened(run) if run else self.page.closed())

    async def _follow(self, shown: str | None, turn: Turn, protocol, visitor: Visitor):
        """Show a run as it goes, until it ends or another is opened; closing the page ends this, never the run."""
        context, page, mine, before = self.context, self.page, turn.take(), None
        run = run_of(context.jobs, shown)
        while run and (job := run.at_work) and not run.first.deleted:
            now = (job.id, job.state, job.message, len(job.steps), job.stopping)
            if now != before:
                # The page's buttons follow the run's state, and are not drawn anew with each step.
                yield page.under_way(run) | (page.ready(run) if before is None or now[:2] != before[:2] else {})
                before = now
            await asyncio.sleep(DRAW_SECONDS / 2)
            if turn.is_over(mine):
                return
        if run is None or run.first.deleted:
            # Here, or by somebody who has its link.
            yield {self.home: gr.Column(visible=True), **page.closed(), **self.paper.again(protocol)}
            return
        # Measured again where an earlier server had done it, so not on the thread that serves everybody.
        drawn = await asyncio.to_thread(page.ended, run)
        if not turn.is_over(mine):
            context.jobs.sync(visitor)
            chosen: Updates = {}
            if run.first.adapter:
                chosen = context.strip.offer(context.jobs, run.jobs[-1], visitor, context.pickers)
            yield {**drawn, **self.paper.done(run, protocol), **chosen, context.visitor: visitor}


def _control_name(name: str) -> str:
    """What the control of a run is called, short enough for an adapter."""
    return f"{name[: 64 - len(SHUFFLED_ENDING)]}{SHUFFLED_ENDING}"


def _asking(sure: bool) -> list[gr.Button]:
    """The buttons of the confirmation step before a run is deleted."""
    return [gr.Button(visible=not sure), gr.Button(visible=sure), gr.Button(visible=sure)]
