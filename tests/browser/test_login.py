"""A visitor of a Space logs in, puts an adapter on the Hub under their own name, and logs out again."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import ui.page
import ui.serve
from tests.browsing import free_port, keep_picture, open_tab, write
from tests.hub import TOKEN, serve, take_for_the_hub
from tests.openid import CLIENT_ID, CLIENT_SECRET, VISITOR, provide
from ui.server.hosting import hosting
from ui.server.jobs import Jobs
from ui.server.visitors import Models


def test_a_visitor_logs_in_and_publishes_under_their_own_token(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with serve(tmp_path, "asha/first") as hub, provide(TOKEN) as provider:
        take_for_the_hub(hub, tmp_path / "home", monkeypatch)
        monkeypatch.setenv("SYSTEM", "spaces")
        monkeypatch.setenv("SPACE_ID", "someone/lugha-lens")
        given = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "SCOPES": "openid profile contribute-repos"}
        for name, value in given.items():
            monkeypatch.setenv(f"OAUTH_{name}", value)
            # Gradio has read the environment when it was imported.
            monkeypatch.setattr(f"gradio.oauth.OAUTH_{name}", value)
        monkeypatch.setattr("gradio.oauth.OPENID_PROVIDER_URL", provider)
        models = Models(ui.serve.OFFERED)
        demo = ui.page.build(models, Jobs(models, tmp_path / "runs", hosting()))
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        try:
            page = context.new_page()
            page.set_default_timeout(20_000)
            page.goto(ui.page.launch(demo, free_port(), quiet=True))
            expect(page.get_by_role("tab", name="Adapters")).to_be_visible()
            open_tab(page, "Adapters")
            expect(page.locator("#adapter-table")).to_contain_text("mini-corrected")
            write(page, "#publish-as", "asha/first")
            page.click("#publish")
            expect(page.get_by_text("Nobody is logged in to the Hub: log in first.")).to_be_visible()
            assert not hub.committed

            page.click("#login")
            # Back from the provider, and on this tab again; the page is opened anew on the way.
            expect(page.locator("#login")).to_contain_text(f"Logout ({VISITOR.lower()})", timeout=60_000)
            expect(page.locator("#adapter-table")).to_contain_text("mini-corrected")
            write(page, "#publish-as", "asha/first")
            page.click("#publish")
            expect(page.locator("#publish-said a")).to_have_attribute("href", f"{hub.endpoint}/asha/first")
            keep_picture(page, "published")
            assert "adapter_model.safetensors" in hub.committed and hub.tokens - {""} == {f"Bearer {TOKEN}"}

            page.click("#login")
            expect(page.locator("#login")).to_contain_text("Sign in")
        finally:
            context.close()
            demo.close()
