"""What one visitor has: the models of this server, the shipped adapters, and the fine-tunes of their own session."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import tli_core as core
from tli_core.catalogue import block_count, find_adapter, is_small, resolve, shipped_adapters
from tli_core.layers import layer_names
from tli_core.pairs import WordPair, shipped

BASE = "none (base model)"


class Models:
    """The bases that this server offers: small ones are loaded on first use, large ones when somebody asks for it."""

    def __init__(self, names: tuple[str, ...]):
        self.names = names
        self._loaded: dict[str, core.model.LoadedModel] = {}
        self._shipped: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> core.model.LoadedModel:
        """The base of this name.

        Raises:
            ValueError: it is not offered here, cannot be loaded, or is large and nobody has asked for it yet.
        """
        if name not in self.names:
            raise ValueError(f"This page does not offer {name!r}: choose one of {', '.join(self.names)}.")
        if not self.is_ready(name):
            raise ValueError(f"{name} is not loaded yet: press Load {name} at the top of the page.")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = core.model.load_model(name)
            return self._loaded[name]

    def warm(self) -> None:
        """Load the first base in the background, if it loads by itself; who asks for it meanwhile waits for that."""
        if self.loads_by_itself(self.names[0]):
            threading.Thread(target=self.get, args=(self.names[0],), daemon=True).start()

    def is_ready(self, name: str) -> bool:
        """Whether a base can be used at once: it is loaded, or small enough to load by itself."""
        return name in self._loaded or self.loads_by_itself(name)

    def loads_by_itself(self, name: str) -> bool:
        """Whether a base is on this machine and small, so that nobody need be asked."""
        return is_small(name)

    def plan(self, name: str) -> core.fit.Plan:
        """What loading a base would take here, and how it would be done."""
        return core.fit.plan(resolve(name))

    def load(self, name: str, chosen: core.fit.Plan, progress: core.checkpoint.Progress) -> core.model.LoadedModel:
        """Load a base as planned; one visitor's load serves all."""
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = core.model.load_model(name, chosen.placement, progress)
            return self._loaded[name]

    def layer_names(self, name: str) -> tuple[str, ...]:
        """The layers of a base, from its config where it is not loaded yet."""
        if name in self._loaded:
            return self._loaded[name].layer_names
        return layer_names(block_count(name))

    def shipped_key(self, model: str, adapter: str) -> str:
        """The key of a shipped adapter, read into memory on first use."""
        loaded = self.get(model)
        with self._lock:
            if (model, adapter) not in self._shipped:
                self._shipped[model, adapter] = loaded.add_adapter(find_adapter(adapter)).key
            return self._shipped[model, adapter]


@dataclass(frozen=True)
class OwnAdapter:
    """An adapter trained in this session: its base, its key there, its files' folder, and what it was trained on."""

    model: str
    key: str
    folder: Path
    pairs: tuple[WordPair, ...]


@dataclass
class Visitor:
    """One browser session. Only what is in here, or shipped, can be chosen: nobody reaches another's fine-tune."""

    own: dict[str, OwnAdapter] = field(default_factory=dict)

    def adapters(self, model: str) -> list[str]:
        """Adapters to choose from for a base: none, this session's newest first, then the shipped ones."""
        mine = [name for name, adapter in self.own.items() if adapter.model == model]
        return [BASE, *reversed(mine), *shipped_adapters(base=model)]

    def key(self, models: Models, model: str, adapter: str) -> str | None:
        """The key of a chosen adapter; None for the base.

        Raises:
            ValueError: this session has no such adapter for this base.
        """
        if adapter == BASE:
            return None
        if adapter in self.own and self.own[adapter].model == model:
            return self.own[adapter].key
        if adapter in shipped_adapters(base=model):
            return models.shipped_key(model, adapter)
        raise ValueError(f"There is no adapter {adapter!r} for {model} in this session: choose one from the list.")

    def trained_on(self, adapter: str) -> tuple[WordPair, ...]:
        """The pairs that an adapter was trained on; the shipped adapters were trained on the shipped list."""
        return self.own[adapter].pairs if adapter in self.own else shipped("train")

    def forget(self, models: Models) -> None:
        """Drop this session's adapters and delete their files."""
        for adapter in self.own.values():
            models.get(adapter.model).drop(adapter.key)
            shutil.rmtree(adapter.folder.parent, ignore_errors=True)
        self.own.clear()
