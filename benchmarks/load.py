"""Many visitors at once: what each waits for, what is refused, and what the server needs for it.

    python benchmarks/load.py [--visitors 40] [--every 8] [--minutes 3] [--answers 0] [--training 0]

Starts the page for strangers on this machine and asks it as browsers do, over 127.0.0.1 only; needs
requirements-dev.txt. Every visitor types pairs of their own, so that nothing comes from another's answer unless it
is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.lists.lexicon import shipped
from tli_core.models.registry import ROOT
from tli_core.reports.tables import format_table

PAIRS_EACH = 6
PATIENCE = 120.0
"""Seconds until a visitor counts an answer as lost."""


@dataclass
class Tally:
    """What all visitors saw: seconds of each answer by what was asked for, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    foreign: int = 0


class Refused(Exception):
    """The server was too busy to take a request."""


class Browser:
    """One visitor's page: it fires an event and those that follow it, as Gradio's own client does."""

    def __init__(self, client: httpx.AsyncClient, config: dict, number: int):
        self._client = client
        self._session = f"visitor{number}{random.randrange(36**6):x}"
        self._events = {event["id"]: event for event in config["dependencies"]}
        self._values = {part["id"]: part.get("props", {}).get("value") for part in config["components"]}
        self._ids = {part["props"].get("elem_id"): part["id"] for part in config["components"] if part.get("props")}

    def type(self, elem_id: str, value: object) -> None:
        """Fill a part of the page in."""
        self._values[self._ids[elem_id]] = value

    async def opened(self) -> None:
        """What a page asks for by itself when it has been opened."""
        for event in self._events.values():
            if any(name == "load" for _, name in event["targets"]):
                await self._fire(event)

    async def click(self, elem_id: str) -> list:
        """Press a button and wait for all that follows; the values of its slowest handler."""
        wanted = [self._ids[elem_id], "click"]
        outputs: list = []
        for event in self._events.values():
            if wanted in event["targets"]:
                outputs += await self._fire(event)
        return outputs

    async def _fire(self, event: dict) -> list:
        if not event["backend_fn"]:
            return []
        body = {
            "data": [self._values[part] for part in event["inputs"]],
            "fn_index": event["id"],
            "session_hash": self._session,
            "trigger_id": event["targets"][0][0] if event["targets"] else None,
        }
        done = await (self._queued(body) if event["queue"] is not False else self._at_once(body))
        values = list(done.get("data", []))
        for part, value in zip(event["outputs"], values, strict=False):
            self._take(part, value)
        states = [[part, "change"] for part in done.get("changed_state_ids") or []]
        for other in self._events.values():
            follows = other.get("trigger_after") == event["id"] and not other.get("trigger_only_on_failure")
            if follows or any(target in states for target in other["targets"]):
                values += await self._fire(other)
        return values

    def _take(self, part: int, value: object) -> None:
        if isinstance(value, dict) and value.get("__type__") == "update":
            if "value" in value:
                self._values[part] = value["value"]
        elif not isinstance(value, dict):
            self._values[part] = value

    async def _at_once(self, body: dict) -> dict:
        answer = await self._client.post("/gradio_api/run/predict", json=body)
        return answer.json() if answer.status_code == 200 else {}

    async def _queued(self, body: dict) -> dict:
        joined = await self._client.post("/gradio_api/queue/join", json=body)
        if joined.status_code == 503:
            raise Refused(joined.text[:100])
        joined.raise_for_status()
        wanted = joined.json()["event_id"]
        async with self._client.stream(
            "GET", "/gradio_api/queue/data", params={"session_hash": self._session}
        ) as stream:
            async for line in stream.aiter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed" and message["event_id"] == wanted:
                    if not message["success"]:
                        raise RuntimeError(str(message["output"].get("error")))
                    return message["output"]
        raise RuntimeError("the stream ended without an answer")


async def visit(tally: Tally, what: str, work) -> object:
    """Do one thing as a visitor, and count how long it took, or that it was refused or failed."""
    began = time.perf_counter()
    try:
        found = await asyncio.wait_for(work, PATIENCE)
    except Refused:
        tally.refused[what] += 1
        return None
    except (RuntimeError, httpx.HTTPError, asyncio.TimeoutError) as error:
        tally.failed[what] += 1
        print(f"{what}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return None
    tally.seconds[what].append(time.perf_counter() - began)
    return found


async def open_page(client: httpx.AsyncClient, number: int) -> Browser:
    """The page, and what it asks for by itself."""
    answer = await client.get("/config")
    answer.raise_for_status()
    browser = Browser(client, answer.json(), number)
    await browser.opened()
    return browser


async def visitor(number: int, address: str, options: argparse.Namespace, kind: str, tally: Tally, end: float) -> None:
    """Somebody who opens the page and asks again and again."""
    chance = random.Random(number)
    own = [pair for i, pair in enumerate(shipped("train")) if i % options.visitors == number % options.visitors]
    # As through a proxy each visitor has an address of their own.
    async with httpx.AsyncClient(
        base_url=address, timeout=PATIENCE, headers={"x-forwarded-for": f"8.8.{number // 250}.{number % 250 + 1}"}
    ) as client:
        await asyncio.sleep(chance.random() * options.every)
        browser = await visit(tally, "open the page", open_page(client, number))
        while browser is not None and time.perf_counter() < end:
            asked = time.perf_counter()
            if kind == "measure":
                pairs = chance.sample(own, min(PAIRS_EACH, len(own)))
                browser.type("pairs", "\n".join(f"{pair.source}, {pair.target}" for pair in pairs))
                values = await visit(tally, "measure pairs", browser.click("measure"))
                said = json.dumps(values, ensure_ascii=False)
                if values is not None and not all(pair.source in said for pair in pairs):
                    tally.foreign += 1
            elif kind == "answer":
                pair = chance.choice(own)
                browser.type("compare-pairs", f"{pair.source}, {pair.target}")
                await visit(tally, "write answers", browser.click("compare"))
            else:
                browser.type("adapter-name", f"run-{number}-{int(asked)}")
                await visit(tally, "fine-tune", browser.click("start"))
            await asyncio.sleep(max(0.0, asked + options.every * (0.75 + chance.random() / 2) - time.perf_counter()))


def started(log: Path, runs: Path) -> tuple[subprocess.Popen, str]:
    """The page, for strangers, as behind the proxy of a Space."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "app.py", "--hosted", "--model", "lugha-mini", "--port", str(port), "--runs", str(runs)],
        cwd=ROOT, stdout=log.open("w"), stderr=subprocess.STDOUT,
        env={**os.environ, "SPACE_ID": "nobody/here", "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"},
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    while True:
        try:
            httpx.get(f"{address}/config", timeout=60).raise_for_status()
            return server, address
        except httpx.HTTPError:
            if server.poll() is not None:
                raise RuntimeError(f"The server ended before it answered: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)


async def watch_memory(process: psutil.Process, seen: list[tuple[float, float]]) -> None:
    """Note the server's resident megabytes every second."""
    while True:
        seen.append((time.perf_counter(), process.memory_info().rss / 1e6))
        await asyncio.sleep(1)


async def alone(address: str, options: argparse.Namespace, asks: int = 12) -> float:
    """The median seconds of one visitor who has the server to themselves."""
    tally = Tally()
    own = argparse.Namespace(**{**vars(options), "every": 0.4})
    visiting = asyncio.create_task(visitor(0, address, own, "measure", tally, float("inf")))
    # The first asks wait for PyTorch and the model.
    while len(tally.seconds["measure pairs"]) < asks and not visiting.done():
        await asyncio.sleep(0.1)
    visiting.cancel()
    return float(np.median(tally.seconds["measure pairs"][asks // 2 :]))


async def crowd(address: str, options: argparse.Namespace, process: psutil.Process) -> tuple[Tally, list, float]:
    """All visitors at once; what they saw, the server's memory, and its CPU seconds for one second."""
    tally, memory = Tally(), []
    kinds = ["measure"] * options.visitors + ["answer"] * options.answers + ["train"] * options.training
    watching = asyncio.create_task(watch_memory(process, memory))
    spent, began = sum(process.cpu_times()[:2]), time.perf_counter()
    end = began + 60 * options.minutes
    await asyncio.gather(*(visitor(i, address, options, kind, tally, end) for i, kind in enumerate(kinds)))
    busy = (sum(process.cpu_times()[:2]) - spent) / (time.perf_counter() - began)
    watching.cancel()
    return tally, memory, busy


def measured(options: argparse.Namespace) -> tuple[float, Tally, list[tuple[float, float]], float, int]:
    """One visitor alone, then the crowd: seconds, what it saw, megabytes, cores, and tracebacks in the server's log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        server, address = started(log, Path(folder) / "runs")
        try:
            lone = asyncio.run(alone(address, options))
            tally, memory, busy = asyncio.run(crowd(address, options, psutil.Process(server.pid)))
        finally:
            server.terminate()
            server.wait(30)
        return lone, tally, memory, busy, log.read_text().count("Traceback")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=40, help="who measure pairs of their own")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between two asks of one visitor")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--answers", type=int, default=0, help="visitors who have the model write")
    parser.add_argument("--training", type=int, default=0, help="visitors who fine-tune")
    options = parser.parse_args()
    lone, tally, memory, busy, tracebacks = measured(options)
    minute = [mb for at, mb in memory if at > memory[0][0] + 60] or [memory[-1][1]]
    rows = [["asked for", "answered", "p50", "p95", "refused", "failed"]]
    for what in sorted({*tally.seconds, *tally.refused, *tally.failed}):
        times = tally.seconds[what]
        half, most = np.percentile(times, [50, 95]) if times else (float("nan"), float("nan"))
        rows.append([what, str(len(times)), f"{half:.2f} s", f"{most:.2f} s",
                     str(tally.refused[what]), str(tally.failed[what])])  # fmt: skip
    print(format_table(rows))
    slowest = np.percentile(tally.seconds["measure pairs"], 95)
    print(f"one visitor alone: {lone:.2f} s p50; p95 of all is {slowest / lone:.1f} × that")
    print(f"the server: {busy:.2f} cores; {memory[0][1]:.0f} MB to begin with, {minute[0]:.0f} after a minute, "
          f"{minute[-1]:.0f} at the end")  # fmt: skip
    print(f"answers with another's words: {tally.foreign}; tracebacks in the log: {tracebacks}")
    print(f"CPU, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
