"""Requests to end long work early, one per browser session."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from tli_core.i18n import N_, translate
from ui.server.sender import session_of

CANCELLED = N_("Cancelled. What was on the page before is still there.")


@dataclass(frozen=True)
class StopFlag:
    """Whether somebody has asked for a run to end: a file, so that the run sees it from another process, too."""

    path: Path

    def set(self) -> None:
        """Ask it to end."""
        self.path.touch()

    def is_set(self) -> bool:
        """Whether it has been asked to."""
        return self.path.exists()

    def clear(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)


class StopRequests:
    """Who has asked for their run to end early. Keyed by browser session, so nobody stops another's run."""

    def __init__(self) -> None:
        # It goes when the server ends.
        self._folder = tempfile.TemporaryDirectory(prefix="lugha-stop-")
        self._flags: dict[str, StopFlag] = {}

    def expect(self, request: gr.Request) -> None:
        """A button has been pressed and its run is about to begin: from now on this session can ask it to end."""
        self._flag(session_of(request)).clear()

    def begin(self, request: gr.Request) -> StopFlag:
        """The flag of a run that begins now; it is set already where the visitor was faster than the run."""
        return self._flag(session_of(request))

    def ask(self, request: gr.Request) -> None:
        """Ask this session's run, if there is one, to end."""
        if flag := self._flags.get(session_of(request)):
            flag.set()

    def end(self, request: gr.Request) -> None:
        """Forget a run that has ended."""
        if flag := self._flags.pop(session_of(request), None):
            flag.clear()

    def _flag(self, session: str) -> StopFlag:
        return self._flags.setdefault(session, StopFlag(Path(self._folder.name) / session))


@dataclass
class CancellableProgress:
    """A progress callback that raises ValueError between two steps if the visitor has cancelled the work."""

    flag: StopFlag
    progress: gr.Progress
    steps: int
    done: int = 0

    def __call__(self, doing: str) -> None:
        """Before each step.

        Raises:
            ValueError: the visitor has cancelled.
        """
        if self.flag.is_set():
            raise ValueError(translate(CANCELLED))
        self.progress((min(self.done, self.steps), self.steps), desc=translate("Measuring {what}", what=doing))
        self.done += 1
