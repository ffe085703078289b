"""When a page opens: which browser it is, and what every part of the page then changes, all in one request."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import gradio as gr

from ui.server.jobs import Jobs
from ui.server.visitors import Visitor
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.errors import remark
from ui.widgets.events import CHECKED, Parts, Updates

TOKEN = re.compile(r"[0-9a-f]{32}")

Change = Callable[[Visitor, str, gr.Request], Updates]
"""change(visitor, model, request) -> new values of parts of the page, those that stay left out."""


class PageOpening:
    """A page's opening; parts say with `follow` what it changes in them. One request each took the browser a second."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._outputs: Parts = []
        self._flags: list[gr.State] = []

    def follow(self, change: Change, outputs: Parts) -> None:
        """Have a page that opens change some of these outputs; of two changes to one part the later one counts."""
        self._changes.append(change)
        self._outputs += [output for output in outputs if output not in self._outputs]

    def flag(self) -> gr.State:
        """A state for a change to set; what follows *its* change then happens only where an address asks for it."""
        # Rendered outside the tabs: in one that is not open it would be said to have changed whenever a page opens.
        made = gr.State(None, render=False)
        self._flags.append(made)
        return made

    def wire(
        self,
        demo: gr.Blocks,
        jobs: Jobs,
        visitor: gr.State,
        token: gr.BrowserState,
        model: gr.Dropdown,
        pickers: AdapterPickers,
    ) -> None:
        """Connect the event, after every part has called `follow`."""

        def arrive(known: str, now: Visitor, base: str, request: gr.Request):
            now.token = known if isinstance(known, str) and TOKEN.fullmatch(known) else secrets.token_hex(16)
            if linked := jobs.find(request.query_params.get("job")):
                now.linked = [linked.id]
            jobs.sync(now)
            found = {token: now.token, visitor: now}
            found |= pickers.choices(now, base)
            for change in self._changes:
                try:
                    found |= change(now, base, request)
                except ValueError as error:
                    # What an address asks and cannot have is no reason for an empty page.
                    remark(str(error))
            return found

        for flag in self._flags:
            flag.render()
        outputs = [token, visitor, *pickers.outputs]
        outputs += [output for output in self._outputs if output not in outputs]
        # In the queue, as a state's change is told there only.
        demo.load(arrive, [token, visitor, model], outputs, **CHECKED)
