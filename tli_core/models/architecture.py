"""Families of models: where each keeps its parts. The only file that knows.

To add a family whose blocks are called as Llama's are, add one entry to FAMILIES; test_architecture.py tries it.
Light: it imports neither PyTorch nor transformers, so that a page can offer a family's matrices before they are there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Family:
    """Where models of one `model_type` keep their parts, by the names of transformers' causal language model.

    matrices: the linear layers of a block, each of which can carry LoRA.
    rms_norms: norms, by module and class, that are x · weight / √(mean x² + ε) and nothing else, so that PyTorch's own
        fused function may stand in for them.
    """

    model_type: str
    matrices: tuple[str, ...]
    rms_norms: tuple[str, ...]
    decoder: str = "model"
    embeddings: str = "model.embed_tokens"
    blocks: str = "model.layers"
    final_norm: str = "model.norm"
    rotary: str = "model.rotary_emb"
    head: str = "lm_head"


FAMILIES = {
    family.model_type: family
    for family in (
        Family(
            "llama",
            matrices=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
            rms_norms=("transformers.models.llama.modeling_llama.LlamaRMSNorm",),
        ),
    )
}

MATRICES = tuple(dict.fromkeys(name for family in FAMILIES.values() for name in family.matrices))
"""The linear layers to which LoRA may be added, in any family."""

BLOCK_NUMBER = re.compile(r"\.layers\.(\d{1,6})\.")
"""The number of a block in the name of a module or tensor inside it."""


def family_of(model: PreTrainedModel | PretrainedConfig) -> Family:
    """The family of a model or a config.

    Raises:
        KeyError: no entry in FAMILIES; `checkpoint` refuses such models before they are built.
    """
    return FAMILIES[str(getattr(model, "config", model).model_type)]


def decoder(model: PreTrainedModel) -> nn.Module:
    """The model without its output head."""
    return model.get_submodule(family_of(model).decoder)


def blocks(model: PreTrainedModel) -> nn.ModuleList:
    """Its transformer blocks, in order."""
    return cast("nn.ModuleList", model.get_submodule(family_of(model).blocks))


def embeddings(model: PreTrainedModel) -> nn.Module:
    """Token ids (n, t) to the first hidden states (n, t, d), with any scaling that the family has."""
    return model.get_submodule(family_of(model).embeddings)


def final_norm(model: PreTrainedModel) -> nn.Module:
    """The norm after the last block; nn.Identity where only first blocks are loaded."""
    return model.get_submodule(family_of(model).final_norm)


def rotary(model: PreTrainedModel) -> nn.Module:
    """Makes the cosines and sines of rotary position embeddings, shared by all blocks."""
    return model.get_submodule(family_of(model).rotary)


def head(model: PreTrainedModel) -> nn.Module:
    """The output head; nn.Identity where the checkpoint has none, or only first blocks are loaded."""
    return model.get_submodule(family_of(model).head)


def has_head(model: PreTrainedModel) -> bool:
    """Whether the model can generate; a checkpoint may lack the head, a model's first blocks always do."""
    return not _is_nothing(head(model))


def has_final_norm(model: PreTrainedModel) -> bool:
    """Whether the whole model is loaded, not just its first blocks."""
    return not _is_nothing(final_norm(model))


def remove_head(model: PreTrainedModel) -> None:
    """Put nothing in the output head's place."""
    _replace_by_nothing(model, family_of(model).head)


def remove_final_norm(model: PreTrainedModel) -> None:
    """Put nothing in the final norm's place, so that the last layer is the last block's own output."""
    _replace_by_nothing(model, family_of(model).final_norm)


def _is_nothing(module: nn.Module) -> bool:
    from torch import nn  # as below

    return isinstance(module, nn.Identity)


def _replace_by_nothing(model: PreTrainedModel, name: str) -> None:
    from torch import nn  # here, as this module is read before PyTorch is there

    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, nn.Identity())


def is_plain_rms_norm(module: nn.Module) -> bool:
    """Whether a module is a norm that PyTorch's fused function computes; by exact class, as heirs may add to it."""
    own = f"{type(module).__module__}.{type(module).__qualname__}"
    return any(own in family.rms_norms for family in FAMILIES.values())


def parameters_in_blocks(config: Any) -> int:
    """About how many parameters the blocks of a config have, its keys and values counted as wide as its queries.

    Args:
        config: a config of transformers, or a mapping with the same names.

    Raises:
        KeyError, AttributeError: it lacks a size.
    """
    read = config.__getitem__ if isinstance(config, dict) else lambda name: getattr(config, name)
    hidden = read("hidden_size")
    return read("num_hidden_layers") * (4 * hidden**2 + 3 * hidden * read("intermediate_size"))
