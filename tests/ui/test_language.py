"""Every text has its Swahili, none is stale, and figures, links and marks are kept."""

import re
import string

import gradio as gr
import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import ui.page
import ui.serve
from tli_core.i18n import (
    ENGLISH,
    SWAHILI,
    catalogue_path,
    in_language,
    set_reader_language,
    translate,
    translate_plural,
)
from tli_core.locales.__main__ import unfinished
from tli_core.locales.extract import template
from tli_core.models.registry import ROOT
from ui.language import SWAHILI_TEXTS, _opened_in_swahili, language_of_reader, swahili_of, wants_swahili
from ui.server.jobs import Jobs
from ui.server.visitors import Models
from ui.tabs.word import kept_answer


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    models = Models(ui.serve.OFFERED)
    return ui.page.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))


def catalogue(language: str) -> Catalog:
    with catalogue_path(language).open("rb") as file:
        return read_po(file, locale=language)


def forms(entry: str | tuple[str, ...]) -> tuple[str, ...]:
    """A text, or its singular and plural."""
    return entry if isinstance(entry, tuple) else (entry,)


def fields_of(texts: tuple[str, ...]) -> set:
    """The fields of a text and how each is written, without their order."""
    return {(name, form) for text in texts for _, name, form, _ in string.Formatter().parse(text) if name is not None}


@pytest.fixture(scope="module")
def entries() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every text of the Swahili catalogue with its translation."""
    return [(forms(entry.id), forms(entry.string)) for entry in catalogue(SWAHILI) if entry.id]


def test_words_that_were_decided_against_are_nowhere_in_the_catalogue(entries):
    glossary = (ROOT / "docs/glossary-sw.md").read_text(encoding="utf-8").partition("## What was decided against")[2]
    rejected = re.findall(r"^\| ([a-z ]+) \|", glossary, re.MULTILINE)[1:]
    assert "adapta" in rejected
    for word in rejected:
        stray = [text for _, texts in entries for text in texts if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
        assert not stray, (word, stray[0][:100])


def test_no_text_is_untranslated_and_no_translation_is_stale():
    """Where this fails, `python -m tli_core.locales` brings the catalogue up to date and lists what is left."""
    known, wanted = catalogue(SWAHILI), template()
    assert len(wanted) > 700
    assert unfinished(known) == []
    assert {entry.id for entry in known} == {entry.id for entry in wanted}


def test_a_text_without_its_translation_is_found():
    lacking = catalogue(SWAHILI)
    lacking.add("A text of tomorrow", "")
    lacking.add("A text that changed", "Maandishi ya jana", flags=["fuzzy"])
    assert unfinished(lacking) == ["A text of tomorrow", "A text that changed"]


def test_swahili_has_the_fields_of_its_english(entries):
    assert not [english for english, swahili in entries if fields_of(english) != fields_of(swahili)]


def test_a_number_takes_the_form_that_the_language_has_for_it():
    one, many = "From {n} pair.", "From {n} pairs."
    assert (translate_plural(one, many, 1), translate_plural(one, many, 3)) == ("From 1 pair.", "From 3 pairs.")
    known = next(entry for entry in catalogue(SWAHILI) if isinstance(entry.id, tuple) and "hint" in entry.id[0])
    with in_language(SWAHILI):
        said = [translate_plural(*known.id, n) for n in (1, 3)]
    assert said[0] != said[1] and "3" in said[1] and "hint" not in " ".join(said)


def test_every_button_and_tab_has_its_swahili(demo):
    for part in demo.blocks.values():
        text = part.label if isinstance(part, gr.Tab) else part.value if isinstance(part, gr.Button) else None
        assert text in (None, "Kiswahili", "Duplicate Space") or text in SWAHILI_TEXTS, text


def test_choices_keep_their_values(demo):
    radios = [(part, swahili_of(part)["choices"]) for part in demo.blocks.values() if "choices" in swahili_of(part)]
    assert len(radios) > 5
    assert all([value for _, value in part.choices] == [value for _, value in choices] for part, choices in radios)


def test_a_choice_with_a_number_in_it_is_swahili_too(demo):
    (picker,) = (part for part in demo.blocks.values() if getattr(part, "elem_id", None) == "layer")
    assert ("layer 3", "3") in picker.choices and ("tabaka la 3", "3") in swahili_of(picker)["choices"]


def test_the_choice_of_languages_names_them_in_the_readers(demo):
    pickers = [part for part in demo.blocks.values() if str(getattr(part, "elem_id", "")).endswith("languages")]
    assert pickers and all(("Kiswahili – Kiingereza", "sw-en") in swahili_of(part)["choices"] for part in pickers)


def test_the_page_comes_with_an_answer_in_each_language(demo):
    (answer,) = (part for part in demo.blocks.values() if getattr(part, "elem_id", None) == "word-answer")
    assert answer.value == kept_answer("en") and "water ✓" in answer.value
    assert swahili_of(answer)["value"] == kept_answer("sw") != answer.value


@pytest.mark.parametrize(
    ("asked", "accepted", "swahili"),
    [(None, "sw-KE,en;q=0.8", True), (None, "en-GB,sw;q=0.8", False), ("sw", "en", True), ("en", "sw", False)],
)
def test_a_choice_comes_before_what_the_browser_likes(asked, accepted, swahili):
    assert wants_swahili(asked, accepted) is swahili


def test_a_page_is_sent_in_its_readers_language_from_the_start(demo):
    def button(readers: bool) -> str:
        token = _opened_in_swahili.set(readers)
        try:
            return next(
                c["props"]["value"] for c in demo.config["components"] if c["props"].get("elem_id") == "measure"
            )
        finally:
            _opened_in_swahili.reset(token)

    assert (button(False), button(True)) == ("Show the curve", "Onyesha mchoro")


def test_somebodys_own_words_are_said_as_they_stand():
    assert translate('Mend {"swahili": 1}.') == 'Mend {"swahili": 1}.'


def test_it_is_said_in_the_readers_language_unless_another_was_settled():
    set_reader_language(lambda: SWAHILI)
    try:
        assert translate("block {number}", number=3) == "bloku la 3"
        with in_language(ENGLISH):
            assert translate("block {number}", number=3) == "block 3"
    finally:
        set_reader_language(language_of_reader)
    # Outside a visitor's event, as on the command line or in a job.
    assert translate("block {number}", number=3) == "block 3"


def test_marks_and_figures_are_kept(entries):
    marks = [re.compile(mark, re.M) for mark in (r"^#+ ", r"\d+", r"\n\n", r"`[^`]+`")]
    assert not [
        (mark.pattern, english)
        for english, swahili in entries
        for mark in marks
        if len(mark.findall(english[-1])) != len(mark.findall(swahili[-1]))
    ]
