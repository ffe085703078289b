"""Every Swahili text stands for a text of the page, and keeps its figures, links and marks."""

import ast
import re
import string
from collections import Counter

import gradio as gr
import pytest

import app
from tli_core.i18n import ENGLISH, ask_reader, say, speaking
from tli_core.models.registry import ROOT
from ui.language import SWAHILI, _opened_in_swahili, swahili_of, texts_of_reader, wants_swahili
from ui.server.jobs import Jobs
from ui.server.visitors import Models


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    models = Models(app.OFFERED)
    return app.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))


def texts_of_code() -> tuple[set[str], set[str]]:
    """Every string in the code, and those that `say` is given as they stand."""
    strings, said = set(), set()
    for path in [*(ROOT / "tli_core").rglob("*.py"), *(ROOT / "ui").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("say", "message"):
                given = [node.args[0].body, node.args[0].orelse] if isinstance(node.args[0], ast.IfExp) else node.args
                said |= {text.value for text in given if isinstance(text, ast.Constant)}
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "text":
                # A sentence too long to stand inside the call.
                said |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
    return strings, said


def fields_of(text: str) -> Counter:
    """The fields of a text and how each is written, without their order."""
    return Counter((name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None)


def test_no_swahili_text_stands_for_an_english_one_that_is_gone(demo):
    strings, _ = texts_of_code()
    shown = set()
    for part in demo.blocks.values():
        for text in swahili_of(part).values():
            if isinstance(text, list):
                shown |= {item if isinstance(item, str) else item[0] for item in text}
            elif isinstance(text, str):
                shown.add(text)
    assert not [english for english, swahili in SWAHILI.items() if english not in strings and swahili not in shown]


def test_whatever_is_said_has_its_swahili():
    _, said = texts_of_code()
    assert len(said) > 200
    assert not said - set(SWAHILI)


def test_swahili_has_the_fields_of_its_english():
    assert not [english for english, swahili in SWAHILI.items() if fields_of(english) != fields_of(swahili)]


def test_every_button_and_tab_has_its_swahili(demo):
    for part in demo.blocks.values():
        text = part.label if isinstance(part, gr.Tab) else part.value if isinstance(part, gr.Button) else None
        assert text in (None, "Kiswahili", "Duplicate Space") or text in SWAHILI, text


def test_choices_keep_their_values(demo):
    radios = [(part, swahili_of(part)["choices"]) for part in demo.blocks.values() if "choices" in swahili_of(part)]
    assert len(radios) > 5
    assert all([value for _, value in part.choices] == [value for _, value in choices] for part, choices in radios)


def test_a_choice_with_a_number_in_it_is_swahili_too(demo):
    (picker,) = (part for part in demo.blocks.values() if getattr(part, "elem_id", None) == "evaluate-layer")
    assert ("layer 3", "3") in picker.choices and ("tabaka la 3", "3") in swahili_of(picker)["choices"]


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
    assert say('Mend {"swahili": 1}.') == 'Mend {"swahili": 1}.'


def test_it_is_said_in_the_readers_language_unless_another_was_settled():
    ask_reader(lambda: SWAHILI)
    try:
        assert say("block {number}", number=3) == "bloku la 3"
        with speaking(ENGLISH):
            assert say("block {number}", number=3) == "block 3"
    finally:
        ask_reader(texts_of_reader)
    # Outside a visitor's event, as on the command line or in a job.
    assert say("block {number}", number=3) == "block 3"


def test_marks_and_figures_are_kept():
    marks = [re.compile(mark, re.M) for mark in (r"^#+ ", r"\d+", r"\n\n", r"`[^`]+`")]
    assert not [
        (mark.pattern, english)
        for english, swahili in SWAHILI.items()
        for mark in marks
        if len(mark.findall(english)) != len(mark.findall(swahili))
    ]
