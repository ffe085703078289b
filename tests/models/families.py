"""A tiny random model of every family, with what is particular to it: windows, caps, scales, tied heads."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.conftest import LETTERS
from tli_core.models.architecture import FULL, SLIDING

SHAPE = {
    "vocab_size": len(LETTERS) + 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
    "initializer_range": 0.2,
}

# A window of four tokens is shorter than most words here.
MIXED = {"sliding_window": 4, "layer_types": [SLIDING, FULL, SLIDING]}
PARTICULARS = {
    "mistral": {"sliding_window": 4},
    "qwen2": {"use_sliding_window": True, **MIXED},
    "qwen3": {"use_sliding_window": True, **MIXED},
    "gemma2": {**MIXED, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    "gemma3_text": {**MIXED, "query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0},
    "cohere2": {**MIXED, "logit_scale": 0.25},
}


def tiny(family: str) -> PreTrainedModel:
    """A random model of a family, of a few thousand parameters, with norms that are not all one."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **SHAPE, **PARTICULARS.get(family, {}))
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model
