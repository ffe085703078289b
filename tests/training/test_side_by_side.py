"""Runs that go side by side come out as they would alone."""

from dataclasses import replace

import pytest
import torch

from tests.conftest import character_tokenizer, tiny_llama
from tests.models.families import tiny
from tli_core.lists.pairs import WordPair
from tli_core.models.architecture import FAMILIES
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.history import TrainingStep
from tli_core.training.loop import passes, train_adapter, train_together
from tli_core.training.presets import PRESETS, configured
from tli_core.training.run import RunPlan, TrainedAdapter


def fresh(family: str = "llama", device: str = "cpu") -> LoadedModel:
    return LoadedModel(tiny(family).to(device), character_tokenizer(), "tiny", None)


def six(config) -> list:
    """Three seeds, each with its shuffled control."""
    return [replace(config, seed=seed, shuffled=shuffled) for seed in range(3) for shuffled in (False, True)]


def by_run(loaded: LoadedModel, plans: list[RunPlan]) -> list[list]:
    """Everything that each of the runs yields, done together."""
    found: list[list] = [[] for _ in plans]
    for number, item in train_together(loaded, plans):
        found[number].append(item)
    return found


def assert_alike(ours: list, its: list, tolerance: float = 1e-6) -> None:
    """Two runs are one: their steps, checks and weights."""
    *steps, adapter = ours
    *own_steps, own = its
    assert [step.step for step in steps] == [step.step for step in own_steps]
    for step, other in zip(steps, own_steps, strict=True):
        assert step.loss == (other.loss and pytest.approx(other.loss, abs=1e-5)), step.step
        assert (step.epoch, step.learning_rate) == (other.epoch, other.learning_rate)
        assert (step.check is None) == (other.check is None)
    for name, weights in own.state.items():
        assert (adapter.state[name] - weights).norm() / weights.norm() < tolerance, name


@pytest.mark.parametrize(
    ("preset", "family"), [("corrected", "llama"), *(("published", family) for family in FAMILIES)]
)
def test_runs_side_by_side_are_those_that_go_alone(pairs, preset, family):
    config = replace(PRESETS[preset], layer=2, batch_size=11, epochs=2, learning_rate=1e-3, dropout=0.1)
    plans = [RunPlan(pairs, config, pairs[:8]) for config in six(config)[:3]]
    together = by_run(fresh(family), plans)
    for plan, items in zip(plans, together, strict=True):
        assert_alike(items, list(train_adapter(fresh(family), pairs, plan.config, pairs[:8])))
    weights = [items[-1].state for items in together]
    name = next(name for name in weights[0] if "lora_B" in name)
    assert len({tuple(of[name].flatten().tolist()) for of in weights}) == len(plans)  # none is another's copy


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("preset", ["published", "corrected"])
def test_on_a_gpu_too(pairs, preset):
    config = replace(PRESETS[preset], layer=2, batch_size=8, epochs=3, learning_rate=1e-3, dropout=0.0)
    plans = [RunPlan(pairs, config, pairs[:8]) for config in six(config)]
    for plan, items in zip(plans, by_run(fresh(device="cuda"), plans), strict=True):
        alone = list(train_adapter(fresh(device="cuda"), pairs, plan.config, pairs[:8]))
        assert_alike(items, alone, tolerance=1e-4)  # products of other shapes are other kernels


def test_dropout_follows_from_a_runs_own_seed(pairs):
    config = replace(PRESETS["published"], batch_size=8, epochs=2, dropout=0.3)

    def second(seeds: list[int]) -> dict:
        plans = [RunPlan(pairs, replace(config, seed=seed)) for seed in seeds]
        return by_run(fresh(), plans)[1][-1].state

    one, same, other = second([1, 2]), second([5, 2]), second([1, 3])
    for name in one:
        torch.testing.assert_close(one[name], same[name], rtol=1e-4, atol=1e-6)
    assert any(not torch.allclose(one[name], other[name], rtol=1e-2) for name in one)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_dropout_is_drawn_for_each_run_and_the_same_again_for_the_same_runs(pairs):
    config = replace(PRESETS["published"], batch_size=8, epochs=2, dropout=0.3, learning_rate=1e-3)
    # One seed, so without dropout both would be one run.
    plans = [RunPlan(pairs, config), RunPlan(pairs, config)]
    first, again = by_run(fresh(device="cuda"), plans), by_run(fresh(device="cuda"), plans)
    one, other = (items[-1].state for items in first)
    assert any(not torch.allclose(one[name], other[name], rtol=1e-2) for name in one)
    assert all(torch.equal(one[name], again[0][-1].state[name]) for name in one)


def test_one_may_be_stopped_and_go_on_alone_later(pairs):
    config = replace(PRESETS["published"], batch_size=8, epochs=4, dropout=0.1, learning_rate=1e-3)
    asked, states = iter([False] * 5 + [True]), []
    plans = [
        RunPlan(pairs, config),
        RunPlan(pairs, replace(config, seed=1), stop=lambda: next(asked), keep=states.append),
        RunPlan(pairs, replace(config, seed=2)),
    ]
    first, stopped, third = by_run(fresh(), plans)
    assert stopped[-1].record["steps"] == states[-1].step == 5
    assert_alike(first, list(train_adapter(fresh(), pairs, config)))
    assert_alike(third, list(train_adapter(fresh(), pairs, replace(config, seed=2))))
    *_, resumed = train_adapter(fresh(), pairs, plans[1].config, resume=states[-1])
    *_, whole = train_adapter(fresh(), pairs, plans[1].config)
    for name, weights in whole.state.items():
        assert (resumed.state[name] - weights).norm() / weights.norm() < 1e-6, name


def test_runs_go_on_side_by_side_from_where_they_were(pairs):
    config = replace(PRESETS["published"], batch_size=8, epochs=4, dropout=0.1, learning_rate=1e-3)
    states: list[list] = [[], []]

    def plans(resumed: bool) -> list[RunPlan]:
        asked = [iter([False] * 6 + [True]) for _ in states]
        return [
            RunPlan(
                pairs,
                replace(config, seed=seed),
                stop=(lambda: False) if resumed else lambda seed=seed: next(asked[seed]),
                keep=states[seed].append,
                resume=states[seed][-1] if resumed else None,
            )
            for seed in range(2)
        ]

    by_run(fresh(), plans(resumed=False))
    assert [of[-1].step for of in states] == [6, 6]
    for seed, items in enumerate(by_run(fresh(), plans(resumed=True))):
        *_, whole = train_adapter(fresh(), pairs, replace(config, seed=seed))
        assert [step.step for step in items[:-1]] == list(range(7, 17))
        for name, weights in whole.state.items():
            assert (items[-1].state[name] - weights).norm() / weights.norm() < 1e-6, name
    # Nothing is left to do for one that has ended, but to give its adapter again.
    ((_, last),) = train_together(fresh(), [RunPlan(pairs, config, resume=states[0][-1])])
    assert isinstance(last, TrainedAdapter) and last.record["steps"] == 16


def test_one_that_goes_astray_leaves_the_others_alone(pairs):
    loaded = fresh()
    config = replace(PRESETS["corrected"], layer=2, batch_size=8, epochs=2, dropout=0.0)
    plans = [RunPlan(pairs, config), RunPlan(pairs, replace(config, seed=1))]
    found: list[list] = [[], []]
    with pytest.MonkeyPatch.context() as patch:
        import tli_core.training.run

        real = tli_core.training.run.RunWeights

        def poisoned(loaded, key, config, *more):
            weights = real(loaded, key, config, *more)
            if config.seed == 1:
                for parameter in weights.parameters.values():
                    parameter.data.fill_(torch.nan)
            return weights

        patch.setattr(tli_core.training.run, "RunWeights", poisoned)
        for number, item in train_together(loaded, plans):
            found[number].append(item)
    assert isinstance(found[1][-1], ValueError) and "no number at step 1" in str(found[1][-1])
    assert_alike(found[0], list(train_adapter(fresh(), pairs, config)))
    assert not loaded._slots.keys


def test_a_run_that_cannot_begin_is_told_and_leaves_the_others_alone(pairs):
    loaded = fresh()
    config = replace(PRESETS["published"], batch_size=8, epochs=2)
    one_word = [pair._replace(target="house") for pair in pairs]  # which nothing can be shuffled with
    well, refused = by_run(loaded, [RunPlan(one_word, config), RunPlan(one_word, replace(config, shuffled=True))])
    assert isinstance(well[-1], TrainedAdapter)
    assert len(refused) == 1 and "Shuffling needs at least two" in str(refused[0])
    assert not loaded._slots.keys


def test_what_a_callers_own_raises_ends_its_run_alone(pairs):
    def full(_state) -> None:
        raise OSError("No space left on device")

    config = replace(PRESETS["published"], batch_size=8, epochs=2, dropout=0.0)
    plans = [RunPlan(pairs, config), RunPlan(pairs, replace(config, seed=1), keep=full)]
    well, lost = by_run(fresh(), plans)
    assert isinstance(lost[-1], OSError)
    assert_alike(well, list(train_adapter(fresh(), pairs, config)))


@pytest.mark.parametrize("changes", [{"in_text": 0.5}, {"in_text": 1.0}, {}])
def test_company_changes_nothing_for_words_of_any_length(pairs, changes):
    """One word is longer than a row, and some batches stand behind text: neither widens another batch's rows."""
    words = [*pairs, WordPair("n" * 140, "w" * 150)]
    config = replace(PRESETS["corrected"], layer=2, batch_size=7, epochs=2, dropout=0.3, **changes)
    plans = [RunPlan(words, replace(config, seed=seed)) for seed in range(3)]
    for plan, items in zip(plans, by_run(fresh(), plans), strict=True):
        # Other rows would be other draws: 0.02 and more. Ten steps behind text round to a little over 1e-6.
        assert_alike(items, list(train_adapter(fresh(), words, plan.config)), tolerance=1e-5)


def test_a_run_goes_on_as_if_it_had_not_been_broken_off_wherever_that_was(pairs):
    words = [*pairs, WordPair("n" * 140, "w" * 150)]
    config = replace(PRESETS["published"], batch_size=7, epochs=2, dropout=0.3, learning_rate=1e-3)
    *_, whole = train_adapter(fresh(), words, config)
    for step in (1, 3, 6):
        asked, states = iter([False] * step + [True]), []
        list(train_adapter(fresh(), words, config, stop=lambda asked=asked: next(asked), keep=states.append))
        *_, resumed = train_adapter(fresh(), words, config, resume=states[-1])
        assert all(torch.equal(whole.state[name], resumed.state[name]) for name in whole.state), step


def test_a_state_with_a_part_missing_is_refused(pairs):
    config = replace(PRESETS["published"], batch_size=8, epochs=2)
    asked, states = iter([False] * 2 + [True]), []
    list(train_adapter(fresh(), pairs, config, stop=lambda: next(asked), keep=states.append))
    for part in ("lora", "optimizer"):
        whole = getattr(states[-1], part)
        damaged = replace(states[-1], **{part: dict(list(whole.items())[1:])})
        with pytest.raises(ValueError, match="of another run, or a part of it is missing"):
            next(train_adapter(fresh(), pairs, config, resume=damaged))


def test_closing_takes_all_of_them_off_the_model_and_the_base_is_as_it_was(pairs):
    loaded = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
    with loaded.using(None) as model:
        base = list(model.parameters())
        before = [parameter.clone() for parameter in base]
    config = replace(PRESETS["published"], batch_size=8)
    run = train_together(loaded, [RunPlan(pairs, config), RunPlan(pairs, replace(config, seed=1))])
    taken = [next(run) for _ in range(6)]
    assert all(isinstance(item, TrainingStep) for _, item in taken) and len(loaded._slots.keys) == 2
    run.close()
    assert not loaded._slots.keys
    assert all(torch.equal(*both) for both in zip(base, before, strict=True))
    with loaded.using(None) as model:
        assert not any("forward" in vars(module) for module in model.modules())


def test_early_stopping_ends_one_and_not_the_other(pairs):
    from tests.planted import unlike_pairs

    config = configured("corrected", layer=2, batch_size=16, epochs=12, learning_rate=5e-3, patience=1, dropout=0.0)
    plans = [RunPlan(unlike_pairs(64), replace(config, seed=seed), pairs) for seed in range(3)]
    for plan, items in zip(plans, by_run(fresh(), plans), strict=True):
        assert_alike(items, list(train_adapter(fresh(), plan.pairs, plan.config, pairs)), tolerance=1e-5)
        assert "kept_step" in items[-1].record


def test_only_runs_that_differ_in_seed_and_translations_go_side_by_side(pairs):
    config = replace(PRESETS["published"], batch_size=8)

    def numbers(*configs) -> list[list[int]]:
        return passes([RunPlan(pairs, config) for config in configs])

    assert numbers(*six(config)) == [[0, 1, 2, 3, 4, 5]]
    assert numbers(config, replace(config, layer=1), replace(config, layer=1, seed=3)) == [[0], [1, 2]]
    assert numbers(*(replace(config, keep=1.0, seed=seed) for seed in range(2))) == [[0], [1]]
    assert passes([RunPlan(pairs, config), RunPlan(pairs[:8], config)]) == [[0], [1]]
    assert numbers(*six(replace(config, batch_size=1024))) == [[0, 1, 2, 3, 4, 5]]  # of a list as short as this
    long = [RunPlan(pairs * 5, of) for of in six(replace(config, batch_size=64))]
    assert passes(long) == [[0, 1, 2], [3, 4, 5]]
