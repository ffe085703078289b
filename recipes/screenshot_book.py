"""Every tab and state of the page as a visitor sees it: two widths, light and dark, English and Swahili.

    python recipes/screenshot_book.py FOLDER

Each picture is named for what it shows, such as compare-390-dark-sw.png. Tabs whose results a button brings are shown
with them; STATES are what comes of a click more.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ui.page
from tests.browsing import chromium, free_port, open_tab, write
from tli_core.i18n import in_language, translate
from ui.server.jobs import Jobs
from ui.server.visitors import Models

PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
WIDTHS = {1440: {}, 390: {"has_touch": True, "is_mobile": True, "user_agent": PHONE}}
PRESSED = {"compare": "#comparison", "evaluate": "#evaluate", "space": "#draw-space", "answers": "#compare"}
"""The button that brings a tab's results, by the tab's id."""

RESULTS = {
    "compare": "#comparison-plot .legendtext",
    "evaluate": "#evaluate-plot .legendtext",
    "space": "#space-plot .legendtext",
    "answers": "#right-words",
}
"""What is there once they have come."""


def word_card(page: Page) -> None:
    page.click("#word-card > button")
    expect(page.locator("#word-card-picture img")).to_be_visible(timeout=60_000)


def heat_map(page: Page) -> None:
    page.locator("#alignment-view input").nth(1).check()
    expect(page.locator("#curve .heatmaplayer .hm")).to_have_count(1)


def refused(page: Page) -> None:
    write(page, "#pairs", "maji, ")
    page.click("#measure")
    expect(page.get_by_test_id("toast-body")).to_be_visible()


def words_by_topic(page: Page) -> None:
    page.locator("#space-words input").check()
    page.locator("#space-colours input").nth(1).check()
    expect(page.locator("#space-plot .textpoint").first).to_be_visible()


def figure_files(page: Page) -> None:
    page.click("#space-figure > button")
    expect(page.locator("#space-figure-download")).to_be_enabled(timeout=60_000)


def run_at_work(page: Page) -> None:
    page.locator("#train-source input").nth(1).check()
    write(page, "#train-pairs", PAIRS)
    page.click("#more-settings > button")
    write(page, "#setting-epochs", "30")
    page.click("#start")
    expect(page.locator("#run-note")).to_be_visible(timeout=60_000)


def run_done(page: Page) -> None:
    expect(page.locator("#train-curve .legendtext")).to_have_count(6, timeout=120_000)


def runs(page: Page) -> None:
    page.click("#run-back")
    expect(page.locator("#run-table")).to_be_visible()


PAIRS = "maji, water\nmoto, fire\nmti, tree\nsimba, lion\njua, sun\nmvua, rain\nkula, to eat\nkunywa, to drink"
STATES = (
    ("word", word_card),
    ("alignment", heat_map),
    ("alignment", refused),
    ("space", words_by_topic),
    ("space", figure_files),
    ("finetune", run_at_work),
    ("finetune", run_done),
    ("finetune", runs),
)
"""The id of a tab, and what is done there once all tabs have been opened."""


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

    def keep(name: str) -> None:
        page.wait_for_timeout(900)
        page.screenshot(path=folder / f"{name.replace('_', '-')}-{width}-{theme}-{language}.png", full_page=True)

    def open_by_id(tab_id: str) -> None:
        with in_language(language):
            open_tab(page, next(translate(tab.LABEL) for tab in ui.page.TABS if tab_id == tab.ID))
        page.wait_for_timeout(400)

    for tab in ui.page.TABS:
        open_by_id(tab.ID)
        if button := PRESSED.get(tab.ID):
            page.click(f"button{button}")
            expect(page.locator(RESULTS[tab.ID]).first).to_be_visible(timeout=120_000)
        if tab.ID == "alignment":
            expect(page.locator("#curve .legendtext").first).to_be_visible(timeout=120_000)
        keep(tab.__name__.rpartition(".")[2])
    for tab_id, done in STATES:
        open_by_id(tab_id)
        done(page)
        keep(done.__name__)
    page.close()


if __name__ == "__main__":
    main()
