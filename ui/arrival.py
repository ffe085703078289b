"""When a page opens: which browser it is, and so which fine-tunes are its own."""

from __future__ import annotations

import re
import secrets

import gradio as gr

from ui.adapter_pickers import AdapterPickers
from ui.events import QUIET
from ui.jobs import Jobs
from ui.visitors import Visitor

TOKEN = re.compile(r"[0-9a-f]{32}")


def wire(
    demo: gr.Blocks, jobs: Jobs, visitor: gr.State, token: gr.BrowserState, model: gr.Dropdown, pickers: AdapterPickers
) -> gr.events.Dependency:
    """Have every page that opens know its browser; whatever needs a visitor's own adapters comes after this event."""

    def arrive(token: str, visitor: Visitor, model: str, request: gr.Request):
        visitor.token = token if isinstance(token, str) and TOKEN.fullmatch(token) else secrets.token_hex(16)
        if linked := jobs.find(request.query_params.get("job")):
            visitor.linked = [linked.id]
        jobs.sync(visitor)
        return visitor.token, visitor, *pickers.choices(visitor, model)

    return demo.load(arrive, [token, visitor, model], [token, visitor, *pickers.outputs], **QUIET)
