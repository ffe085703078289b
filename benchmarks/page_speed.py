"""How fast the page opens beside a bare Gradio app, and how fast typed pairs are drawn, in a real browser.

    python benchmarks/page_speed.py

Needs Chromium and requirements-dev.txt. Both servers are started in turn, so that the machine's state falls on both.
"""

import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.models.registry import ROOT
from tli_core.reports.tables import format_table

BARE = """
import sys
import gradio as gr
with gr.Blocks() as demo:
    gr.Textbox()
demo.launch(server_port=int(sys.argv[-1]), quiet=True, ssr_mode=False, run_history=False)
"""
CLICK_AND_WAIT = """
async button => {
    const drawn = () => document.querySelector("#curve .js-plotly-plot:not([data-old]) .scatterlayer .trace");
    document.querySelectorAll("#curve .js-plotly-plot").forEach(plot => plot.setAttribute("data-old", ""));
    const began = performance.now();
    document.querySelector(button).click();
    while (!drawn()) await new Promise(requestAnimationFrame);
    return performance.now() - began;
}
"""


def started(program: list[str]) -> tuple[subprocess.Popen, str, float]:
    """Start a server; the process, its address, and the seconds until its page answered."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    server = subprocess.Popen([sys.executable, *program, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    while True:
        try:
            with urllib.request.urlopen(address):
                return server, address, time.perf_counter() - began
        except OSError:
            if server.poll() is not None:
                raise RuntimeError("The server ended before it answered.") from None
            time.sleep(0.02)


def ended(server: subprocess.Popen) -> None:
    server.terminate()
    server.wait()


def click_milliseconds(page: Page, rounds: int = 12) -> float:
    """The median from a click to the new curve, with other pairs typed every time."""
    times = []
    for number in range(rounds):
        box = page.locator("#pairs textarea")
        box.fill("\n".join(f"{sw}, {en}" for sw, en in (("maji", "water"), ("mti", "tree"))[: 1 + number % 2]))
        box.blur()
        page.wait_for_timeout(400)
        times.append(page.evaluate(CLICK_AND_WAIT, "#measure"))
    return statistics.median(times[2:])


def main() -> None:
    bare, ours = [], []
    for _ in range(5):
        for times, program in ((bare, ["-c", BARE]), (ours, ["app.py", "--port"])):
            server, _, seconds = started(program)
            times.append(seconds)
            ended(server)
    server, address, _ = started(["app.py", "--port"])
    try:
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(address)
            page.wait_for_selector("#curve .scatterlayer .trace", timeout=120_000)
            first = time.perf_counter() - began
            drawn = click_milliseconds(page)
            browser.close()
    finally:
        ended(server)
    empty, page_up = statistics.median(bare), statistics.median(ours)
    rows = [
        ["what", "time", "ratio"],
        ["a bare Gradio page answers after", f"{empty:.2f} s", ""],
        ["this page answers after", f"{page_up:.2f} s", f"{page_up / empty:.2f} ×"],
        ["its first curve, PyTorch and lugha-mini loaded meanwhile", f"{first:.1f} s more", ""],
        ["a click on Show the curve, typed pairs, warm", f"{drawn:.0f} ms", ""],
    ]
    print(format_table(rows))
    print(f"CPU, {platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
