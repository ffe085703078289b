"""Which base the page works with: small ones load by themselves, large ones say first what they will take."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.models.known_bases import known_base
from tli_core.models.registry import resolve
from ui.server.cancel import StopRequests
from ui.server.visitors import Models, Visitor
from ui.widgets.deep_links import asked_for
from ui.widgets.errors import explained
from ui.widgets.events import MODEL_QUEUE, QUIET, Handler, Parts, Updates

Follower = Callable[[str, Visitor], Updates]
"""update(model, visitor) -> updates of what depends on the base."""

STOPPED = N_("Stopped. What has come is kept, and the next load goes on from there.")


class ModelBar:
    """The model picker and the panel of a model that is not loaded yet; tabs say with `follow` what depends on it."""

    def __init__(self, models: Models, any_base: bool):
        """Lay it out.

        Args:
            any_base: whether other bases than those offered may be named: Hub ids, and folders of this machine.
        """
        self._models = models
        self._any_base = any_base
        self._stops = StopRequests()
        self._followers: list[tuple[Follower, Parts]] = []
        first = models.names[0]
        self.model = gr.Dropdown(
            list(models.names),
            value=first,
            label=N_("Model"),
            info=N_("Or type any Hub id, such as owner/name, or a folder of this machine.") if any_base else None,
            allow_custom_value=any_base,
            visible=any_base or len(models.names) > 1,
            elem_id="model",
        )
        with gr.Column(visible=not models.loads_by_itself(first), elem_id="load-panel") as self._panel:
            self._about = gr.Markdown(elem_id="load-about")
            with gr.Row():
                self._load = gr.Button(N_("Load it"), variant="primary", min_width=160, elem_id="load")
                self._stop = gr.Button(N_("Stop the download"), interactive=False, min_width=160, elem_id="load-stop")
                self._again = gr.Button(N_("Try again"), visible=False, min_width=160, elem_id="load-again")

    def follow(self, update: Follower, outputs: Parts) -> None:
        """Have `outputs` updated by update(model, visitor) once a model has been chosen or loaded."""
        self._followers.append((update, outputs))

    def wire(self, demo: gr.Blocks, visitor: gr.State, opens_with: Handler, first: Handler, draw: Handler) -> None:
        """Connect the events: what a page opens with, and what is made anew for another model."""
        models = self._models
        updated = [output for _, outputs in self._followers for output in outputs]

        def update(model: str, visitor: Visitor):
            if model not in models.names:  # it was refused, and nothing depends on it
                return {updated[0]: gr.skip()}
            return {part: value for update, _ in self._followers for part, value in update(model, visitor).items()}

        def draw_if_ready(model: str, request: gr.Request, *values):
            return draw.function(*values, request) if models.is_ready(model) else {self.model: gr.skip()}

        def first_if_ready(model: str, *values):
            return first.function(*values) if models.is_ready(model) else {self.model: gr.skip()}

        def at_first(model: str, request: gr.Request, *values):
            # What a link asks for is done once it is in its boxes.
            linked = asked_for(request, request.query_params.get("tab", "")) is not None
            skipped = linked or not models.is_ready(model)
            return {self.model: gr.skip()} if skipped else opens_with.function(*values)

        def go_on(event):
            """After a choice or a load: what depends on the model, then the word and the curve."""
            updating = event.then(update, [self.model, visitor], updated, **QUIET)
            for made, handler in ((first_if_ready, first), (draw_if_ready, draw)):
                updating.then(
                    made,
                    [self.model, *handler.inputs],
                    [self.model, *handler.outputs],
                    api_visibility="private",
                    show_progress="hidden",
                    **MODEL_QUEUE,
                )

        offered = [self._panel, self._about, self._load, self._stop, self._again]
        demo.load(self._offer, self.model, offered, **QUIET)
        demo.load(
            at_first,
            [self.model, *opens_with.inputs],
            [self.model, *opens_with.outputs],
            api_visibility="private",
            show_progress="hidden",
            **MODEL_QUEUE,
        )
        self._again.click(self._offer, self.model, offered, **QUIET)
        go_on(self.model.input(self._offer, self.model, offered, **QUIET))
        buttons = [self._load, self._stop]
        running = self._load.click(self._pressed, None, buttons, **QUIET).then(
            self._fetch,
            self.model,
            self._about,
            api_visibility="private",
            show_progress_on=[self._about],
            **MODEL_QUEUE,
        )
        go_on(running.success(lambda: [gr.Button(visible=False)] * 2, None, buttons, **QUIET))
        running.failure(lambda: (gr.Button(interactive=True), gr.Button(interactive=False)), None, buttons, **QUIET)
        self._stop.click(self._ask_to_stop, None, self._stop, **QUIET)

    def _offer(self, model: str):
        """The panel for a model that is not loaded; hidden for one that is, or that loads by itself."""
        stop, hidden = gr.Button(interactive=False, visible=True), gr.Button(visible=False)
        ready = {self._panel: gr.Column(visible=False), self._about: "", self._stop: stop, self._again: hidden}
        if self._models.is_ready(model):
            return ready
        try:
            small = self._models.loads_by_itself(model)
            plan = None if small else self._models.plan(model)
            if self._any_base:
                self._models.offer(model)
        except ValueError as error:
            return {
                self._panel: gr.Column(visible=True),
                self._about: translate("**{model}** cannot be loaded now. {reason}", model=model, reason=error),
                self._load: hidden,
                self._stop: hidden,
                self._again: gr.Button(visible=True),
            }
        if plan is None:
            return ready
        takes = f"{plan.sentence[0].upper()}{plan.sentence[1:]}"
        told = translate("**{model}** is not loaded. {takes}", model=model, takes=takes)
        known = known_base(model) or known_base(resolve(model))
        if known and known.traps:
            told = translate("{told} Known of this checkpoint: {traps}.", told=told, traps=known.traps)
        return {
            self._panel: gr.Column(visible=True),
            self._about: told,
            self._load: gr.Button(translate("Load {model}", model=model), interactive=plan.fits, visible=True),
            self._stop: stop,
            self._again: hidden,
        }

    def _fetch(
        self,
        model: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
    ):
        return _fetched(self._models, self._stops, model, request, progress)

    def _pressed(self, request: gr.Request):
        self._stops.expect(request)
        return {self._load: gr.Button(interactive=False), self._stop: gr.Button(interactive=True)}

    def _ask_to_stop(self, request: gr.Request):
        self._stops.ask(request)
        return gr.Button(interactive=False)


@explained
def _fetched(models: Models, stops: StopRequests, model: str, request: gr.Request, progress: gr.Progress) -> str:
    """Load a model as planned, telling the bytes as they come; what was done and how healthy it is, in words."""
    asked, plan = stops.begin(request), models.plan(model)
    tell = _download_progress(plan, progress)

    def progress_or_stop(done: int, in_all: int) -> None:
        if asked.is_set():
            raise core.models.model_files.DownloadStopped
        tell(done)

    try:
        loaded = models.load(model, plan, progress_or_stop)
    except core.models.model_files.DownloadStopped as stopped:
        raise ValueError(translate(STOPPED)) from stopped
    finally:
        stops.end(request)
    found = core.measures.perplexity.health_of(loaded)
    health = (
        core.reports.notices.worded(found.notice)
        if found
        else translate("Without its output head it gives no answers.")
    )
    return translate("**{model}** is loaded. {reason} {health}", model=model, reason=plan.reason, health=health)


def _download_progress(plan: core.models.load_plan.Plan, progress: gr.Progress) -> Callable[[int], None]:
    """Progress over all files of a load, from what is told of one file after the other."""
    total = max(1, plan.weights.download - plan.weights.cached)
    finished = latest = 0

    def tell(done: int) -> None:
        nonlocal finished, latest
        if done < latest:  # the next file has begun
            finished += latest
        latest = done
        share = min(1.0, (finished + done) / total)
        fetched = translate("Fetched {done:.2f} of {total:.2f} GB", done=(finished + done) / 1e9, total=total / 1e9)
        progress(share, desc=fetched)

    return tell
