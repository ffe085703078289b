"""Losses on tensors written by hand; runs that leave the base alone and train only what the loss reads."""

import math
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.lists.pairs import WordPair
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import shuffled_translations
from tli_core.training.config import total_steps
from tli_core.training.history import TrainingStep
from tli_core.training.loop import train_adapter
from tli_core.training.losses import contrastive_loss, triplet_loss
from tli_core.training.presets import PRESETS, configured
from tli_core.training.run import TrainedAdapter, run_bytes

QUICK = configured("corrected", layer=2, batch_size=10, epochs=4, learning_rate=5e-3, dropout=0.0)


def finished(run) -> tuple[list[TrainingStep], TrainedAdapter]:
    *steps, trained = run
    return steps, trained


def test_triplet_loss_by_hand():
    anchors = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    positives = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    root = math.sqrt(0.5)
    # Anchor 0: matched 1, hardest wrong √½. Anchor 1: matched √½, hardest wrong 0.
    expected = (max(0, 0.4 + root - 1) + max(0, 0.4 + 0 - root)) / 2
    assert triplet_loss(anchors, positives, 0.4).item() == pytest.approx(expected)


def test_triplet_loss_starts_at_its_margin_where_all_words_look_alike():
    alike = torch.ones(8, 4)
    assert triplet_loss(alike, alike, 0.4).item() == pytest.approx(0.4)


def test_contrastive_loss_by_hand():
    anchors, positives = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    root = math.sqrt(0.5)
    rows = [[1.0, root], [0.0, root]]
    columns = [[1.0, 0.0], [root, root]]

    def cross(scores, right):
        scores = [s / 0.5 for s in scores]
        return math.log(sum(map(math.exp, scores))) - scores[right]

    by_row = (cross(rows[0], 0) + cross(rows[1], 1)) / 2
    by_column = (cross(columns[0], 0) + cross(columns[1], 1)) / 2
    assert contrastive_loss(anchors, positives, 0.5).item() == pytest.approx((by_row + by_column) / 2)


def test_translations_are_not_used_as_negatives():
    vectors = torch.eye(3)[[0, 0, 1]]
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    assert contrastive_loss(vectors, vectors, 0.1, same) < 0.01 < contrastive_loss(vectors, vectors, 0.1)
    assert triplet_loss(vectors, vectors, 0.4, same) == 0 < triplet_loss(vectors, vectors, 0.4)


def test_shuffling_leaves_no_pair_and_every_word(pairs):
    shuffled = shuffled_translations(pairs, seed=5)
    assert [p.source for p in shuffled] == [p.source for p in pairs]
    assert sorted(p.target for p in shuffled) == sorted(p.target for p in pairs)
    assert not any(a.target == b.target for a, b in zip(shuffled, pairs, strict=True))
    with pytest.raises(ValueError, match="two different translations"):
        shuffled_translations([WordPair("maji", "water")], seed=0)


def test_the_presets_differ_as_documented():
    published, corrected = PRESETS["published"], PRESETS["corrected"]
    assert (published.layer, published.readout, published.loss, published.margin) == (2, "all", "triplet", 0.4)
    assert (published.batch_size, published.epochs, published.learning_rate) == (8, 5, 2e-4)
    assert (corrected.layer, corrected.readout, corrected.loss) == ("output", "spaced", "contrastive")


def test_a_run_lowers_its_loss_and_says_where_it_is(tiny, pairs):
    steps, trained = finished(train_adapter(tiny, pairs, QUICK, pairs[:8]))
    assert [step.step for step in steps] == list(range(13)) and total_steps(QUICK, len(pairs)) == 12
    assert steps[0].loss is None and steps[0].check is not None and steps[-1].check is not None
    assert sum(s.loss for s in steps[-3:]) < sum(s.loss for s in steps[1:4])
    assert trained.record["config"]["preset"] == "corrected" and trained.record["pairs"] == 30


def test_the_base_is_bit_equal_after_training_and_nothing_stays_behind(tiny, pairs):
    with tiny.using(None) as model:
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    finished(train_adapter(tiny, pairs, QUICK))
    with tiny.using(None) as model:
        after = {name.replace(".base_layer", ""): tensor for name, tensor in model.state_dict().items()}
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_only_the_blocks_that_the_loss_reads_run_and_carry_lora(tiny, pairs):
    ran = set()
    with tiny.using(None) as model:
        for i, block in enumerate(model.model.layers):
            block.register_forward_hook(lambda *_, i=i: ran.add(i))
    _, trained = finished(train_adapter(tiny, pairs, replace(QUICK, epochs=1)))
    assert ran == {0, 1}
    assert {int(name.split(".layers.")[1][0]) for name in trained.state} == {0, 1}


def test_the_short_cut_gives_the_adapter_of_the_full_run(pairs):
    """LoRA on every block and every block run, as published, against two blocks only: the same two adapters."""
    from peft import LoraConfig, get_peft_model
    from transformers import get_linear_schedule_with_warmup

    from tli_core.training.batches import batches

    config = replace(PRESETS["published"], epochs=3, warmup_steps=5, dropout=0.0, learning_rate=1e-2)
    loaded = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
    steps, trained = finished(train_adapter(loaded, pairs, config))

    base = tiny_llama()
    torch.manual_seed(config.seed)
    lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], bias="none")
    full = get_peft_model(base, lora)
    start = {n: p for n, p in full.named_parameters() if "lora_" in n and (".layers.0." in n or ".layers.1." in n)}
    assert len(start) == len(trained.state) == 8
    tokenizer = character_tokenizer()
    optimizer = torch.optim.AdamW([p for p in full.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer, 5, len(steps) - 1)
    for _, batch in batches(len(pairs), config):
        words = [pairs[i].source for i in batch] + [pairs[i].target for i in batch]
        ids = [tokenizer(word)["input_ids"] for word in words]
        width = max(map(len, ids))
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        ids = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        hidden = full(ids, attention_mask=mask, output_hidden_states=True).hidden_states[2]
        pooled = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        triplet_loss(*pooled.chunk(2), 0.4).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    theirs = {name.replace(".default", ""): p.detach() for name, p in full.named_parameters() if "lora_" in name}
    for name, ours in trained.state.items():
        assert (ours - theirs[name]).norm() / theirs[name].norm() < 1e-6, name
    idle = [p for name, p in theirs.items() if "lora_B" in name and ".layers.2." in name]
    assert idle and all(not p.any() for p in idle)


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(pairs):
    def state(seed):
        loaded = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
        return finished(train_adapter(loaded, pairs, replace(QUICK, seed=seed, dropout=0.1)))[1].state

    first, again, other = state(1), state(1), state(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_stopping_early_keeps_what_was_learned(tiny, pairs):
    asked = iter([False] * 3 + [True] * 99)
    steps, trained = finished(train_adapter(tiny, pairs, QUICK, stop=lambda: next(asked)))
    assert trained.record["steps"] == 3 == steps[-1].step and trained.record["steps_planned"] == 12
    assert any(tensor.any() for name, tensor in trained.state.items() if "lora_B" in name)


def test_closing_a_run_takes_its_adapter_off_the_model(tiny, pairs):
    run = train_adapter(tiny, pairs, QUICK)
    next(run), next(run)
    with tiny.using(None) as model:
        assert model.peft_config
    run.close()
    with tiny.using(None) as model:
        assert not getattr(model, "peft_config", {})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layer": 0}, "Layer the loss reads must be 1 or more"),
        ({"batch_size": 1}, "Batch size must be 2 to 1024"),
        ({"epochs": 0}, "Epochs must be 1 to 1000"),
        ({"learning_rate": float("nan")}, "Learning rate must be 1e-09 to below 1"),
        ({"readout": "mean"}, "Readout: choose from spaced, words, last, all; got mean"),
    ],
)
def test_impossible_knobs_are_named(changes, says):
    with pytest.raises(ValueError, match=says):
        configured("corrected", **changes)


def test_impossible_runs_are_named(tiny, pairs):
    with pytest.raises(ValueError, match="Layer 9 is beyond this model, whose output is layer 3"):
        next(train_adapter(tiny, pairs, replace(QUICK, layer=9)))
    with pytest.raises(ValueError, match="at least two pairs, got 1"):
        next(train_adapter(tiny, pairs[:1], QUICK))
    with pytest.raises(ValueError, match="use fewer epochs"):
        next(train_adapter(tiny, pairs * 3, replace(QUICK, batch_size=2, epochs=1000)))


def test_a_run_stops_at_its_first_loss_that_is_no_number(tiny, pairs):
    config = configured("corrected", layer=2, batch_size=10, epochs=50, learning_rate=0.99, temperature=0.001)
    base = LoraConfig(r=4, target_modules=["q_proj"])
    with pytest.raises(ValueError, match="The loss is no number at step 1:"), pytest.MonkeyPatch.context() as patch:
        lost = torch.tensor([float("nan")])
        patch.setattr("tli_core.training.optimizer_step.Steps._step", lambda self, batch: lost)
        list(train_adapter(tiny, pairs[:20], config))
    assert tiny.new_adapter(base)  # and leaves nothing behind it


def test_what_a_run_keeps_on_the_disk_is_known_before_it_begins(tiny, pairs):
    config = configured("corrected", layer=2, batch_size=10, epochs=2)
    states = []
    *_, trained = train_adapter(tiny, pairs[:20], config, keep=states.append)
    kept = [*states[-1].lora.values(), *states[-1].optimizer.values(), *trained.state.values()]
    assert run_bytes(tiny, config) == pytest.approx(sum(tensor.nbytes for tensor in kept), rel=0.01)
