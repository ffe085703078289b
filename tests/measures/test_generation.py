"""Continuations and word translation on the tiny model, and on one that knows its answers."""

import pytest
import torch

from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair
from tli_core.measures import generation
from tli_core.measures.generation import continuations, word_translation


def test_prompts_in_a_batch_answer_as_they_do_alone(tiny):
    prompts = ["maji", "moto", "haba na haba", "a"]
    with tiny.using(None) as model:
        together = continuations(model, tiny.tokenizer, prompts, 6)
        alone = [continuations(model, tiny.tokenizer, [prompt], 6)[0] for prompt in prompts]
    assert together == alone and all(together)


def test_greedy_means_the_likeliest_next_token(tiny):
    with tiny.using(None) as model:
        ids = torch.tensor([tiny.tokenizer("maji")["input_ids"]])
        best = int(model(ids).logits[0, -1].argmax())
        (answer,) = continuations(model, tiny.tokenizer, ["maji"], 1)
    assert answer == tiny.tokenizer.decode([best], skip_special_tokens=True)


def test_word_translation_accepts_every_listed_gloss(tiny, monkeypatch):
    pairs = (WordPair("haki", "justice", ("right",)), WordPair("maji", "water"), WordPair("moto", "fire"))
    answers = {
        "haki": " Right\nmore",
        "maji": " wine",
        "moto": " fire",
        "justice": " haki",
        "water": " maji",
        "fire": " maji",
    }

    def spoken(_model, _tokenizer, prompts, _tokens):
        return [next(a for word, a in answers.items() if f": {word}\n" in prompt) for prompt in prompts]

    monkeypatch.setattr(generation, "continuations", spoken)
    result = word_translation(None, None, pairs)
    assert result.to_target == pytest.approx(2 / 3) and result.to_source == pytest.approx(2 / 3)
    assert result.mean == pytest.approx(2 / 3) and result.answers_target[1] == "wine"


def test_templates_take_words_literally():
    languages = language_pair()
    assert len(languages.probes) == 6 and len({t.name for t in languages.templates}) == len(languages.templates)
    assert languages.translations[0].fill("{target}", "x") == "Swahili: {target}\nEnglish:"
