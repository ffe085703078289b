"""Files that the page gives out: one folder a session, its name made here."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import gradio as gr

from ui.server.sender import session_of


class SessionFiles:
    """A folder for each session, in the temporary folder, where Gradio may read; they go when the server ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lugha-")

    def fresh(self, request: gr.Request) -> Path:
        """This session's folder, empty."""
        folder = Path(self._folder.name) / session_of(request)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder
