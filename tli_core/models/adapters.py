"""Adapters in memory beside one base: attached, filled, switched on, removed; the base is never changed."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers import PreTrainedModel

from tli_core.i18n import translate
from tli_core.models import architecture
from tli_core.models.adapter_import import LARGEST, ImportedAdapter, base_modules
from tli_core.models.kernels.side_by_side import Stack
from tli_core.models.layers import layer_words
from tli_core.models.placement import computes_on, input_device


@dataclass(frozen=True)
class Adapter:
    """An adapter that is in memory beside its base. `key` names it there, `name` names it to people.

    blocks are those that its LoRA changes, idle_blocks those whose LoRA was saved but does nothing (lora_B all zero).
    bytes is the memory that it takes.
    """

    key: str
    name: str
    sha256: str
    blocks: tuple[int, ...]
    idle_blocks: tuple[int, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    bytes: int = 0

    @property
    def idle_sentence(self) -> str:
        """A remark on blocks that carry no change; empty where there are none."""
        idle, saved = len(self.idle_blocks), len(self.idle_blocks) + len(self.blocks)
        if not idle:
            return ""
        return translate(
            "{idle} of {saved} blocks of {name} carry no change: what they add is zero.",
            idle=idle,
            saved=saved,
            name=self.name,
        )


class AdapterSlots:
    """The adapters that PEFT has put into one model, by key; all of them are off unless `switch_on` says otherwise.

    Not thread-safe: `LoadedModel` holds its lock around every call.
    """

    def __init__(self, model: PreTrainedModel):
        self._model = model
        # PEFT's layers are modules, whose parts it adds as it attaches.
        self._lora_layers: tuple[Any, ...] = ()
        # By adapter: the base's modules whose weight is another one while it is on, with that weight.
        self._replaced: dict[str, list[tuple[Any, nn.Parameter]]] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all adapters that are attached."""
        return tuple(getattr(self._model, "peft_config", {}))

    def switch_on(self, key: str, training: bool) -> list[tuple[Any, nn.Parameter]]:
        """Turn an adapter on; returns the base's own weights that it stands in for, which `switch_off` takes back."""
        own: list[tuple[Any, nn.Parameter]] = [(module, module.weight) for module, _ in self._replaced.get(key, ())]
        for layer in self._lora_layers:
            layer.set_adapter(key)
            layer.enable_adapters(True)
            layer.train(training)
        for module, weight in self._replaced.get(key, ()):
            module.weight = weight
        return own

    def stack(self, keys: Sequence[str]) -> Stack:
        """LoRAs of one shape that replace nothing, to be run side by side."""
        return Stack({name: m for name, m in self._model.named_modules() if m in self._lora_layers}, keys)

    def switch_off(self, own: list[tuple[Any, nn.Parameter]]) -> None:
        """Turn every adapter off and give the base its own weights back."""
        for module, weight in own:
            module.weight = weight
        # Not transformers' `disable_adapters`: it walks every module of the model, which a training step would notice.
        for layer in self._lora_layers:
            layer.enable_adapters(False)
            layer.eval()

    def attach(self, key: str, config: LoraConfig) -> bool:
        """Put a LoRA of this config into the model; returns whether the base has stayed as it was."""
        before = _fingerprint(self._model)
        with warnings.catch_warnings():
            # PEFT warns of a second adapter; several are what this project is for.
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            self._model.add_adapter(config, adapter_name=key)
        self._find_lora_layers()
        if _fingerprint(self._model) != before:
            return False
        # PEFT gives LoRA the base's dtype; a step of 2e-4 is lost in bf16, so adapters are float32 on every base.
        # Beside an offloaded matrix it makes LoRA without data, which is only ever filled from a file.
        for layer in self._lora_layers:
            device = computes_on(layer.get_base_layer())
            for name, parameter in layer.named_parameters():
                if f".{key}." not in f"{name}.":
                    continue
                if parameter.is_meta:
                    path, _, leaf = name.rpartition(".")
                    filled = torch.nn.Parameter(torch.zeros(parameter.shape, device=device), parameter.requires_grad)
                    setattr(layer.get_submodule(path), leaf, filled)
                else:
                    parameter.data = parameter.data.to(device, torch.float32)
        return True

    def fill(self, key: str, found: ImportedAdapter) -> None:
        """Give an attached adapter its values, and make what replaces the base's own weights while it is on."""
        for name, parts in found.lora.items():
            layer = self._model.get_submodule(name)
            for part, tensor in parts.items():
                _parameter(layer, key, part).data.copy_(tensor)
        modules: dict[str, Any] = base_modules(self._model)
        weights = {name: tensor.to(modules[name].weight) for name, tensor in found.replaced.items()}
        for name, (tokens, rows) in found.token_rows.items():
            own = modules[name].weight
            weight = weights.setdefault(name, own.detach().clone())
            # Tokens that were added to another vocabulary never come from this tokenizer.
            here = [i for i, token in enumerate(tokens) if token < len(weight)]
            weight[[tokens[i] for i in here]] = rows[here].to(own)
        self._replaced[key] = [
            (modules[name], nn.Parameter(weight, requires_grad=False)) for name, weight in weights.items()
        ]

    def bytes_of(self, key: str) -> int:
        """The memory that an adapter takes."""
        lora = (p for layer in self._lora_layers for name, p in layer.named_parameters() if f".{key}." in f"{name}.")
        return sum(p.nbytes for p in lora) + sum(weight.nbytes for _, weight in self._replaced.get(key, ()))

    def remove(self, key: str) -> None:
        """Remove an adapter from the model; unknown keys are ignored."""
        self._replaced.pop(key, None)
        if key in self.keys:
            with warnings.catch_warnings():
                # PEFT tells which one is active afterwards; `switch_on` alone decides that here.
                warnings.filterwarnings("ignore", message="Adapter .* was active which is now deleted")
                self._model.delete_adapter(key)
            self._find_lora_layers()

    def _find_lora_layers(self) -> None:
        self._lora_layers = tuple(m for m in self._model.modules() if isinstance(m, BaseTunerLayer))


def _parameter(layer: Any, key: str, part: str) -> Tensor:
    """A part of an adapter in a layer, by PEFT's name for it without the adapter's."""
    if (
        hasattr(layer, "lora_embedding_A")
        and key in layer.lora_embedding_A
        and part in ("lora_A.weight", "lora_B.weight")
    ):
        return (layer.lora_embedding_A if part == "lora_A.weight" else layer.lora_embedding_B)[key]
    if part == "lora_magnitude_vector":
        return layer.lora_magnitude_vector[key].weight
    holder, leaf = part.split(".")
    return getattr(getattr(layer, holder)[key], leaf)


_PROBED = 16
"""Tokens whose states an adapter must keep finite, spread over the vocabulary."""


@torch.inference_mode()
def overflow(model: PreTrainedModel, names: Sequence[str]) -> str | None:
    """Where a few tokens' states leave what float32 can square and add up, in words; None where they never do.

    Args:
        model: with the adapter on.
        names: the model's layers.
    """
    ids = torch.linspace(0, model.config.vocab_size - 1, _PROBED, device=input_device(model)).long()[None]  # (1, t)
    states = architecture.decoder(model)(ids, output_hidden_states=True, use_cache=False).hidden_states
    for name, hidden in zip(names, states, strict=True):
        if not _is_small(hidden):
            return layer_words(name)
    if architecture.has_head(model) and not _is_small(architecture.logits(model, states[-1])):
        return translate("the logits")
    return None


def _is_small(values: Tensor) -> bool:
    """Whether all are numbers of at most LARGEST."""
    return bool((values.abs() <= LARGEST).all())  # False for NaN


_SAMPLED = 1024
"""Bytes of each of a base's tensors that its fingerprint looks at: whatever rewrites a matrix changes all of it."""


@torch.no_grad()
def _fingerprint(model: PreTrainedModel) -> list[tuple]:
    """Where each of the base's own tensors is, its shape and type, and a sum over a sample of its bytes."""
    found = []
    for name, module in base_modules(model).items():
        for leaf, tensor in module.named_parameters(recurse=False):
            place = (name, leaf, tensor.data_ptr(), tuple(tensor.shape), tensor.dtype)
            if tensor.is_meta:
                found.append((place, None))
                continue
            values = tensor.detach().reshape(-1).view(torch.uint8)
            found.append((place, values[:: max(1, len(values) // _SAMPLED)].sum(dtype=torch.int64)))
    sums = [total for _, total in found if total is not None]
    by_device = {
        device: torch.stack([s for s in sums if s.device == device]).tolist() for device in {s.device for s in sums}
    }
    return [(place, None if total is None else by_device[total.device].pop(0)) for place, total in found]
