"""Random models of well-known exact shapes, and of one in proportion, the same weights every time."""

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

LLAMA = {
    "model_type": "llama",
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
QWEN_3_8B = {
    "model_type": "qwen3",
    "vocab_size": 151936,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
}
GEMMA_3_4B = {
    "model_type": "gemma3_text",
    "vocab_size": 262208,
    "hidden_size": 2560,
    "intermediate_size": 10240,
    "num_hidden_layers": 34,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "sliding_window": 1024,
    "query_pre_attn_scalar": 256,
}
SHAPES = {"lugha-llama": LLAMA, "qwen-3-8b": QWEN_3_8B, "gemma-3-4b": GEMMA_3_4B}


def random_model(shape: dict, dtype: torch.dtype, device: str) -> PreTrainedModel:
    """The same random weights every time."""
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            config = AutoConfig.for_model(**shape, bos_token_id=0, pad_token_id=None)
            model = AutoModelForCausalLM.from_config(config)
    finally:
        torch.set_default_dtype(default)
    return model.eval().requires_grad_(False)


def first_blocks(model: PreTrainedModel, count: int) -> PreTrainedModel:
    """The model cut down, in place, to what `checkpoint.read_model` gives for its first blocks."""
    model.model.layers = model.model.layers[:count]
    model.config.num_hidden_layers = count
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:count]
    model.model.norm = model.lm_head = nn.Identity()
    return model
