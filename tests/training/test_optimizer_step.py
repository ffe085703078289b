"""The optimiser's steps: the schedule, and CUDA graphs that do what single launches do."""

from dataclasses import replace

import pytest
import torch

from tests.conftest import character_tokenizer, tiny_llama
from tests.models.families import tiny
from tli_core.models.architecture import FAMILIES
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import TrainingPairs
from tli_core.training.loop import train_adapter
from tli_core.training.optimizer_step import RunWeights, Steps, learning_rates
from tli_core.training.presets import PRESETS
from tli_core.training.run import lora_config


def test_the_rate_warms_up_and_falls_towards_zero():
    rates = learning_rates(replace(PRESETS["published"], warmup_steps=4, learning_rate=1e-3), 12)
    assert rates[:5] == pytest.approx([0, 0.25e-3, 0.5e-3, 0.75e-3, 1e-3])
    assert rates[4:] == pytest.approx([1e-3 * (12 - i) / 8 for i in range(4, 12)])


def test_a_warm_up_never_takes_more_than_half_a_short_run():
    rates = learning_rates(replace(PRESETS["published"], warmup_steps=50), 6)
    assert max(rates) == rates[3] == PRESETS["published"].learning_rate


def test_a_run_goes_on_from_its_moments(pairs):
    config = replace(PRESETS["published"], batch_size=8, epochs=3, learning_rate=1e-2, dropout=0.0)

    def run(**more):
        loaded = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
        kept = []
        *_, adapter = train_adapter(loaded, pairs, config, keep=kept.append, **more)
        return adapter.state, kept

    asked = iter(range(100))
    whole, _ = run()
    _, kept = run(stop=lambda: next(asked) == 5)
    resumed, _ = run(resume=kept[-1])
    for name in whole:
        torch.testing.assert_close(resumed[name], whole[name], rtol=1e-6, atol=0, msg=name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="graphs need a GPU")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("preset", ["published", "corrected"])
def test_graphs_give_the_adapter_of_single_launches(pairs, monkeypatch, preset, family):
    def trained():
        config = replace(PRESETS[preset], layer=2, batch_size=8, epochs=6, learning_rate=1e-2, dropout=0.0)
        loaded = LoadedModel(tiny(family).to("cuda"), character_tokenizer(), "tiny", None)
        *steps, adapter = train_adapter(loaded, pairs, config, pairs[:6])
        return [step.loss for step in steps[1:]], adapter.state

    replayed = []
    real = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: replayed.append(1) or real(graph))
    losses, state = trained()
    assert len(replayed) > len(losses) / 2
    monkeypatch.setattr(LoadedModel, "plain", False)  # then steps are launched one by one
    launched_losses, launched = trained()
    assert losses == pytest.approx(launched_losses, abs=1e-5)
    for name in state:
        assert (state[name] - launched[name]).norm() / launched[name].norm() < 1e-4, name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="graphs need a GPU")
def test_dropout_is_drawn_anew_in_every_replay(pairs):
    config = replace(PRESETS["published"], learning_rate=1e-9, dropout=0.5)
    loaded = LoadedModel(tiny_llama().to("cuda"), character_tokenizer(), "tiny", None)
    key = loaded.new_adapter(lora_config(config, 2))
    ((_, batch),) = TrainingPairs.of(loaded, pairs, config).ready([(1, range(8))], loaded.device)
    with loaded.using(key) as model:
        for name, parameter in model.named_parameters():
            if f".{key}." in name:
                torch.nn.init.normal_(parameter)
    weights = RunWeights(loaded, key, config, 8, None)
    steps = Steps(loaded, config, 2, [weights])
    losses = [steps.take(batch)[0].wait() for _ in range(8)]
    assert len({round(loss, 5) for loss in losses}) == 8  # coarser than what eight such steps change
