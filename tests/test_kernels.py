"""The fused norm is the same function as transformers' own."""

import torch

from tli_core.kernels import fuse_norms

from .conftest import tiny_llama


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
