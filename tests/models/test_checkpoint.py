"""Checkpoints of Lugha-Llama's layout in small: the right model, or one clear sentence; never random weights."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.conftest import character_tokenizer, tiny_llama
from tests.hub import serve, take_for_the_hub
from tli_core.lists.lexicon import shipped
from tli_core.measures.alignment import measure
from tli_core.measures.generation import continuations
from tli_core.models import architecture
from tli_core.models.checkpoint import INDEX, needed_tensors, open_checkpoint
from tli_core.models.hub import hub_answers
from tli_core.models.layers import layer_index
from tli_core.models.loaded_model import blocks_to_train, load_model
from tli_core.models.model_files import DownloadStopped, header
from tli_core.models.placement import Placement
from tli_core.models.registry import ROOT
from tli_core.models.weights import read_model
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

CPU = Placement("cpu")

HEAD_SHARD = "model-00003-of-00003.safetensors"


def shard_of(name: str) -> str:
    """Embeddings and two blocks first, then the third block and the norm, then the head: as Lugha-Llama's shards go."""
    if name == "lm_head.weight":
        return HEAD_SHARD
    first = name.startswith(("model.embed_tokens", "model.layers.0", "model.layers.1"))
    return f"model-0000{1 if first else 2}-of-00003.safetensors"


def write(folder: Path, leave_out: tuple[str, ...] = (), unlisted: tuple[str, ...] = (), **config) -> Path:
    """The tiny model in three shards, some tensors left out of the shards or only of the index."""
    model = tiny_llama()
    model.save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    state = {name: tensor for name, tensor in model.state_dict().items() if name not in leave_out}
    for shard in {shard_of(name) for name in state}:
        save_file({name: t for name, t in state.items() if shard_of(name) == shard}, folder / shard)
    listed = {name: shard_of(name) for name in state if name not in unlisted}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    if config:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
    character_tokenizer().save_pretrained(folder)
    return folder


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([[0, 5, 9, 20]])).logits


def test_a_whole_checkpoint_is_read_as_transformers_reads_it(tmp_path):
    folder = write(tmp_path)
    ours = read_model(open_checkpoint(str(folder)), torch.float32, CPU)
    assert torch.equal(logits(ours), logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)))


def test_the_first_blocks_need_one_shard_and_give_the_same_layers(tmp_path):
    folder = write(tmp_path)
    whole = load_model(str(folder), CPU)
    (folder / HEAD_SHARD).unlink()
    (folder / "model-00002-of-00003.safetensors").unlink()
    first = load_model(str(folder), Placement("cpu", 2))
    assert first.blocks == 2 and not first.whole
    assert first.layer_names == ("embeddings", "block 1", "block 2")
    full, part = measure(whole, shipped("control")[:3]), measure(first, shipped("control")[:3])
    assert (full.cosine[:, :3] == part.cosine).all() and part.names[-1] == "block 2"
    with pytest.raises(ValueError, match="Only the first 2 blocks are loaded, so there is no output"):
        layer_index(part.names, "output")


def test_a_head_that_the_index_does_not_list_is_found(tmp_path):
    """Lugha-Llama's own history: saved as a classifier, the head added to a shard later, the index never renewed."""
    folder = write(tmp_path, unlisted=("lm_head.weight",), architectures=["LlamaForSequenceClassification"])
    ours = read_model(open_checkpoint(str(folder)), torch.float32, CPU)
    assert torch.equal(logits(ours), logits(tiny_llama()))


def test_without_a_head_the_model_measures_but_does_not_generate(tmp_path):
    loaded = load_model(str(write(tmp_path, leave_out=("lm_head.weight",))), CPU)
    assert loaded.whole
    assert measure(loaded, shipped("control")[:3]).names[-1] == "output"
    with loaded.using(None) as model, pytest.raises(ValueError, match="no output head"):
        continuations(model, loaded.tokenizer, ["maji"], 3)


def test_the_first_blocks_have_no_output_to_train_at(tmp_path):
    part = load_model(str(write(tmp_path / "model")), Placement("cpu", 2))
    with pytest.raises(ValueError, match="Only the first 2 blocks are loaded, so the loss cannot read the output"):
        next(train_adapter(part, shipped("train")[:8], configured("corrected")))


def test_a_head_can_be_taken_from_a_named_sibling(tmp_path):
    headless = write(tmp_path / "headless", leave_out=("lm_head.weight",))
    sibling = write(tmp_path / "sibling", unlisted=("lm_head.weight",))
    loaded = load_model(str(headless), CPU, head_from=str(sibling))
    with loaded.using(None) as model:
        torch.testing.assert_close(logits(model), logits(tiny_llama()))
    assert loaded.revision.endswith(f"head from {sibling}") and loaded.can_generate
    own = load_model(str(sibling), CPU, head_from=str(headless))
    assert "head from" not in own.revision
    with pytest.raises(ValueError, match=r"has no lm_head\.weight either"):
        load_model(str(headless), CPU, head_from=str(headless))


def test_an_index_that_names_the_wrong_shard_is_not_believed(tmp_path):
    folder = write(tmp_path)
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.layers.2.mlp.up_proj.weight"] = "model-00001-of-00003.safetensors"
    (folder / INDEX).write_text(json.dumps(index))
    ours = read_model(open_checkpoint(str(folder)), torch.float32, CPU)
    assert torch.equal(logits(ours), logits(tiny_llama()))


def test_no_index_at_all_is_no_obstacle(tmp_path):
    folder = write(tmp_path)
    (folder / INDEX).unlink()
    assert torch.equal(logits(read_model(open_checkpoint(str(folder)), torch.float32, CPU)), logits(tiny_llama()))


def cut_short(folder: Path) -> None:
    shard = folder / "model-00002-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])


def lose_a_shard(folder: Path) -> None:
    (folder / "model-00002-of-00003.safetensors").unlink()


def say_another_width(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 48}))


def say_another_kind(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "gpt2"}))


def say_ministral(folder: Path) -> None:
    """transformers takes a Mistral whose config lists its blocks for a Ministral."""
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "mistral", "layer_types": None}
    (folder / "config.json").write_text(json.dumps(config))


def slide(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    kinds = ["full_attention", *["sliding_attention"] * (config["num_hidden_layers"] - 1)]
    (folder / "config.json").write_text(json.dumps(config | {"layer_types": kinds}))


def point_outside(folder: Path) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": {"model.norm.weight": "../secret.safetensors"}}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_short, r"model-00002-of-00003.safetensors \(\d+ bytes\) is cut short"),
        (lose_a_shard, "lacks its shard model-00002-of-00003.safetensors"),
        (say_another_width, r"has shape \(32, 16\), but the config says \(48, 16\)"),
        (say_another_kind, "is a gpt2 model: only models of these families can be used here: llama"),
        (say_ministral, "is a ministral model: only models of these families"),
        (slide, "has blocks of a kind \\(sliding_attention\\) that is not computed here"),
        (point_outside, "names files that are not safetensors shards of its own"),
        (lambda folder: (folder / INDEX).write_text("[]"), "The index of .* cannot be read"),
    ],
    ids=[
        "cut short",
        "lost shard",
        "other width",
        "other kind",
        "taken for another",
        "sliding window",
        "path in the index",
        "broken index",
    ],
)
def test_damage_is_one_clear_sentence(tmp_path, damage, says):
    folder = write(tmp_path)
    damage(folder)
    with pytest.raises(ValueError, match=says) as caught:
        read_model(open_checkpoint(str(folder)), torch.float32, CPU)
    assert "\n" not in str(caught.value)


def test_a_missing_body_tensor_is_named(tmp_path):
    folder = write(tmp_path, leave_out=("model.layers.1.self_attn.q_proj.weight",))
    with pytest.raises(ValueError, match=r"lacks 1 of the 29 tensors needed, such as model.layers.1.self_attn.q_proj"):
        open_checkpoint(str(folder))


def test_llama_3_rope_is_loaded_as_written(tmp_path):
    rope = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
    folder = write(tmp_path, rope_parameters=rope)
    checkpoint = open_checkpoint(str(folder), blocks=2)
    model = read_model(checkpoint, torch.float32, Placement("cpu", 2))
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert checkpoint.config.num_hidden_layers == 3 and model.config.rope_parameters["rope_type"] == "llama3"
    assert torch.equal(model.model.rotary_emb.inv_freq, theirs.model.rotary_emb.inv_freq)


def test_tensors_are_cast_as_they_are_read(tmp_path):
    model = read_model(open_checkpoint(str(write(tmp_path)), 1), torch.bfloat16, Placement("cpu", 1))
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert not any(p.is_meta for p in model.parameters())


def test_needed_tensors_are_the_embeddings_and_the_blocks():
    config = tiny_llama().config
    names = needed_tensors(config, 2)
    assert names[0] == "model.embed_tokens.weight" and len(names) == 1 + 2 * 9
    assert not any(".layers.2." in name or name == "norm.weight" for name in names)
    assert "model.norm.weight" in needed_tensors(config, None)


def test_a_shards_header_is_its_own_table(tmp_path):
    table = header(write(tmp_path) / HEAD_SHARD)
    assert list(table) == ["lm_head.weight"] and table["lm_head.weight"].shape == (99, 16)


def loads(name: str, blocks: int | None = None) -> tuple:
    """Load a model or its first blocks: how many blocks there are, whether there is a head, and the bytes fetched."""
    told: list[int] = []
    loaded = load_model(name, Placement("cpu", blocks), progress=lambda done, total: told.append(total))
    with loaded.using(None) as model:
        return loaded.blocks, architecture.has_head(model), sum(set(told))


OFFLINE = """
from tests.models.test_checkpoint import loads

print(loads("owner/small"))
try:
    loads("nobody/nothing")
except ValueError as error:
    print(error)
"""


def test_only_the_shards_that_are_needed_are_fetched_once_and_then_serve_offline(tmp_path, monkeypatch):
    folder, home = write(tmp_path / "remote", unlisted=("lm_head.weight",)), tmp_path / "home"
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    first, second, head = names
    size = {name: (folder / name).stat().st_size for name in names}
    with serve(folder, "owner/small") as served:
        take_for_the_hub(served, home / "hub", monkeypatch)
        blocks, generates, fetched = loads("owner/small", 2)
        assert (blocks, generates) == (2, False) and fetched >= size[first]
        assert loads("owner/small", 2) == (2, False, 0)
        assert served.bytes[first] == size[first] and not served.bytes[second] and not served.bytes[head]

        assert loads("owner/small")[:2] == (3, True)
        assert served.gets[first] == 1 and served.bytes[second] == size[second]
        # The index does not name the head's shard: its header is asked for first, then the shard is fetched.
        assert size[head] <= served.bytes[head] <= 3 * size[head]
        with pytest.raises(ValueError, match="There is no nobody/nothing on the Hub"):
            loads("nobody/nothing")

        # Told as by a user, in a process of its own: the Hub is not asked.
        given = served.gets.total()
        env = os.environ | {"HF_ENDPOINT": served.endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run([sys.executable, "-c", OFFLINE], env=env, cwd=ROOT, capture_output=True, text=True)
        assert done.stdout.startswith("(3, True, 0)"), done.stderr
        assert "not in the cache, and the Hub cannot be reached" in done.stdout
        assert served.gets.total() == given


def test_a_hub_that_cannot_be_reached_is_asked_once(tmp_path, monkeypatch):
    with serve(tmp_path, "owner/small") as served:
        take_for_the_hub(served, tmp_path, monkeypatch)
        assert hub_answers()
    asked = []
    monkeypatch.setattr("tli_core.models.model_files.hub_answers", lambda: bool(asked.append(1)))
    with pytest.raises(ValueError, match="not in the cache, and the Hub cannot be reached"):
        open_checkpoint("owner/not-here")
    assert len(asked) == 1


def test_nobody_answers_where_the_hub_was(tmp_path, monkeypatch):
    with serve(tmp_path, "owner/small") as served:
        pass
    take_for_the_hub(served, tmp_path, monkeypatch)
    assert not hub_answers()


def test_a_download_that_breaks_off_goes_on_from_where_it_was(tmp_path, monkeypatch):
    folder = write(tmp_path / "remote")
    shard = "model-00001-of-00003.safetensors"
    # The Hub's client keeps whole pieces of 10 MB, so the shard must be larger than one.
    save_file({**load_file(folder / shard), "padding": torch.zeros(6_000_000)}, folder / shard)
    size, broken_at = (folder / shard).stat().st_size, 14_000_000
    with serve(folder, "owner/broken", cut={shard: broken_at}) as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        open_checkpoint("owner/broken", 2)
    assert served.gets[shard] == 2 and size <= served.bytes[shard] <= size + broken_at - 10_000_000


def test_a_download_can_be_stopped_and_taken_up_again(tmp_path, monkeypatch):
    def stop(done: int, total: int) -> None:
        raise DownloadStopped

    with serve(write(tmp_path / "remote"), "owner/stopped") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        with pytest.raises(DownloadStopped):
            open_checkpoint("owner/stopped", 2, progress=stop)
        model = read_model(open_checkpoint("owner/stopped", 2), torch.float32, Placement("cpu", 2))
    assert model.config.num_hidden_layers == 2


def test_a_small_model_is_trained_whole_and_a_large_one_by_its_first_blocks(tmp_path):
    assert blocks_to_train(str(write(tmp_path / "small")), 2) is None
    large = write(tmp_path / "large", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32)
    assert blocks_to_train(str(large), 2) == 2 and blocks_to_train(str(large), "output") is None
    shutil.rmtree(tmp_path / "large")
