"""Faster arithmetic gives the same as transformers' own."""

import torch

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.models.kernels import arithmetic
from tli_core.models.kernels.arithmetic import fuse_norms, multiply_in_float32, threads_for
from tli_core.models.loaded_model import LoadedModel


def test_a_model_with_fused_norms_says_the_same():
    model, ids = tiny_llama(), torch.tensor([[0, 50, 60, 70]])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    before = model(ids, output_hidden_states=True).hidden_states
    forwards = {type(norm).forward for norm in (model.model.norm, model.model.layers[0].input_layernorm)}
    fuse_norms(model)
    assert model.model.norm.forward.__func__ not in forwards
    for ours, theirs in zip(model(ids, output_hidden_states=True).hidden_states, before, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_products_in_float32_are_those_in_bf16_with_their_gradient():
    theirs, ours = (tiny_llama(hidden=64).to(torch.bfloat16) for _ in range(2))
    exact = tiny_llama(hidden=64)
    multiply_in_float32(ours)
    given = torch.randn(2, 5, 64)
    found = {}
    for name, model in (("ours", ours), ("theirs", theirs), ("exact", exact)):
        x = given.to(model.dtype).requires_grad_()
        output = model.model.layers[0].mlp(x)
        output.square().sum().backward()
        found[name] = output.detach().float(), x.grad.float()
    for mine, rounded, right in zip(*(found[name] for name in ("ours", "theirs", "exact")), strict=True):
        assert (mine - right).norm() / right.norm() < 0.02
        assert (mine - right).norm() <= 1.1 * (rounded - right).norm()


def test_a_matrix_longer_than_a_part_is_multiplied_whole():
    model = tiny_llama(hidden=768).to(torch.bfloat16)  # its inner matrices have 1,536 rows
    given = torch.randn(3, 768, dtype=torch.bfloat16)
    before = model.model.layers[0].mlp(given)
    multiply_in_float32(model)
    torch.testing.assert_close(model.model.layers[0].mlp(given).float(), before.float(), rtol=0.05, atol=0.02)


def test_a_move_to_another_device_undoes_what_the_old_one_needed(monkeypatch):
    monkeypatch.setattr(arithmetic, "multiplies_bf16", lambda: False)
    loaded = LoadedModel(tiny_llama(hidden=64).to(torch.bfloat16), character_tokenizer(), "tiny", None)
    assert [module for module in loaded._model.modules() if "forward" in vars(module)]
    monkeypatch.setattr(arithmetic, "multiplies_bf16", lambda: True)
    loaded.to("cpu")
    assert not [module for module in loaded._model.modules() if "forward" in vars(module)]


def test_a_few_words_are_worth_one_thread_and_others_keep_theirs():
    given = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = []
        for tokens in (16, 4096):
            with threads_for(tokens):
                seen.append(torch.get_num_threads())
        assert seen == [1, 2] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(given)
