"""The output's measures against the plain way of computing them, and the health check on models known to be sick."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.perplexity import check_health, health_of, perplexity
from tli_core.measures.translation import check_outputs, gloss_log_probabilities, probe, rank_glosses
from tli_core.measures.written import written_change
from tli_core.models.loaded_model import load_model
from tli_core.reports.notices import worded

GLOSSES = ["water", "wate", "wat", "fire", "to eat", "to be", "x", "water"]


def test_the_tree_of_glosses_gives_what_each_gloss_alone_would(tiny):
    prompts = ["Swahili: maji\nEnglish:", "Swahili: moto\nEnglish:", "Swahili: kula\nEnglish:", "English: x\nSwahili:"]
    with tiny.using(None) as model:
        scores = gloss_log_probabilities(model, tiny.tokenizer, prompts, GLOSSES)
        for i, prompt in enumerate(prompts):
            for j, gloss in enumerate(GLOSSES):
                start = len(tiny.tokenizer(prompt)["input_ids"])
                ids = torch.tensor([tiny.tokenizer(f"{prompt} {gloss}")["input_ids"]])
                with torch.inference_mode():
                    steps = model(input_ids=ids).logits[0, :-1].log_softmax(dim=-1)
                alone = steps[torch.arange(start - 1, ids.shape[1] - 1), ids[0, start:]].sum()
                assert scores[i, j] == pytest.approx(float(alone), abs=1e-4), (prompt, gloss)


def test_ranks_come_from_the_scores_and_count_listed_translations(tiny):
    pairs = (WordPair("haki", "justice", ("right",)), WordPair("kulia", "right"), *shipped("control")[:30])
    with tiny.using(None) as model:
        result = rank_glosses(model, tiny.tokenizer, pairs, "to_target")
        candidates = list(dict.fromkeys(pair.target for pair in pairs))
        scores = gloss_log_probabilities(model, tiny.tokenizer, ["Swahili: haki\nEnglish:"], candidates)[0]
        back = rank_glosses(model, tiny.tokenizer, pairs, "to_source")
    best = max(scores[candidates.index("justice")], scores[candidates.index("right")])
    assert result.log_probability[0] == pytest.approx(float(best), abs=1e-4)
    wrong = [s for word, s in zip(candidates, scores, strict=True) if word not in ("justice", "right")]
    assert result.rank[0] == 1 + sum(float(s) >= float(best) for s in wrong)
    assert result.candidates == len(candidates) and back.candidates == len({pair.source for pair in pairs})
    # Both haki and kulia are right for "right".
    assert back.chance == pytest.approx((1 + 2 + 30) / len(pairs) / back.candidates)


def test_a_short_list_is_ranked_among_the_reference_pool(tiny):
    with tiny.using(None) as model:
        result = rank_glosses(model, tiny.tokenizer, [WordPair("paka", "cat")], "to_target")
    assert result.candidates == len({pair.target for pair in shipped("pool")} | {"cat"})


def test_the_bundled_model_translates_and_shuffled_training_shows_as_harm():
    loaded = load_model("lugha-mini")
    shuffled = loaded.add_adapter("adapters/mini-shuffled").key
    pairs = shipped("control")[:24]
    base, harmed = check_outputs(loaded, pairs, None), check_outputs(loaded, pairs, shuffled)
    assert base.ranking["to_target"].p_at_1 > 0.9 > 0.5 > harmed.ranking["to_target"].p_at_1
    assert base.greedy.to_target > harmed.greedy.to_target
    assert base.health.source < harmed.health.source and not base.health.noisy
    assert written_change(base, harmed, np.arange(len(pairs))).verdict == "harmed"
    assert np.mean(base.ranking["to_target"].log_probability) > np.mean(harmed.ranking["to_target"].log_probability)


@pytest.fixture
def short_probes(monkeypatch):
    """What is asked matters here, not how much is answered."""
    monkeypatch.setattr("tli_core.measures.translation.PROBE_TOKENS", 3)


def test_probes_are_six_kinds_on_seven_pairs(tiny, pairs, short_probes):
    answers = probe(tiny, pairs, None)
    assert len(answers) == 42 and len({answer.kind for answer in answers}) == 6
    assert all(len({a.pair for a in answers if a.kind == kind}) == 7 for kind in {a.kind for a in answers})


def test_a_probes_sentence_gets_words_that_fit_it(tiny, short_probes):
    answers = probe(tiny, shipped("control"), None)
    verbs = {a.pair.target for a in answers if a.kind == "verb or adjective in mixed speech"}
    nouns = {a.pair.target for a in answers if a.kind == "noun in mixed speech"}
    assert all(word.startswith("to ") for word in verbs) and not any(word.startswith("to ") for word in nouns)
    assert all(answer.base == answer.adapted for answer in answers)


def test_perplexity_of_one_text_by_hand(tiny):
    text = "maji ni uhai"
    ids = torch.tensor([tiny.tokenizer(text)["input_ids"]])
    with tiny.using(None) as model:
        loss = float(model(input_ids=ids, labels=ids).loss)
        assert perplexity(model, tiny.tokenizer, [text]) == pytest.approx(math.exp(loss), rel=1e-4)
        both = perplexity(model, tiny.tokenizer, [text, text + " kwa wote"])
        assert both == pytest.approx(perplexity(model, tiny.tokenizer, [text + " kwa wote", text]), rel=1e-5)


def test_a_random_model_is_noisy_and_the_bundled_one_is_not(tiny):
    with tiny.using(None) as model:
        sick = check_health(model, tiny.tokenizer)
    assert sick.noisy and "writes noise" in worded(sick.notice)
    well = health_of(load_model("lugha-mini"))
    assert not well.noisy and well.uniform == 8192 and "reads both" in worded(well.notice)
    assert not replace(well, source=30.0).noisy
    assert replace(well, source=math.nan).noisy and replace(well, target=9000.0).noisy
