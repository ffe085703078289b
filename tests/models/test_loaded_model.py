"""Loading a base, switching adapters, and refusing what does not fit."""

import json
import shutil
from dataclasses import asdict

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.encoding.lens import LENS
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import check_adapter_name, find_adapter, shipped_adapters


def peft_folder(path, model=None, noise=0.3, **changes):
    """A LoRA folder as PEFT itself saves it, with weights that change something."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **changes}
    wrapped = get_peft_model(model or tiny_llama(), LoraConfig(**settings))
    torch.manual_seed(1)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=noise)
    wrapped.save_pretrained(path)
    return wrapped


def logits(loaded: LoadedModel, adapter: str | None) -> torch.Tensor:
    ids = torch.tensor([loaded.tokenizer("maji moto")["input_ids"]])
    with torch.no_grad(), loaded.using(adapter) as model:
        return model(ids).logits


def test_an_adapter_saved_by_peft_gives_pefts_outputs(tiny, tmp_path):
    wrapped = peft_folder(tmp_path / "mine").eval()
    adapter = tiny.add_adapter(tmp_path / "mine")
    ids = torch.tensor([tiny.tokenizer("maji moto")["input_ids"]])
    with torch.no_grad():
        expected = wrapped(ids).logits
    torch.testing.assert_close(logits(tiny, adapter.key), expected, rtol=1e-5, atol=1e-6)
    assert adapter.name == "mine" and adapter.blocks == (0, 1, 2) and len(adapter.sha256) == 64


def test_the_base_is_bit_equal_after_switching_adding_and_dropping(tiny, tmp_path):
    before = logits(tiny, None)
    peft_folder(tmp_path / "one")
    peft_folder(tmp_path / "two", noise=0.6)
    one, two = tiny.add_adapter(tmp_path / "one").key, tiny.add_adapter(tmp_path / "two").key
    first = logits(tiny, one)
    assert not torch.equal(first, before) and not torch.equal(first, logits(tiny, two))
    assert torch.equal(logits(tiny, None), before)
    tiny.drop(two)
    assert torch.equal(logits(tiny, one), first) and torch.equal(logits(tiny, None), before)
    with pytest.raises(KeyError, match="add it first"):
        logits(tiny, two)


def test_the_base_comes_back_after_an_error(tiny, tmp_path):
    before = logits(tiny, None)
    peft_folder(tmp_path / "one")
    key = tiny.add_adapter(tmp_path / "one").key
    with pytest.raises(RuntimeError), tiny.using(key):
        raise RuntimeError
    with torch.no_grad(), tiny.using(None) as model:
        assert torch.equal(model(torch.tensor([tiny.tokenizer("maji moto")["input_ids"]])).logits, before)


def test_equal_weights_added_twice_are_two_adapters(tiny, tmp_path):
    peft_folder(tmp_path / "one")
    mine, theirs = tiny.add_adapter(tmp_path / "one", "mine"), tiny.add_adapter(tmp_path / "one", "theirs")
    tiny.drop(mine.key)
    assert logits(tiny, theirs.key).isfinite().all()
    assert tiny.provenance(theirs.key, 1, 0, **asdict(LENS)).adapter == "theirs"


def test_blocks_that_carry_no_change_are_not_counted(tiny, tmp_path):
    peft_folder(tmp_path / "one")
    file = tmp_path / "one" / "adapter_model.safetensors"
    state = {n: t.zero_() if "lora_B" in n and ".layers.2." in n else t for n, t in load_file(file).items()}
    save_file(state, file)
    assert tiny.add_adapter(tmp_path / "one").blocks == (0, 1)


def test_an_adapter_for_another_base_is_refused_and_leaves_nothing(tiny, tmp_path):
    before = logits(tiny, None)
    peft_folder(tmp_path / "wide", tiny_llama(hidden=32))
    peft_folder(tmp_path / "deep", tiny_llama(blocks=5))
    with pytest.raises(ValueError, match="wide is for a model of width 32, but tiny has 16"):
        tiny.add_adapter(tmp_path / "wide")
    with pytest.raises(ValueError, match="deep changes block 3, but tiny has 3"):
        tiny.add_adapter(tmp_path / "deep")
    assert torch.equal(logits(tiny, None), before)


def test_missing_tensors_are_refused(tiny, tmp_path):
    peft_folder(tmp_path / "one")
    file = tmp_path / "one" / "adapter_model.safetensors"
    state = load_file(file)
    state.pop(next(name for name in state if "lora_A" in name))
    save_file(state, file)
    with pytest.raises(ValueError, match=r"one does not fit tiny: tensors that do not match or are missing: 1,"):
        tiny.add_adapter(tmp_path / "one")
    with tiny.using(None) as model:
        assert not getattr(model, "peft_config", {})


def test_pickles_and_broken_folders_are_refused(tiny, tmp_path):
    peft_folder(tmp_path / "one")
    (tmp_path / "one" / "adapter_model.safetensors").rename(tmp_path / "one" / "adapter_model.bin")
    with pytest.raises(ValueError, match="save it again as safetensors"):
        tiny.add_adapter(tmp_path / "one")
    (tmp_path / "one" / "adapter_model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ValueError, match="damaged, or no safetensors file"):
        tiny.add_adapter(tmp_path / "one")
    with pytest.raises(ValueError, match="no adapter_config"):
        tiny.add_adapter(tmp_path)


def test_a_folder_loads_as_it_was_saved(tiny, tiny_folder):
    loaded = load_model(str(tiny_folder), Placement("cpu"))
    assert torch.equal(logits(loaded, None), logits(tiny, None))
    assert loaded.revision.startswith("sha256:") and loaded.blocks == 3


def test_the_revision_follows_the_weights(tiny_folder, tmp_path):
    other = tmp_path / "other"
    tiny_llama(seed=1).save_pretrained(other)
    character_tokenizer().save_pretrained(other)
    copy = tmp_path / "copy"
    shutil.copytree(tiny_folder, copy)
    first, same, different = (
        load_model(str(folder), Placement("cpu")).revision for folder in (tiny_folder, copy, other)
    )
    assert first == same != different


@pytest.mark.parametrize("name", ["nowhere", "../..", "a/b/c", ""])
def test_unknown_models_are_refused_with_the_choices(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"There is no model|has no config\.json"):
        load_model(name or "no such model")


def test_a_broken_checkpoint_is_one_sentence(tiny_folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_folder, broken)
    (broken / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="damaged, or no safetensors file") as caught:
        load_model(str(broken), Placement("cpu"))
    assert "\n" not in str(caught.value)


def test_adapters_are_found_by_name_or_path(tmp_path, monkeypatch):
    monkeypatch.setattr("tli_core.models.registry.OWN_ADAPTERS", tmp_path)
    peft_folder(tmp_path / "mine")
    config = tmp_path / "mine" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "somewhere"}))
    assert find_adapter("mine") == tmp_path / "mine" == find_adapter(str(tmp_path / "mine"))
    assert (
        shipped_adapters(tmp_path) == ("mine",) == shipped_adapters(tmp_path, base="me/Somewhere")
        and shipped_adapters(tmp_path, base="elsewhere") == ()
    )
    with pytest.raises(ValueError, match="one of mine, mini-corrected"):
        find_adapter("yours")


@pytest.mark.parametrize("config", ["", "{", "{}", "[]", '{"base_model_name_or_path": 3}', None])
def test_what_a_killed_save_left_behind_is_skipped_and_told_once(config, tmp_path, caplog):
    peft_folder(tmp_path / "mine")
    whole = json.loads((tmp_path / "mine" / "adapter_config.json").read_text()) | {"base_model_name_or_path": "base"}
    (tmp_path / "mine" / "adapter_config.json").write_text(json.dumps(whole))
    for name in ("half", ".hidden.part"):
        (tmp_path / name).mkdir()
        # A config without weights, or one that was cut.
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(whole) if config is None else config)
    for base in (None, "base", None):
        assert shipped_adapters(tmp_path, base) == ("mine",)
    assert [record.getMessage().split(" is ")[0] for record in caplog.records] == [str(tmp_path / "half")]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b", "naïve"])
def test_names_that_could_leave_the_folder_are_refused(name):
    with pytest.raises(ValueError, match="cannot name an adapter"):
        check_adapter_name(name)


def test_a_published_adapter_of_its_time_loads_and_its_idle_blocks_are_counted(tiny, tmp_path):
    """r 16 on q_proj and v_proj of every block, an adapter_config.json as PEFT 0.11 wrote it, two blocks trained."""
    wrapped = get_peft_model(tiny_llama(), LoraConfig(r=16, lora_alpha=32, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(1)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name and ".layers.2." not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    wrapped.save_pretrained(tmp_path / "old")
    config = {
        "alpha_pattern": {}, "auto_mapping": None, "base_model_name_or_path": "somewhere/else", "bias": "none",
        "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True, "layer_replication": None,
        "layers_pattern": None, "layers_to_transform": None, "loftq_config": {}, "lora_alpha": 32,
        "lora_dropout": 0.05, "megatron_config": None, "megatron_core": "megatron.core", "modules_to_save": None,
        "peft_type": "LORA", "r": 16, "rank_pattern": {}, "revision": None, "target_modules": ["v_proj", "q_proj"],
        "task_type": "CAUSAL_LM", "use_dora": False, "use_rslora": False,
    }  # fmt: skip
    (tmp_path / "old" / "adapter_config.json").write_text(json.dumps(config))
    adapter = tiny.add_adapter(tmp_path / "old")
    ids = torch.tensor([tiny.tokenizer("maji moto")["input_ids"]])
    with torch.no_grad():
        torch.testing.assert_close(logits(tiny, adapter.key), wrapped.eval()(ids).logits, rtol=1e-5, atol=1e-6)
    assert adapter.blocks == (0, 1) and adapter.idle_blocks == (2,)
    assert "1 of 3 blocks of old carry no change" in adapter.idle_sentence
