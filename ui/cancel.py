"""Requests to end long work early, one per browser session."""

import threading

import gradio as gr


class StopRequests:
    """Who has asked for their run to end early. Keyed by browser session, so nobody stops another's run."""

    def __init__(self) -> None:
        self._events: dict[str, threading.Event] = {}

    def expect(self, request: gr.Request) -> None:
        """A button has been pressed and its run is about to begin: from now on this session can ask it to end."""
        self._events[str(request.session_hash)] = threading.Event()

    def begin(self, session: str) -> threading.Event:
        """The event of a run that begins now; it is set already where the visitor was faster than the run."""
        return self._events.setdefault(session, threading.Event())

    def ask(self, session: str) -> None:
        """Ask this session's run, if there is one, to end."""
        if session in self._events:
            self._events[session].set()

    def end(self, session: str) -> None:
        """Forget a run that has ended."""
        self._events.pop(session, None)
