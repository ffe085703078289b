"""Weights that are kept elsewhere: on disk, in few bits, on a GPU in part. Figures stay those of the whole."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from tli_core.cli.main import main
from tli_core.encoding.lens import LENS
from tli_core.encoding.pooled_states import pooled_states
from tli_core.lists.lexicon import shipped
from tli_core.measures.alignment import measure
from tli_core.measures.generation import continuations
from tli_core.measures.perplexity import health_of
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement, resident
from tli_core.reports.model_card import save_adapter
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

MINI = "lugha-mini"
GPU = torch.cuda.is_available()
BLOCK = 3_000_000
"""About the bytes of one of lugha-mini's blocks in float32."""

PAIRS = shipped("control")[:12]


@pytest.fixture(scope="module")
def whole() -> LoadedModel:
    return load_model(MINI, Placement("cpu"))


@pytest.fixture(scope="module")
def on_disk() -> LoadedModel:
    """Room for the embeddings and a few blocks; the rest stays in its shards."""
    return load_model(MINI, Placement("cpu", limits={"cpu": 26_000_000}))


def test_blocks_that_do_not_fit_stay_on_disk(on_disk):
    with on_disk.using(None) as model:
        homes = {name: parameter.device.type for name, parameter in model.named_parameters()}
    assert 0 < on_disk.resident_blocks < on_disk.blocks == 12
    assert homes["model.embed_tokens.weight"] == "cpu" and homes["model.layers.11.mlp.up_proj.weight"] == "meta"
    assert on_disk.device.type == "cpu" and not on_disk.plain


def test_an_offloaded_model_measures_and_answers_as_the_whole_one(whole, on_disk):
    ours, theirs = (measure(loaded, PAIRS) for loaded in (on_disk, whole))
    np.testing.assert_allclose(ours.cosine, theirs.cosine, atol=1e-5)
    assert health_of(on_disk).source == pytest.approx(health_of(whole).source, rel=1e-4)
    texts = []
    for loaded in (on_disk, whole):
        with loaded.using(None) as model:
            texts.append(continuations(model, loaded.tokenizer, ["maji ="], 3))
    assert texts[0] == texts[1]


def test_a_scan_fetches_every_offloaded_block_once_for_the_whole_list(on_disk, monkeypatch):
    monkeypatch.setattr("tli_core.encoding.pooled_states.MAX_BATCH_TOKENS", 128)  # so that the list takes several packs
    fetched = []
    with on_disk.using(None) as model:
        for i, block in enumerate(model.model.layers):
            hook = getattr(block.mlp.up_proj, "_hf_hook", None)
            if hook is not None and hook.offload:
                real = hook.pre_forward
                monkeypatch.setattr(hook, "pre_forward", lambda *a, i=i, real=real: fetched.append(i) or real(*a))
        pooled_states(model, on_disk.tokenizer, [pair.source for pair in shipped("control")])
        assert fetched == list(range(on_disk.resident_blocks, 12))
        assert {p.device.type for p in model.model.layers[11].parameters()} == {"meta"}


def test_weights_are_let_go_even_if_the_work_fails(on_disk):
    with on_disk.using(None) as model:
        with pytest.raises(RuntimeError, match="stop here"), resident(model.model.layers[11]):
            assert {p.device.type for p in model.model.layers[11].parameters()} == {"cpu"}
            raise RuntimeError("stop here")
        assert {p.device.type for p in model.model.layers[11].parameters()} == {"meta"}


def test_an_offloaded_model_trains_its_resident_blocks_and_takes_adapters_on_all(on_disk, whole, tmp_path):
    config = configured("published", epochs=1, dropout=0.0)
    runs = [list(train_adapter(loaded, PAIRS, config))[-1] for loaded in (on_disk, whole)]
    for name, tensor in runs[0].state.items():
        torch.testing.assert_close(tensor, runs[1].state[name], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"only the first . are kept in memory: choose a lower layer"):
        next(train_adapter(on_disk, PAIRS, configured("corrected")))
    everywhere = list(train_adapter(whole, PAIRS, configured("corrected", epochs=1)))[-1]
    folder = save_adapter(everywhere, tmp_path, "all")
    keys = [loaded.add_adapter(folder).key for loaded in (on_disk, whole)]
    ours, theirs = (measure(loaded, PAIRS, key) for loaded, key in zip((on_disk, whole), keys, strict=True))
    np.testing.assert_allclose(ours.cosine, theirs.cosine, atol=1e-5)


@pytest.mark.skipif(not GPU, reason="needs a GPU")
def test_blocks_beyond_a_gpus_limit_stay_in_memory_and_on_disk(whole):
    placement = Placement("cuda:0", limits={0: 26_000_000, "cpu": 3 * BLOCK})
    loaded = load_model(MINI, placement)
    with loaded.using(None) as model:
        homes = set(model.hf_device_map.values())
    assert homes == {0, "cpu", "disk"} and loaded.device.type == "cuda"
    np.testing.assert_allclose(measure(loaded, PAIRS).cosine, measure(whole, PAIRS).cosine, atol=1e-4)
    *_, trained = train_adapter(loaded, PAIRS, configured("published", epochs=1))
    assert trained.state


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_model_is_spread_over_two_gpus(whole):
    loaded = load_model(MINI, Placement("cuda:0", limits={0: 25_000_000, 1: 60_000_000}))
    with loaded.using(None) as model:
        assert set(model.hf_device_map.values()) == {0, 1}
    np.testing.assert_allclose(measure(loaded, PAIRS).cosine, measure(whole, PAIRS).cosine, atol=1e-4)


@pytest.mark.parametrize(("bits", "close"), [(8, 0.05), (4, 0.15)])
def test_few_bits_measure_nearly_the_same_and_say_what_they_are(whole, bits, close):
    loaded = load_model(MINI, Placement("cuda:0" if GPU else "cpu", bits=bits))
    result, exact = measure(loaded, PAIRS), measure(whole, PAIRS)
    difference = np.abs(result.cosine - exact.cosine)
    assert difference.mean() > 1e-5 and difference.max() < close
    assert result.provenance.dtype == {8: "8-bit", 4: "4-bit NF4"}[bits]
    before = loaded.provenance(None, 1, 0, **asdict(LENS)).dtype
    *_, trained = train_adapter(loaded, PAIRS, configured("published", epochs=1))
    assert any(tensor.any() for name, tensor in trained.state.items() if "lora_B" in name)
    assert loaded.provenance(None, 1, 0, **asdict(LENS)).dtype == before


def test_without_bitsandbytes_few_bits_are_refused_with_its_name(monkeypatch):
    monkeypatch.setattr("tli_core.models.quantization.can_quantise", lambda: False)
    with pytest.raises(ValueError, match="4-bit NF4 needs the package bitsandbytes: install it"):
        load_model(MINI, Placement("cpu", bits=4))


def test_the_command_line_loads_as_it_is_told(tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("maji, water\nmoto, fire\n")
    assert main(["measure", "--pairs", str(pairs), "--load", "offload"]) == 0
    assert "a scan fetches each block once" in capsys.readouterr().err
