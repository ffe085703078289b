"""A base model with its adapters: load, switch, add and drop. One base in memory, never reloaded to switch."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from tli_core.i18n import N_, translate
from tli_core.models import architecture
from tli_core.models.adapter_config import BaseLayout
from tli_core.models.adapter_import import base_modules, layout_of, read_adapter
from tli_core.models.adapters import Adapter, AdapterSlots, overflow
from tli_core.models.checkpoint import open_checkpoint, read_config
from tli_core.models.kernels.arithmetic import choose_kernels, restore_kernels
from tli_core.models.kernels.side_by_side import Lane, Stack
from tli_core.models.layers import layer_names
from tli_core.models.model_files import Progress
from tli_core.models.placement import Placement, input_device, is_dispatched, is_offloaded
from tli_core.models.provenance import Provenance, content_hash, package_versions
from tli_core.models.quantization import NAMES
from tli_core.models.registry import KNOWN_MODELS, SMALL_MODEL_PARAMETERS, resolve
from tli_core.models.tokenizer import load_tokenizer, prefix_of
from tli_core.models.weights import read_model

_REFERENCES_KEPT = 12


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
        # The active adapter is state of the one model object, so whoever uses it holds this lock meanwhile.
        self._lock = threading.RLock()
        self._slots = AdapterSlots(model)
        self._changed = False
        self._in_use = False
        self._references: OrderedDict[tuple[str | None, str], Any] = OrderedDict()

    @property
    def blocks(self) -> int:
        """How many transformer blocks the model has."""
        return len(architecture.blocks(self._model))

    @property
    def whole(self) -> bool:
        """Whether the model has its last block and final norm, not just its first blocks."""
        return architecture.has_final_norm(self._model)

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
        restore_kernels(self._model)
        self._model.to(torch.device(device))  # pyright: ignore[reportArgumentType]
        choose_kernels(self._model, self.device)

    @property
    def resident_blocks(self) -> int:
        """How many first blocks have their weights where they compute, none of them fetched for every run."""
        blocks = architecture.blocks(self._model)
        return next((i for i, block in enumerate(blocks) if is_offloaded(block)), len(blocks))

    @property
    def plain(self) -> bool:
        """Whether all of it is on one device at its own precision."""
        return not is_dispatched(self._model) and self.precision not in NAMES.values()

    @property
    def can_generate(self) -> bool:
        """Whether there is an output head; a checkpoint may lack it, a model's first blocks always do."""
        return architecture.has_head(self._model)

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
        with self._in_turn():
            if adapter is not None and adapter not in self._slots.keys:
                raise KeyError(translate("No adapter {adapter!r} is in memory: add it first.", adapter=adapter))
            own = []
            try:
                if adapter is not None:
                    own = self._slots.switch_on(adapter, training)
                yield self._model
            finally:
                self._slots.switch_off(own)

    def stack(self, adapters: Sequence[str]) -> Stack:
        """Fresh adapters of one shape, to be trained side by side."""
        with self._in_turn():
            return self._slots.stack(adapters)

    @contextmanager
    def using_side_by_side(self, stack: Stack, lanes: Sequence[Lane]) -> Iterator[PreTrainedModel]:
        """The model with the adapters of a stack on, each for rows of its own, with dropout; the base afterwards.

        Raises:
            RuntimeError: as `using`.
        """
        with self._in_turn():
            try:
                stack.switch_on(lanes)
                yield self._model
            finally:
                stack.switch_off()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else uses or changes the model meanwhile."""
        with self._lock:
            yield

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Hold the model for one use."""
        with self._lock:
            if self._changed:
                raise RuntimeError(translate("An adapter has changed {name} in memory: load it again.", name=self.name))
            self._check_idle()
            self._in_use = True
            try:
                yield
            finally:
                self._in_use = False

    def add_adapter(self, path: str | Path, name: str | None = None) -> Adapter:
        """Read a PEFT LoRA folder into memory beside the base, under a key of its own; `drop` it when done with it.

        Everything is checked before anything is attached. While it is on it is what PEFT makes of it on a fresh model;
        the base and other adapters never see it.

        Args:
            name: what people call it; the folder's name by default.

        Raises:
            ValueError: it is not a LoRA in safetensors, does more than LoRA, or does not fit this base; the message
                says which. Whether its config names this base `adapter_sources.check_base` asks.
        """
        path = Path(path)
        # A key of its own even for equal weights: one visitor's adapter is never another's.
        key = f"tli{uuid.uuid4().hex}"
        with self._lock:
            self._check_idle()
            found = read_adapter(path, self.name, self.layout, base_modules(self._model))
            if (found.replaced or found.token_rows) and is_dispatched(self._model):
                text = N_(
                    "{name} replaces embeddings, head or norms, which needs {base} whole on one device: load it there."
                )
                raise ValueError(translate(text, name=path.name, base=self.name))
            try:
                self._attach(key, found.config)
                self._slots.fill(key, found)
                self._check_states(key, path.name)
            except BaseException:
                self.drop(key)
                raise
            finally:
                self._slots.switch_off([])
            self.adapters[key] = Adapter(
                key, name or path.name, found.sha256, *found.blocks(), found.record, self._slots.bytes_of(key)
            )
            return self.adapters[key]

    def _check_states(self, key: str, name: str) -> None:
        """Refuse an adapter whose numbers are finite and whose products are not."""
        if is_offloaded(self._model):  # a pass would fetch every block; what is measured says so itself
            return
        with self.using(key) as model:
            place = overflow(model, self.layer_names)
        if place:
            text = N_(
                "{name} makes numbers overflow at {place}, though its own are finite: "
                "its training failed, or its scale (lora_alpha) is wrong."
            )
            raise ValueError(translate(text, name=name, place=place))

    def new_adapter(self, config: LoraConfig) -> str:
        """Attach a fresh, trainable adapter and return its key; `drop` it when it has been saved."""
        key = f"tlirun{uuid.uuid4().hex}"
        with self._lock:
            try:
                self._attach(key, config)
            finally:
                self._slots.switch_off([])
        return key

    def drop(self, key: str) -> None:
        """Forget an adapter; the base and the others stay as they are. Unknown keys are ignored."""
        with self._lock:
            self.adapters.pop(key, None)
            for held in [held for held in self._references if held[0] == key]:
                del self._references[held]
            self._slots.remove(key)
            self._slots.switch_off([])

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

    def provenance(self, adapter: str | None, n: int, seed: int, languages: str, readout: str, view: str) -> Provenance:
        """Where a number measured now comes from; the last three are those of a `Lens`."""
        info = self.adapters.get(adapter) if adapter else None
        prefix = prefix_of(self.tokenizer)
        return Provenance(
            model=self.name,
            revision=self.revision,
            dtype=self.precision,
            adapter=info.name if info else adapter,
            adapter_sha256=info.sha256 if info else None,
            languages=languages,
            readout=readout,
            view=view,
            prefix_token=prefix.token,
            prefix_added=prefix.added,
            n=n,
            seed=seed,
            versions=package_versions(),
        )

    def _attach(self, key: str, config: LoraConfig) -> None:
        if not self._slots.attach(key, config):
            self._changed = True
            raise RuntimeError(
                translate("Attaching an adapter has changed {name} in memory: load it again.", name=self.name)
            )

    def _check_idle(self) -> None:
        """Refuse this thread where it has an adapter, or the base, on already: what the outer has would be lost."""
        if self._in_use:
            raise RuntimeError("`using` does not nest: leave it before the model is used or changed otherwise.")


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
    sibling = head_from and resolve(head_from)
    checkpoint = open_checkpoint(source, placement.blocks, progress=progress, head_from=sibling)
    tokenizer = load_tokenizer(source, checkpoint.commit, checkpoint.config)
    model = read_model(checkpoint, _dtype(checkpoint.config), placement)
    revision = checkpoint.commit or content_hash(Path(source))
    if checkpoint.head_from:
        revision = f"{revision}, head from {checkpoint.head_from}"
    return LoadedModel(model, tokenizer, name if name in KNOWN_MODELS else source, revision, placement.bits)


def blocks_to_train(name: str, layer: int | str) -> int | None:
    """How many first blocks of a base a fine-tune at a layer should load; None for the whole model.

    A small model is loaded whole, so that the result can be measured at every layer; of a large one the rest is not
    even fetched.
    """
    if layer == "output" or _dtype(read_config(resolve(name))) == torch.float32:
        return None
    return int(layer)


def _dtype(config: PretrainedConfig) -> torch.dtype:
    small = architecture.parameters_in_blocks(config) <= SMALL_MODEL_PARAMETERS
    return torch.float32 if small else torch.bfloat16
