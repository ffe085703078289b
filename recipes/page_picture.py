"""The picture of the page in README.md, as it is today.

    python recipes/page_picture.py [docs/page.png]

It opens the page in a browser, measures the control list under lugha-mini and an adapter that was trained on wrong
translations, and keeps what is in sight.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ui.page
from tests.browsing import chromium, free_port
from ui.server.jobs import Jobs
from ui.server.visitors import Models

VIEW = {"width": 1440, "height": 1380}


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/page.png")
    models = Models(("lugha-mini",))
    with tempfile.TemporaryDirectory() as runs, chromium() as browser:
        address = ui.page.launch(ui.page.build(models, Jobs(models, Path(runs))), free_port(), quiet=True)
        page = browser.new_page(viewport=VIEW)
        page.goto(f"{address}?tab=alignment&example=All 150 control pairs&model=lugha-mini&adapter=mini-shuffled")
        expect(page.locator("#curve .legendtext").filter(has_text="mini-shuffled").first).to_be_visible(timeout=60_000)
        page.wait_for_timeout(1500)  # the drawing moves into place
        page.screenshot(path=target)
    print(f"{target}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
