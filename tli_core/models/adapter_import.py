"""An adapter's folder → a LoRA config and tensors that are checked and fit a base, or one sentence that says why not.

Nothing in the folder is trusted. The config is read field by field and never handed to PEFT; shapes are read from the
file's header before a tensor is; only LoRA's own tensors and declared replacements of embeddings, head and norms are
read.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import CODES
from tli_core.models import architecture
from tli_core.models.adapter_config import (
    AdapterConfig,
    BaseLayout,
    block_of,
    is_readable,
    read_adapter_config,
    read_json_object,
)
from tli_core.models.adapter_sources import RECORD, WANTED, WEIGHTS, file_sha256
from tli_core.models.adapter_tensors import NamedTensor, TensorPlan, tensor_names
from tli_core.models.registry import MAX_NAME

LARGEST = 1e15
"""No weight, hidden state or logit may be larger: its square, added up over a vector, must stay within float32."""


@dataclass(frozen=True)
class ImportedAdapter:
    """A checked adapter, ready to be attached.

    lora maps a module's name to its tensors by PEFT's names for them, such as `lora_A.weight`. replaced maps a module's
    name to the weight that stands in for the base's while the adapter is on. token_rows maps the name of an embedding
    or the head to token ids and (ids, d), the rows that do so.
    """

    config: LoraConfig
    lora: Mapping[str, Mapping[str, Tensor]]
    replaced: Mapping[str, Tensor]
    token_rows: Mapping[str, tuple[tuple[int, ...], Tensor]]
    sha256: str
    record: dict[str, Any] = field(default_factory=dict)

    def blocks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Blocks in which the LoRA changes anything, and those whose lora_B is all zero."""
        moved: dict[int, bool] = {}
        for module, parts in self.lora.items():
            if (block := block_of(module)) is not None:
                moved[block] = moved.get(block, False) or bool(parts["lora_B.weight"].any())
        return tuple(sorted(b for b in moved if moved[b])), tuple(sorted(b for b in moved if not moved[b]))


def base_modules(model: PreTrainedModel) -> dict[str, Any]:
    """The base's own modules by their names in a model without adapters, whatever PEFT has put around them."""
    found: dict[str, Any] = {}
    wrapped: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer) for outer in wrapped):
            continue
        if isinstance(module, BaseTunerLayer):
            wrapped.append(f"{name}.")
            module = module.get_base_layer()
        found[name] = module
    return found


def layout_of(model: PreTrainedModel) -> BaseLayout:
    """What an adapter may change in a model."""
    modules = base_modules(model)
    linear = {n: (m.out_features, m.in_features) for n, m in modules.items() if isinstance(m, nn.Linear)}
    embedding = {n: (m.num_embeddings, m.embedding_dim) for n, m in modules.items() if isinstance(m, nn.Embedding)}
    norm = {
        name: tuple(module.weight.shape)
        for name, module in modules.items()
        if name.endswith("norm") and isinstance(getattr(module, "weight", None), nn.Parameter)
    }
    family = architecture.family_of(model)
    head, inputs = modules[family.head], modules[family.embeddings]
    return BaseLayout(
        linear,
        embedding,
        norm,
        family.embeddings,
        family.head,
        family.final_norm,
        len(architecture.blocks(model)),
        getattr(head, "weight", None) is inputs.weight,
        isinstance(head, nn.Linear),
        frozenset(name for name, module in modules.items() if not isinstance(module, nn.Identity)),
    )


def read_adapter(path: Path, base: str, layout: BaseLayout, own: Mapping[str, Any]) -> ImportedAdapter:
    """Read and check an adapter's folder for a base; nothing of the base is changed.

    Args:
        base: what people call the base.
        own: the base's modules, to compare saved copies of its embeddings with.

    Raises:
        ValueError: it is no LoRA in safetensors, does something other than LoRA, is damaged, or does not fit the base.
            The message names the field or the tensor, and says what to do.
    """
    config = read_adapter_config(path)
    file = path / WEIGHTS
    if not is_readable(file):
        raise ValueError(
            translate("{name} has no adapter_model.safetensors: save it again as safetensors.", name=path.name)
        )
    names = tensor_names(file, path.name)
    reading = TensorPlan(path.name, base, layout, config, names)
    lora = reading.lora_modules()
    copies, replaced, rows = reading.replacements(lora)
    digest = file_sha256(file)
    tensors = _finite_tensors(file, path.name, [*_flat(lora), *copies.values(), *replaced.values(), *rows.values()])
    for module, raw in copies.items():
        if not _same_values(tensors[raw], own[module].weight):
            raise ValueError(
                translate(
                    "{name} holds {tensor}, which differs from {base}'s own: an adapter may not rewrite its base. "
                    "Name it in modules_to_save, or save without save_embedding_layers.",
                    name=path.name,
                    tensor=raw,
                    base=base,
                )
            )
    return ImportedAdapter(
        _lora_config(config, lora, names),
        {module: {part: tensors[raw] for part, raw in parts.items()} for module, parts in lora.items()},
        {module: tensors[raw] for module, raw in replaced.items()},
        {module: (config.tokens_of(module, layout), tensors[raw]) for module, raw in rows.items()},
        digest,
        read_record(path),
    )


def _lora_config(
    config: AdapterConfig, lora: Mapping[str, Mapping[str, str]], names: Mapping[str, NamedTensor]
) -> LoraConfig:
    """A config for PEFT that is made here: full module names, and no string of the file's but those."""
    by_raw = {stored.raw: stored for stored in names.values()}
    ranks = {module: by_raw[parts["lora_A.weight"]].shape[0] for module, parts in lora.items()}
    alphas = {module: config.alpha(module) for module in lora}
    return LoraConfig(
        r=config.r,
        lora_alpha=cast(int, config.lora_alpha),  # PEFT takes what is not whole, too
        target_modules=list(lora),
        rank_pattern={f"^{re.escape(module)}": rank for module, rank in ranks.items() if rank != config.r},
        alpha_pattern={f"^{re.escape(module)}": a for module, a in alphas.items() if a != config.lora_alpha},
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        lora_bias=config.lora_bias,
        inference_mode=True,
    )


def _flat(lora: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [raw for parts in lora.values() for raw in parts.values()]


def _finite_tensors(file: Path, adapter: str, wanted: Iterable[str]) -> dict[str, Tensor]:
    """These tensors of a file, by their names there.

    Raises:
        ValueError: the file is damaged, or one of them holds NaN or infinity.
    """
    found = {}
    try:
        with safe_open(file, framework="pt") as opened:
            for raw in dict.fromkeys(wanted):
                found[raw] = opened.get_tensor(raw)
                # In the precision that it is used in: 1e300 is infinity there.
                values = found[raw].float()
                if not torch.isfinite(values).all():
                    text = N_(
                        "{name}: {tensor} holds numbers that are not finite (NaN or infinity): its training failed."
                    )
                    raise ValueError(translate(text, name=adapter, tensor=raw[:160]))
                if values.numel() and values.abs().max() > LARGEST:
                    text = N_("{name}: {tensor} holds numbers above 1e15, too large to compute with.")
                    raise ValueError(translate(text, name=adapter, tensor=raw[:160]))
    except (SafetensorError, OSError) as error:
        text = N_("{name} is no safetensors file, or is damaged: delete it and fetch it again.")
        raise ValueError(translate(text, name=file.name)) from error
    return found


def _same_values(saved: Tensor, own: Tensor) -> bool:
    """Whether a saved copy is the base's own weight, to the bit in the base's precision."""
    return not own.is_meta and torch.equal(saved.to(own.dtype), own.detach().cpu())


# How it was made


def read_record(path: Path) -> dict[str, Any]:
    """How the adapter was made, from tli.json; empty where it was not made here or cannot be read as that."""
    found = read_json_object(path / RECORD, WANTED[RECORD])
    return found if found is not None and _is_record(found) else {}


def _is_record(record: Mapping[str, Any]) -> bool:
    """Whether a record has what the card and the report say of it, each of its kind."""
    base, config = record.get("base"), record.get("config")
    if not isinstance(base, dict) or not isinstance(config, dict) or not isinstance(base.get("model"), str):
        return False
    if not CODES.fullmatch(str(base.get("languages"))) or len(base["model"]) > MAX_NAME:
        return False
    if type(record.get("kept_step", 0)) is not int:
        return False
    for listed in (record.get(key, []) for key in ("step_chosen_on", "trained_on")):
        if not isinstance(listed, list) or not all(isinstance(digest, str) for digest in listed):
            return False
    words = all(isinstance(config.get(name), str) for name in ("preset", "loss", "readout"))
    numbers = all(type(record.get(name)) is int for name in ("pairs", "steps", "steps_planned", "blocks_trained"))
    settings = all(type(config.get(name)) is int for name in ("rank", "seed")) and type(config.get("shuffled")) is bool
    layer = config.get("layer", 0) in (None, "output") or type(config.get("layer")) is int
    targets = config.get("targets")
    named = isinstance(targets, list) and all(isinstance(target, str) for target in targets)
    return words and numbers and settings and layer and named
