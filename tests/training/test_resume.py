"""A run that was broken off goes on as if it had not been; early stopping keeps the best step."""

from dataclasses import replace

import pytest
import torch

from tests.conftest import character_tokenizer, tiny_llama
from tests.planted import unlike_pairs
from tli_core.lists.pairs import WordPair, pair_digest
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.early_stopping import best_step, parted
from tli_core.training.history import HeldOutCheck, TrainingStep
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured
from tli_core.training.resume import RunState
from tli_core.training.run import TrainedAdapter

RUN = configured("corrected", layer=2, batch_size=10, epochs=4, learning_rate=5e-3, dropout=0.1)


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]


def fresh(device: str = "cpu") -> LoadedModel:
    return LoadedModel(tiny_llama().to(device), character_tokenizer(), "tiny", None)


@pytest.mark.parametrize("device", DEVICES)
def test_a_resumed_run_ends_with_the_very_same_adapter(device, pairs, tmp_path):
    *steps, whole = train_adapter(fresh(device), pairs, RUN, pairs[:8])
    asked = iter([False] * 5 + [True])
    states: list[RunState] = []
    *first, _ = train_adapter(fresh(device), pairs, RUN, pairs[:8], stop=lambda: next(asked), keep=states.append)
    states[-1].save(tmp_path / "state.safetensors")
    torch.manual_seed(99)  # what other work does meanwhile changes nothing
    back = RunState.load(tmp_path / "state.safetensors")
    assert back.step == 5 and back.history == states[-1].history
    *rest, resumed = train_adapter(fresh(device), pairs, RUN, pairs[:8], resume=back)
    assert [step.step for step in first + rest] == [step.step for step in steps] == list(range(13))
    assert [step.loss for step in first + rest] == [step.loss for step in steps]
    assert all(torch.equal(whole.state[name], resumed.state[name]) for name in whole.state)
    assert resumed.record["losses"] == whole.record["losses"]


def test_a_state_of_another_run_or_a_damaged_one_is_refused(pairs, tmp_path):
    states: list[RunState] = []
    list(train_adapter(fresh(), pairs, replace(RUN, epochs=1), keep=states.append))
    with pytest.raises(ValueError, match="a run of 3 steps, but this one has 12"):
        next(train_adapter(fresh(), pairs, RUN, resume=states[-1]))
    file = tmp_path / "state.safetensors"
    states[-1].save(file)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ValueError, match="state of this run cannot be read"):
        RunState.load(file)


def test_early_stopping_ends_the_run_and_keeps_the_best_step(pairs):
    """A rate this high soon makes every word alike: held-out words are lost again after a good start."""
    config = replace(RUN, learning_rate=0.3, epochs=20, patience=3)
    states: list[RunState] = []
    *steps, adapter = train_adapter(fresh(), unlike_pairs(64), config, pairs, keep=states.append)
    assert isinstance(adapter, TrainedAdapter)
    best = best_step(steps)
    assert adapter.record["kept_step"] == best.step < steps[-1].step < steps[-1].steps
    assert sum(1 for step in steps if step.choosing and step.step > best.step) == 3
    kept = next(state for state in states if state.step == best.step)
    assert all(torch.equal(tensor, kept.lora[name.removeprefix("base_model.model.")])
               for name, tensor in adapter.state.items())  # fmt: skip


def test_the_step_is_chosen_by_training_pairs_that_are_not_trained_on():
    config = replace(RUN, patience=1)
    pairs = (*unlike_pairs(64), WordPair("paka", "cat", ("feline",)), WordPair("nyau", "feline"))
    training, choosing = parted(pairs, config)
    assert sorted(training + choosing) == sorted(pairs) and len(choosing) == 8
    assert not {word for pair in choosing for word in pair[:2]} & {word for pair in training for word in pair[:2]}
    assert parted(pairs, RUN) == (pairs, ())
    # The held-out pairs have no say: whatever they are, the same step is kept.
    kept = set()
    for held_out in ((), unlike_pairs(80)[64:]):
        *_, adapter = train_adapter(fresh(), pairs, config, held_out)
        kept.add(adapter.record["kept_step"])
        assert adapter.record["step_chosen_on"] == [pair_digest(pair) for pair in choosing]
        assert adapter.record["pairs"] == len(training)
    assert len(kept) == 1


def test_a_list_too_short_or_too_entangled_to_choose_by_is_refused(pairs):
    config = replace(RUN, patience=1)
    with pytest.raises(ValueError, match="that is 4 here, and it takes 5"):
        next(train_adapter(fresh(), pairs, config))
    one_word = [WordPair("maji", pair.target) for pair in unlike_pairs(64)]
    with pytest.raises(ValueError, match="that is 0 here"):
        next(train_adapter(fresh(), one_word, config))


def test_the_best_check_has_most_words_found_and_then_the_widest_gap():
    checks = [(0.9, 0.9, 0.1), (0.5, 0.2, 0.3), (0.6, 0.2, 0.3), (0.99, 0.98, 0.2)]
    steps = [TrainingStep(i, 4, 1, 0.0, 0.0, 0.0, choosing=HeldOutCheck(*check)) for i, check in enumerate(checks, 1)]
    assert best_step(steps).step == 3
