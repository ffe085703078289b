"""Blocks' matrices in 8 or 4 bits, through bitsandbytes where it is installed."""

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

from tli_core.i18n import N_, translate
from tli_core.models import architecture

BYTES = {8: 1.0, 4: 0.52}
"""Bytes a parameter; at 4 bits with the scale that every 64 of them share."""

NAMES = {8: "8-bit", 4: "4-bit NF4"}


def can_quantise() -> bool:
    """Whether bitsandbytes is installed."""
    return find_spec("bitsandbytes") is not None


def replace_matrices(model: PreTrainedModel, bits: int, dtype: torch.dtype) -> None:
    """Put bitsandbytes' layers in place of the blocks' linear ones, on the meta device; the head stays as it is.

    Raises:
        ValueError: bitsandbytes is not installed.
    """
    if not can_quantise():
        text = N_("{way} needs the package bitsandbytes: install it, or load another way.")
        raise ValueError(translate(text, way=NAMES[bits]))
    # Here, as it imports bitsandbytes.
    from transformers.integrations.bitsandbytes import replace_with_bnb_linear

    # It says once a matrix that LLM.int8 rounds to half precision first, as it always does.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    config = BitsAndBytesConfig(
        load_in_8bit=bits == 8, load_in_4bit=bits == 4, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )
    replaced: Any = replace_with_bnb_linear(architecture.blocks(model), quantization_config=config)
    for module in replaced.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # On such CPUs it would repack its weights for a product that has no gradient.
            module.support_avx512bf16_for_cpu = False
    # PEFT asks for these to choose its layers.
    marked: Any = model
    marked.is_loaded_in_8bit, marked.is_loaded_in_4bit = bits == 8, bits == 4


def parameter(module: nn.Module, tensor: torch.Tensor, dtype: torch.dtype, device: str | int) -> nn.Parameter:
    """A tensor as its module keeps it: in few bits in the layers of `replace_matrices`, in `dtype` elsewhere."""
    if type(module).__module__.startswith("bitsandbytes."):
        bnb: Any = import_module("bitsandbytes.nn")

        if isinstance(module, bnb.Linear8bitLt):
            # LLM.int8 quantises from half precision.
            return bnb.Int8Params(tensor.half(), requires_grad=False, has_fp16_weights=False).to(device)
        return bnb.Params4bit(tensor.to(dtype), requires_grad=False, quant_type="nf4", module=module).to(device)
    return nn.Parameter(tensor.to(device=device, dtype=dtype), requires_grad=False)
