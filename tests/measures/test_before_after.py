"""Before and after: the layer that is picked, what is warned about, and which pairs moved."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import character_tokenizer, tiny_llama
from tests.planted import unlike_pairs
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.before_after import compare, compare_lists, evaluate, evaluate_lists, movers, pick_layer
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.significance import holm
from tli_core.measures.verdicts import RankChange
from tli_core.models.layers import PICK
from tli_core.models.loaded_model import LoadedModel
from tli_core.reports.messages import CHANGES, change_sentence, overlay_sentence
from tli_core.reports.model_card import save_adapter
from tli_core.reports.notices import worded
from tli_core.training.early_stopping import parted
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured


@pytest.fixture
def measured(tiny, pairs):
    """Two random models stand in for base and adapter: (trained before, after, control before, after)."""
    other = LoadedModel(tiny_llama(seed=1), character_tokenizer(), "tiny", None)
    lists = pairs[:20], pairs[20:]
    return [measure(loaded, chosen) for chosen in lists for loaded in (tiny, other)]


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1, 1])


def test_the_curve_of_differences_agrees_with_the_test_at_its_layer(measured):
    before, after, *_ = measured
    item = compare("trained", before, after, 2)
    assert item.differences.matched[2] == pytest.approx(item.test.difference)
    assert item.differences.matched_ci95[2] == pytest.approx(item.test.difference_ci95)
    assert item.differences.gap[2] == pytest.approx(item.change.gap, abs=1e-6)
    assert (item.differences.matched_p >= 0).all() and item.differences.matched_p[2] >= item.test.p_t
    same = compare("trained", before, before, 2)
    assert (same.differences.matched == 0).all() and (same.differences.matched_p == 1).all()


def test_of_short_lists_too_the_change_is_that_of_the_ranks_beside_it(tiny, pairs):
    other = LoadedModel(tiny_llama(seed=1), character_tokenizer(), "tiny", None)
    before, after = (measure(loaded, pairs[:12]) for loaded in (tiny, other))
    found = compare("trained", before, after, 2).change
    for way in DIRECTIONS:
        mrr = [result.retrieval[way].mrr[2] for result in (before, after)]
        assert found.ranks[way].mrr == pytest.approx(mrr[1] - mrr[0])


def test_a_picked_layer_is_chosen_on_trained_pairs_and_flattering_there_only(measured):
    trained, control = compare_lists(*measured, layer=PICK)
    grown = sum(measured[1].retrieval[way].mrr - measured[0].retrieval[way].mrr for way in DIRECTIONS)
    assert trained.layer == control.layer == pick_layer(*measured[:2]) and grown[trained.layer] == grown[1:].max()
    assert trained.picked_on == control.picked_on == "trained"
    assert "picked on 20 of these pairs" in worded(trained.warnings[0]) and control.warnings == ()
    assert compare_lists(*measured, layer=2)[0].warnings == ()


def test_a_layer_that_was_picked_on_its_own_pairs_flatters_the_control_list_too(measured):
    before, after, other_before, other_after = measured
    # By their words, however they are spelt and whatever they are about.
    again = tuple(pair._replace(source=pair.source.upper(), topic="any") for pair in before.pairs)
    trained, control = compare_lists(before, after, *(replace(of, pairs=again) for of in (before, after)), layer=PICK)
    assert "picked on 20 of these pairs" in worded(control.warnings[0])
    unpicked = compare("control", other_before, other_after, trained.layer)
    apart = compare_lists(*measured, layer=PICK)[1]
    for way in DIRECTIONS:
        assert trained.change.ranks[way].p == control.change.ranks[way].p
        assert apart.change.ranks[way].p == unpicked.change.ranks[way].p


def test_words_in_both_lists_are_warned_about(tiny, pairs):
    key = tiny.new_adapter(_lora())
    _, control = evaluate_lists(tiny, pairs[:5], [*pairs[4:9], WordPair("chai", "tea")], key)
    assert "1 Swahili and 1 English words" in worded(control.warnings[-1])


def test_what_cannot_be_evaluated_is_refused_before_anything_is_measured(tiny, pairs):
    told = []
    with pytest.raises(ValueError, match="no layer 9"):
        evaluate_lists(tiny, pairs, pairs, "none", 9, progress=told.append)
    with pytest.raises(ValueError, match="trained list needs at least two"):
        evaluate_lists(tiny, pairs[:1], pairs, "none", progress=told.append)
    assert told == []


def test_movers_are_ordered_by_what_they_gained_over_wrong_partners(measured):
    item = compare("trained", *measured[:2], "output")
    gained, lost = movers(item, 3)
    assert len(gained) == len(lost) == 3
    changes = [mover.change for mover in (*gained, *reversed(lost))]
    assert changes == sorted(changes, reverse=True) and changes[0] > 0 > changes[-1]
    first = gained[0]
    assert first.change == pytest.approx((first.after - first.wrong_after) - (first.before - first.wrong_before))


def _lora():
    from peft import LoraConfig

    return LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")


def test_where_nothing_can_be_told_nothing_is(tiny, pairs):
    other = LoadedModel(tiny_llama(seed=1), character_tokenizer(), "tiny", None)
    for n in (2, 4):
        few = compare("x", measure(tiny, pairs[:n]), measure(other, pairs[:n]), "output")
        assert few.change.verdict == "too few pairs" and np.isnan(few.change.gap_ci95).all()
        assert "Too few pairs to tell" in overlay_sentence(few.before, few.after, "mine")
    for n in (6, 12, 25):
        item = compare("x", measure(tiny, pairs[:n]), measure(other, pairs[:n]), "output")
        told = overlay_sentence(item.before, item.after, "mine")
        assert CHANGES[item.change.verdict] in told and CHANGES[item.change.verdict] in change_sentence(item)
    with other.using(None) as model, torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight.fill_(float("nan"))
    lost = compare("x", measure(tiny, pairs), measure(other, pairs), "output")
    assert lost.change.verdict == "no numbers" and "vectors are no numbers" in change_sentence(lost)
    assert np.isnan(lost.test.p_t) and np.isnan(lost.differences.matched_p[3]) and lost.differences.matched_p[2] <= 1
    alike = compare("x", measure(tiny, pairs[:6]), measure(tiny, pairs[:6]), "output")
    assert np.isnan(alike.test.p_t) and (alike.differences.matched_p == 1).all()


def test_pairs_that_chose_the_step_are_not_believed_by_themselves(tiny, pairs, tmp_path):
    config = configured("corrected", layer=2, batch_size=8, epochs=6, patience=1, learning_rate=5e-3)
    listed = unlike_pairs(64)
    *_, trained = train_adapter(tiny, listed, config, pairs)
    assert trained.record["kept_step"] and len(trained.record["step_chosen_on"]) == 8
    folder = save_adapter(trained, tmp_path, "mine")
    key = tiny.add_adapter(folder).key

    def said(key, on):
        return [worded(warning) for warning in evaluate(tiny, "control", on, key).warnings]

    assert "and 8 of these are among them: their figures flatter" in said(key, listed)[0]
    assert "and 2 of these are among them" in said(key, (*parted(listed, config)[1][:2], *pairs))[0]
    assert said(key, pairs) == []
    assert "8 of these are among them" in worded(evaluate_lists(tiny, listed, pairs, key)[0].warnings[0])
    record = json.loads((folder / "tli.json").read_text())
    del record["step_chosen_on"]
    (folder / "tli.json").write_text(json.dumps(record))
    assert "the record does not tell which" in said(tiny.add_adapter(folder).key, pairs)[0]
    *_, unpicked = train_adapter(tiny, pairs[:16], configured("published", epochs=1), pairs[16:])
    assert said(tiny.add_adapter(save_adapter(unpicked, tmp_path, "other")).key, pairs[16:]) == []


def test_a_gain_that_is_unsure_without_look_alikes_is_told_as_that(tiny, pairs):
    item = compare("x", measure(tiny, pairs), measure(tiny, pairs), "output")
    for p_beyond, told in ((0.03, True), (0.01, False)):
        ranks = RankChange(0.05, (0.02, 0.08), 0.02, 0.05, (0.02, 0.08), 0.06, p_beyond, 0.5)
        said = change_sentence(replace(item, change=replace(item.change, ranks=dict.fromkeys(DIRECTIONS, ranks))))
        assert ("Without the pairs that look alike it is not sure: p 0.03." in said) == told
