"""What one visitor has: the models of this server, the shipped adapters, and the fine-tunes of their own session."""

from __future__ import annotations

import gc
import re
import shutil
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.pairs import WordPair
from tli_core.models.layers import layer_names
from tli_core.models.registry import block_count, check_adapter_name, find_adapter, is_small, resolve, shipped_adapters
from ui.server.gpu import ZERO_GPU

BASE = N_("none (base model)")
ADAPTERS_IN_MEMORY = 32
"""More than that many visitors hardly compare at once."""

ADAPTER_BYTES_IN_MEMORY = 2_000_000_000


_SERVERS: list[Models] = []


class Models:
    """The bases that this server offers: small ones are loaded on first use, large ones when somebody asks for it."""

    def __init__(self, names: tuple[str, ...]):
        self.names = names
        self._number = len(_SERVERS)
        _SERVERS.append(self)
        self._loaded: dict[str, core.models.loaded_model.LoadedModel] = {}
        self._adapters: OrderedDict[tuple[str, Path], str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> core.models.loaded_model.LoadedModel:
        """The base of this name.

        Raises:
            ValueError: it is not offered here, cannot be loaded, or is large and nobody has asked for it yet.
        """
        self.check_ready(name)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = _loaded(name)
            return self._loaded[name]

    def offer(self, name: str) -> None:
        """Offer one more base: a Hub id or a folder, on a page that only its owner uses.

        Raises:
            ValueError: it is neither.
        """
        resolve(name)
        with self._lock:
            if name not in self.names:
                self.names = (*self.names, name)

    def check_ready(self, name: str) -> None:
        """Refuse a base that is not offered here or cannot be used at once.

        Raises:
            ValueError: it is not, and what to do.
        """
        if name not in self.names:
            text = N_("This page does not offer {name!r}: choose one of {choices}.")
            raise ValueError(translate(text, name=name, choices=", ".join(self.names)))
        if not self.is_ready(name):
            raise ValueError(
                translate("{name} is not loaded yet: press Load {name} at the top of the page.", name=name)
            )

    def __reduce__(self) -> tuple:
        """Pickled by reference: a process that was forked from this one has the same models."""
        return _served, (self._number,)

    def load_for_zero_gpu(self) -> None:
        """Load every base before the page is served, as ZeroGPU's workers only have what was there before them."""
        for name in self.names:
            loaded = _loaded(name, core.models.placement.Placement("cpu"))
            if self.on_lent_gpu(name):
                loaded.to("cuda")
            self._loaded[name] = loaded

    def on_lent_gpu(self, name: str) -> bool:
        """Whether a base runs on the GPU that ZeroGPU lends; a small one is as fast here."""
        return ZERO_GPU and not self.loads_by_itself(name)

    def forget_adapters(self) -> None:
        """Drop every adapter from memory; their files stay."""
        with self._lock:
            for (model, _), key in self._adapters.items():
                self._loaded[model].drop(key)
            self._adapters.clear()

    def warm(self) -> None:
        """Load the first base in the background, if it loads by itself; who asks for it meanwhile waits for that."""
        if self.loads_by_itself(self.names[0]):
            threading.Thread(target=self.get, args=(self.names[0],), daemon=True).start()

    def is_ready(self, name: str) -> bool:
        """Whether a base can be used at once: it is offered, and loaded or small enough to load by itself."""
        return name in self.names and (self.is_loaded(name) or self.loads_by_itself(name))

    def is_loaded(self, name: str) -> bool:
        """Whether a base is in memory."""
        return name in self._loaded

    def loads_by_itself(self, name: str) -> bool:
        """Whether a base is on this machine and small, so that nobody need be asked."""
        return is_small(name)

    def plan(self, name: str) -> core.models.load_plan.Plan:
        """What loading a base would take here, and how it would be done."""
        return core.models.load_plan.plan(resolve(name))

    def load(
        self, name: str, chosen: core.models.load_plan.Plan, progress: core.models.model_files.Progress
    ) -> core.models.loaded_model.LoadedModel:
        """Load a base as planned; one visitor's load serves all."""
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = _loaded(name, chosen.placement, progress)
            return self._loaded[name]

    def layer_names(self, name: str) -> tuple[str, ...]:
        """The layers of a base, from its config where it is not loaded yet."""
        if name in self._loaded:
            return self._loaded[name].layer_names
        return layer_names(block_count(name))

    def _adapters_fit(self) -> bool:
        held = (self._loaded[model].adapters[key].bytes for (model, _), key in self._adapters.items())
        return len(self._adapters) <= ADAPTERS_IN_MEMORY and sum(held) <= ADAPTER_BYTES_IN_MEMORY

    def adapter_key(self, model: str, folder: Path) -> str:
        """The key of an adapter's folder beside a base, read into memory on first use; those longest unused go."""
        loaded = self.get(model)
        with self._lock:
            held = (model, folder)
            if held not in self._adapters:
                self._adapters[held] = loaded.add_adapter(folder).key
                while len(self._adapters) > 1 and not self._adapters_fit():
                    (other, _), key = self._adapters.popitem(last=False)
                    self._loaded[other].drop(key)
            self._adapters.move_to_end(held)
            return self._adapters[held]


def _loaded(name: str, *settings):
    """A base, its health known: processes that are forked later then have it, too."""
    loaded = core.models.loaded_model.load_model(name, *settings)
    core.measures.perplexity.health_of(loaded)
    # What is loaded stays: looking through it for garbage made every third evaluation a quarter second longer.
    gc.freeze()
    return loaded


def _served(number: int) -> Models:
    return _SERVERS[number]


@dataclass(frozen=True)
class OwnAdapter:
    """An adapter of this visitor's: its base, its files' folder, and what it was trained on (empty: not known)."""

    model: str
    folder: Path
    pairs: tuple[WordPair, ...] = ()


@dataclass
class Visitor:
    """One browser session. Only what is in here, or shipped, can be chosen: nobody reaches another's fine-tune.

    token is what this browser keeps to find its fine-tunes again, linked are ids of runs opened by their link; trained
    are the adapters of both by name, and imported are those from elsewhere. run_names are those of all its runs. asks
    counts what was asked of each part of the page that answers several at a time.
    """

    token: str = ""
    linked: list[str] = field(default_factory=list)
    trained: dict[str, OwnAdapter] = field(default_factory=dict)
    imported: dict[str, OwnAdapter] = field(default_factory=dict)
    run_names: set[str] = field(default_factory=set)
    asks: Counter[str] = field(default_factory=Counter)

    def asking(self, part: str) -> Callable[[], bool]:
        """Count one more ask of a part of the page; what is returned tells whether it is still the last one."""
        self.asks[part] += 1
        number = self.asks[part]
        return lambda: number == self.asks[part]

    @property
    def own(self) -> dict[str, OwnAdapter]:
        """This visitor's adapters by name, the newest last."""
        return {**self.imported, **self.trained}

    def adapters(self, model: str) -> list[str]:
        """Adapters to choose from for a base: none, this visitor's newest first, then the shipped ones."""
        mine = [name for name, adapter in self.own.items() if adapter.model == model]
        return [BASE, *reversed(mine), *shipped_adapters(base=model)]

    def key(self, models: Models, model: str, adapter: str) -> str | None:
        """The key of a chosen adapter; None for the base.

        Raises:
            ValueError: this visitor has no such adapter for this base.
        """
        return None if adapter == BASE else models.adapter_key(model, self.folder(model, adapter))

    def folder(self, model: str, adapter: str) -> Path:
        """The folder of a chosen adapter.

        Raises:
            ValueError: this visitor has no such adapter for this base.
        """
        if adapter in self.own and self.own[adapter].model == model:
            return self.own[adapter].folder
        if adapter in shipped_adapters(base=model):
            return find_adapter(adapter)
        text = N_("There is no adapter {adapter!r} for {model} in this session: choose one from the list.")
        raise ValueError(translate(text, adapter=adapter, model=model))

    def trained_on(self, model: str, adapter: str) -> tuple[WordPair, ...]:
        """The pairs that an adapter was trained on; where they are not known, the shipped list of its languages.

        Raises:
            ValueError: its record says that it was trained on others.
        """
        own = self.own[adapter].pairs if adapter in self.own and self.own[adapter].model == model else ()
        languages = self.languages_of(model, adapter)
        record = core.models.adapter_import.read_record(self.folder(model, adapter))
        return own or core.measures.trained_list.shipped_training_list(adapter, record, languages)

    def languages_of(self, model: str, adapter: str) -> str:
        """The key of the two languages that an adapter was trained on; Swahili and English where it does not say."""
        if adapter == BASE or adapter not in self.adapters(model):
            return DEFAULT
        record = core.models.adapter_import.read_record(self.folder(model, adapter))
        return record["base"]["languages"] if record else DEFAULT

    def check_languages(self, model: str, adapter: str, languages: str) -> None:
        """Refuse to read the pairs that an adapter was trained on as pairs of other languages.

        Raises:
            ValueError: it was trained on others.
        """
        if (own := self.languages_of(model, adapter)) != languages:
            source, target = map(translate, language_pair(own).names)
            text = N_("{adapter} was trained on {source} and {target}: choose these languages, or type trained pairs.")
            raise ValueError(translate(text, adapter=adapter, source=source, target=target))

    def check_new_name(self, model: str, name: str) -> str:
        """A name that a new adapter of this visitor may have.

        Raises:
            ValueError: it cannot name a folder, or is taken.
        """
        name = check_adapter_name(name.strip())
        if name in self.adapters(model) or name in self.run_names:
            raise ValueError(
                translate("There is already an adapter called {name}: give this one another name.", name=name)
            )
        return name

    def free_name(self, model: str, name: str) -> str:
        """This name for a new adapter, or where it is taken the next with a number at its end."""
        taken, stem = {*self.adapters(model), *self.run_names}, re.sub(r"-\d+$", "", name)
        numbered = (f"{stem}-{number}" for number in count(2))
        return next(free for free in chain([name], numbered) if free not in taken)

    def forget(self) -> None:
        """Delete what this visitor brought; fine-tunes belong to their runs, and stay."""
        for adapter in self.imported.values():
            shutil.rmtree(adapter.folder.parent, ignore_errors=True)
        self.imported.clear()
