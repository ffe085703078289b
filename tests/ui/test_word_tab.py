"""The word tab: whose answer is shown where two are on their way."""

import gradio as gr
import pytest

import ui.page
import ui.serve
from ui.server.jobs import Jobs
from ui.server.visitors import Models, Visitor


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The page's functions by name."""
    models = Models(ui.serve.OFFERED)
    models.get("lugha-mini")
    page = ui.page.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))
    return {function.name: function.fn for function in page.fns.values() if function.fn is not None}


def test_a_reader_who_was_quicker_than_the_model_keeps_the_answer_to_their_own_word(handlers):
    """A page asks for its first word when it opens, and is answered once the model is loaded."""
    begun = "maji", "found by itself", "lugha-mini"
    visitor = Visitor()
    opened = handlers["at_first"]("lugha-mini", gr.Request(query_params={}), *begun, visitor)
    assert any("maji" in str(value) for value in opened.values())
    quick = Visitor()
    quick.asking("word")
    opened = handlers["at_first"]("lugha-mini", gr.Request(query_params={}), *begun, quick)
    assert not any("maji" in str(value) for value in opened.values())
