"""Every Swahili text stands for a text of the page, and keeps its figures, links and marks."""

import re

import gradio as gr
import pytest

import app
from ui.jobs import Jobs
from ui.language import SWAHILI, swahili_of, wants_swahili
from ui.visitors import Models


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    models = Models(app.OFFERED)
    return app.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))


def test_no_swahili_text_stands_for_an_english_one_that_is_gone(demo):
    used = set()
    for part in demo.blocks.values():
        for text in swahili_of(part).values():
            used |= {label for label, _ in text} if isinstance(text, list) else {text}
    assert set(SWAHILI.values()) <= used


def test_every_button_and_tab_has_its_swahili(demo):
    for part in demo.blocks.values():
        text = part.label if isinstance(part, gr.Tab) else part.value if isinstance(part, gr.Button) else None
        assert text in (None, "Kiswahili", "Duplicate Space") or text in SWAHILI, text


def test_choices_keep_their_values(demo):
    radios = [(part, swahili_of(part)["choices"]) for part in demo.blocks.values() if "choices" in swahili_of(part)]
    assert len(radios) > 5
    assert all([value for _, value in part.choices] == [value for _, value in choices] for part, choices in radios)


@pytest.mark.parametrize(
    ("asked", "accepted", "swahili"),
    [(None, "sw-KE,en;q=0.8", True), (None, "en-GB,sw;q=0.8", False), ("sw", "en", True), ("en", "sw", False)],
)
def test_a_choice_comes_before_what_the_browser_likes(asked, accepted, swahili):
    assert wants_swahili(asked, accepted) is swahili


@pytest.mark.parametrize("english", list(SWAHILI))
def test_marks_and_figures_are_kept(english):
    for mark in (r"^#+ ", r"\d+", r"\n\n", r"`[^`]+`"):
        assert len(re.findall(mark, english, re.M)) == len(re.findall(mark, SWAHILI[english], re.M)), mark
