"""What the page costs a server and a browser to open beside a bare Gradio page with one plot, and how fast it answers.

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

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.models.registry import ROOT
from tli_core.reports.tables import format_table
from ui.tabs.word import KEPT

BARE = """
import sys
import gradio as gr, plotly.graph_objects as go
def draw():
    return go.Figure([go.Scatter(x=list(range(13)), y=list(range(13)), mode="lines+markers") for _ in range(4)])
with gr.Blocks() as demo:
    gr.Textbox()
    plot = gr.Plot(elem_id="curve")
    demo.load(draw, None, plot)
demo.launch(server_port=int(sys.argv[-1]), quiet=True, ssr_mode=False, run_history=False)
"""
ANSWER = "#word-answer table"
OWN = f"!document.querySelector('#word-answer').innerText.includes({KEPT.strip('*')[:20]!r})"
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


def opening(browser: Browser, address: str, first: str, rounds: int = 5) -> list[float]:
    """Medians for one opened page: seconds to a first use, of tasks and of scripts in the browser, and megabytes sent.

    Args:
        first: a selector of what is there at the first use. A second and a half more are counted, in which what is left
            comes.
    """
    costs = []
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page, sent = context.new_page(), []
        events = context.new_cdp_session(page)
        events.send("Performance.enable")
        events.send("Network.enable")
        events.on("Network.loadingFinished", lambda loaded, sent=sent: sent.append(loaded["encodedDataLength"]))
        began = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(first, timeout=120_000)
        seconds = time.perf_counter() - began
        page.wait_for_timeout(1500)
        found = {metric["name"]: metric["value"] for metric in events.send("Performance.getMetrics")["metrics"]}
        costs.append((seconds, found["TaskDuration"], found["ScriptDuration"], sum(sent) / 1e6))
        context.close()
    return [statistics.median(column) for column in zip(*costs, strict=True)]


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
    for _ in range(3):
        for times, program in ((bare, ["-c", BARE]), (ours, ["app.py", "--port"])):
            server, _, seconds = started(program)
            times.append(seconds)
            ended(server)
    up = statistics.median(bare), statistics.median(ours)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        server, address, _ = started(["-c", BARE])
        try:
            plain = opening(browser, address, "#curve .scatterlayer .trace")
        finally:
            ended(server)
        server, address, _ = started(["app.py", "--port"])
        try:
            began = time.perf_counter()
            page = browser.new_page()
            page.goto(address)
            page.wait_for_selector(ANSWER, timeout=120_000)
            kept = time.perf_counter() - began
            page.wait_for_function(OWN, timeout=120_000)
            own = time.perf_counter() - began
            page.get_by_role("tab", name="Alignment").click()
            page.wait_for_selector("#curve .scatterlayer .trace", timeout=120_000)
            drawn = click_milliseconds(page)
            page.close()
            whole = opening(browser, address, ANSWER)
        finally:
            ended(server)
        browser.close()
    rows = [["what", "bare page, one plot", "this page", "ratio"]]
    for what, plainly, wholly, form in (
        ("the server answers after", up[0], up[1], "{:.2f} s"),
        ("first use, model in memory", plain[0], whole[0], "{:.2f} s"),
        ("tasks of the browser", plain[1], whole[1], "{:.2f} s"),
        ("of them scripts", plain[2], whole[2], "{:.2f} s"),
        ("bytes sent", plain[3], whole[3], "{:.2f} MB"),
    ):
        rows.append([what, form.format(plainly), form.format(wholly), f"{wholly / plainly:.2f} ×"])
    rows.append(["an answer in sight, kept from before", "", f"{kept:.1f} s", ""])
    rows.append(["the model's own, PyTorch and lugha-mini loaded meanwhile", "", f"{own:.1f} s", ""])
    rows.append(["a click on Show the curve, typed pairs, warm", "", f"{drawn:.0f} ms", ""])
    print(format_table(rows))
    print(f"CPU, {platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
