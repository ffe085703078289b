"""A base model with its adapters: load, switch, add and drop. One base in memory, never reloaded to switch."""

import hashlib
import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from tli_core.i18n import say
from tli_core.measures.generation import can_generate
from tli_core.measures.perplexity import Health, check_health
from tli_core.models.adapter_config import BaseLayout
from tli_core.models.adapter_import import ImportedAdapter, base_modules, layout_of, read_adapter
from tli_core.models.checkpoint import open_checkpoint, read_config
from tli_core.models.kernels.arithmetic import choose_kernels
from tli_core.models.kernels.llama_block import in_few_kernels, lay_side_by_side
from tli_core.models.layers import layer_names
from tli_core.models.model_files import Progress
from tli_core.models.placement import Placement, computes_on, input_device, is_dispatched, is_offloaded
from tli_core.models.quantization import NAMES
from tli_core.models.registry import KNOWN_MODELS, is_small_shape, resolve
from tli_core.models.tokenizer import load_tokenizer, prefix_of
from tli_core.models.weights import read_model

_REFERENCES_KEPT = 12
_HASHED_BYTES = 256_000_000


@dataclass(frozen=True)
class Provenance:
    """Where a number comes from: enough to make it again.

    prefix_token is what every text begins with, never pooled with a word unless the pooling says so; prefix_added says
    that it was put there, as the tokenizer adds none. None where the vocabulary has no token for it.
    """

    model: str
    revision: str | None
    dtype: str
    adapter: str | None
    adapter_sha256: str | None
    pooling: str
    prefix_token: str | None
    prefix_added: bool
    n: int
    seed: int
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


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
        return say(
            "{idle} of {saved} blocks of {name} carry no change: its loss never reached them.",
            idle=idle,
            saved=saved,
            name=self.name,
        )


class LoadedModel:
    """A base model, its tokenizer, and any number of adapters; the base is active unless `using` says otherwise."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        revision: str | None,
        bits: int | None = None,
    ):
        self.precision = NAMES[bits] if bits else str(model.dtype).removeprefix("torch.")
        self.tokenizer = tokenizer
        self.name = name
        self.revision = revision
        self.adapters: dict[str, Adapter] = {}
        self._model = model.eval().requires_grad_(False)
        choose_kernels(model, self.device)
        if in_few_kernels(model):
            # Else the first step would, which then takes more memory. Not in `to`: a GPU that ZeroGPU lends gets each
            # tensor on its own, when it is lent.
            lay_side_by_side(model)
        # The active adapter is state of the one model object, so whoever uses it holds this lock meanwhile.
        self._lock = threading.RLock()
        self.health: Health | None = None
        self._lora_layers: tuple[BaseTunerLayer, ...] = ()
        # By adapter: the base's modules whose weight is another one while it is on, with that weight.
        self._replaced: dict[str, list[tuple[nn.Module, nn.Parameter]]] = {}
        self._changed = False
        self._in_use = False
        self._references: OrderedDict[tuple[str | None, str], Any] = OrderedDict()

    @property
    def blocks(self) -> int:
        """How many transformer blocks the model has."""
        return len(self._model.base_model.layers)

    @property
    def whole(self) -> bool:
        """Whether the model has its last block and final norm, not just its first blocks."""
        return not isinstance(self._model.base_model.norm, torch.nn.Identity)

    @property
    def last_layer(self) -> int | str:
        """Its output, or the last block that is loaded."""
        return "output" if self.whole else self.blocks

    @property
    def layout(self) -> BaseLayout:
        """What an adapter may change in it."""
        return layout_of(self._model)

    @property
    def device(self) -> torch.device:
        """Where the model takes its input."""
        return input_device(self._model)

    def to(self, device: str) -> None:
        """Move the model to a device."""
        self._model.to(device)
        choose_kernels(self._model, self.device)

    @property
    def resident_blocks(self) -> int:
        """How many first blocks have their weights where they compute, none of them fetched for every run."""
        blocks = self._model.base_model.layers
        return next((i for i, block in enumerate(blocks) if is_offloaded(block)), len(blocks))

    @property
    def plain(self) -> bool:
        """Whether all of it is on one device at its own precision."""
        return not is_dispatched(self._model) and self.precision not in NAMES.values()

    @property
    def can_generate(self) -> bool:
        """Whether there is an output head; a checkpoint may lack it, a model's first blocks always do."""
        return can_generate(self._model)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of its layers, from the embeddings to the output (or to the last block that is loaded)."""
        return layer_names(self.blocks, self.whole)

    @contextmanager
    def using(self, adapter: str | None, training: bool = False) -> Iterator[PreTrainedModel]:
        """The model with the adapter of this key on, or the untouched base for None; the base again afterwards.

        Args:
            training: whether LoRA's dropout is on; the base has none of its own on, ever.

        Raises:
            KeyError: no adapter of that key is in memory.
            RuntimeError: attaching an adapter has changed the base, which must be loaded again; or it is used inside
                itself.
        """
        with self._lock:
            if self._changed:
                raise RuntimeError(f"An adapter has changed {self.name} in memory: load it again.")
            self._check_idle()
            if adapter is not None and adapter not in self._peft_keys():
                raise KeyError(f"No adapter {adapter!r} is in memory: add it first.")
            own = [(module, module.weight) for module, _ in self._replaced.get(adapter or "", ())]
            self._in_use = True
            try:
                if adapter is not None:
                    for layer in self._lora_layers:
                        layer.set_adapter(adapter)
                        layer.enable_adapters(True)
                        layer.train(training)
                    for module, weight in self._replaced.get(adapter, ()):
                        module.weight = weight
                yield self._model
            finally:
                for module, weight in own:
                    module.weight = weight
                self._base_only()
                self._in_use = False

    def add_adapter(self, path: str | Path, name: str | None = None) -> Adapter:
        """Read a PEFT LoRA folder into memory beside the base, under a key of its own; `drop` it when done with it.

        Everything is checked before anything is attached. While it is on it is what PEFT makes of it on a fresh model;
        the base and other adapters never see it.

        Args:
            name: what people call it; the folder's name by default.

        Raises:
            ValueError: it is not a LoRA in safetensors, does more than LoRA, or was made for another base; the message
                says which.
        """
        path = Path(path)
        # A key of its own even for equal weights: one visitor's adapter is never another's.
        key = f"tli{uuid.uuid4().hex}"
        with self._lock:
            self._check_idle()
            found = read_adapter(path, self.name, self.layout, base_modules(self._model))
            if (found.replaced or found.token_rows) and is_dispatched(self._model):
                text = (
                    "{name} replaces embeddings, head or norms, which needs {base} whole on one device: load it there."
                )
                raise ValueError(say(text, name=path.name, base=self.name))
            try:
                self._attach(key, found.config)
                self._fill(key, found)
            except BaseException:
                self.drop(key)
                raise
            finally:
                self._base_only()
            self.adapters[key] = Adapter(
                key, name or path.name, found.sha256, *found.blocks(), found.record, self._bytes_of(key)
            )
            return self.adapters[key]

    def new_adapter(self, config: LoraConfig) -> str:
        """Attach a fresh, trainable adapter and return its key; `drop` it when it has been saved."""
        key = f"tlirun{uuid.uuid4().hex}"
        with self._lock:
            try:
                self._attach(key, config)
            finally:
                self._base_only()
        return key

    def drop(self, key: str) -> None:
        """Forget an adapter; the base and the others stay as they are. Unknown keys are passed over."""
        with self._lock:
            self.adapters.pop(key, None)
            for held in [held for held in self._references if held[0] == key]:
                del self._references[held]
            self._replaced.pop(key, None)
            self._take_off(key)
            self._base_only()

    def has_reference(self, adapter: str | None, what: str) -> bool:
        """Whether `reference` has this at hand."""
        return (adapter, what) in self._references

    def reference(self, adapter: str | None, what: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, kept under this adapter and name, so that reference vectors are embedded once."""
        held = (adapter, what)
        with self._lock:
            if held not in self._references:
                self._references[held] = make()
                while len(self._references) > _REFERENCES_KEPT:
                    self._references.popitem(last=False)
            self._references.move_to_end(held)
            return self._references[held]

    def provenance(self, adapter: str | None, pooling: str, n: int, seed: int) -> Provenance:
        """Where a number measured now comes from."""
        info = self.adapters.get(adapter) if adapter else None
        prefix = prefix_of(self.tokenizer)
        return Provenance(
            model=self.name,
            revision=self.revision,
            dtype=self.precision,
            adapter=info.name if info else adapter,
            adapter_sha256=info.sha256 if info else None,
            pooling=pooling,
            prefix_token=prefix.token,
            prefix_added=prefix.added,
            n=n,
            seed=seed,
            versions=_versions(),
        )

    def _check_idle(self) -> None:
        """Pass unless this very thread has an adapter, or the base, on already: what the outer has would be lost."""
        if self._in_use:
            raise RuntimeError("`using` does not nest: leave it before the model is used or changed otherwise.")

    def _peft_keys(self) -> tuple[str, ...]:
        return tuple(getattr(self._model, "peft_config", {}))

    def _base_only(self) -> None:
        # Not transformers' `disable_adapters`: it walks every module of the model, which a training step would notice.
        for layer in self._lora_layers:
            layer.enable_adapters(False)
            layer.eval()

    def _fill(self, key: str, found: ImportedAdapter) -> None:
        """Give an attached adapter its values, and make what replaces the base's own weights while it is on."""
        for name, parts in found.lora.items():
            layer = self._model.get_submodule(name)
            for part, tensor in parts.items():
                _parameter(layer, key, part).data.copy_(tensor)
        modules = base_modules(self._model)
        weights = {name: tensor.to(modules[name].weight) for name, tensor in found.replaced.items()}
        for name, (tokens, rows) in found.token_rows.items():
            own = modules[name].weight
            weight = weights.setdefault(name, own.detach().clone())
            # Tokens that were added to another vocabulary never come of this tokenizer.
            here = [i for i, token in enumerate(tokens) if token < len(weight)]
            weight[[tokens[i] for i in here]] = rows[here].to(own)
        self._replaced[key] = [
            (modules[name], nn.Parameter(weight, requires_grad=False)) for name, weight in weights.items()
        ]

    def _bytes_of(self, key: str) -> int:
        lora = (p for layer in self._lora_layers for name, p in layer.named_parameters() if f".{key}." in f"{name}.")
        return sum(p.nbytes for p in lora) + sum(weight.nbytes for _, weight in self._replaced.get(key, ()))

    def _attach(self, key: str, config: LoraConfig) -> None:
        before = _fingerprint(self._model)
        self._model.add_adapter(config, adapter_name=key)
        self._find_lora_layers()
        if _fingerprint(self._model) != before:
            self._changed = True
            raise RuntimeError(f"Attaching an adapter has changed {self.name} in memory: load it again.")
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

    def _take_off(self, key: str) -> None:
        if key in self._peft_keys():
            self._model.delete_adapter(key)
            self._find_lora_layers()

    def _find_lora_layers(self) -> None:
        self._lora_layers = tuple(m for m in self._model.modules() if isinstance(m, BaseTunerLayer))


def _parameter(layer: BaseTunerLayer, key: str, part: str) -> Tensor:
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


@cache
def _versions() -> dict[str, str]:
    # Looked up once: each time would take as long as a block of lugha-mini.
    return {package: version(package) for package in ("torch", "transformers", "peft")}


def load_model(
    name: str,
    placement: Placement | None = None,
    progress: Progress = lambda done, total: None,
    head_from: str | None = None,
) -> LoadedModel:
    """Load a base by its short name, Hub id or folder, from safetensors only and without remote code.

    Args:
        placement: what of it, where and in how many bits; by default all of it on the first GPU, or on the CPU.
        progress: told (bytes so far, bytes in all) of each file that is fetched.
        head_from: a sibling to take the output head from, where the checkpoint has none; the revision then says so.

    Raises:
        ValueError: there is no such model, or it cannot be read; the message says which.
    """
    source = resolve(name)
    placement = placement or Placement.default()
    checkpoint = open_checkpoint(
        source, placement.blocks, progress=progress, head_from=head_from and resolve(head_from)
    )  # fmt: skip
    tokenizer = load_tokenizer(source, checkpoint.commit, checkpoint.config)
    model = read_model(checkpoint, _dtype(checkpoint.config), placement)
    revision = checkpoint.commit or _content_hash(Path(source))
    if checkpoint.head_from:
        revision = f"{revision}, head from {checkpoint.head_from}"
    loaded = LoadedModel(model, tokenizer, name if name in KNOWN_MODELS else source, revision, placement.bits)
    if loaded.can_generate:
        with loaded.using(None) as base:
            loaded.health = check_health(base, tokenizer)
    return loaded


def blocks_to_train(name: str, layer: int | None) -> int | None:
    """How many first blocks of a base a fine-tune at a layer should load; None for the whole model.

    A small model is loaded whole, so that the result can be measured at every layer; of a large one the rest is not
    even fetched.
    """
    if layer is None or _dtype(read_config(resolve(name))) == torch.float32:
        return None
    return layer


def _dtype(config: PretrainedConfig) -> torch.dtype:
    small = is_small_shape(config.num_hidden_layers, config.hidden_size, config.intermediate_size)
    return torch.float32 if small else torch.bfloat16


def _content_hash(folder: Path) -> str | None:
    """A hash of the weights themselves for a folder of moderate size; None where that would take too long."""
    shards = sorted(folder.glob("*.safetensors"))
    if not shards or sum(os.path.getsize(shard) for shard in shards) > _HASHED_BYTES:
        return None
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(shard.read_bytes())
    return f"sha256:{digest.hexdigest()}"
