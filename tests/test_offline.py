"""With no network the app starts, works on lugha-mini, and does not even try to reach anything outside."""

import os
import subprocess
import sys
from pathlib import Path

from gradio_client import Client
from playwright.sync_api import Browser, expect

from tli_core.catalogue import ROOT

from .browsing import free_port, watched
from .test_api import ask


def test_the_app_starts_and_works_without_a_network(browser: Browser, tmp_path: Path):
    port, log = free_port(), tmp_path / "outside"
    log.touch()
    # Nothing says that it is offline: it must not try by itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "GRADIO_"))}
    environment |= {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "tests/offline_app.py", str(log), "--port", str(port), "--runs", str(tmp_path / "runs")]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert "Running on" in server.stdout.readline()
        address = f"http://127.0.0.1:{port}"
        page = browser.new_page()
        problems = watched(page, address)
        page.goto(address)
        expect(page.locator("#pair-table")).to_contain_text("kusoma", timeout=60_000)
        client = Client(address, verbose=False)
        found = ask(client, "Swahili: maji\nEnglish:", adapter="mini-corrected", max_new_tokens=3, api_name="/generate")
        assert found["base"].strip() == "water"
        client.close()
        page.close()
        assert not problems and not log.read_text(), (problems, log.read_text())
    finally:
        server.terminate()
        server.wait(timeout=30)
