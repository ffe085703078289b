"""The app as a visitor uses it, in a real browser; any console error, failed or outside request fails the test."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

import app
import tli_core.embeddings
from tli_core.catalogue import ROOT, shipped_adapters
from ui.jobs import Jobs
from ui.visitors import Models

from .browsing import free_port, watched
from .hub import serve
from .test_checkpoint import write as write_checkpoint

ARTEFACTS = Path(os.environ.get("TEST_ARTEFACTS", "test-artefacts"))
TRACES = ".js-plotly-plot .scatterlayer .trace"

# Patience for a busy machine; nothing here is timed.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = Models(app.OFFERED)
    demo = app.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))
    yield app.launch(demo, free_port(), quiet=True)
    demo.close()


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    settings = getattr(request, "param", {})
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **settings})
    page = context.new_page()
    page.set_default_timeout(20_000)
    problems = watched(page, address)
    page.goto(address)
    expect(page.locator("#curve .legendtext").first).to_be_visible()
    yield page
    page.screenshot(path=str(_artefact(request.node.name)), full_page=True)
    context.close()
    assert not problems, problems


def _artefact(name: str) -> Path:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    return ARTEFACTS / f"{''.join(c if c.isalnum() else '-' for c in name)}.png"


def write(page: Page, where: str, text: str) -> None:
    page.locator(f"{where} textarea, {where} input").first.fill(text)


def open_tab(page: Page, name: str) -> None:
    """Open a tab, through the menu of those that a narrow screen has no room for."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.first.is_visible():
        page.locator(".overflow-menu > button:visible").first.click()
        page.locator(".overflow-dropdown").get_by_text(name, exact=True).click()
        return
    tab.first.click()


def choose(page: Page, where: str, option: str) -> None:
    page.locator(f"{where} input").first.click()
    page.get_by_role("option", name=option, exact=True).click()


def test_the_page_opens_on_a_curve_with_its_control(page: Page):
    expect(page.locator("#reading")).to_contain_text("for wrong ones")
    expect(page.locator("#reading")).to_contain_text("lugha-mini")
    legend = page.locator("#curve .legendtext")
    expect(legend.filter(has_text="right pairs (matched)")).to_have_count(1)
    expect(legend.filter(has_text="wrong pairs (mismatched)")).to_have_count(1)


def test_typing_pairs_and_laying_an_adapter_over_them(page: Page):
    write(page, "#pairs", "maji, water\nsimba = lion\nthis line is bad\nkusoma\tto read")
    page.click("#measure")
    expect(page.locator("#pair-table")).to_contain_text("simba")
    expect(page.locator("#alignment-warning")).to_contain_text("Line 3")
    choose(page, "#adapter", "mini-corrected")
    expect(page.locator("#curve .legendtext").filter(has_text="mini-corrected")).to_have_count(2)
    expect(page.locator("#reading")).to_contain_text("mini-corrected")
    before = page.locator("#curve").locator(TRACES).count()
    page.get_by_label("Show each pair's own line").check()
    expect(page.locator("#curve").locator(TRACES)).to_have_count(before + 6)


def test_bos_pooling_is_warned_about_and_needs_no_new_pass(page: Page, monkeypatch: pytest.MonkeyPatch):
    expect(page.locator("#pair-table")).to_contain_text("kusoma")
    passes = []
    real = tli_core.embeddings.visit_layers
    monkeypatch.setattr(tli_core.embeddings, "visit_layers", lambda *a, **k: passes.append(a) or real(*a, **k))
    page.get_by_label("every token, BOS too").check()
    expect(page.locator("#alignment-warning")).to_contain_text("BOS is averaged in")
    page.get_by_label("Every pair at every layer").check()
    expect(page.locator("#curve .heatmaplayer .hm")).to_have_count(1)
    expect(page.locator("#curve")).to_contain_text("maji – water")
    assert not passes


def test_pairs_come_from_a_table_a_file_and_the_lexicon(page: Page, tmp_path: Path):
    page.get_by_role("tab", name="As a table").click()
    cell = page.locator("#pairs-table [data-testid=cell-0-1]")
    expect(cell).to_contain_text("water")
    cell.dblclick()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("the water")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="As text").click()
    expect(page.locator("#pairs textarea")).to_have_value(re.compile("maji, the water\nmbwa, dog"))
    page.get_by_role("tab", name="From the lexicon").click()
    choose(page, "#topic", "colours")
    page.get_by_label(re.compile("eusi – black")).check()
    page.click("#topic-take")
    expect(page.get_by_text("1 pairs are in the list")).to_be_visible()
    page.get_by_role("tab", name="From a file").click()
    (tmp_path / "mine.csv").write_text("english,swahili\nlion,simba\nmilk,maziwa\n")
    page.locator("#pairs-upload input[type=file]").set_input_files(tmp_path / "mine.csv")
    expect(page.locator("#pair-table")).to_contain_text("maziwa")
    # Its pieces, and its own line once its row is clicked.
    expect(page.locator("#pair-table")).to_contain_text("|")
    page.locator("#pair-table [data-testid=cell-1-0]").click()
    expect(page.locator("#curve .legendtext").filter(has_text="maziwa – milk")).to_have_count(1)
    expect(page).to_have_url(re.compile("tab=alignment"))
    page.reload()
    expect(page.locator("#pair-table")).to_contain_text("maziwa")


def test_examples_fill_the_box_and_draw(page: Page):
    page.get_by_label("Wrong on purpose").check()
    expect(page.locator("#pairs textarea")).to_have_value("maji, school\nmbwa, bread\nrafiki, mountain\nasali, train")
    expect(page.locator("#pair-table")).to_contain_text("mountain")


def test_what_cannot_be_read_is_one_sentence_and_nothing_is_lost(page: Page):
    write(page, "#pairs", "<b>paka</b>")
    page.click("#measure")
    expect(page.get_by_text("No pair could be read. Line 1: expected")).to_be_visible()
    expect(page.locator("#pairs textarea")).to_have_value("<b>paka</b>")
    expect(page.locator("#curve .legendtext").first).to_be_visible()
    expect(page.locator("#alignment-stale")).to_contain_text("what is shown is from before")


def test_hostile_words_stay_words(page: Page):
    bad = "![a](http://127.0.0.1:9/y.png) <i>x</i> [b](http://127.0.0.1:9/z)"
    write(page, "#pairs", f"<img src=x onerror=alert(1)>\t<b>water</b>\nmaji, water\n{bad}")
    page.get_by_label("Show each pair's own line").check()
    page.click("#measure")
    expect(page.locator("#pair-table")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#alignment-warning")).to_contain_text("<i>x</i>")
    assert page.locator("img[src='x'], #alignment-warning img, #alignment-warning a, #alignment-warning i").count() == 0


def start_training(page: Page, name: str, epochs: int) -> None:
    open_tab(page, "Fine-tune")
    page.locator("#train-source").get_by_label("pairs I type").check()
    page.locator("#train-pairs textarea").fill(
        "maji, water\nmoto, fire\nmti, tree\nsimba, lion\njua, sun\nmvua, rain\nkula, to eat\nkunywa, to drink"
    )
    write(page, "#adapter-name", name)
    write(page, "#epochs", str(epochs))
    page.click("#start")


def test_fine_tuning_draws_and_gives_an_adapter_to_this_visitor_alone(page: Page, browser: Browser, address: str):
    start_training(page, "my-first", 6)
    expect(page.locator("#train-status")).to_contain_text("Done: 6 steps", timeout=60_000)
    expect(page.locator("#train-plot .legendtext").filter(has_text="held out: P@1")).to_have_count(1)
    expect(page.locator("#train-verdict")).to_contain_text("mismatched")
    expect(page.locator("#train-curve .legendtext").filter(has_text="my-first")).to_have_count(2)
    with page.expect_download() as download:
        page.locator("#train-download").click()
    names = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())).namelist()
    assert {"my-first/adapter_model.safetensors", "my-first/tli.json", "my-first/README.md"} <= set(names)

    open_tab(page, "Alignment")
    expect(page.locator("#adapter input")).to_have_value("my-first")
    page.click("#measure")
    expect(page.locator("#curve .legendtext").filter(has_text="my-first")).to_have_count(2)
    open_tab(page, "Answers")
    expect(page.locator("#compare-adapter input")).to_have_value("my-first")

    context = browser.new_context()
    other = context.new_page()
    other.goto(address)
    other.locator("#adapter input").click()
    expect(other.get_by_role("option", name="mini-corrected", exact=True)).to_be_visible()
    assert other.get_by_role("option", name="my-first").count() == 0
    context.close()


def test_stopping_keeps_what_was_learned(page: Page):
    start_training(page, "stopped", 200)
    expect(page.locator("#train-status")).to_contain_text("Step ", timeout=60_000)
    page.click("#stop")
    expect(page.locator("#train-status")).to_contain_text("Done (stopped early)", timeout=60_000)
    expect(page.locator("#start")).to_be_enabled()


def test_a_run_outlives_its_page_and_is_stopped_resumed_and_kept(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    problems = watched(page, address)
    page.goto(address)
    expect(page.get_by_role("tab", name="Fine-tune")).to_be_visible()
    start_training(page, "survivor", 200)
    expect(page.locator("#train-status")).to_contain_text("Step ", timeout=60_000)
    page.close()

    # The same browser comes back: the run is still at work and is on the page by itself.
    page = context.new_page()
    problems += watched(page, address)
    page.goto(address)
    expect(page.get_by_role("tab", name="Fine-tune")).to_be_visible()
    open_tab(page, "Fine-tune")
    expect(page.locator("#train-status")).to_contain_text("Step ", timeout=60_000)
    assert "job=" in page.url
    page.click("#stop")
    expect(page.locator("#train-status")).to_contain_text("Done (stopped early)", timeout=60_000)
    stopped_at = int(re.search(r"(\d+) steps in", page.locator("#train-status").inner_text()).group(1))
    page.click("#resume")
    expect(page.locator("#train-status")).to_contain_text("Step ", timeout=60_000)
    page.click("#stop")
    expect(page.locator("#train-status")).to_contain_text("Done (stopped early)", timeout=60_000)
    assert int(re.search(r"(\d+) steps in", page.locator("#train-status").inner_text()).group(1)) > stopped_at

    start_training(page, "second", 2)
    expect(page.locator("#train-status")).to_contain_text("Done: 2 steps", timeout=60_000)
    page.get_by_role("button", name="Your runs").click()
    expect(page.locator("#run-table")).to_contain_text("survivor")
    page.click("#run-overlay")
    legend = page.locator("#run-plot .legendtext")
    expect(legend.filter(has_text="survivor, held out")).to_have_count(3)
    expect(legend.filter(has_text="second, held out")).to_have_count(3)
    write(page, "#run-name", "renamed")
    page.click("#run-rename")
    expect(page.locator("#run-table")).to_contain_text("renamed")
    page.screenshot(path=str(_artefact("runs")), full_page=True)

    # Whoever has the link sees the run; nobody else does.
    other = browser.new_context(viewport={"width": 1440, "height": 1000})
    guest = other.new_page()
    guest.goto(page.url)
    expect(guest.locator("#train-status")).to_contain_text("Done: 2 steps", timeout=60_000)
    expect(guest.locator("#adapter input")).to_have_value("renamed")
    other.close()

    page.click("#run-delete")
    expect(page.locator("#run-table")).not_to_contain_text("renamed")
    context.close()
    assert not problems, problems


def test_knobs_become_a_command_and_a_preset_that_can_be_loaded(page: Page, tmp_path: Path):
    open_tab(page, "Fine-tune")
    page.get_by_role("button", name="As a command, or as a preset to keep").click()
    write(page, "#epochs", "3")
    expect(page.locator("#command")).to_contain_text("--epochs 3")
    expect(page.locator("#preset-text")).to_contain_text("learning_rate: 0.001")
    (tmp_path / "mine.yaml").write_text("preset: published\nepochs: 2\nshuffled: true\n")
    page.locator("#preset-panel input[type=file]").set_input_files(tmp_path / "mine.yaml")
    expect(page.locator("#command")).to_contain_text("--preset published")
    expect(page.locator("#shuffled input")).to_be_checked()
    expect(page.locator("#command")).to_contain_text("--shuffled")
    expect(page.locator("#epochs input")).to_have_value("2")


def test_a_bad_training_list_is_one_sentence(page: Page):
    open_tab(page, "Fine-tune")
    page.locator("#train-source").get_by_label("pairs I type").check()
    page.click("#start")
    expect(page.get_by_text("No pair could be read.")).to_be_visible()
    expect(page.locator("#start")).to_be_enabled()


def test_the_published_protocol_step_by_step_with_its_control(page: Page):
    open_tab(page, "Fine-tune")
    page.locator("#preset").get_by_label("published").check()
    page.click("#pilot")
    expect(page.locator("#train-status")).to_contain_text("BOS carries 100 % of every vector", timeout=60_000)
    expect(page.locator("#train-plot .legendtext").filter(has_text="with BOS")).to_have_count(2)
    page.click("#dry-run")
    expect(page.locator("#train-status")).to_contain_text("almost no signal", timeout=60_000)
    expect(page.locator("#train-status")).to_contain_text("0.400 (the margin)")
    expect(page.locator("#protocol")).to_contain_text("2 · Dry run")
    page.get_by_label("pairs I type").check()
    page.locator("#train-pairs textarea").fill(
        "maji, water\nmoto, fire\nmti, tree\nsimba, lion\njua, sun\nkula, to eat"
    )
    write(page, "#adapter-name", "as-published")
    write(page, "#epochs", "2")
    expect(page.locator("#control-run")).to_be_disabled()
    page.click("#start")
    expect(page.locator("#train-status")).to_contain_text("Done: 2 steps", timeout=60_000)
    expect(page.locator("#protocol")).to_contain_text("3 · Result at output")
    page.click("#control-run")
    expect(page.locator("#train-status")).to_contain_text("Control done: 2 steps", timeout=60_000)
    expect(page.locator("#protocol")).to_contain_text("4 · Shuffled control")
    expect(page.locator("#train-curve .legendtext").filter(has_text="as-published-shuffled")).to_have_count(2)
    expect(page.locator("#train-plot .legendtext").filter(has_text="shuffled, held out")).to_have_count(3)
    expect(page.locator("#train-verdict")).to_contain_text("The control, trained on wrong translations")


def test_evaluating_shows_every_control_and_gives_a_report(page: Page):
    open_tab(page, "Evaluate")
    choose(page, "#evaluate-adapter", "mini-shuffled")
    page.click("#evaluate")
    status = page.locator("#evaluate-status")
    expect(status).to_contain_text("Collapsed", timeout=60_000)
    expect(page.locator("#evaluate-table")).to_contain_text("mismatched before → after")
    expect(page.locator("#provenance")).to_contain_text("adapter mini-shuffled (sha256 ")
    page.get_by_label("What changed at every layer").check()
    expect(page.locator("#evaluate-plot .legendtext").filter(has_text="control: right less wrong (gap)")).to_have_count(
        1
    )
    page.get_by_label("With BOS averaged in").check()
    expect(page.locator("#evaluate-plot .legendtext").filter(has_text="BOS averaged in")).to_have_count(2)
    choose(page, "#evaluate-layer", "pick by the trained list")
    expect(page.locator("#evaluate-warning")).to_contain_text("picked on these same 1070 pairs")
    with page.expect_download() as download:
        page.locator("#report").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    names = {Path(name).name for name in archive.namelist()}
    assert {"report.html", "report.json", "layers.csv", "pairs.csv", "README.md"} <= names


def test_the_answers_show_harm_that_cosines_hide(page: Page):
    open_tab(page, "Evaluate")
    choose(page, "#evaluate-adapter", "mini-shuffled")
    page.locator("#evaluate-control").get_by_label("pairs I type").check()
    page.locator("#evaluate-control-pairs textarea").fill("maji, water\nmoto, fire\nsimba, lion\nkula, to eat")
    page.click("#evaluate")
    expect(page.locator("#evaluate-warning")).to_contain_text("also in the trained list", timeout=60_000)
    page.click("#ask")
    expect(page.locator("#answers-note")).to_contain_text("Translations to English got worse", timeout=60_000)
    expect(page.locator("#answers-note")).to_contain_text("plain sentences surprise it more")
    expect(page.locator("#answers")).to_contain_text("perplexity on plain Swahili")
    expect(page.locator("#probes")).to_contain_text("Swahili to English")


def test_a_long_evaluation_can_be_cancelled(page: Page):
    open_tab(page, "Evaluate")
    page.click("#evaluate")
    page.click("#evaluate-cancel")
    expect(page.get_by_text("Cancelled. What was on the page before is still there.")).to_be_visible(timeout=60_000)
    expect(page.locator("#evaluate")).to_be_enabled()


def test_the_space_and_a_words_neighbours(page: Page):
    open_tab(page, "Space")
    page.click("#draw-space")
    expect(page.locator("#space-reading")).to_contain_text("under mini-corrected", timeout=60_000)
    expect(page.locator("#space-plot .legendtext").filter(has_text="Swahili")).to_have_count(1)
    write(page, "#neighbour-word", "<b>maji</b>")
    page.click("#find-neighbours")
    expect(page.locator("#neighbours-reading")).to_contain_text("does not know <b>maji</b>", timeout=60_000)
    write(page, "#neighbour-word", "water")
    page.locator("#neighbour-language").get_by_label("English").check()
    page.click("#find-neighbours")
    expect(page.locator("#neighbours-reading")).to_contain_text("the right word is number", timeout=60_000)
    expect(page.locator("#neighbours")).to_contain_text("maji ✓")


def test_a_list_is_checked_mended_and_measured(page: Page):
    open_tab(page, "Word lists")
    write(page, "#list-text", "-bovu, rotten\nbilauri, glass (drinking)\nmaji, water\nmaji, water\nradio, radio")
    page.click("#check-list")
    fixes = page.locator("#fixes")
    expect(fixes).to_contain_text("A note in brackets")
    expect(page.locator("#list-notes")).to_contain_text("counted once")
    expect(page.locator("#list-summary")).to_contain_text("Pieces a word, for this model: Swahili ")
    fixes.get_by_label("spelt the same in both languages").uncheck()
    page.click("#accept-fixes")
    expect(page.locator("#list-text textarea")).to_have_value("bovu, rotten\nbilauri, glass\nmaji, water\nradio, radio")
    page.click("#to-training")
    expect(page.locator("#train-pairs textarea")).to_have_value(re.compile("bilauri, glass"))
    open_tab(page, "Word lists")
    page.click("#to-alignment")
    expect(page.locator("#pair-table")).to_contain_text("bilauri")
    expect(page.locator("#pairs textarea")).to_have_value("bovu, rotten\nbilauri, glass\nmaji, water\nradio, radio")


def test_comparing_answers_side_by_side_and_reopening_them_by_their_link(page: Page):
    open_tab(page, "Answers")
    choose(page, "#compare-adapter", "mini-shuffled")
    write(page, "#compare-pairs", "mkate, bread\nmaji, water")
    page.click("#compare")
    expect(page.locator("#compare-note")).to_contain_text("The two answers are the same for 0 of 2", timeout=60_000)
    expect(page.locator("#base-answer")).to_contain_text("English: bread")
    expect(page.locator("#base-answer")).to_contain_text("differs")
    expect(page.locator("#right-words")).to_contain_text("mkate – bread")
    expect(page.locator("#next-tokens")).to_contain_text("' water'")
    expect(page.locator("#compare")).to_be_enabled()
    expect(page).to_have_url(re.compile("tab=compare"))
    page.screenshot(path=str(_artefact("answers")), full_page=True)
    page.reload()
    expect(page.locator("#compare-pairs textarea")).to_have_value("mkate, bread\nmaji, water")
    expect(page.locator("#compare-adapter input")).to_have_value("mini-shuffled")
    choose(page, "#template", "My own prompt")
    expect(page.locator("#compare-pairs")).to_be_hidden()
    write(page, "#prompt", "Habari\n---\n<b>Hello</b>")
    page.click("#compare")
    expect(page.locator("#compare-note")).to_contain_text("2 prompts", timeout=60_000)
    expect(page.locator("#base-answer")).to_contain_text("<b>Hello</b>")
    expect(page.locator("#right-words")).to_be_hidden()


@pytest.mark.parametrize(
    "page",
    [
        {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
        for width in (1440, 390)
        for scheme in ("light", "dark")
    ],
    indirect=True,
    ids=lambda settings: f"{settings['viewport']['width']}-{settings['color_scheme']}",
)
def test_every_tab_fits_the_screen_and_has_no_barrier(page: Page, request: pytest.FixtureRequest):
    page.get_by_text("How to read this, in two minutes").click()
    for tab in ("Word lists", "Adapters", "Answers", "Space", "Evaluate", "Fine-tune", "Alignment"):
        open_tab(page, tab)
        check_barriers(page, tab)
        page.screenshot(path=str(_artefact(f"{request.node.name}-{tab}")), full_page=True)


def check_barriers(page: Page, where: str) -> None:
    """Nothing sticks out of the screen, and axe finds nothing that keeps anybody out."""
    page.wait_for_timeout(300)  # buttons fade in and out
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), where
    barriers = Axe().run(page).response["violations"]
    assert not barriers, [(where, found["id"], found["nodes"][0]["html"][:120]) for found in barriers]


@pytest.mark.parametrize(
    "page",
    [{"viewport": {"width": 1024, "height": 900}, "color_scheme": scheme} for scheme in ("light", "dark")],
    indirect=True,
    ids=lambda settings: settings["color_scheme"],
)
def test_results_fit_the_screen_and_have_no_barrier_either(page: Page, request: pytest.FixtureRequest):
    page.get_by_label("Every pair at every layer").check()
    expect(page.locator("#curve .heatmaplayer .hm")).to_have_count(1)
    page.get_by_role("button", name="The curve as a table").click()
    check_barriers(page, "heat map")
    open_tab(page, "Answers")
    page.click("#compare")
    expect(page.locator("#compare-note")).to_contain_text("2 prompts", timeout=60_000)
    expect(page.locator("#compare-link a")).to_be_visible()
    check_barriers(page, "answers")
    open_tab(page, "Evaluate")
    page.click("#evaluate")
    expect(page.locator("#evaluate-table")).to_contain_text("permutation p", timeout=60_000)
    check_barriers(page, "evaluation")
    start_training(page, f"axe-{request.node.callspec.id}", 2)
    expect(page.locator("#train-status")).to_contain_text("Done: 2 steps", timeout=60_000)
    page.get_by_role("button", name="Your runs").click()
    page.get_by_role("button", name="As a command, or as a preset to keep").click()
    check_barriers(page, "run")


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
    expect(page.locator("#compare-note")).to_contain_text("2 prompts", timeout=60_000)


def test_the_bundled_adapters_are_offered(page: Page):
    page.locator("#adapter input").click()
    for name in shipped_adapters():
        expect(page.get_by_role("option", name=name, exact=True)).to_be_visible()
    assert {"mini-corrected", "mini-published", "mini-shuffled"} <= set(shipped_adapters())


def test_an_adapter_is_brought_from_a_file_used_and_downloaded(page: Page, tmp_path: Path):
    source = ROOT / "adapters" / "mini-published"
    for name, base in (("Mine", "models/lugha-mini"), ("other", "someone/other-base")):
        folder = tmp_path / name
        shutil.copytree(source, folder)
        config = folder / "adapter_config.json"
        config.write_text(config.read_text().replace("models/lugha-mini", base))
        shutil.make_archive(str(folder), "zip", tmp_path, name)
    open_tab(page, "Adapters")
    upload = page.locator("#adapter-upload input[type=file]")
    upload.set_input_files(tmp_path / "other.zip")
    expect(page.get_by_text("other was made for someone/other-base, not for models/lugha-mini")).to_be_visible()
    page.get_by_label("Clear").or_(page.get_by_label("Remove")).first.click()
    upload.set_input_files(tmp_path / "Mine.zip")
    expect(page.locator("#adapter-said")).to_contain_text("Mine is ready", timeout=60_000)
    expect(page.locator("#adapter-table")).to_contain_text("brought")
    with page.expect_download() as download:
        page.locator("#adapter-download").click()
    assert "Mine/adapter_model.safetensors" in zipfile.ZipFile(download.value.path()).namelist()
    write(page, "#publish-as", "someone/mine")
    page.click("#publish")
    expect(page.get_by_text("Nobody is logged in to the Hub")).to_be_visible()
    open_tab(page, "Alignment")
    expect(page.locator("#adapter input")).to_have_value("Mine")
    page.click("#measure")
    expect(page.locator("#curve .legendtext").filter(has_text="Mine")).to_have_count(2)


def test_a_model_of_the_hub_says_what_it_takes_before_anything_is_fetched(browser: Browser, tmp_path: Path):
    shard = "model-00001-of-00003.safetensors"
    with serve(write_checkpoint(tmp_path / "remote"), "owner/large") as served:
        port = free_port()
        environment = {**os.environ, "HF_ENDPOINT": served.endpoint, "HF_HOME": str(tmp_path / "home")}
        command = [sys.executable, "app.py", "--port", str(port), "--model", "owner/large", "--model", "lugha-mini"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert "Running on" in server.stdout.readline()
            context = browser.new_context(viewport={"width": 1440, "height": 1000})
            page = context.new_page()
            page.set_default_timeout(30_000)
            problems = watched(page, f"http://127.0.0.1:{port}")
            page.goto(f"http://127.0.0.1:{port}")
            expect(page.locator("#load-about")).to_contain_text("owner/large is not loaded")
            expect(page.locator("#load-about")).to_contain_text("MB to download")
            page.click("#measure")
            expect(page.get_by_text("owner/large is not loaded yet: press Load")).to_be_visible()
            assert not served.gets[shard]
            page.screenshot(path=str(_artefact("load-panel")), full_page=True)
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
            context.close()
            assert not problems, problems
        finally:
            server.terminate()
            server.wait(timeout=30)


def test_the_page_speaks_swahili_to_a_swahili_browser_and_on_request(browser: Browser, address: str):
    context = browser.new_context(locale="sw-KE", viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    problems = watched(page, address)
    page.goto(address)
    expect(page.get_by_role("button", name="Onyesha mchoro")).to_be_visible()
    expect(page.get_by_text("Maneno ya Kiswahili na Kiingereza yako karibu kiasi gani")).to_be_visible()
    expect(page.locator("#curve .legendtext").first).to_be_visible()
    for tab, button in (("Mafunzo", "3 · Fundisha"), ("Majibu", "Linganisha"), ("Viambatisho", "Kichukue")):
        open_tab(page, tab)
        expect(page.get_by_role("button", name=button)).to_be_visible()
    page.screenshot(path=str(_artefact("swahili")), full_page=True)
    for language, button in (("English", "Show the curve"), ("Kiswahili", "Onyesha mchoro")):
        page.get_by_role("link", name=language).click()
        expect(page.get_by_role("button", name=button)).to_be_visible()
        expect(page.locator("#pair-table")).to_contain_text("kusoma")
        page.wait_for_timeout(500)  # leaving while something is on its way is an error to the browser
    assert page.evaluate("document.documentElement.lang") == "sw"
    context.close()
    assert not problems, problems


def test_the_guide_explains_with_the_bundled_adapters_figures_in_both_languages(page: Page):
    page.get_by_text("How to read this, in two minutes").click()
    guide = page.locator("#guide")
    expect(guide).to_contain_text("Only the distance between the two says anything")
    held_out = json.loads((ROOT / "adapters/mini-shuffled/tli.json").read_text())["held_out"][-1]
    expect(guide).to_contain_text(f"{held_out['matched']:.3f}")
    guide.get_by_role("tab", name="Kiswahili").click()
    expect(guide).to_contain_text("Umbali kati ya mistari hiyo miwili ndio unaosema kitu")
    expect(guide.get_by_role("cell", name=f"{held_out['mismatched']:.3f}").last).to_be_visible()
