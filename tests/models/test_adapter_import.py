"""Adapters as other tools save them: exactly what PEFT makes of them on a fresh model, or refused before anything."""

import json
import struct

import pytest
import torch
from peft import LoraConfig, PeftModel

from tests.conftest import character_tokenizer
from tests.models.conftest import (
    SUPPORTED,
    Kind,
    change,
    check_the_base_is_untouched,
    equal,
    everything,
    ids_of,
    llama,
    renamed,
    resized,
    save,
    seen,
    weights_of,
)
from tli_core.encoding.pooled_states import pooled_states
from tli_core.models.adapter_import import read_record
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import ADAPTERS


@pytest.mark.parametrize("kind", SUPPORTED, ids=lambda kind: kind.name)
def test_an_adapter_is_what_peft_makes_of_it_and_nobody_else_sees_it(kind, another, tmp_path):
    loaded = LoadedModel(llama(kind.tied), character_tokenizer(), "tiny", None)
    held = loaded.add_adapter(another).key
    before, others, weights = seen(loaded, None), seen(loaded, held), weights_of(loaded)
    save(kind, tmp_path / "mine")
    with torch.random.fork_rng():
        fresh = PeftModel.from_pretrained(resized(llama(kind.tied), kind.added), tmp_path / "mine").eval()
    expected = everything(fresh, ids_of(loaded))

    key = loaded.add_adapter(tmp_path / "mine").key
    for found, right in zip(seen(loaded, key), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)
    assert not equal(seen(loaded, key), before)
    assert equal(seen(loaded, None), before) and equal(seen(loaded, held), others)
    with pytest.raises(RuntimeError, match="midway"), loaded.using(key):
        raise RuntimeError("midway")
    loaded.drop(key)
    assert equal(seen(loaded, held), others)
    check_the_base_is_untouched(loaded, before, weights, another)


def test_two_larger_vocabularies_are_held_side_by_side(tiny, another, tmp_path):
    before, weights = seen(tiny, None), weights_of(tiny)
    kinds = [kind for kind in SUPPORTED if kind.added and not kind.tied and "modules_to_save" in kind.settings]
    keys = []
    for i, kind in enumerate(kinds):
        save(kind, tmp_path / str(i))
        keys.append(tiny.add_adapter(tmp_path / str(i)).key)
    first, second = (seen(tiny, key) for key in keys)
    assert not equal(first, second) and equal(seen(tiny, keys[0]), first)
    for key in keys:
        tiny.drop(key)
    check_the_base_is_untouched(tiny, before, weights, another)


@pytest.mark.parametrize(
    "state",
    [renamed(".weight", ".default.weight"), renamed("base_model.model.", "")],
    ids=["the adapter's name in its keys", "keys without PEFT's prefix"],
)
def test_keys_that_peft_passes_over_in_silence_mean_what_they_say(state, tiny, mine):
    right = seen(tiny, tiny.add_adapter(mine).key)
    change(mine, {}, state)
    assert equal(seen(tiny, tiny.add_adapter(mine).key), right)


def test_a_vocabulary_that_peft_saved_because_it_was_resized_is_used(tiny, tmp_path):
    save(Kind("larger", {"modules_to_save": ["embed_tokens", "lm_head"]}, added=5), tmp_path / "mine")
    right = seen(tiny, tiny.add_adapter(tmp_path / "mine").key)
    change(tmp_path / "mine", {"modules_to_save": None})
    assert equal(seen(tiny, tiny.add_adapter(tmp_path / "mine").key), right)


FIRST_BLOCKS = {"target_modules": ["q_proj"], "layers_to_transform": [0, 1]}


@pytest.mark.parametrize("more", [
    {"modules_to_save": ["norm"]},
    {"modules_to_save": ["lm_head", "embed_tokens"]},
    {"trainable_token_indices": {"embed_tokens": [40], "lm_head": [41]}},
], ids=str)  # fmt: skip
def test_of_first_blocks_alone_what_lies_behind_them_is_skipped(more, tiny_folder, tmp_path):
    loaded = load_model(str(tiny_folder), Placement("cpu", 2))
    save(Kind("", {**FIRST_BLOCKS, **more}), tmp_path / "mine")
    expected = everything(PeftModel.from_pretrained(llama(), tmp_path / "mine").eval(), ids_of(loaded))
    with loaded.using(loaded.add_adapter(tmp_path / "mine").key) as model, torch.no_grad():
        found = pooled_states(model, loaded.tokenizer, ["maji, moto"], "last").vectors[:, 0]
    for layer in range(3):
        torch.testing.assert_close(found[layer], expected[layer][0, -1], rtol=1e-5, atol=1e-5)
    save(Kind("plain"), tmp_path / "all")
    with pytest.raises(ValueError, match=r"changes block 2, but only 2 blocks of .* are loaded"):
        loaded.add_adapter(tmp_path / "all")


def test_a_model_in_use_is_not_used_or_changed_inside(tiny, another):
    key = tiny.add_adapter(another).key
    right = seen(tiny, key)
    for inside in (lambda: seen(tiny, None), lambda: tiny.add_adapter(another)):
        with pytest.raises(RuntimeError, match="does not nest"), tiny.using(key):
            inside()
    assert equal(seen(tiny, key), right)


@pytest.mark.parametrize("shape", ["[1e999]", "[Infinity]", '["a"]', "[-1]", "{}", "null", "[1, [2]]"])
def test_a_table_of_tensors_that_is_none_is_one_sentence(shape, tiny, mine):
    table = f'{{"x": {{"dtype": "F32", "shape": {shape}, "data_offsets": [0, 0]}}}}'.encode()
    (mine / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(table)) + table)
    with pytest.raises(ValueError, match=r"no safetensors file|holds no LoRA tensors"):
        tiny.add_adapter(mine)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "NaN", '{"r": NaN}', "[" * 100_000, '{"a":' * 50_000, "\x00", '"LORA"', "1" * 9999]
)
def test_a_config_that_is_none_is_one_sentence(text, tiny, mine):
    (mine / "adapter_config.json").write_text(text)
    with pytest.raises(ValueError, match=r"adapter_config\.json is no JSON object, or is cut short"):
        tiny.add_adapter(mine)


def test_a_config_of_another_tool_says_so(tiny, mine):
    (mine / "adapter_config.json").write_text('{"fine_tune_type": "lora", "num_layers": 16}')
    with pytest.raises(ValueError, match=r"has no peft_type: PEFT did not save it"):
        tiny.add_adapter(mine)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{}", '{"base": 1}', '{"base": {"model": []}, "config": {}}', "NaN", '{"config": null}']
)
def test_a_record_that_is_none_is_skipped(text, tmp_path):
    (tmp_path / "tli.json").write_text(text)
    assert read_record(tmp_path) == {}


@pytest.mark.parametrize("digests", ["all", {}, [1], [["a"]], [None], 3])
def test_a_record_whose_digests_are_none_is_skipped(digests, tmp_path):
    record = json.loads((ADAPTERS / "mini-gentle" / "tli.json").read_text(encoding="utf-8"))
    (tmp_path / "tli.json").write_text(json.dumps(record))
    assert read_record(tmp_path) == record
    for key in ("trained_on", "step_chosen_on"):
        (tmp_path / "tli.json").write_text(json.dumps({**record, key: digests}))
        assert read_record(tmp_path) == {}


def test_a_base_that_was_changed_all_the_same_is_not_used_again(tiny, tmp_path, monkeypatch):
    """The last line of defence: PEFT's own way to attach what takes the base apart."""
    config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights="pissa")
    with pytest.raises(RuntimeError, match="has changed tiny in memory: load it again"):
        tiny.new_adapter(config)
    with pytest.raises(RuntimeError, match="load it again"), tiny.using(None):
        pass
