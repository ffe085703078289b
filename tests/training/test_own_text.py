"""A gentle fine-tune: text that the base writes itself, words behind it, and how far an adapter strays from it."""

import math
from dataclasses import replace

import pytest
import torch

from tests.conftest import character_tokenizer, tiny_llama
from tests.planted import unlike_pairs
from tli_core.encoding.pooling import EncodedWord
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import TrainingPairs, batches, behind
from tli_core.training.dry_run import dry_run
from tli_core.training.early_stopping import MOST_SURPRISE, best_step, checks_since_best
from tli_core.training.history import HeldOutCheck, TrainingStep
from tli_core.training.loop import train_adapter
from tli_core.training.own_text import CONTEXT_TOKENS, HELD_BACK, NEW_TOKENS, TEXTS, KeptTexts, text_loss, write_texts
from tli_core.training.presets import PRESETS
from tli_core.training.run import lora_config

GENTLE = replace(PRESETS["gentle"], batch_size=10, epochs=6, dropout=0.0, rank=4, learning_rate=2e-2, warmup_steps=2)


def test_the_base_goes_on_from_words_of_both_languages_and_writes_the_same_again(tiny, pairs):
    own, again = write_texts(tiny, pairs, seed=3), write_texts(tiny, pairs, seed=3)
    assert own == again and own != write_texts(tiny, pairs, seed=4) and len(own.texts) == TEXTS
    begun = {side: {f" {pair[side]}" for pair in pairs} for side in (0, 1)}
    texts = [tiny.tokenizer.decode(text.ids[1:-NEW_TOKENS]) for text in own.texts]
    assert all(any(text in begun[side] for side in (0, 1)) for text in texts)
    assert sum(text in begun[0] for text in texts) == TEXTS // 2
    assert all(text.special == (True,) + (False,) * (len(text.ids) - 1) for text in own.texts)


def test_a_word_stands_behind_the_beginning_of_a_text_and_only_its_tokens_are_its_own(tiny, pairs):
    context = write_texts(tiny, pairs, 0).context("0 1 2")
    assert all(context.special) and CONTEXT_TOKENS[0] < len(context.ids) <= CONTEXT_TOKENS[1] + 1
    word = EncodedWord((0, 7, 8), (True, False, False))
    found = behind(context, word)
    assert found.ids == (*context.ids, 7, 8) and found.special == (*context.special, False, False)
    assert behind(None, word) is word


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.5, None), (1.0, 30)])
def test_so_many_batches_as_asked_for_stand_behind_text(share, count, tiny, pairs):
    config = replace(GENTLE, in_text=share, epochs=10)
    data = TrainingPairs.of(tiny, pairs, config, write_texts(tiny, pairs, 0))
    made = [batch for _, batch in data.ready(batches(len(pairs), config), torch.device("cpu"))]
    longest = 1 + max(len(word) + 1 for pair in pairs for word in pair[:2])
    framed = sum(int(batch.pack.positions.max()) >= longest for batch in made)
    assert len(made) == 30 and (framed == count if count is not None else 5 < framed < 25)


def test_the_base_is_at_distance_zero_and_an_adapter_is_not(tiny, pairs):
    kept = KeptTexts(tiny, write_texts(tiny, pairs, 0), layer=3)
    with tiny.using(None) as model, torch.no_grad():
        assert float(kept.distance(model, 0)) == 0
    torch.manual_seed(0)
    key = tiny.new_adapter(lora_config(GENTLE, 3))
    with tiny.using(key) as model, torch.no_grad():
        for name, parameter in model.named_parameters():
            if f".{key}." in name:
                parameter.normal_(std=0.1)
        assert float(kept.distance(model, 1)) > 0


def strayed(pairs, keep: float) -> float:
    """How far a run ends from the base's own text."""
    loaded = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
    *_, trained = train_adapter(loaded, pairs, replace(GENTLE, keep=keep))
    torch.manual_seed(0)
    key = loaded.new_adapter(lora_config(GENTLE, 3))
    kept = KeptTexts(loaded, write_texts(loaded, pairs, seed=9), layer=3)
    with loaded.using(key) as model, torch.no_grad():
        for name, parameter in model.named_parameters():
            if f".{key}." in name:
                parameter.copy_(trained.state[f"base_model.model.{name.replace(f'.{key}', '')}"])
        return float(sum(kept.distance(model, step) for step in range(4)))


def test_what_is_kept_strays_less(pairs):
    assert strayed(pairs, keep=10.0) < 0.5 * strayed(pairs, keep=0.0)


def test_a_run_that_keeps_text_tells_how_far_unseen_text_has_gone(tiny, pairs):
    own = write_texts(tiny, pairs, 0)
    assert len(own.held_back) == HELD_BACK and not set(own.held_back) & set(own.texts)
    *steps, trained = train_adapter(tiny, pairs, GENTLE)
    told = [step.own_text for step in steps if step.own_text is not None]
    assert told[0] == pytest.approx(1) and told[-1] > 1.0001
    assert trained.record["own_text"][-1]["perplexity_grown"] == pytest.approx(told[-1], abs=1e-4)
    *steps, trained = train_adapter(tiny, pairs, replace(GENTLE, keep=0.0))
    assert not any(step.own_text for step in steps) and "own_text" not in trained.record


def test_the_loss_of_texts_by_hand(tiny, pairs):
    texts = write_texts(tiny, pairs, 0).held_back[:3]
    with tiny.using(None) as model:
        losses = []
        for text in texts:
            ids = torch.tensor([text.ids])  # BOS, a token a letter
            said = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])
            losses += (-said[-NEW_TOKENS:]).flatten().tolist()
        assert text_loss(model, texts) == pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_a_step_that_harms_the_text_is_not_the_best_however_many_words_it_finds():
    def step(number: int, found: float, own_text: float | None) -> TrainingStep:
        return TrainingStep(number, 4, 1, 0.0, 0.0, 0.0, None, HeldOutCheck(0.5, 0.2, found), own_text)

    run = [step(1, 0.5, 1.02), step(2, 0.7, 1.05), step(3, 0.9, 1.3), step(4, 0.95, 1.5)]
    assert best_step(run).step == 2 and checks_since_best(run) == 2
    # Where every step harms the text, the one that harms it least.
    assert best_step(run[2:]).step == 3 and checks_since_best(run[2:]) == 1
    assert best_step([step(1, 0.5, math.nan), step(2, 0.6, 1.9)]).step == 2
    assert best_step([step(1, 0.5, None), step(2, 0.7, None)]).step == 2


def test_a_run_that_harms_the_text_at_every_step_keeps_the_least_harmful_and_says_so(tiny):
    pairs = unlike_pairs(64)
    config = replace(GENTLE, keep=1e-6, learning_rate=0.3, epochs=8, patience=2, warmup_steps=0)
    *steps, trained = train_adapter(tiny, pairs, config)
    checked = [step for step in steps if step.own_text is not None and step.step]
    assert all(step.own_text > MOST_SURPRISE for step in checked)
    assert trained.record["text_harmed"]
    assert trained.record["kept_step"] == min(checked, key=lambda step: step.own_text).step


def test_a_dry_run_counts_the_text_too(tiny, pairs):
    gentle, corrected = dry_run(tiny, pairs, GENTLE), dry_run(tiny, pairs, replace(GENTLE, keep=0.0, in_text=0.0))
    assert gentle.training_bytes > corrected.training_bytes and gentle.steps == corrected.steps


def test_without_an_output_head_nothing_can_be_kept(pairs):
    model = tiny_llama()
    model.lm_head = torch.nn.Identity()
    with pytest.raises(ValueError, match="Only a model with its output head can write the text"):
        next(train_adapter(LoadedModel(model, character_tokenizer(), "tiny", None), pairs, GENTLE))
