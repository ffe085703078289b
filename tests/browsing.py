"""A browser, and what must not happen on a page in it."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def chromium() -> Iterator[Browser]:
    """This machine's Chromium."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "Install Chromium: the app is tested in a real browser."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM)
        yield browser
        browser.close()


def watched(page: Page, address: str) -> list[str]:
    """A list that fills with everything that must not happen on the page."""
    problems: list[str] = []
    page.on("console", lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(f"page: {error}"))
    page.on("response", lambda r: problems.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    # A stream that ends is reported as an aborted request.
    page.on("requestfailed", lambda r: problems.append(f"{r.failure} {r.url}") if "ABORTED" not in r.failure else None)
    inside = (address, "data:", "blob:")
    page.on("request", lambda r: problems.append(f"outside: {r.url}") if not r.url.startswith(inside) else None)
    return problems
