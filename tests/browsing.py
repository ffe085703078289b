"""The page as a visitor uses it: a browser, what is done in it, and what must not happen there."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserType, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

THEMES = ("light", "dark")
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]  # fmt: skip


# Patience for a busy machine; nothing here is timed.
expect.set_options(timeout=20_000)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


INSTALLED = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
NO_BROWSER = (
    "The page is tested in a real browser, and none could be had: install Chromium, Chrome or Edge, or run "
    "`playwright install --with-deps chromium`."
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser: this machine's Chromium, Chrome or Edge, else Playwright's own, fetched where it is not there yet."""
    with sync_playwright() as playwright:
        browser = _launched(playwright.chromium)
        yield browser
        browser.close()


def _launched(kind: BrowserType) -> Browser:
    found = next(filter(None, map(shutil.which, INSTALLED)), None)
    # `channel` looks where a system keeps programs that are on no path, as Windows and macOS do.
    ways = [{"executable_path": found}] if found else [{"channel": "chrome"}, {"channel": "msedge"}, {}]
    for way in ways:
        with suppress(PlaywrightError):
            return kind.launch(args=CHROMIUM, **way)
    subprocess.run([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"], check=False)
    try:
        return kind.launch(args=CHROMIUM)
    except PlaywrightError:
        pytest.exit(NO_BROWSER, returncode=1)


def is_a_fault(message: ConsoleMessage) -> bool:
    """Whether a line of the console is an error, other than of a stream that the page itself ended."""
    return message.type == "error" and not message.text.startswith("AbortError: signal is aborted without reason")


def watched(page: Page, address: str) -> list[str]:
    """A list that fills with everything that must not happen on the page."""
    problems: list[str] = []
    # A page that is left ends its own stream; where events still came through it, Gradio logs that as an AbortError.
    page.on("console", lambda m: problems.append(f"console: {m.text}") if is_a_fault(m) else None)
    page.on("pageerror", lambda error: problems.append(f"page: {error}"))
    page.on("response", lambda r: problems.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    # A stream that ends is reported as an aborted request.
    page.on("requestfailed", lambda r: problems.append(f"{r.failure} {r.url}") if "ABORTED" not in r.failure else None)
    inside = (address, "data:", "blob:")
    page.on("request", lambda r: problems.append(f"outside: {r.url}") if not r.url.startswith(inside) else None)
    return problems


def keep_picture(page: Page, name: str) -> None:
    """A picture of the whole page, in the folder that the variable TEST_ARTEFACTS names, if it is set."""
    if folder := os.environ.get("TEST_ARTEFACTS"):
        path = Path(folder) / f"{''.join(c if c.isalnum() else '-' for c in name)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(path), full_page=True)


def write(page: Page, where: str, text: str) -> None:
    """Fill the box at a place."""
    page.locator(f"{where} textarea, {where} input").first.fill(text)


def open_tab(page: Page, name: str) -> None:
    """Open a tab, through the menu of those that a narrow screen has no room for."""
    tab = page.get_by_role("tab", name=name, exact=True).first
    entry = page.locator(".overflow-dropdown").get_by_text(name, exact=True)
    for patience in (2_000, 2_000, 5_000, 20_000, 20_000):
        # A page that is still being laid out moves tabs between row and menu, and closes the menu again; where it is
        # open, another press would close it.
        with suppress(PlaywrightError):
            if tab.is_visible():
                tab.click(timeout=patience)
                return
            if not entry.is_visible():
                page.locator(".overflow-menu > button:visible").first.click(timeout=patience)
            entry.click(timeout=patience)
            return
    raise AssertionError(f"Neither the row of tabs nor its menu opens {name}.")


def choose(page: Page, where: str, option: str) -> None:
    """Choose an option of a dropdown."""
    page.locator(f"{where} input").first.click()
    page.get_by_role("option", name=option, exact=True).click()


def open_form(page: Page) -> None:
    """The form of the tab Fine-tune, from the page of a run if one is open."""
    open_tab(page, "Fine-tune")
    if page.locator("#run-back").is_visible():
        page.click("#run-back")


def set_epochs(page: Page, epochs: int) -> None:
    """Write how long to train into its box, which is folded away."""
    if not page.locator("#setting-epochs").is_visible():
        page.get_by_role("button", name="More settings").click()
    write(page, "#setting-epochs", str(epochs))


def start_training(page: Page, name: str, epochs: int) -> None:
    """Fill in a small fine-tune and start it."""
    open_form(page)
    page.locator("#train-source").get_by_label("pairs I type").check()
    page.locator("#train-pairs textarea").fill(
        "maji, water\nmoto, fire\nmti, tree\nsimba, lion\njua, sun\nmvua, rain\nkula, to eat\nkunywa, to drink"
    )
    write(page, "#adapter-name", name)
    set_epochs(page, epochs)
    page.click("#start")


def check_barriers(page: Page, where: str, themes: Sequence[str] = THEMES) -> None:
    """Nothing sticks out of the screen, and axe finds nothing that keeps anybody out, in any of these themes."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), where
    # Links and buttons would fade from one theme's colour to the other's.
    page.add_style_tag(content="* {transition: none !important}")
    for theme in themes:
        page.evaluate("theme => document.body.classList.toggle('dark', theme === 'dark')", theme)
        # Where a chart is on its way Gradio has a box for it whose label axe does not allow.
        on_its_way = page.locator("div.empty[aria-label]:visible")
        while True:
            expect(on_its_way).to_have_count(0)
            barriers = Axe().run(page).response["violations"]
            if not on_its_way.count():
                break
        assert not barriers, [(where, theme, found["id"], found["nodes"][0]["html"][:120]) for found in barriers]


def check_results(page: Page, where: str) -> None:
    """`check_barriers` on results, on the screen of a small laptop."""
    page.set_viewport_size({"width": 1024, "height": 900})
    # Gradio's messages, which go by themselves, are a button inside a button.
    page.evaluate("document.querySelectorAll('[data-testid=toast-close]').forEach((close) => close.click())")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    check_barriers(page, where)
