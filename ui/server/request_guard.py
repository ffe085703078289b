"""What every request passes before Gradio sees it: whose session it names, and how much it may send."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict, deque
from collections.abc import Iterator

import gradio as gr
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from tli_core.i18n import N_, translate
from ui.server.hosting import Hosting
from ui.server.sender import sender_of
from ui.widgets.events import MODEL_QUEUE, QUICK_QUEUE

SESSION = re.compile(r"[a-z0-9-]{1,40}")
"""A browser's session is letters and digits, that of Gradio's own client for programs a UUID; never part of a path."""

UPLOAD, LOGIN = "/gradio_api/upload", "/login"

MAX_BODY = 16_000_000
"""Bytes of a request that is no upload: room for the longest list of pairs, several times over."""

MAX_BODY_HOSTED = 2_000_000
"""The same where strangers share the page, and with it the time that reading takes; their lists are shorter, too."""

BODY_SECONDS = 30.0
"""For a request that is no upload: a megabyte in a second or two, on the slowest connection that shows the page."""

UPLOAD_SECONDS = 1800.0
"""For an upload: the largest adapter at 36 kB a second. A byte now and then holds no connection for good."""

WAITING_EACH = {MODEL_QUEUE["concurrency_id"]: 3, QUICK_QUEUE["concurrency_id"]: 20}
"""How much of one address's work may wait in each line for the model at a time; a class may share an address."""

TOO_MUCH_WAITING = N_("Your last requests still wait for the model: let them end first, so that others get their turn.")
_HOUR = 3600.0
_IN_PATH = re.compile(r"/(?:heartbeat|stream|deep_link)/([^/]+)")


class Uploads:
    """How many bytes each address has uploaded in the last hour."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def taken(self, sender: str) -> int:
        """Bytes of the last hour."""
        sent = self._sent[sender]
        while sent and sent[0][0] < time.monotonic() - _HOUR:
            sent.popleft()
        if not sent:
            del self._sent[sender]
        return sum(size for _, size in sent)

    def add(self, sender: str, size: int) -> None:
        """Count an upload."""
        self._sent[sender].append((time.monotonic(), size))


class RequestGuard:
    """ASGI middleware that rejects invalid session ids, oversized bodies and uploads, and too many queued requests."""

    def __init__(self, app, demo: gr.Blocks, hosting: Hosting):
        self._app = app
        self._demo = demo
        self._hosted = hosting.hosted
        self._most_uploaded = hosting.upload_bytes
        self._uploads = Uploads()

    async def __call__(self, scope, receive, send) -> None:
        """Pass a request on, or answer it with the reason why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            for session in _sessions_in_address(request):
                _check_session(session)
            if request.method == "POST":
                upload = _path(request) == UPLOAD
                receive = self._counted(request) if upload else await self._checked_body(request)
        except _Refused as refused:
            await PlainTextResponse(refused.reason, refused.status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _counted(self, request: Request):
        """A `receive` that passes an upload on and cuts it off at the sender's hourly limit."""
        if self._most_uploaded is None:
            return request.receive
        sender = sender_of(request)
        left, end = self._most_uploaded - self._uploads.taken(sender), time.monotonic() + UPLOAD_SECONDS
        declared = request.headers.get("content-length", "")
        if left <= 0 or (declared.isdecimal() and int(declared) > left):
            raise _Refused(429, "Too much was uploaded from here in the last hour: try again later.")

        async def receive():
            nonlocal left
            try:
                message = await asyncio.wait_for(request.receive(), end - time.monotonic())
            except asyncio.TimeoutError:
                return {"type": "http.disconnect"}
            size = len(message.get("body", b""))
            if size:
                self._uploads.add(sender, size)
            left -= size
            # Gradio then finds the upload broken off, as if the browser had gone.
            return {"type": "http.disconnect"} if left < 0 else message

        return receive

    async def _checked_body(self, request: Request):
        """Read and check the whole body; returns a `receive` that replays it."""
        try:
            body = await asyncio.wait_for(self._body(request), BODY_SECONDS)
        except asyncio.TimeoutError:
            raise _Refused(408, f"The request took more than {BODY_SECONDS:.0f} seconds to arrive.") from None
        # Only JSON is accepted: a form body could carry a session id that is not checked here.
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        given = {}
        if body and _path(request) != LOGIN:  # Gradio's own form, which names no session
            if kind != "application/json":
                raise _Refused(415, "The request must be JSON.")
            try:
                given = json.loads(body)
            except (ValueError, RecursionError):
                raise _Refused(400, "The request is no JSON.") from None
        if isinstance(given, dict):
            _check_session(given.get("session_hash"))
            self._check_line(request, given)
        given_on = False

        async def receive():
            nonlocal given_on
            if given_on:
                return await request.receive()
            given_on = True
            return {"type": "http.request", "body": body, "more_body": False}

        return receive

    async def _body(self, request: Request) -> bytes:
        parts, size, most = [], 0, MAX_BODY_HOSTED if self._hosted else MAX_BODY
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise _Refused(413, f"The request has more than {most // 1_000_000} MB.")
            parts.append(part)
        return b"".join(parts)

    def _check_line(self, request: Request, given: dict) -> None:
        """Refuse an address that has too much waiting for the model already."""
        name = self._line_of(request.url.path, given.get("fn_index"))
        if not self._hosted or name is None or name not in WAITING_EACH:
            return
        line, sender = self._demo._queue.event_queue_per_concurrency_id.get(name), sender_of(request)
        if sum(sender_of(event.request) == sender for event in (line.queue if line else ())) >= WAITING_EACH[name]:
            raise _Refused(503, json.dumps({"detail": translate(TOO_MUCH_WAITING), "queue_full": True}))

    def _line_of(self, path: str, number: object) -> str | None:
        """The line in which a request waits; None where it waits in none."""
        if path.endswith("/queue/join"):
            function = self._demo.fns.get(number) if isinstance(number, int) else None
        else:
            name = path.rpartition("/call/")[2]
            function = next((f for f in self._demo.fns.values() if "/call/" in path and f.api_name == name), None)
        return function.concurrency_id if function is not None else None


class _Refused(Exception):
    def __init__(self, status: int, reason: str):
        self.status, self.reason = status, reason


def _path(request: Request) -> str:
    return request.scope["path"].removeprefix(request.scope.get("root_path", ""))


def _sessions_in_address(request: Request) -> Iterator[str]:
    yield from request.query_params.getlist("session_hash")
    if found := _IN_PATH.search(request.url.path):
        yield found[1]
    if "session_hash" in request.headers:
        yield request.headers["session_hash"]


def _check_session(session: object) -> None:
    if session is not None and not (isinstance(session, str) and SESSION.fullmatch(session)):
        raise _Refused(400, "session_hash must be 1 to 40 lowercase letters, digits or hyphens.")
