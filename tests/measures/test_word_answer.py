"""What the bundled model makes of one word, and what is said of it."""

import io

import pytest
import torch
from matplotlib.image import imread

from tli_core.i18n import LANGUAGES, in_language
from tli_core.lists.one_word import read_word
from tli_core.lists.pairs import WordPair
from tli_core.measures.generation import word_translation
from tli_core.measures.word_answer import answer_word
from tli_core.models.loaded_model import load_model
from tli_core.reports.word_answer import answer_text, plain_verdict, verdict_sentence
from tli_core.reports.word_card import word_card
from ui.tabs.word import START, first_answer


@pytest.fixture(scope="module")
def mini():
    return load_model("lugha-mini")


def test_a_word_is_answered_as_the_model_answers_it_elsewhere(mini):
    found = answer_word(mini, read_word("maji"))
    with mini.using(None) as model:
        (written,) = word_translation(model, mini.tokenizer, [WordPair("maji", "water")]).answers_target
    assert (found.written, found.other) == (written, "English") and found.written_right
    assert found.nearby.nearest[0].word == "water" and found.nearby.wrong < 0.3 < found.nearby.nearest[0].cosine
    assert answer_word(mini, read_word("water")).other == "Swahili"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_that_is_shown_while_the_model_loads_is_the_models_own(mini, language):
    with in_language(language):
        assert answer_text(answer_word(mini, read_word(START)), "lugha-mini") + "\n" == first_answer(language)


@pytest.mark.parametrize("word", ["maji", "$x_{1}$ <b>&amp;", "neno" * 10])
def test_a_card_has_the_size_of_a_link_picture_whatever_the_word_is(mini, word):
    answer = answer_word(mini, read_word(word, language="Swahili"))
    card = word_card(answer, "lugha-mini")
    assert imread(io.BytesIO(card)).shape[:2] == (630, 1200)
    assert card == word_card(answer, "lugha-mini")


def test_the_sentence_of_a_card_has_no_markup(mini):
    answer = answer_word(mini, read_word("papai"))
    assert plain_verdict(answer, "lugha-mini") == (
        "lugha-mini puts papai beside papaya, its translation, but the two look alike: spelling alone may have done "
        "that."
    )


@pytest.mark.parametrize(
    ("word", "language", "said"),
    [
        ("maji", None, "puts maji beside its translation**"),
        ("papai", None, "but the two look alike**"),
        ("to climb", None, "does not put to climb beside its translation**: of 1492 words of Swahili the right one is"),
        ("hot", None, "the best placed of its 2 translations is number"),
        ("tarakilishi", None, "The lexicon has no Swahili word **tarakilishi**"),
        ("maji", "English", "The lexicon has no English word **maji**"),
    ],
)
def test_the_sentence_says_what_was_found_and_no_more(mini, word, language, said):
    assert said in verdict_sentence(answer_word(mini, read_word(word, language=language)), "lugha-mini")


def test_a_verb_typed_bare_is_right_where_its_own_translation_is_found(mini):
    found = answer_word(mini, read_word("drink"))
    assert found.nearby.nearest[0].word == "kunywa" and found.nearby.right_rank == 1


def test_the_text_gives_the_control_and_no_word_is_markup(mini):
    text = answer_text(answer_word(mini, read_word("[x](y)<b>")), "lugha-mini")
    assert "All words together have a cosine of 0." in text and "[x](y)" not in text and "<b>" not in text
    assert "which is a guess" in text
    assert "Wrong words have a cosine of 0." in answer_text(answer_word(mini, read_word("maji")), "lugha-mini")


def test_without_a_head_nothing_is_written(tiny):
    tiny._model.lm_head = torch.nn.Identity()
    found = answer_word(tiny, read_word("maji"))
    assert found.written is None and not found.written_right
    assert "Asked for" not in answer_text(found, "tiny")
