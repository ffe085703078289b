"""Fine-tunes and evaluations as a visitor runs them, in a real browser."""

import io
import re
import zipfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browsing import check_results, choose, open_form, open_tab, set_epochs, start_training, watched, write
from tli_core.lists.formats import format_pairs
from tli_core.lists.lexicon import shipped


def test_fine_tuning_draws_and_gives_an_adapter_to_this_visitor_alone(
    shared_page: Page, browser: Browser, address: str
):
    page = shared_page
    start_training(page, "my-first", 6)
    expect(page.locator("#train-status")).to_contain_text("Done: 6 steps", timeout=60_000)
    expect(page.locator("#train-plot")).to_contain_text("held out: P@1")
    expect(page.locator("#train-verdict")).to_contain_text("mismatched")
    for name in ("my-first", "my-first-shuffled"):
        expect(page.locator("#train-curve .legendtext").filter(has_text=re.compile(f"^{name}$"))).to_have_count(1)
    with page.expect_download() as download:
        page.locator("#train-download").click()
    names = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())).namelist()
    assert {"my-first/adapter_model.safetensors", "my-first/tli.json", "my-first/README.md"} <= set(names)

    open_tab(page, "Alignment")
    expect(page.locator("#adapter input")).to_have_value("my-first")
    page.click("#measure")
    expect(page.locator("#curve .legendtext").filter(has_text="my-first")).to_have_count(1)
    open_tab(page, "Answers")
    expect(page.locator("#compare-adapter input")).to_have_value("my-first")

    context = browser.new_context()
    other = context.new_page()
    other.goto(address)
    expect(other.get_by_role("tab", name="Alignment", exact=True)).to_be_visible()
    open_tab(other, "Alignment")
    other.locator("#adapter input").click()
    expect(other.get_by_role("option", name="mini-corrected", exact=True)).to_be_visible()
    assert other.get_by_role("option", name="my-first").count() == 0
    context.close()


def open_run(page: Page, name: str) -> None:
    """Click the row of a run."""
    page.locator("#run-table [data-testid^=cell-]").filter(has_text=re.compile(f"^\\s*{name}\\s*$")).first.click()


def test_stopping_keeps_what_was_learned(shared_page: Page):
    page = shared_page
    start_training(page, "stopped", 200)
    expect(page.locator("#train-status")).to_contain_text("Step ", timeout=60_000)
    # Whose run it is, and from every tab that it goes on.
    expect(page.locator("#train-status")).to_contain_text("lugha-mini · corrected · epochs 200")
    open_tab(page, "Alignment")
    expect(page.locator("#run-note")).to_contain_text("stopped is being fine-tuned. Step ")
    page.click("#run-open")
    page.click("#stop", timeout=60_000)
    expect(page.locator("#train-status")).to_contain_text("Done (stopped at step", timeout=60_000)
    expect(page.locator("#run-note")).to_be_hidden()
    expect(page.locator("#train-status")).to_contain_text("stopped")
    page.click("#run-back")
    expect(page.locator("#start")).to_be_visible()
    expect(page).not_to_have_url(re.compile("job="))


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
    expect(page).to_have_url(re.compile("job="))
    page.click("#stop", timeout=60_000)
    expect(page.locator("#train-status")).to_contain_text("Done (stopped at step", timeout=60_000)
    stopped_at = int(re.search(r"(\d+) steps in", page.locator("#train-status").inner_text()).group(1))
    page.click("#resume")
    status = page.locator("#train-status")
    expect(status).to_contain_text(re.compile(rf"Step (?!{stopped_at} )\d+ of 200"), timeout=60_000)
    assert int(re.search(r"Step (\d+) of", status.inner_text()).group(1)) > stopped_at
    # Whoever has the link sees the run; nobody else does.
    other = browser.new_context(viewport={"width": 1440, "height": 1000})
    guest = other.new_page()
    guest.goto(page.url)
    expect(guest.locator("#train-status")).to_contain_text(re.compile(r"Step \d+ of 200"), timeout=60_000)
    other.close()

    page.click("#run-back")
    open_run(page, "survivor")
    expect(status).to_contain_text("survivor")
    page.get_by_role("button", name="Rename or delete this run").click()
    page.click("#run-delete")
    page.click("#run-keep")
    expect(page.locator("#run-delete-sure")).to_be_hidden()
    page.click("#run-delete")
    address_of_it = page.url
    page.click("#run-delete-sure")
    expect(page.get_by_text("There is no run in this browser yet")).to_be_visible()
    page = context.new_page()
    page.goto(address_of_it)
    expect(page.get_by_text("The run of this link is no longer there.")).to_be_visible()
    context.close()
    assert not problems, problems


def test_knobs_become_a_command_and_a_preset_and_a_bad_list_is_one_sentence(shared_page: Page, tmp_path: Path):
    page = shared_page
    open_form(page)
    page.get_by_role("button", name="As a command, or as a preset to keep").click()
    set_epochs(page, 3)
    expect(page.locator("#command")).to_contain_text("--epochs 3")
    expect(page.locator("#preset-text")).to_contain_text("learning_rate: 0.001")
    (tmp_path / "mine.yaml").write_text("preset: published\nepochs: 2\nshuffled: true\n")
    page.locator("#preset-panel input[type=file]").set_input_files(tmp_path / "mine.yaml")
    expect(page.locator("#command")).to_contain_text("--preset published")
    expect(page.locator("#setting-shuffled input")).to_be_checked()
    expect(page.locator("#command")).to_contain_text("--shuffled")
    expect(page.locator("#setting-epochs input")).to_have_value("2")

    page.locator("#train-source").get_by_label("pairs I type").check()
    write(page, "#train-pairs", "")
    page.click("#start")
    expect(page.get_by_text("No pair could be read.")).to_be_visible()
    expect(page.locator("#start")).to_be_enabled()


def test_a_field_of_the_map_puts_its_settings_into_the_form(shared_page: Page):
    page = shared_page
    open_form(page)
    page.get_by_role("button", name="Where training helps: a map").click()
    expect(page.locator("#map-told")).to_contain_text("training helps in both directions in 4 of 24 settings")
    expect(page.locator("#map-plot .heatmaplayer .hm")).to_have_count(1)
    set_epochs(page, 5)
    page.locator("#map-rows").get_by_text("layer 9, triplet").first.click()
    expect(page.locator("#setting-layer").locator("textarea, input").first).to_have_value("9")
    expect(page.locator("#setting-epochs input")).to_have_value("3")
    check_results(page, "map")


def test_the_published_protocol_step_by_step_with_its_control(page: Page):
    open_tab(page, "Fine-tune")
    page.locator("#preset").get_by_label("published").check()
    page.get_by_label("pairs I type").check()
    page.locator("#train-pairs textarea").fill(
        "maji, water\nmoto, fire\nmti, tree\nsimba, lion\njua, sun\nkula, to eat"
    )
    page.get_by_role("button", name="Reproduce the paper, step by step").click()
    page.click("#pilot")
    expect(page.locator("#paper-told")).to_contain_text("BOS carries 100 % of every vector", timeout=60_000)
    expect(page.locator("#paper-plot .legendtext").filter(has_text="with BOS")).to_have_count(1)
    page.click("#dry-run")
    expect(page.locator("#paper-told")).to_contain_text("almost no signal", timeout=60_000)
    expect(page.locator("#paper-told")).to_contain_text("0.400 (the margin)")
    expect(page.locator("#protocol")).to_contain_text("2 · Dry run")
    write(page, "#adapter-name", "as-published")
    set_epochs(page, 2)
    page.click("#start")
    status = page.locator("#train-status")
    expect(status).to_contain_text("Done: 2 steps", timeout=60_000)
    expect(status).to_contain_text("Control done: 2 steps", timeout=60_000)
    expect(page.locator("#train-curve .legendtext").filter(has_text="as-published-shuffled")).to_have_count(1)
    expect(page.locator("#train-plot .legendtext").filter(has_text="as-published-shuffled")).to_have_count(1)
    expect(page.locator("#train-verdict")).to_contain_text("The control, trained on wrong translations")
    expect(page.locator("#control-run")).to_be_hidden()
    page.get_by_role("button", name="Its settings").click()
    expect(page.locator("#run-settings")).to_contain_text("--preset published")
    expect(page.locator("#run-settings")).to_contain_text("--with-control")
    page.click("#run-report-make")
    with page.expect_download() as download:
        page.click("#run-report")
    names = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())).namelist()
    assert "as-published-report/report.html" in names
    page.get_by_role("button", name="Rename or delete this run").click()
    write(page, "#run-name", "renamed")
    page.click("#run-rename")
    expect(status).to_contain_text("renamed")
    check_results(page, "run")

    page.click("#run-back")
    # The row of its control opens the same page, and what is done there is done to the run.
    open_run(page, "as-published-shuffled")
    expect(status).to_contain_text("Control done")
    page.locator("#run-name input, #run-name textarea").first.fill("once-more")
    page.click("#run-rename")
    expect(status).to_contain_text("once-more")
    page.click("#run-back")
    expect(page.locator("#protocol")).to_contain_text("3 · Result at the output")
    expect(page.locator("#protocol")).to_contain_text("4 · Shuffled control")
    expect(page.locator("#run-table")).to_contain_text("published, shuffled")
    page.click("#run-overlay")
    legend = page.locator("#run-plot .legendtext")
    expect(legend.filter(has_text=re.compile("^once-more$"))).to_have_count(1)
    expect(legend.filter(has_text="as-published-shuffled")).to_have_count(1)
    check_results(page, "runs")


def test_the_page_of_a_run_shows_nothing_of_another_one(page: Page):
    start_training(page, "short", 2)
    status = page.locator("#train-status")
    expect(status).to_contain_text("Done: 2 steps", timeout=60_000)
    page.click("#run-back")
    start_training(page, "long", 200)
    expect(status).to_contain_text(re.compile(r"Step \d+ of 200"), timeout=60_000)
    expect(page.locator("#train-verdict")).to_be_hidden()
    page.click("#run-back")
    open_run(page, "short")
    expect(status).to_contain_text("Done: 2 steps", timeout=60_000)
    before = page.locator("#run-note").inner_text()
    # The other one goes on, which the line above the tabs alone says.
    expect(page.locator("#run-note")).not_to_have_text(before)
    expect(page.locator("#run-note")).to_contain_text("long is being fine-tuned.")
    expect(status).to_contain_text("Done: 2 steps")
    expect(page.locator("#train-plot .legendtext").filter(has_text="long")).to_have_count(0)
    page.click("#run-open")
    expect(status).to_contain_text(re.compile(r"Step \d+ of 200"))
    page.click("#stop", timeout=60_000)
    expect(status).to_contain_text("Done (stopped at step", timeout=60_000)


TRAINED_PAIRS = format_pairs(shipped("train")[:24]).splitlines()


def type_trained_pairs(page: Page) -> None:
    """Evaluate on a few of the pairs that the shipped adapters were trained on, instead of all."""
    page.locator("#evaluate-trained").get_by_label("pairs I type").check()
    page.locator("#evaluate-trained-pairs textarea").fill("\n".join(TRAINED_PAIRS))


def test_evaluating_shows_every_control_gives_a_report_and_can_be_cancelled(shared_page: Page):
    page = shared_page
    open_tab(page, "Evaluate")
    choose(page, "#evaluate-adapter", "mini-shuffled")
    type_trained_pairs(page)
    page.click("#evaluate")
    status = page.locator("#evaluate-status")
    expect(status).to_contain_text("Collapsed", timeout=60_000)
    expect(page.locator("#evaluate-table")).to_contain_text("mismatched before → after")
    expect(page.locator("#provenance")).to_contain_text("adapter mini-shuffled (sha256 ")
    page.get_by_label("What changed at every layer").check()
    expect(page.locator("#evaluate-plot .legendtext").filter(has_text="control")).to_have_count(1)
    expect(page.locator("#evaluate-plot")).to_contain_text("change of the gap to wrong pairs")
    page.locator("#evaluate-chart-table").get_by_role("button", name="This chart as a table").click()
    expect(page.locator("#evaluate-chart-table")).to_contain_text("trained")
    page.get_by_label("With BOS averaged in").check()
    expect(page.locator("#evaluate-plot .legendtext").filter(has_text="BOS averaged in")).to_have_count(1)
    expect(page.locator("#evaluate")).to_be_enabled()
    check_results(page, "evaluation")
    page.get_by_label("Pick the layer by the trained list").check()
    expect(page.locator("#evaluate-warning")).to_contain_text("picked on 24 of these pairs")
    with page.expect_download() as download:
        page.locator("#report").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    names = {Path(name).name for name in archive.namelist()}
    assert {"report.html", "report.json", "layers.csv", "pairs.csv", "README.md"} <= names
    # A list that takes long enough to be cancelled.
    page.locator("#evaluate-trained").get_by_label("what it was trained on").check()
    page.click("#evaluate")
    page.click("#evaluate-cancel")
    expect(page.get_by_text("Cancelled. What was on the page before is still there.")).to_be_visible(timeout=60_000)
    expect(page.locator("#evaluate")).to_be_enabled()


def test_the_answers_show_harm_that_cosines_hide(shared_page: Page):
    page = shared_page
    open_tab(page, "Evaluate")
    choose(page, "#evaluate-adapter", "mini-shuffled")
    type_trained_pairs(page)
    page.locator("#evaluate-control").get_by_label("pairs I type").check()
    page.locator("#evaluate-control-pairs textarea").fill(f"{TRAINED_PAIRS[-1]}\nmoto, fire\nsimba, lion\nkula, to eat")
    page.click("#evaluate")
    expect(page.locator("#evaluate-warning")).to_contain_text("also in the trained list", timeout=60_000)
    page.click("#ask")
    expect(page.locator("#answers-note")).to_contain_text("Two verdicts. Vectors: ", timeout=60_000)
    expect(page.locator("#answers-note")).to_contain_text("Text: what it writes is harmed: translations to English")
    expect(page.locator("#answers")).to_contain_text("perplexity on plain Swahili")
    expect(page.locator("#probes")).to_contain_text("Swahili to English")
    # Its link evaluates again by itself, lists that were typed and all.
    expect(page).to_have_url(re.compile("tab=evaluate.*adapter=mini-shuffled.*list=typed"))
    page.reload()
    expect(page.locator("#evaluate-control-pairs textarea")).to_have_value(re.compile("moto, fire\nsimba, lion"))
    expect(page.locator("#evaluate-warning")).to_contain_text("also in the trained list", timeout=60_000)
    expect(page.locator("#evaluate-status")).to_contain_text("mini-shuffled · lugha-mini")
