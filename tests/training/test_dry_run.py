"""The dry run's figures where they are known, and that it leaves nothing behind."""

import math

import pytest
import torch

from tli_core.lists.lexicon import shipped
from tli_core.models.loaded_model import load_model
from tli_core.training.config import total_steps
from tli_core.training.dry_run import dry_run
from tli_core.training.history import TrainingStep
from tli_core.training.loop import train_adapter
from tli_core.training.presets import PRESETS, configured


def test_the_published_loss_starts_at_its_margin_with_bos_averaged_in():
    loaded = load_model("lugha-mini")
    drowned = dry_run(loaded, shipped("train")[:80], PRESETS["published"])
    words = dry_run(loaded, shipped("train")[:80], configured("published", readout="words"))
    assert drowned.first_loss == pytest.approx(0.4, abs=0.02) and drowned.idle_loss == 0.4
    assert drowned.active == 1.0 and abs(drowned.hardest_gap) < 0.02 < abs(words.hardest_gap)
    assert drowned.gradient < words.gradient / 3
    assert drowned.seconds > 0 and drowned.steps == total_steps(PRESETS["published"], 80)


def test_the_first_loss_is_that_of_the_run(tiny, pairs):
    config = configured("corrected", layer=2, batch_size=30, epochs=1, dropout=0.0)
    expected = dry_run(tiny, pairs, config)
    _, first, *_ = (item for item in train_adapter(tiny, pairs, config) if isinstance(item, TrainingStep))
    assert expected.first_loss == pytest.approx(first.loss, rel=1e-4)
    assert expected.idle_loss == pytest.approx(math.log(30)) and expected.active == 1.0


def test_memory_counts_lora_and_what_a_step_keeps(tiny, pairs):
    small = dry_run(tiny, pairs, configured("corrected", layer=2, batch_size=4, epochs=1))
    large = dry_run(tiny, pairs, configured("corrected", layer=2, batch_size=28, epochs=1))
    deep = dry_run(tiny, pairs, configured("corrected", layer=3, batch_size=4, epochs=1))
    assert 3 * small.training_bytes < 2 * large.training_bytes
    assert deep.weights_bytes == pytest.approx(1.5 * small.weights_bytes)


def test_nothing_is_left_behind(tiny, pairs):
    def weights():
        with tiny.using(None) as model:
            # PEFT's empty wrappers stay round the layers that once had LoRA.
            return {name.replace(".base_layer", ""): tensor.clone() for name, tensor in model.state_dict().items()}

    before = weights()
    dry_run(tiny, pairs, PRESETS["published"])
    after = weights()
    assert set(after) == set(before) and all(torch.equal(before[name], after[name]) for name in before)
