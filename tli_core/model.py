"""A base model with its adapters: load, switch, add and drop. One base in memory, never reloaded to switch."""

import hashlib
import json
import os
import re
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
from peft import LoraConfig, PeftConfig, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from .catalogue import KNOWN_MODELS, is_small_shape, resolve
from .checkpoint import Progress, open_checkpoint, read_config
from .generation import can_generate
from .health import Health, check_health
from .kernels import choose_kernels
from .layers import layer_names
from .llama_block import in_few_kernels, lay_side_by_side
from .placement import Placement, computes_on, input_device, is_dispatched, is_offloaded
from .quantise import NAMES
from .reading import read_model
from .wording import say

_REFERENCES_KEPT = 12
_HASHED_BYTES = 256_000_000


@dataclass(frozen=True)
class Provenance:
    """Where a number comes from: enough to make it again."""

    model: str
    revision: str | None
    dtype: str
    adapter: str | None
    adapter_sha256: str | None
    pooling: str
    n: int
    seed: int
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Adapter:
    """An adapter that is in memory beside its base. `key` names it there, `name` names it to people.

    blocks are those that it changes, idle_blocks those whose LoRA was saved but does nothing (lora_B all zero).
    """

    key: str
    name: str
    sha256: str
    blocks: tuple[int, ...]
    idle_blocks: tuple[int, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)

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
        """
        with self._lock:
            if adapter is not None:
                if adapter not in self._peft_keys():
                    raise KeyError(f"No adapter {adapter!r} is in memory: add it first.")
                for layer in self._lora_layers:
                    layer.set_adapter(adapter)
                    layer.enable_adapters(True)
                    layer.train(training)
            try:
                yield self._model
            finally:
                self._base_only()

    def add_adapter(self, path: str | Path, name: str | None = None) -> Adapter:
        """Read a PEFT LoRA folder into memory beside the base, under a key of its own; `drop` it when done with it.

        Args:
            name: what people call it; the folder's name by default.

        Raises:
            ValueError: it is not a LoRA in safetensors, or was made for another base; the message says which.
        """
        path = Path(path)
        config, state, sha256 = _read_adapter(path)
        # A key of its own even for equal weights: one visitor's adapter is never another's.
        key = f"tli{uuid.uuid4().hex}"
        with self._lock:
            self._check_fit(state, path)
            try:
                self._load_weights(key, config, state, path)
            finally:
                self._base_only()
            self.adapters[key] = Adapter(key, name or path.name, sha256, *_blocks_of(state), read_record(path))
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
        return Provenance(
            model=self.name,
            revision=self.revision,
            dtype=self.precision,
            adapter=info.name if info else adapter,
            adapter_sha256=info.sha256 if info else None,
            pooling=pooling,
            n=n,
            seed=seed,
            versions=_versions(),
        )

    def _peft_keys(self) -> tuple[str, ...]:
        return tuple(getattr(self._model, "peft_config", {}))

    def _base_only(self) -> None:
        # Not transformers' `disable_adapters`: it walks every module of the model, which a training step would notice.
        for layer in self._lora_layers:
            layer.enable_adapters(False)
            layer.eval()

    def _check_fit(self, state: dict[str, torch.Tensor], path: Path) -> None:
        hidden, blocks = self._model.config.hidden_size, self.blocks
        for name, tensor in state.items():
            block = _block_of(name)
            if block is not None and block >= blocks:
                raise ValueError(
                    say(
                        "{name} changes block {block}, but {base} has {blocks}: it is for another base.",
                        name=path.name,
                        block=block,
                        base=self.name,
                        blocks=blocks,
                    )
                )
            if name.endswith("q_proj.lora_A.weight") and tensor.shape[1] != hidden:
                raise ValueError(
                    say(
                        "{name} is for a model of width {width}, but {base} has {hidden}: choose the base it was made "
                        "for.",
                        name=path.name,
                        width=tensor.shape[1],
                        base=self.name,
                        hidden=hidden,
                    )
                )

    def _load_weights(self, key: str, config: PeftConfig, state: dict[str, torch.Tensor], path: Path) -> None:
        # Not transformers' `load_adapter`: it may read a pickle, and counts other adapters' tensors as missing.
        try:
            self._attach(key, config)
            bare = {name.removeprefix("base_model.model."): tensor for name, tensor in state.items()}
            result = set_peft_model_state_dict(self._model, bare, adapter_name=key)
            problems = [name for name in result.missing_keys if f".{key}." in name] + list(result.unexpected_keys)
        except (RuntimeError, ValueError) as error:
            self._take_off(key)
            reason = str(error).strip().splitlines()[-1].strip()
            text = "{name} does not fit {base}: {reason}"
            raise ValueError(say(text, name=path.name, base=self.name, reason=reason)) from error
        if problems:
            self._take_off(key)
            raise ValueError(
                say(
                    "{name} does not fit {base}: {n} tensors do not match, such as {tensor}. Choose the base it was "
                    "made for.",
                    name=path.name,
                    base=self.name,
                    n=len(problems),
                    tensor=problems[0],
                )
            )

    def _attach(self, key: str, config: PeftConfig) -> None:
        self._model.add_adapter(config, adapter_name=key)
        self._find_lora_layers()
        # PEFT gives LoRA the base's dtype; a step of 2e-4 is lost in bf16, so adapters are float32 on every base.
        # Beside an offloaded matrix it makes LoRA without data, which is only ever filled from a file.
        for layer in self._lora_layers:
            device = computes_on(layer.get_base_layer())
            for name, parameter in layer.named_parameters():
                if f".{key}." not in name:
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
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=checkpoint.commit or "main")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The tokenizer of {name} could not be loaded: {str(error).strip().splitlines()[0]}"
        ) from error
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


def _read_adapter(path: Path) -> tuple[PeftConfig, dict[str, torch.Tensor], str]:
    config_file, weights_file = path / "adapter_config.json", path / "adapter_model.safetensors"
    if not config_file.is_file():
        raise ValueError(say("{path} has no adapter_config.json: point to a folder that PEFT saved.", path=path))
    if not weights_file.is_file():
        raise ValueError(say("{name} has no adapter_model.safetensors: save it again as safetensors.", name=path.name))
    try:
        config = PeftConfig.from_pretrained(str(path))
        state = load_file(weights_file)
    except (SafetensorError, json.JSONDecodeError, TypeError, ValueError, KeyError) as error:
        text = "{name} cannot be read as an adapter: {error}"
        raise ValueError(say(text, name=path.name, error=str(error).splitlines()[0])) from error
    if not isinstance(config, LoraConfig):
        text = "{name} is a {kind} adapter: only LoRA adapters can be used here."
        raise ValueError(say(text, name=path.name, kind=config.peft_type))
    config.inference_mode = True
    return config, state, hashlib.sha256(weights_file.read_bytes()).hexdigest()


def read_record(path: Path) -> dict[str, Any]:
    """How the adapter was made, from tli.json; empty where it was not made here."""
    try:
        record = json.loads((path / "tli.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return record if isinstance(record, dict) else {}


def _block_of(tensor_name: str) -> int | None:
    found = re.search(r"\.layers\.(\d+)\.", tensor_name)
    return int(found.group(1)) if found else None


def _blocks_of(state: dict[str, torch.Tensor]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks in which the adapter changes anything, and those whose lora_B is all zero."""
    moved: dict[int, bool] = {}
    for name, tensor in state.items():
        block = _block_of(name)
        if ".lora_B." in name and block is not None:
            moved[block] = moved.get(block, False) or bool(tensor.any())
    return tuple(sorted(b for b in moved if moved[b])), tuple(sorted(b for b in moved if not moved[b]))


def _content_hash(folder: Path) -> str | None:
    """A hash of the weights themselves for a folder of moderate size; None where that would take too long."""
    shards = sorted(folder.glob("*.safetensors"))
    if not shards or sum(os.path.getsize(shard) for shard in shards) > _HASHED_BYTES:
        return None
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(shard.read_bytes())
    return f"sha256:{digest.hexdigest()}"
