"""Which tensors a task needs; find and fetch only those, trusting the shards' own headers over the index."""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import init_empty_weights
from huggingface_hub import HfApi, hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from torch import nn
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from .hub_address import hub_address
from .reach import hub_answers
from .wording import say

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
HEAD = "lm_head.weight"
EMBEDDINGS = "model.embed_tokens.weight"
MAX_HEADER_BYTES = 100_000_000

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all) of each file while it is fetched; may raise DownloadStopped."""


class DownloadStopped(Exception):
    """A download was ended on request. What has come is kept in the cache, and the next one goes on from there."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's tensors are: `places` maps each tensor to its shard, `commit` pins what was fetched.

    head_from is the sibling that the output head comes from, or None where it is the model's own.
    """

    source: str
    commit: str | None
    config: PretrainedConfig
    places: Mapping[str, Path]
    head_from: str | None = None

    @property
    def has_head(self) -> bool:
        """Whether there is an output head: a tensor of its own, or the embeddings where the two are tied."""
        return HEAD in self.places or self.config.tie_word_embeddings


def needed_tensors(config: PretrainedConfig, blocks: int | None) -> tuple[str, ...]:
    """Names of the tensors for the first `blocks` blocks, or for the whole model with its head (None).

    The first blocks need no final norm and no head: their last layer is read before either.
    """
    count = config.num_hidden_layers if blocks is None else blocks
    with init_empty_weights():
        one = AutoModelForCausalLM.from_config(with_blocks(config, 1))
    inside = [name.removeprefix("model.layers.0.") for name in one.state_dict() if name.startswith("model.layers.0.")]
    names = [EMBEDDINGS, *(f"model.layers.{block}.{name}" for block in range(count) for name in inside)]
    return (*names, "model.norm.weight") if blocks is None else tuple(names)


def read_config(source: str, revision: str | None = None) -> PretrainedConfig:
    """The config of a folder or Hub id; of a Hub repository nothing else is fetched.

    Raises:
        ValueError: there is none, or it is of another kind of model.
    """
    return _read_config(_files(source, revision, lambda done, total: None))


def open_checkpoint(
    source: str,
    blocks: int | None = None,
    revision: str | None = None,
    progress: Progress = lambda done, total: None,
    head_from: str | None = None,
) -> Checkpoint:
    """Find, and for a Hub id fetch, just the shards that hold the tensors a task needs.

    Args:
        source: a folder, or a Hub id, which may end in @revision. HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE
            are respected, and shards go into the ordinary cache, where a later full load finds them.
        blocks: the first blocks only; None for the whole model and its head.
        revision: a branch, tag or commit of the Hub repository.
        head_from: a sibling that the output head is taken from where the checkpoint itself has none; of its shards
            only the one with the head is fetched.

    Raises:
        ValueError: the checkpoint is missing, damaged or of another shape; one sentence says what and how to mend it.
    """
    files = _files(source, revision, progress)
    config = _read_config(files)
    if blocks is not None and not 1 <= blocks <= config.num_hidden_layers:
        last = config.num_hidden_layers
        raise ValueError(f"Layer {blocks} is beyond {source}, whose output is layer {last}: choose 1 to {last}.")
    wanted = needed_tensors(config, blocks)
    places = _place(files, wanted, want_head=blocks is None and not config.tie_word_embeddings)
    borrowed = head_from if blocks is None and not config.tie_word_embeddings and HEAD not in places else None
    if borrowed:
        places |= _place(_files(borrowed, None, progress), (), want_head=True)
        if HEAD not in places:
            raise ValueError(f"{head_from} has no {HEAD} either: name another sibling, or go on without answers.")
    missing = [name for name in wanted if name not in places]
    if missing:
        raise ValueError(
            f"{source} lacks {len(missing)} of the {len(wanted)} tensors needed, such as {missing[0]}: "
            "fetch it again, or choose another revision."
        )
    return Checkpoint(source, files.commit, config, places, borrowed)


@dataclass(frozen=True)
class Weights:
    """What a load will take: bytes of the shards it needs, bytes of those that are here already, and parameters.

    in_blocks counts those parameters that are the blocks' matrices, which can be kept in fewer bits.
    """

    download: int
    cached: int
    parameters: int
    in_blocks: int


def weigh(source: str, blocks: int | None = None, revision: str | None = None) -> Weights:
    """How much a load would fetch and hold, from the config, the index and file sizes; no shard is fetched.

    Args:
        blocks: as in `open_checkpoint`.

    Raises:
        ValueError: there is no such model, or the Hub cannot be asked.
    """
    files = _files(source, revision, lambda done, total: None)
    config = _read_config(files)
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(with_blocks(config, blocks))
    # A tied head is the embeddings over again.
    if blocks is not None or config.tie_word_embeddings:
        model.lm_head = nn.Identity()
    index, sizes = _read_index(files), files.sizes()
    wanted = needed_tensors(config, blocks)
    # Without an index, or for the head that an index may forget, every shard may be needed.
    shards = {index[name] for name in wanted if name in index} if index and blocks is not None else set(sizes)
    here = sum(sizes[shard] for shard in shards if shard in sizes and files.is_here(shard))
    in_blocks = sum(p.numel() for p in model.model.layers.parameters() if p.dim() == 2)
    parameters = sum(p.numel() for p in model.parameters())
    return Weights(sum(sizes.get(shard, 0) for shard in shards), here, parameters, in_blocks)


def _files(source: str, revision: str | None, progress: Progress) -> "_LocalFiles | _HubFiles":
    if Path(source).is_dir():
        return _LocalFiles(Path(source))
    address = hub_address(source)
    return _HubFiles(address.repo, revision or address.revision, progress)


def with_blocks(config: PretrainedConfig, blocks: int | None) -> PretrainedConfig:
    """The config as it is, or for its first blocks only; nothing else of it changes."""
    if blocks is None:
        return config
    return type(config).from_dict({**config.to_dict(), "num_hidden_layers": blocks})


def _read_config(files: "_LocalFiles | _HubFiles") -> PretrainedConfig:
    path = files.get("config.json")
    if path is None:
        raise ValueError(f"{files.source} has no config.json: it is not a model in the Hugging Face layout.")
    try:
        config = AutoConfig.from_pretrained(path.parent)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"The config of {files.source} cannot be read: {str(error).splitlines()[0]}") from error
    if config.model_type != "llama":
        raise ValueError(f"{files.source} is a {config.model_type} model: only Llama models can be used here.")
    return config


def _place(files: "_LocalFiles | _HubFiles", wanted: tuple[str, ...], want_head: bool) -> dict[str, Path]:
    """Where each wanted tensor really is. The index says where to look first; the shards' headers decide."""
    names = (*wanted, HEAD) if want_head else wanted
    index = _read_index(files)
    places: dict[str, Path] = {}
    looked: set[str] = set()

    def look(shard: str, for_names: tuple[str, ...]) -> None:
        looked.add(shard)
        path = files.get(shard)
        if path is None:
            raise ValueError(f"{files.source} lacks its shard {shard}: fetch it again.")
        held = header(path)
        places.update({name: path for name in for_names if name in held and name not in places})

    for shard in dict.fromkeys(index[name] for name in names if name in index):
        look(shard, names)
    # What the index leaves out or misplaces may be in a shard that it does not name for it.
    for shard in files.shards():
        lacking = tuple(name for name in names if name not in places)
        if not lacking:
            break
        if shard not in looked and files.may_hold(shard, lacking):
            look(shard, names)
    return places


def _read_index(files: "_LocalFiles | _HubFiles") -> dict[str, str]:
    path = files.get(INDEX)
    if path is None:
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"The index of {files.source} cannot be read ({error}): fetch it again.") from error
    inside = {name: shard for name, shard in index.items() if "/" not in shard and shard.endswith(".safetensors")}
    if len(inside) != len(index):
        raise ValueError(f"The index of {files.source} names files that are not safetensors shards of its own.")
    return inside


def header(path: Path, most: int = MAX_HEADER_BYTES) -> dict[str, Any]:
    """A shard's own table of tensors: name -> {dtype, shape, data_offsets}.

    Args:
        most: the most bytes that the table may have.

    Raises:
        ValueError: the file is cut short or is no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else most + 1
        text = file.read(length) if length <= min(most, size) else b""
    try:
        table = json.loads(text)
        table.pop("__metadata__", None)
        end = 8 + length + max((entry["data_offsets"][1] for entry in table.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        text = "{name} is no safetensors file, or is damaged: delete it and fetch it again."
        raise ValueError(say(text, name=path.name)) from None
    if end != size:
        raise ValueError(f"{path.name} has {size} bytes where its header says {end}: delete it and fetch it again.")
    return table


def _progress_bar(progress: Progress) -> type[tqdm]:
    """A tqdm that tells `progress` about the bytes of each file instead of drawing a line."""

    class Reporting(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            changed = super().update(n)
            progress(int(self.n), int(self.total or 0))
            return changed

        def display(self, *_args, **_kwargs) -> None:
            """Draws nothing."""

    return Reporting


class _LocalFiles:
    """A model folder on this machine."""

    commit = None

    def __init__(self, folder: Path):
        self.source = str(folder)
        self._folder = folder

    def get(self, name: str) -> Path | None:
        path = self._folder / name
        return path if path.is_file() else None

    def shards(self) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self._folder.glob("*.safetensors")))

    def sizes(self) -> dict[str, int]:
        return {shard: (self._folder / shard).stat().st_size for shard in self.shards()}

    def is_here(self, shard: str) -> bool:
        return (self._folder / shard).is_file()

    def may_hold(self, shard: str, names: tuple[str, ...]) -> bool:
        return bool(set(names) & set(header(self._folder / shard)))


class _HubFiles:
    """A repository on the Hub, through the ordinary cache; every file of one load is of one commit."""

    def __init__(self, repo: str, revision: str | None, progress: Progress):
        self.source = repo
        self._revision = revision
        self._progress = _progress_bar(progress)
        # What is in the cache serves without the Hub, too.
        self._offline = not hub_answers()
        self.commit: str | None = None

    def get(self, name: str) -> Path | None:
        """The file, fetched unless it is in the cache; None where the repository has none of that name."""
        try:
            path = Path(
                hf_hub_download(
                    self.source,
                    name,
                    revision=self.commit or self._revision,
                    tqdm_class=self._progress,
                    local_files_only=self._offline,
                )
            )
        except LocalEntryNotFoundError as error:
            if self.commit and name not in self.shards():
                return None
            text = "{repo} is not in the cache, and the Hub cannot be reached: go online once, or check HF_ENDPOINT."
            raise ValueError(say(text, repo=self.source)) from error
        except EntryNotFoundError:
            return None
        except RepositoryNotFoundError as error:
            text = "There is no model {repo} on the Hub, or it needs a login: check the name, or set HF_TOKEN."
            raise ValueError(say(text, repo=self.source)) from error
        except (HfHubHTTPError, OSError, ValueError) as error:
            text = "{name} of {repo} could not be fetched: {error}"
            raise ValueError(say(text, name=name, repo=self.source, error=str(error).splitlines()[0])) from error
        # …/snapshots/<commit>/<name>: the commit that a branch or tag meant when the first file came.
        self.commit = path.parent.name
        return path

    def shards(self) -> tuple[str, ...]:
        """The repository's shards; without the Hub those that are in the cache."""
        if self._offline:
            folder = Path(snapshot_download(self.source, revision=self.commit or self._revision, local_files_only=True))
            return tuple(sorted(path.name for path in folder.glob("*.safetensors")))
        names = HfApi().list_repo_files(self.source, revision=self.commit or self._revision)
        return tuple(sorted(name for name in names if name.endswith(".safetensors") and "/" not in name))

    def sizes(self) -> dict[str, int]:
        """Bytes of every shard, as the Hub tells them; without it those of the cache."""
        if self._offline:
            return {shard: Path(self.get(shard)).stat().st_size for shard in self.shards()}
        try:
            tree = HfApi().list_repo_tree(self.source, revision=self.commit or self._revision)
            return {e.path: e.size for e in tree if e.path.endswith(".safetensors") and hasattr(e, "size")}
        except (HfHubHTTPError, OSError) as error:
            text = "The Hub could not tell the size of {repo}: go online, or try again."
            raise ValueError(say(text, repo=self.source)) from error

    def is_here(self, shard: str) -> bool:
        """Whether a shard is in the cache."""
        return isinstance(try_to_load_from_cache(self.source, shard, revision=self.commit), str)

    def may_hold(self, shard: str, names: tuple[str, ...]) -> bool:
        """Whether a shard holds one of the names; where it is not in the cache, only its header is fetched to tell."""
        cached = try_to_load_from_cache(self.source, shard, revision=self.commit)
        if isinstance(cached, str):
            return bool(set(names) & set(header(Path(cached))))
        table = HfApi().parse_safetensors_file_metadata(self.source, shard, revision=self.commit)
        return bool(set(names) & set(table.tensors))
