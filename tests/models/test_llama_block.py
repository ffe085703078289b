"""A block in few kernels is the block that transformers runs, with the same adapter and the same gradients."""

import pytest
import torch
from peft import LoraConfig
from transformers import MistralConfig, MistralForCausalLM, Qwen3Config, Qwen3ForCausalLM

import tli_core.encoding.pooled_states
import tli_core.models.loaded_model
from tests.conftest import character_tokenizer, tiny_llama
from tli_core.encoding.pooled_states import encode, layer_states, pooled_states
from tli_core.models.kernels.arithmetic import choose_kernels
from tli_core.models.kernels.llama_block import (
    in_few_kernels,
    is_llama_block,
    lay_side_by_side,
    project,
    run_block,
    turn_at,
)
from tli_core.models.loaded_model import LoadedModel

EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WORDS = ["maji", "a", "ng'ombe wa maziwa", "to be or not"]


def with_lora(targets, device="cpu", **config):
    """A random model, wide enough for products in parts, with a LoRA that changes something."""
    model = tiny_llama(hidden=64).requires_grad_(False).to(device)
    if targets:
        model.add_adapter(LoraConfig(r=4, lora_alpha=6, target_modules=targets, **config), adapter_name="a")
        for name, parameter in model.named_parameters():
            if ".a." in name:
                torch.nn.init.normal_(parameter, std=0.3)
        model.train()
    return model


def both_ways(model, device="cpu"):
    """(outputs and gradients as transformers gives them, those in few kernels)."""
    block, rotary = model.model.layers[1], model.model.rotary_emb
    torch.manual_seed(1)
    hidden = torch.randn(2, 8, 64, device=device, requires_grad=True)
    gradient = torch.randn(2, 8, 64, device=device)
    positions = torch.tensor([[0, 1, 2, 3, 1, 2, 3, 4], [0, 1, 2, 1, 2, 3, 1, 2]], device=device)
    mask = torch.ones(2, 1, 8, 8, device=device).tril().log()
    found = []
    for run in (
        lambda: block(hidden, attention_mask=mask, position_embeddings=rotary(hidden, position_ids=positions)),
        lambda: run_block(block, hidden, turn_at(rotary, positions, hidden.dtype), mask),
    ):
        torch.manual_seed(2)
        output = run()
        trained = [parameter for name, parameter in block.named_parameters() if "lora_" in name]
        found.append([output, *torch.autograd.grad(output, [hidden, *trained], gradient)])
    return found


@pytest.mark.parametrize("targets", [[], ["q_proj", "v_proj"], EVERY])
def test_a_block_gives_what_transformers_gives_and_its_gradients(targets):
    theirs, ours = both_ways(with_lora(targets))
    assert len(ours) == 2 + 2 * len(targets)
    for own, other in zip(ours, theirs, strict=True):
        assert (own - other).norm() / other.norm() < 2e-6


def test_only_transformers_own_llama_block_goes_through_few_kernels():
    block = tiny_llama().model.layers[0]
    assert is_llama_block(block)
    config = Qwen3Config(vocab_size=9, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=4)  # fmt: skip
    other = Qwen3ForCausalLM(config).model.layers[0]
    assert not is_llama_block(other), "it has the same matrices and the same activation, and norms on queries and keys"
    mistral = MistralForCausalLM(MistralConfig(**{k: v for k, v in config.to_dict().items() if k in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads")})).model.layers[0]  # fmt: skip
    assert not is_llama_block(mistral)
    for change in (
        lambda block: setattr(block.self_attn, "scaling", 0.3),
        lambda block: setattr(block.mlp, "act_fn", torch.nn.GELU()),
        lambda block: setattr(block, "input_layernorm", torch.nn.LayerNorm(16)),
        lambda block: setattr(block.self_attn, "attention_dropout", 0.1),
        lambda block: setattr(block, "self_attn", type("Own", (type(block.self_attn),), {})(tiny_llama().config, 0)),
    ):
        changed = tiny_llama().model.layers[0]
        change(changed)
        assert not is_llama_block(changed)


def test_dropout_is_that_of_each_lora():
    theirs, ours = both_ways(with_lora(["q_proj", "v_proj"], lora_dropout=0.5))
    plain, _ = both_ways(with_lora(["q_proj", "v_proj"]))
    for own, other, without in zip(ours, theirs, plain, strict=True):
        assert (own - other).norm() / other.norm() < 2e-5
        assert (own - without).norm() / without.norm() > 0.01


@pytest.mark.parametrize("config", [{"use_dora": True}, {"lora_bias": True}])
def test_what_is_not_plain_lora_runs_as_peft_runs_it(config):
    theirs, ours = both_ways(with_lora(["q_proj", "v_proj", "gate_proj"], **config))
    for own, other in zip(ours, theirs, strict=True):
        assert (own - other).norm() / other.norm() < 2e-5


def test_a_base_that_is_trained_gets_its_gradient():
    block = with_lora([]).model.layers[0]
    weight = block.mlp.gate_proj.weight.requires_grad_(True)
    project(torch.randn(1, 4, 64), block.mlp.gate_proj, block.mlp.up_proj).sum().backward()
    assert weight.grad.norm() > 0


def test_matrices_are_moved_to_one_memory_once_and_stay_what_they_were():
    model = with_lora(["q_proj"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    lay_side_by_side(model)
    attention, mlp = model.model.layers[0].self_attn, model.model.layers[0].mlp
    for modules in (
        (attention.q_proj.base_layer, attention.k_proj, attention.v_proj),
        (mlp.gate_proj, mlp.up_proj),
    ):
        assert len({module.weight.untyped_storage().data_ptr() for module in modules}) == 1
    places = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    lay_side_by_side(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) and tensor.data_ptr() == places[name]


def test_a_loaded_model_has_its_matrices_side_by_side_before_the_first_step(monkeypatch):
    monkeypatch.setattr(tli_core.models.loaded_model, "in_few_kernels", lambda model: True)
    model = tiny_llama()
    LoadedModel(model, character_tokenizer(), "tiny", None)
    for block in model.model.layers:
        matrices = block.mlp.gate_proj.weight, block.mlp.up_proj.weight
        assert len({matrix.untyped_storage().data_ptr() for matrix in matrices}) == 1


def test_matrices_that_were_taken_apart_are_found_again():
    mlp = with_lora([]).model.layers[0].mlp
    x = torch.randn(1, 4, 64)
    first = project(x, mlp.gate_proj, mlp.up_proj)
    mlp.up_proj.weight.data = 2 * mlp.up_proj.weight
    again = project(x, mlp.gate_proj, mlp.up_proj)
    torch.testing.assert_close(again, first * torch.tensor([1.0, 2.0]).repeat_interleave(128))


@torch.no_grad()
def test_layers_apart_are_those_side_by_side():
    mlp = with_lora(["up_proj"]).model.layers[0].mlp
    x = torch.randn(2, 4, 64)
    apart = project(x, mlp.gate_proj, mlp.up_proj, apart=True)
    torch.testing.assert_close(torch.cat(tuple(apart), dim=-1), project(x, mlp.gate_proj, mlp.up_proj))


def test_positions_far_out_have_turns_of_their_own():
    rotary = with_lora([]).model.rotary_emb
    positions = torch.arange(700)[None]
    cos, sin = rotary(torch.empty(0), position_ids=positions)
    turn = turn_at(rotary, positions, torch.float32)
    half = sin.shape[-1] // 2
    assert torch.equal(turn.cos[:, :, 0], cos)
    assert torch.equal(turn.sin[:, :, 0], torch.cat((-sin[..., :half], sin[..., half:]), dim=-1))


def test_a_measurement_made_first_does_not_keep_a_fine_tune_from_its_gradients(monkeypatch):
    monkeypatch.setattr(tli_core.encoding.pooled_states, "in_few_kernels", lambda model: True)
    loaded = LoadedModel(tiny_llama(hidden=64), character_tokenizer(), "tiny", None)
    key = loaded.new_adapter(LoraConfig(r=4, target_modules=["q_proj", "v_proj"], layers_to_transform=[0, 1]))
    with loaded.using(key, training=True) as model:
        measured = pooled_states(model, loaded.tokenizer, WORDS, upto=2).vectors[2]
        trained = layer_states(model, encode(loaded.tokenizer, WORDS), 2, "words")
        torch.testing.assert_close(trained, measured)
        trained.sum().backward()
        assert all(p.grad is not None for name, p in model.named_parameters() if key in name)


def test_on_a_cpu_transformers_runs_its_own_blocks(tiny):
    with tiny.using(None) as model:
        assert not in_few_kernels(model)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="few kernels need a GPU")
def test_a_gpu_runs_few_kernels_and_gives_the_same(monkeypatch):
    model = with_lora(EVERY, "cuda")
    choose_kernels(model, model.device)
    assert in_few_kernels(model)
    theirs, ours = both_ways(model, "cuda")
    for own, other in zip(ours, theirs, strict=True):
        assert (own - other).norm() / other.norm() < 1e-5
