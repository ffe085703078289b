"""ZeroGPU: the spaces package's own forked workers on an emulated device, and a stand-in for its scheduler."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.browsing import free_port
from tests.ui.test_api import ask
from tli_core.models.registry import ROOT

PAIRS = "maji, water\nmoto, fire\nmti, tree\nsimba, lion\nkula, to eat\njua, sun"


@dataclass
class Scheduler:
    """What the workers asked of the machine: for how long, which processes were let at the GPU, how often it failed."""

    durations: list[int] = field(default_factory=list)
    allowed: list[int] = field(default_factory=list)
    failed: int = 0


@pytest.fixture(scope="module")
def scheduler() -> Iterator[tuple[Scheduler, str]]:
    seen = Scheduler()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            url = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            answer = {}
            if url.path == "/schedule":
                seen.durations.append(int(asked["durationSeconds"]))
                answer = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
            elif url.path == "/allow":
                seen.allowed.append(int(asked["pid"]))
            elif url.path == "/release":
                seen.failed += asked["fail"] == "true"
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield seen, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@dataclass(frozen=True)
class Space:
    """The running page, its process, and what workers held when a visitor's work was over: (process, adapters)."""

    client: Client
    process: int
    log: Path

    def left(self) -> list[tuple[int, int]]:
        return [tuple(map(int, line.split())) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def space(scheduler, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder, port = tmp_path_factory.mktemp("space"), free_port()
    # The parent has computed before it forks, as no real ZeroGPU process does; more than one thread would not survive.
    environment = {
        **os.environ, "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": scheduler[1], "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "SPACE_ID": "someone/lugha-lens", "HF_HUB_OFFLINE": "1",
        "GRADIO_SERVER_NAME": "127.0.0.1",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.zero_gpu_app", str(folder / "left"), "--port", str(port), "--model",
               "lugha-mini", "--runs", str(folder / "runs")]  # fmt: skip
    with (folder / "said").open("w") as said:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while "Running on" not in (folder / "said").read_text():
            assert server.poll() is None and time.monotonic() < deadline, (folder / "said").read_text()
            time.sleep(0.2)
        client = Client(f"http://127.0.0.1:{port}", verbose=False)
        yield Space(client, server.pid, folder / "left")
        client.close()
    finally:
        # Its workers, too, which outlive it.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=30)


def test_work_runs_in_workers_that_are_used_again_and_keep_nothing(space: Space, scheduler):
    seen, _ = scheduler
    for adapter in ("", "mini-corrected", "mini-published"):
        found = ask(space.client, PAIRS, adapter=adapter, api_name="/measure")
        assert len(found["results"]["lugha-mini"]["layers"]) == 13
    assert found["results"]["mini-published"]["provenance"]["adapter"] == "mini-published"
    assert len(seen.allowed) == 1 and space.process not in seen.allowed
    assert space.left() == [(seen.allowed[0], 0)] * 3
    with pytest.raises(AppError, match="The word is empty"):
        ask(space.client, " ", api_name="/neighbours")
    with pytest.raises(AppError, match="There is no layer 99"):
        ask(space.client, "maji", layer="99", api_name="/neighbours")
    assert not seen.failed


def test_a_fine_tune_asks_for_its_time_gives_its_adapter_as_a_folder_and_ends_between_steps(space: Space, scheduler):
    seen, _ = scheduler
    job = ask(space.client, PAIRS, epochs=900, api_name="/train")
    deadline = time.monotonic() + 60
    while ask(space.client, job["job"], api_name="/job")["step"] < 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert seen.durations[-1] == 30 + 90
    ask(space.client, job["job"], stop=True, api_name="/job")
    while (job := ask(space.client, job["job"], api_name="/job"))["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert job["state"] == "stopped" and 3 <= job["step"] < 900
    assert job["result"]["record"]["steps"] == job["step"]
    said = ask(space.client, "Swahili: maji\nEnglish:", adapter=job["job"], max_new_tokens=3, api_name="/generate")
    assert said["base"].strip() == "water" and isinstance(said["adapted"], str)
    assert all(adapters == 0 for _, adapters in space.left())


def test_strangers_have_limits(space: Space):
    with pytest.raises(AppError, match="steps are more than 1000"):
        ask(space.client, epochs=8, preset="published", name="long", api_name="/train")
