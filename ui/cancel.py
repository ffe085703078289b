"""Requests to end long work early, one per browser session."""

import threading


class StopRequests:
    """Who has asked for their run to end early. Keyed by browser session, so nobody stops another's run."""

    def __init__(self) -> None:
        self._events: dict[str, threading.Event] = {}

    def begin(self, session: str) -> threading.Event:
        """A fresh event for a run that begins now."""
        self._events[session] = threading.Event()
        return self._events[session]

    def ask(self, session: str) -> None:
        """Ask this session's run, if there is one, to end."""
        if session in self._events:
            self._events[session].set()

    def end(self, session: str) -> None:
        """Forget a run that has ended."""
        self._events.pop(session, None)
