"""Every tab of the page as a visitor sees it: two widths, light and dark, English and Swahili.

    python recipes/screenshot_book.py FOLDER

Each picture is named for what it shows, such as compare-390-dark-sw.png. Tabs whose results a button brings are shown
with them.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ui.page
from tests.browsing import chromium, free_port, open_tab
from tli_core.i18n import in_language, translate
from ui.server.jobs import Jobs
from ui.server.visitors import Models

PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
WIDTHS = {1440: {}, 390: {"has_touch": True, "is_mobile": True, "user_agent": PHONE}}
PRESSED = {"comparison": "#comparison", "evaluate": "#evaluate", "space": "#draw-space", "compare": "#compare"}
"""The button that brings a tab's results, by the tab's id."""

RESULTS = {
    "comparison": "#comparison-plot .legendtext",
    "evaluate": "#evaluate-plot .legendtext",
    "space": "#space-plot .legendtext",
    "compare": "#right-words",
}
"""What is there once they have come."""


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    models = Models(("lugha-mini",))
    with tempfile.TemporaryDirectory() as runs, chromium() as browser:
        address = ui.page.launch(ui.page.build(models, Jobs(models, Path(runs))), free_port(), quiet=True)
        for width, device in WIDTHS.items():
            for theme in ("light", "dark"):
                for language in ("en", "sw"):
                    take(browser, f"{address}?lang={language}", width, device, theme, language, folder)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


def take(browser: Browser, address: str, width: int, device: dict, theme: str, language: str, folder: Path) -> None:
    """One visit: each tab in turn."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme, **device)
    page.goto(address)
    expect(page.locator("#word-answer table")).to_be_visible(timeout=120_000)
    for tab in ui.page.TABS:
        with in_language(language):
            open_tab(page, translate(tab.LABEL))
        page.wait_for_timeout(700)
        if button := PRESSED.get(tab.ID):
            page.click(f"button{button}")
            expect(page.locator(RESULTS[tab.ID]).first).to_be_visible(timeout=120_000)
        if tab.ID == "alignment":
            expect(page.locator("#curve .legendtext").first).to_be_visible(timeout=120_000)
        page.wait_for_timeout(1200)
        name = tab.__name__.rpartition(".")[2].replace("_", "-")
        page.screenshot(path=folder / f"{name}-{width}-{theme}-{language}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    main()
