"""The app as a visitor uses it, in a real browser: pairs, words, answers, lists and adapters."""

import json
import re
import shutil
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browsing import check_results, choose, keep_picture, open_tab, write
from tli_core.lists.lexicon import shipped
from tli_core.models.registry import ROOT, shipped_adapters

TRACES = ".js-plotly-plot .scatterlayer .trace"


def test_a_first_visit_finds_a_curve_with_its_control_a_guide_examples_and_adapters(page: Page):
    expect(page.locator("#reading")).to_contain_text("for wrong ones")
    expect(page.locator("#reading")).to_contain_text("lugha-mini")
    legend = page.locator("#curve .legendtext")
    expect(legend.filter(has_text="right pairs")).to_have_count(1)
    expect(legend.filter(has_text="wrong pairs")).to_have_count(3)

    page.get_by_text("How to read this, in two minutes").click()
    guide = page.locator("#guide")
    expect(guide).to_contain_text("Only the distance between the two says anything")
    held_out = json.loads((ROOT / "adapters/mini-shuffled/tli.json").read_text())["held_out"][-1]
    expect(guide).to_contain_text(f"{held_out['matched']:.3f}")
    guide.get_by_role("tab", name="Kiswahili").click()
    expect(guide).to_contain_text("Umbali kati ya mistari hiyo miwili ndio unaosema kitu")
    expect(guide.get_by_role("cell", name=f"{held_out['mismatched']:.3f}").last).to_be_visible()

    page.get_by_label("Wrong on purpose").check()
    expect(page.locator("#pairs textarea")).to_have_value("maji, school\nmbwa, bread\nrafiki, mountain\nasali, train")
    expect(page.locator("#pair-table")).to_contain_text("mountain")
    page.locator("#adapter input").click()
    assert {"mini-corrected", "mini-published", "mini-shuffled"} <= set(shipped_adapters())
    for name in shipped_adapters():
        expect(page.get_by_role("option", name=name, exact=True)).to_be_visible()


def test_typing_pairs_and_laying_an_adapter_over_them(shared_page: Page):
    page = shared_page
    write(page, "#pairs", "mjai, water\nlion, simba\nthis line is bad\nkusoma, to read")
    page.click("#measure")
    expect(page.locator("#pair-table")).to_contain_text("simba")
    expect(page.locator("#alignment-warning")).to_contain_text("Line 3")
    expect(page.locator("#alignment-warning")).to_contain_text("A slip of the hand? mjai, water. → write maji, water")
    expect(page.locator("#alignment-warning")).to_contain_text("The two sides look swapped: lion, simba.")
    choose(page, "#adapter", "mini-corrected")
    expect(page.locator("#curve .legendtext").filter(has_text="mini-corrected")).to_have_count(1)
    expect(page.locator("#reading")).to_contain_text("mini-corrected")
    # The file holds both, each by its name, and is named after them.
    with page.expect_download() as download:
        page.locator("#alignment-json").click()
    held = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert download.value.suggested_filename == "alignment-lugha-mini-mini-corrected-spaced-3-pairs.json"
    assert list(held["results"]) == ["lugha-mini", "mini-corrected"] and any("Line 3" in note for note in held["notes"])
    assert held["results"]["mini-corrected"]["adapter"]["name"] == "mini-corrected"
    page.get_by_role("button", name="The curve as a table").click()
    table = page.locator("#layer-table")
    expect(table).to_contain_text("lugha-mini + mini-corrected · after a space · 3 pairs")
    page.get_by_role("button", name="The curve as a table").click()
    before = page.locator("#curve").locator(TRACES).count()
    page.get_by_label("Show each pair's own line").check()
    expect(page.locator("#curve").locator(TRACES)).to_have_count(before + 6)


def test_bos_averaged_in_is_warned_about(page: Page):
    expect(page.locator("#pair-table")).to_contain_text("kusoma")
    page.get_by_role("button", name="How words are read").click()
    page.get_by_label("every token, BOS too").check()
    expect(page.locator("#alignment-warning")).to_contain_text("BOS is averaged in")
    page.get_by_label("Every pair at every layer").check()
    expect(page.locator("#curve .heatmaplayer .hm")).to_have_count(1)
    expect(page.locator("#curve")).to_contain_text("maji – water")
    page.get_by_role("button", name="The curve as a table").click()
    check_results(page, "heat map")


def test_the_layer_that_is_chosen_holds_for_curve_and_pairs(page: Page):
    expect(page.locator("#pair-table")).to_contain_text("Each pair at the output")
    page.get_by_role("button", name="How words are read").click()
    choose(page, "#layer", "layer 4")
    expect(page.locator("#pair-table")).to_contain_text("Each pair at block 4")
    expect(page.locator("#curve .shapelayer path")).to_have_count(1)
    expect(page.locator("#alignment-link a")).to_have_attribute("href", re.compile("layer=4"))
    page.wait_for_function("location.search.includes('layer=4')")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#pair-table")).to_contain_text("Each pair at block 4")
    other.close()


def test_adapters_and_saved_measurements_are_compared_and_drawn_for_a_paper(page: Page, tmp_path: Path):
    open_tab(page, "Compare")
    page.get_by_label("lugha-mini + mini-published", exact=True).uncheck()
    page.get_by_label("lugha-mini-mini-gentle-sw-en-control-spaced-raw").check()
    page.click("#comparison")
    board = page.locator("#leaderboard")
    expect(board).to_contain_text("lugha-mini + mini-gentle (4)", timeout=60_000)
    expect(page.locator("#comparison-status")).to_contain_text("The best of 4 that were measured alike is best")
    expect(page.locator("#comparison-reading")).to_contain_text("lugha-mini + mini-corrected beside lugha-mini")
    expect(page.locator("#comparison-origin")).to_contain_text("Checksum")
    expect(page.locator("#comparison-plot .legendtext").filter(has_text="spelling alone")).to_have_count(1)
    expect(page.locator("#comparison-rows")).to_contain_text("✓")
    board.get_by_text("lugha-mini + mini-corrected").first.click()
    expect(page.locator("#comparison-rows")).to_contain_text("Each pair of lugha-mini + mini-corrected, at the output")
    check_results(page, "comparison")
    hues = page.locator("#comparison-plot .legendlines path").evaluate_all("of => of.map(p => p.style.stroke)")
    choose(page, "#comparison-reference", "lugha-mini + mini-corrected")
    expect(page.locator("#comparison-reading")).to_contain_text("lugha-mini beside lugha-mini + mini-corrected")
    # Whatever they are set against, each keeps its colour.
    assert page.locator("#comparison-plot .legendlines path").evaluate_all("of => of.map(p => p.style.stroke)") == hues
    page.get_by_role("button", name="How words are read").click()
    choose(page, "#layer", "layer 2")
    expect(page.locator("#comparison-reading")).to_contain_text("each at block 2")
    page.locator("#comparison-figure > button").click()
    caption = page.locator("#comparison-figure-caption textarea")
    expect(caption).to_have_value(re.compile("The long dashes mark block 2"), timeout=30_000)
    with page.expect_download() as download:
        page.click("#comparison-figure-download")
    names = zipfile.ZipFile(download.value.path()).namelist()
    assert {Path(name).suffix for name in names if "." in name} == {".pdf", ".svg", ".png", ".csv", ".txt", ".bib"}
    assert any(name.endswith("-leaderboard.csv") for name in names)
    page.wait_for_function("location.search.includes('layer=2')")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#leaderboard")).to_contain_text("lugha-mini + mini-gentle (4)", timeout=60_000)
    expect(other.locator("#comparison-reading")).to_contain_text("beside lugha-mini + mini-corrected, each at block 2")
    other.goto(page.url.replace("layer=2", "layer=99"))
    expect(other.locator(".toast-body")).to_contain_text("asks for '99' as its layer, which is not here")
    other.close()
    (tmp_path / "mine.safetensors").write_bytes(b"nothing")
    page.locator("#comparison-upload input[type=file]").set_input_files(tmp_path / "mine.safetensors")
    page.click("#comparison")
    expect(page.locator(".toast-body")).to_contain_text("mine.safetensors is no saved measurement")
    expect(page.locator("#comparison-status")).to_contain_text("Not compared")


def test_a_pair_that_is_clicked_anywhere_is_marked_everywhere(page: Page):
    page.get_by_label("Food").check()
    expect(page.locator("#pair-table")).to_contain_text("mkate")
    open_tab(page, "Space")
    page.click("#draw-space")
    expect(page.locator("#space-plot .legendtext").first).to_be_visible(timeout=60_000)
    expect(page.locator("#space-plot .textpoint")).to_have_count(0)
    open_tab(page, "Compare")
    page.locator("#comparison-here").get_by_label("lugha-mini + mini-published", exact=True).uncheck()
    page.click("#comparison")
    word = page.locator("#comparison-rows [data-testid=cell-3-0]")
    expect(word).to_be_visible(timeout=60_000)
    picked = word.inner_text().strip()
    word.click()
    expect(page.locator("#comparison-rows .picked")).to_contain_text(picked)
    expect(page.locator("#comparison-plot .legendtext").filter(has_text=f"{picked} –")).to_have_count(1)
    open_tab(page, "Space")
    expect(page.locator("#space-plot .textpoint")).to_have_count(4)
    expect(page.locator("#space-plot .textpoint").first).to_have_text(picked)
    # From a mark of the heat map to the row of a table; a second click lets go.
    open_tab(page, "Alignment")
    page.get_by_label("Every pair at every layer").check()
    expect(page.locator("#curve .heatmaplayer .hm")).to_have_count(1)
    page.wait_for_timeout(1000)
    for marked in (1, 0):
        map_of = page.locator("#curve .nsewdrag").first.bounding_box()
        page.mouse.click(map_of["x"] + map_of["width"] / 2, map_of["y"] + 12)
        expect(page.locator("#pair-table .picked")).to_have_count(marked)
        expect(page.locator("#curve .yaxislayer-above").get_by_text("▸")).to_have_count(marked)
        page.wait_for_timeout(1500)  # Plotly takes two clicks within a moment for one double click


def test_pairs_come_from_a_table_a_file_and_the_lexicon(page: Page, tmp_path: Path):
    page.get_by_role("tab", name="Table").click()
    cell = page.locator("#pairs-table [data-testid=cell-0-1]")
    expect(cell).to_contain_text("water")
    cell.dblclick()
    expect(cell.locator("textarea, input")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("the water")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Text").click()
    expect(page.locator("#pairs textarea")).to_have_value(re.compile("maji, the water\nmbwa, dog"))
    page.get_by_role("tab", name="Lexicon").click()
    choose(page, "#topic", "colours")
    page.get_by_label(re.compile("eusi – black")).check()
    page.click("#topic-take")
    expect(page.get_by_text("Pairs in the list: 1.")).to_be_visible()
    # What they are about goes with them, through the table and back.
    page.get_by_role("tab", name="Table").click()
    expect(page.locator("#pairs-table")).to_contain_text("colours")
    cell.dblclick()
    expect(cell.locator("textarea, input")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("dark")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Text").click()
    expect(page.locator("#pairs textarea")).to_have_value("# topic: colours\nnyeusi, dark")
    page.get_by_role("tab", name="File").click()
    (tmp_path / "mine.csv").write_text("english,swahili\nlion,simba\nmilk\nmilk,maziwa\n")
    page.locator("#pairs-upload input[type=file]").set_input_files(tmp_path / "mine.csv")
    expect(page.locator("#pair-table")).to_contain_text("maziwa")
    expect(page.get_by_text("Line 3: expected at least 2 columns")).to_be_visible()
    expect(page.locator("#alignment-warning")).to_contain_text("Line 3")
    # Its pieces, and its own line once its row is clicked.
    expect(page.locator("#pair-table")).to_contain_text("|")
    page.locator("#pair-table [data-testid=cell-1-0]").click()
    expect(page.locator("#curve .legendtext").filter(has_text="maziwa – milk")).to_have_count(1)
    expect(page).to_have_url(re.compile("tab=alignment"))
    page.reload()
    expect(page.locator("#pair-table")).to_contain_text("maziwa")


def test_hostile_words_stay_words_and_what_cannot_be_read_or_had_is_one_sentence(page: Page, address: str):
    write(page, "#pairs", "<i>paka</i>, ")
    page.click("#measure")
    expect(page.get_by_text("No pair could be read. Line 1: the English side is empty")).to_be_visible()
    expect(page.locator("#pairs textarea")).to_have_value("<i>paka</i>, ")
    expect(page.locator("#curve .legendtext").first).to_be_visible()
    expect(page.locator("#alignment-stale")).to_contain_text("What is below is from before")
    expect(page.locator("#curve .wrap:not(.hide) .error")).to_have_count(0)

    # Known tags are no part of a word; what looks like one is shown as it is.
    bad = "![a](http://127.0.0.1:9/y.png) <i>x</i> [b](http://127.0.0.1:9/z)"
    write(page, "#pairs", f"<x-y onerror=alert(1)>\t<b>water</b>\nmaji\twater\n{bad}")
    page.get_by_label("Show each pair's own line").check()
    page.click("#measure")
    expect(page.locator("#pair-table")).to_contain_text("<x-y onerror=alert(1)>")
    expect(page.locator("#alignment-warning")).to_contain_text("<i>x</i>")
    assert page.locator("x-y, #alignment-warning img, #alignment-warning a, #alignment-warning i").count() == 0

    open_tab(page, "Fine-tune")
    write(page, "#adapter-name", "<img src='/not-there.png'><u>x</u>")
    page.click("#start")
    expect(page.get_by_text("<img src='/not-there.png'>")).to_be_visible()
    assert page.locator("img[src*='not-there'], .toast-body u").count() == 0
    expect(page.locator("#train-status .wrap:not(.hide) .error")).to_have_count(0)

    page.goto(f"{address}?tab=answers&adapter=<u>nobody's</u>&pairs=simba, lion&tokens=3")
    expect(page.get_by_text("The link's adapter, <u>nobody's</u>, is not here for you")).to_be_visible()
    # What it asks is still there, and answered without the adapter.
    expect(page.locator("#compare-pairs textarea")).to_have_value("simba, lion")
    expect(page.locator("#compare-note")).to_contain_text("only the base's answer", timeout=60_000)


def test_the_space_and_a_words_neighbours(shared_page: Page):
    page = shared_page
    open_tab(page, "Space")
    page.click("#draw-space")
    expect(page.locator("#space-reading")).to_contain_text("under mini-corrected", timeout=60_000)
    expect(page.locator("#space-plot .legendtext").filter(has_text="Swahili")).to_have_count(1)
    expect(page.locator("#space-plot")).to_contain_text("% of the variance")
    page.locator("#space-colours").get_by_label("by topic").check()
    expect(page.locator("#space-plot .legendtext").filter(has_text="other topics, or none")).to_have_count(1)
    page.wait_for_function("document.querySelector('#space-plot .js-plotly-plot').dataset.plotly_selected")
    area = page.locator("#space-plot .subplot.xy").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.1)]
    places = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    expect(page.locator("#space-chosen")).to_contain_text(" – ")
    write(page, "#neighbour-word", "<x-y>maji")
    page.click("#find-neighbours")
    expect(page.locator("#neighbours-reading")).to_contain_text("does not know <x-y>maji", timeout=60_000)
    write(page, "#neighbour-word", "water")
    page.locator("#neighbour-language").get_by_label("English").check()
    page.click("#find-neighbours")
    expect(page.locator("#neighbours-reading")).to_contain_text("the right word is number", timeout=60_000)
    expect(page.locator("#neighbours")).to_contain_text("maji ✓")


def test_a_calibration_of_too_few_pairs_is_refused_and_its_button_is_there_again(shared_page: Page):
    page = shared_page
    open_tab(page, "Alignment")
    write(page, "#pairs", "maji, water\nsimba, lion")
    open_tab(page, "Calibration")
    expect(page.locator("#calibration-known input")).to_have_value("Swahili – English")
    page.get_by_label("those on the Alignment tab").check()
    page.click("#calibrate")
    expect(page.get_by_text("A calibration takes 5 to 300 pairs, and these are 2")).to_be_visible()
    expect(page.locator("#calibration-told")).to_contain_text("Not finished")
    expect(page.locator("#calibrate")).to_be_enabled()


def test_a_list_is_checked_mended_and_measured(shared_page: Page):
    page = shared_page
    open_tab(page, "Word lists")
    given = "-bovu, rotten\nbilauri, glass (drinking)\nunread\nmaji, water\nmaji, water\nradio, radio"
    write(page, "#list-text", given)
    page.click("#check-list")
    fixes = page.locator("#fixes")
    expect(fixes).to_contain_text("A note in brackets")
    expect(page.locator("#list-notes")).to_contain_text("counted once")
    expect(page.locator("#list-summary")).to_contain_text("Pieces a word, for this model: Swahili ")
    # What wants judgement is not ticked.
    expect(fixes.get_by_label("spelt the same in both languages")).not_to_be_checked()
    expect(page.locator("#list-why")).to_contain_text("All that stands in a cell is measured")
    page.click("#accept-fixes")
    # What could not be read is not lost.
    mended = "bovu, rotten\nbilauri, glass\nmaji, water\nradio, radio\nunread"
    expect(page.locator("#list-text textarea")).to_have_value(mended)
    expect(page.locator("#list-notes")).to_contain_text("Line 5: expected")
    page.click("#to-training")
    expect(page.locator("#train-pairs textarea")).to_have_value(re.compile("bilauri, glass"))
    open_tab(page, "Word lists")
    page.click("#to-alignment")
    expect(page.locator("#pair-table")).to_contain_text("bilauri")
    expect(page.locator("#pairs textarea")).to_have_value(mended)


def test_a_file_is_looked_at_read_otherwise_divided_and_measured(shared_page: Page, tmp_path: Path):
    page = shared_page
    open_tab(page, "Word lists")
    path = tmp_path / "list.csv"
    rows = "".join(f"{i};{pair.target};{pair.source};;\n" for i, pair in enumerate(shipped("train")[:30], 1))
    path.write_bytes(f"Nr.;English;Kiswahili;Notes;\n{rows}31;#N/A;moto;;\n".encode("utf-16"))
    page.locator("#list-upload input[type=file]").set_input_files(path)
    told = page.locator("#import-told")
    expect(told).to_contain_text("UTF-16 · separator: ; · Swahili in column 3 and English in column 2, by their names")
    expect(told).to_contain_text("30 pairs · 1 row left out")
    expect(page.locator("#import-preview")).to_contain_text("Kiswahili")
    expect(page.locator("#list-text textarea")).to_have_value(re.compile("mwanamume"))
    expect(page.locator("#list-summary")).to_contain_text("30 pairs")
    choose(page, "#import-source", "1: Nr.")
    expect(told).to_contain_text("the Swahili side holds no word")
    choose(page, "#import-source", "3: Kiswahili")
    expect(told).to_contain_text("30 pairs")
    expect(page.locator("#list-summary")).to_contain_text("30 pairs")
    page.click("#divide-list")
    expect(page.locator("#list-divided")).to_contain_text("They share no Swahili and no English word in any form")
    open_tab(page, "Fine-tune")
    expect(page.locator("#train-pairs textarea")).to_have_value(re.compile("rafiki, friend"))
    open_tab(page, "Alignment")
    page.click("#measure")
    expect(page.locator("#curve .legendtext").first).to_be_visible()


def test_one_word_is_enough(shared_page: Page):
    page = shared_page
    open_tab(page, "Alignment")
    write(page, "#pairs", "")
    page.locator("#pairs textarea").press_sequentially("kupanda")
    expect(page.locator("#one-word")).to_contain_text("kupanda – to climb")
    page.locator("#one-word").get_by_label("kupanda – to climb").click()  # it goes once it is chosen
    expect(page.locator("#pairs textarea")).to_have_value("kupanda, to climb")
    write(page, "#pairs", "maji")
    page.click("#measure")
    expect(page.locator("#pair-table")).to_contain_text("water")
    expect(page.locator("#alignment-warning")).to_contain_text("Translations from the lexicon: maji, water")
    write(page, "#pairs", "tarakilishi")
    page.click("#measure")
    expect(page.get_by_text("The lexicon has no translation of 'tarakilishi'")).to_be_visible()


def test_comparing_answers_side_by_side_and_reopening_them_by_their_link(shared_page: Page):
    page = shared_page
    open_tab(page, "Answers")
    choose(page, "#compare-adapter", "mini-corrected")
    page.click("#compare")
    expect(page.locator("#compare-note")).to_contain_text("the same for 1 of 3 prompts", timeout=60_000)
    choose(page, "#compare-adapter", "mini-shuffled")
    write(page, "#compare-pairs", "mkate, bread\nmaji, water")
    page.click("#compare")
    expect(page.locator("#compare-note")).to_contain_text("The two answers are the same for 0 of 2", timeout=60_000)
    expect(page.locator("#base-answer")).to_contain_text("English: bread")
    expect(page.get_by_text("Orange: where the two answers differ")).to_be_visible()
    expect(page.locator("#right-words")).to_contain_text("mkate – bread")
    expect(page.locator("#next-tokens")).to_contain_text("' water'")
    expect(page.locator("#compare")).to_be_enabled()
    expect(page).to_have_url(re.compile("tab=answers"))
    keep_picture(page, "answers")
    page.reload()
    expect(page.locator("#compare-pairs textarea")).to_have_value("mkate, bread\nmaji, water")
    expect(page.locator("#compare-adapter input")).to_have_value("mini-shuffled")
    # The link asks again by itself.
    expect(page.locator("#compare-note")).to_contain_text("The two answers are the same for 0 of 2", timeout=60_000)
    choose(page, "#template", "My own prompt")
    expect(page.locator("#compare-note")).to_contain_text("Both answers come from")
    expect(page.locator("#compare-pairs")).to_be_hidden()
    write(page, "#prompt", "Habari\n---\n<b>Hello</b>")
    page.click("#compare")
    expect(page.locator("#compare-note")).to_contain_text("2 prompts", timeout=60_000)
    expect(page.locator("#base-answer")).to_contain_text("<b>Hello</b>")
    expect(page.locator("#right-words")).to_be_hidden()
    expect(page.locator("#compare-link a")).to_be_visible()
    check_results(page, "answers")


def test_an_adapter_is_brought_from_a_file_used_and_downloaded(shared_page: Page, tmp_path: Path):
    page = shared_page
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
    expect(page.locator("#adapter-chosen input")).to_have_value("Mine")
    with page.expect_download() as download:
        page.locator("#adapter-download").click()
    assert "Mine/adapter_model.safetensors" in zipfile.ZipFile(download.value.path()).namelist()
    write(page, "#publish-as", "someone/mine")
    page.click("#publish")
    expect(page.get_by_text("Nobody is logged in to the Hub")).to_be_visible()
    # Under another name of the base, once its owner has said so; and it stays chosen above the button that publishes.
    page.get_by_label("It is for this base, whatever its config says").check()
    page.get_by_label("Clear").or_(page.get_by_label("Remove")).first.click()
    upload.set_input_files(tmp_path / "other.zip")
    expect(page.locator("#adapter-said")).to_contain_text("other is ready", timeout=60_000)
    expect(page.locator("#adapter-chosen input")).to_have_value("other")
    open_tab(page, "Alignment")
    expect(page.locator("#adapter input")).to_have_value("other")
    choose(page, "#adapter", "Mine")
    page.click("#measure")
    expect(page.locator("#curve .legendtext").filter(has_text="Mine")).to_have_count(1)


def test_other_languages_bring_their_pairs_and_every_readout_and_view(shared_page: Page):
    page = shared_page
    open_tab(page, "Alignment")
    choose(page, "#languages", "French – English")
    expect(page.locator("#pairs label").first).to_contain_text("French, English: one pair a line")
    expect(page.locator("#pair-table")).to_contain_text("douche")
    expect(page.locator("#tokens")).to_contain_text("Tokens of a word: French")
    page.get_by_role("button", name="How words are read").click()
    page.get_by_label("in a sentence").check()
    page.get_by_label("centred").check()
    expect(page.locator("#pair-table")).to_contain_text("in a sentence, centred · 10 pairs")
