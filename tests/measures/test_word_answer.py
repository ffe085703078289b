"""What the bundled model makes of one word, and what is said of it."""

import pytest
import torch

from tli_core.lists.one_word import read_word
from tli_core.lists.pairs import WordPair
from tli_core.measures.generation import word_translation
from tli_core.measures.word_answer import answer_word
from tli_core.models.loaded_model import load_model
from tli_core.reports.word_answer import answer_text, verdict_sentence


@pytest.fixture(scope="module")
def mini():
    return load_model("lugha-mini")


def test_a_word_is_answered_as_the_model_answers_it_elsewhere(mini):
    found = answer_word(mini, "maji", "Swahili")
    with mini.using(None) as model:
        (written,) = word_translation(model, mini.tokenizer, [WordPair("maji", "water")]).answers_target
    assert (found.written, found.listed, found.other) == (written, ("water",), "English") and found.written_right
    assert found.nearby.nearest[0].word == "water" and found.nearby.wrong < 0.3 < found.nearby.nearest[0].cosine
    back = answer_word(mini, "water", "English")
    assert back.other == "Swahili" and back.listed == ("maji",)


@pytest.mark.parametrize(
    ("word", "language", "said"),
    [
        ("maji", "Swahili", "puts maji beside its translation**"),
        ("papai", "Swahili", "but the two look alike**"),
        ("to climb", "English", "does not put to climb beside its translation**: of 1540 words of Swahili"),
        ("tarakilishi", "Swahili", "does not know **tarakilishi**"),
    ],
)
def test_the_sentence_says_what_was_found_and_no_more(mini, word, language, said):
    assert said in verdict_sentence(answer_word(mini, word, language), "lugha-mini")


def test_the_text_gives_the_control_and_no_word_is_markup(mini):
    read = read_word("[x](y)<b>")
    text = answer_text(answer_word(mini, read.word, read.language), read, "lugha-mini")
    assert "Wrong words have a cosine of 0." in text and "[x](y)" not in text and "<b>" not in text
    assert "By its letters it is read as" in text
    with pytest.raises(ValueError, match="word"):
        answer_word(mini, "  ", "Swahili")


def test_without_a_head_nothing_is_written(tiny):
    tiny._model.lm_head = torch.nn.Identity()
    found = answer_word(tiny, "maji", "Swahili")
    assert found.written is None and not found.written_right
    assert "Asked for" not in answer_text(found, None, "tiny")
