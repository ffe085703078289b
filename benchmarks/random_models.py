"""Random models of Lugha-Llama's exact shape, and of one in proportion, the same weights every time."""

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

LLAMA = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rope_theta": 500000.0,
}
SMALL = LLAMA | {
    "vocab_size": 16032,
    "hidden_size": 512,
    "intermediate_size": 1792,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
}


def random_model(shape: dict, dtype: torch.dtype, device: str) -> LlamaForCausalLM:
    """The same random weights every time."""
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(LlamaConfig(**shape, bos_token_id=0, pad_token_id=None))
    finally:
        torch.set_default_dtype(default)
    return model.eval().requires_grad_(False)


def first_blocks(model: LlamaForCausalLM, count: int) -> LlamaForCausalLM:
    """The model cut down, in place, to what `checkpoint.read_model` gives for its first blocks."""
    model.model.layers = model.model.layers[:count]
    model.config.num_hidden_layers = count
    model.model.norm = model.lm_head = nn.Identity()
    return model
