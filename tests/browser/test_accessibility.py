"""The page for everybody: every screen, theme and language, the keyboard alone, and a model that must be fetched."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect
from playwright.sync_api import Error as PlaywrightError

from tests.browsing import THEMES, check_barriers, choose, free_port, keep_picture, open_tab, watched, write
from tests.hub import serve
from tests.models.test_checkpoint import write as write_checkpoint
from tli_core.models.registry import ROOT


@pytest.mark.parametrize(
    "page",
    [
        {"viewport": {"width": 1440, "height": 844}, "color_scheme": "light"},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    ],
    indirect=True,
    ids=lambda settings: f"{settings['viewport']['width']}-{settings['color_scheme']}",
)
def test_every_tab_fits_the_screen_and_has_no_barrier(page: Page, request: pytest.FixtureRequest):
    page.get_by_text("How to read this, in two minutes").click()
    open_tab(page, "Word")
    expect(page.locator("#word-answer table")).to_be_visible()
    check_barriers(page, "Word", THEMES if page.viewport_size["width"] > 1000 else THEMES[1:])
    for tab in (
        "Calibration",
        "Word lists",
        "Adapters",
        "Answers",
        "Space",
        "Evaluate",
        "Fine-tune",
        "Compare",
        "Alignment",
    ):
        open_tab(page, tab)
        keep_picture(page, f"{request.node.name}-{tab}")
        check_barriers(page, tab, THEMES if page.viewport_size["width"] > 1000 else THEMES[1:])


PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
}


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_what_was_asked_for_comes_into_sight_and_charts_fill_their_tab(page: Page):
    page.click("#measure")
    expect(page.locator("#reading")).to_be_in_viewport(ratio=0.5)
    open_tab(page, "Space")
    page.click("#draw-space")
    # Drawn while another tab is open, a chart has no width to take.
    open_tab(page, "Alignment")
    page.wait_for_timeout(3000)
    open_tab(page, "Space")
    expect(page.locator("#space-plot .legendtext").first).to_be_visible(timeout=60_000)
    fits = "plot => plot.querySelector('.main-svg').clientWidth <= plot.clientWidth"
    page.wait_for_function(f"({fits})(document.getElementById('space-plot'))")
    # One panel below the other, each as wide as the screen allows.
    base, adapted = (page.locator(f"#space-plot .subplot.{name}").bounding_box() for name in ("xy", "x2y2"))
    assert base["x"] == pytest.approx(adapted["x"], abs=8) and base["y"] + base["height"] <= adapted["y"]


def test_the_keyboard_alone_is_enough(page: Page):
    def press_until(key: str, text: str) -> None:
        for _ in range(60):
            page.keyboard.press(key)
            if page.evaluate("(document.activeElement.innerText || '').trim()") == text:
                return
        raise AssertionError(f"{key} never came to {text}")

    page.locator("#pairs textarea").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("simba, lion\nmaji, water")
    press_until("Tab", "Show the curve")
    page.keyboard.press("Enter")
    expect(page.locator("#pair-table")).to_contain_text("simba")
    press_until("Shift+Tab", "Answers")
    page.keyboard.press("Enter")
    press_until("Tab", "Compare")
    page.keyboard.press("Enter")
    expect(page.locator("#compare-note")).to_contain_text("3 prompts", timeout=60_000)


def test_the_page_speaks_swahili_to_a_swahili_browser_and_on_request(browser: Browser, address: str):
    context = browser.new_context(locale="sw-KE", viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    problems = watched(page, address)
    page.goto(address)
    expect(page.locator("#word-answer")).to_contain_text("lugha-mini inaweka maji karibu na tafsiri yake")
    open_tab(page, "Ulinganifu")
    expect(page.get_by_role("button", name="Onyesha mchoro")).to_be_visible()
    expect(page.get_by_text("Maneno ya Kiswahili na Kiingereza yako karibu kiasi gani")).to_be_visible()
    expect(page.locator("#curve .legendtext").filter(has_text="jozi zisizo sahihi")).to_have_count(3)
    expect(page.locator("#reading")).to_contain_text("Jozi hizi 5 zinaonekana vizuri zaidi katika")
    assert page.evaluate("document.documentElement.lang") == "sw"
    for tab, button in (("Mafunzo", "Anza kufundisha"), ("Majibu", "Linganisha"), ("Viambatisho", "Leta")):
        open_tab(page, tab)
        expect(page.get_by_role("button", name=button)).to_be_visible()
    keep_picture(page, "swahili")
    open_tab(page, "Ulinganifu")
    write(page, "#pairs", "maji, ")
    page.click("#measure")
    expect(page.get_by_text("Hakuna jozi iliyosomeka. Mstari wa 1: upande wa")).to_be_visible()
    heading = page.locator(".toast-title").evaluate("title => getComputedStyle(title, '::before').content")
    assert heading == '"Haijafanyika"'
    expect(page.locator("#alignment-stale")).to_be_visible()
    # What was typed comes along.
    write(page, "#pairs", "simba, lion")
    assert not problems, problems
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("button", name="Show the curve")).to_be_visible()
    problems.clear()  # a page that is left in the middle of a request calls that an error
    expect(page.locator("#pairs textarea")).to_have_value("simba, lion")
    expect(page.locator("#reading")).to_contain_text("lugha-mini")
    context.close()
    assert not problems, problems


PLANTED = "hf_planted_0123456789abcdef"
"""The login that the process below has; it must be in nothing that it says, sends or keeps."""


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something to be true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.1)


def body_of(response: Response) -> str:
    """What was answered, where it has an end and the browser has it still; the page shows what streams bring."""
    if "event-stream" not in response.headers.get("content-type", ""):
        with suppress(PlaywrightError):
            return response.text()
    return ""


def test_without_a_network_but_a_hub_on_this_machine_its_model_says_what_it_takes_and_the_bundled_one_works(
    browser: Browser, tmp_path: Path
):
    """The process may reach nothing but this machine, nobody tells it so, and it must not even try.

    It has a login of whoever runs it, which the Hub sees and nobody else.
    """
    shard = "model-00001-of-00003.safetensors"
    with serve(write_checkpoint(tmp_path / "remote"), "owner/large") as served:
        port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "GRADIO_"))}
        environment |= {"HF_ENDPOINT": served.endpoint, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        environment |= {"HF_TOKEN": PLANTED}
        outside = tmp_path / "outside"
        outside.touch()
        command = [sys.executable, "-m", "tests.offline_app", str(outside), "--port", str(port),
                   "--runs", str(tmp_path), "--model", "owner/large", "--model", "lugha-mini"]  # fmt: skip
        log = tmp_path / "log"
        with log.open("w") as said:
            server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            until(lambda: "Running on" in log.read_text())
            answered: list[Response] = []
            shown: list[str] = []
            context = browser.new_context(viewport={"width": 1440, "height": 1000})
            page = context.new_page()
            page.set_default_timeout(30_000)
            problems = watched(page, f"http://127.0.0.1:{port}")
            page.on("response", lambda response: answered.append(response))
            served.refusal = (404, "RepoNotFound")
            page.goto(f"http://127.0.0.1:{port}")
            expect(page.locator("#load-about")).to_contain_text(
                "owner/large cannot be loaded now. There is no owner/large"
            )
            expect(page.locator("#load")).to_be_hidden()
            shown.append(page.content())
            served.refusal = None
            page.click("#load-again")
            expect(page.locator("#load-about")).to_contain_text("owner/large is not loaded")
            expect(page.locator("#load-again")).to_be_hidden()
            expect(page.locator("#load-about")).to_contain_text("MB to download")
            open_tab(page, "Alignment")
            page.click("#measure")
            expect(page.get_by_text("owner/large is not loaded yet: press Load")).to_be_visible()
            assert not served.gets[shard]
            shown.append(page.content())
            keep_picture(page, "load-panel")
            page.click("#load")
            expect(page.locator("#load-about")).to_contain_text("owner/large is loaded", timeout=60_000)
            # It was never trained, and the page says so.
            expect(page.locator("#load-about")).to_contain_text("writes noise")
            assert served.gets[shard] == 1
            expect(page.locator("#reading")).to_contain_text("owner/large", timeout=60_000)
            expect(page.locator("#alignment-warning")).to_contain_text("writes noise")
            choose(page, "#model", "lugha-mini")
            expect(page.locator("#load-panel")).to_be_hidden()
            expect(page.locator("#reading")).to_contain_text("lugha-mini", timeout=60_000)
            shown += [page.content(), *map(body_of, answered)]
            context.close()
            kept = (path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000)
            assert f"Bearer {PLANTED}" in served.tokens, "the login was not used, so nothing could have told it"
            assert sum(map(bool, shown)) > 20
            for secret in (PLANTED, environment["HF_HOME"]):
                assert not [text for text in shown if secret in text]
            assert not [str(path) for path in kept if PLANTED.encode() in path.read_bytes()]
            assert not problems and not outside.read_text(), (problems, outside.read_text())
        finally:
            server.terminate()
            server.wait(timeout=30)
