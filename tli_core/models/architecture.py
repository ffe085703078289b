"""Families of models: where each keeps its parts. The only file that knows.

To add a family whose blocks are called as Llama's are, add one entry to FAMILIES; test_architecture.py tries it.
Light: it imports neither PyTorch nor transformers, so that a page can offer a family's matrices before they are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PretrainedConfig, PreTrainedModel


FULL, SLIDING = "full_attention", "sliding_attention"
"""Kinds of blocks, as configs name them: those that see every token before theirs, and those that see a window."""

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Family:
    """Where models of one `model_type` keep their parts, by the names of transformers' causal language model.

    matrices: the linear layers of a block, each of which can carry LoRA.
    rms_norms: norms, by module and class, that are x · weight / √(mean x² + ε) and nothing else, so that PyTorch's own
        fused function may stand in for them.
    windows: whether blocks may attend to the last `sliding_window` tokens only: those that the config's `layer_types`
        names, or all where it has none.
    rotary_by_kind: whether the rotary table differs between blocks with a window and without.
    head_scale, head_cap: the config's names of what the head's output is multiplied by, and of the value that it never
        exceeds; None where the family has neither.
    wrapper: the `model_type` of models that also read pictures and hold one of this family for text, or None.
    """

    model_type: str
    matrices: tuple[str, ...] = LINEAR
    rms_norms: tuple[str, ...] = ()
    windows: bool = False
    rotary_by_kind: bool = False
    head_scale: str | None = None
    head_cap: str | None = None
    wrapper: str | None = None
    decoder: str = "model"
    embeddings: str = "model.embed_tokens"
    blocks: str = "model.layers"
    final_norm: str = "model.norm"
    rotary: str = "model.rotary_emb"
    head: str = "lm_head"


FAMILIES = {
    family.model_type: family
    for family in (
        Family("llama", rms_norms=("transformers.models.llama.modeling_llama.LlamaRMSNorm",)),
        Family("mistral", rms_norms=("transformers.models.mistral.modeling_mistral.MistralRMSNorm",), windows=True),
        Family("qwen2", rms_norms=("transformers.models.qwen2.modeling_qwen2.Qwen2RMSNorm",), windows=True),
        Family("qwen3", rms_norms=("transformers.models.qwen3.modeling_qwen3.Qwen3RMSNorm",), windows=True),
        # Their norms multiply before they round, or by one more than the weight: not PyTorch's function.
        Family("olmo2"),
        Family("gemma2", windows=True, head_cap="final_logit_softcapping"),
        Family(
            "gemma3_text",
            windows=True,
            rotary_by_kind=True,
            head_cap="final_logit_softcapping",
            wrapper="gemma3",
        ),
        Family("cohere2", windows=True, head_scale="logit_scale"),
    )
}

WRAPPERS = {family.wrapper: family.model_type for family in FAMILIES.values() if family.wrapper}
"""The family of the text model in models that also read pictures, by their own `model_type`."""

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


def stored_names(name: str) -> tuple[str, ...]:
    """The names that a checkpoint may have for a tensor: its own, then two of models that hold the text model."""
    return name, f"language_model.{name}", re.sub(r"^model\.", "model.language_model.", name)


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


def kinds_of_blocks(model: PreTrainedModel) -> tuple[str, ...]:
    """The kind of each block, FULL or SLIDING."""
    config, count = model.config, len(blocks(model))
    window = getattr(config, "sliding_window", None)
    if not family_of(model).windows or window is None:
        return (FULL,) * count
    return tuple(getattr(config, "layer_types", None) or (SLIDING,) * count)[:count]


def windows(model: PreTrainedModel) -> dict[str, int | None]:
    """How many tokens back a block of each kind sees, its own counted; None for all."""
    return {FULL: None, SLIDING: getattr(model.config, "sliding_window", None)}


def decoder_mask(model: PreTrainedModel, by_kind: Mapping[str, Tensor]) -> Any:
    """Masks of each kind of block, (n, 1, t, t), as the decoder takes them in place of its own.

    A decoder whose blocks differ takes all of them by kind, another the one of its blocks.
    """
    kinds = kinds_of_blocks(model)
    return dict(by_kind) if getattr(model.config, "layer_types", None) and SLIDING in kinds else by_kind[kinds[0]]


def rotary_tables(model: PreTrainedModel, like: Tensor, positions: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Cosines and sines of rotary position embeddings for each kind of block that the model has.

    Args:
        like: a tensor of the dtype and on the device of the hidden states.
        positions: (n, t).
    """
    family, kinds = family_of(model), dict.fromkeys(kinds_of_blocks(model))
    rotary = model.get_submodule(family.rotary)
    if family.rotary_by_kind:
        return {kind: rotary(like, positions, kind) for kind in kinds}
    shared: tuple[Tensor, Tensor] = rotary(like, positions)
    return dict.fromkeys(kinds, shared)


def logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """The head's output for last hidden states, scaled and capped as the family does: (…, d) -> (…, vocabulary)."""
    found, family = head(model)(hidden), family_of(model)
    scale, cap = (getattr(model.config, name) if name else None for name in (family.head_scale, family.head_cap))
    found = found if scale is None else found * scale
    return found if cap is None else cap * (found / cap).tanh()


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
