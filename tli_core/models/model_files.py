"""The files of a model: in a folder, or on the Hub, of which only what is asked for is fetched."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.hf_api import RepoFile
from safetensors import SafetensorError, safe_open
from tqdm import tqdm

from tli_core.i18n import N_, translate
from tli_core.models.hub import hub_answers, hub_refusal
from tli_core.models.hub_address import hub_address

MAX_HEADER_BYTES = 100_000_000

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all) of each file while it is fetched; may raise DownloadStopped."""


class DownloadStopped(Exception):
    """A download was ended on request. What has come is kept in the cache, and the next one goes on from there."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the header of its file describes it; dtype is in safetensors' own words, such as BF16."""

    shape: tuple[int, ...]
    dtype: str


def header(path: Path, most: int = MAX_HEADER_BYTES) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name, read from its header alone.

    Args:
        most: the most bytes that the header may have.

    Raises:
        ValueError: the file is cut short or is no safetensors file.
    """
    try:
        # Before all of it is parsed: a hostile file may bring a header as long as safetensors allows.
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > most:
            raise SafetensorError(f"its header has {length} bytes")
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {name: StoredTensor(tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}
    except (SafetensorError, OSError, UnicodeDecodeError) as error:
        text = N_("{name} ({size} bytes) is cut short, damaged, or no safetensors file: delete it and fetch it again.")
        raise ValueError(translate(text, name=path.name, size=path.stat().st_size)) from error


def model_files(source: str, revision: str | None, progress: Progress) -> "LocalFiles | HubFiles":
    """The files of a folder or of a Hub id, which may end in @revision."""
    if Path(source).is_dir():
        return LocalFiles(Path(source))
    address = hub_address(source)
    return HubFiles(address.repo, revision or address.revision, progress)


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


class LocalFiles:
    """A model folder on this machine."""

    commit = None

    def __init__(self, folder: Path):
        self.source = str(folder)
        self._folder = folder

    def get(self, name: str) -> Path | None:
        path = self._folder / name
        return path if path.is_file() else None

    def names(self) -> tuple[str, ...]:
        """Names of its files."""
        return tuple(sorted(path.name for path in self._folder.iterdir()))

    def shards(self) -> tuple[str, ...]:
        """Names of its files of tensors."""
        return tuple(name for name in self.names() if name.endswith(".safetensors"))

    def sizes(self) -> dict[str, int]:
        return {shard: (self._folder / shard).stat().st_size for shard in self.shards()}

    def is_here(self, shard: str) -> bool:
        return (self._folder / shard).is_file()

    def may_hold(self, shard: str, names: tuple[str, ...]) -> bool:
        return bool(set(names) & set(header(self._folder / shard)))


class HubFiles:
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
            cause = error.__cause__
            if isinstance(cause, Exception) and getattr(cause, "response", None) is not None:
                raise ValueError(hub_refusal(cause, self.source, self._revision)) from error
            if self.commit and name not in self.shards():
                return None
            text = N_("{repo} is not in the cache, and the Hub cannot be reached: go online once, and try again.")
            raise ValueError(translate(text, repo=self.source)) from error
        except EntryNotFoundError:
            return None
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise ValueError(hub_refusal(error, self.source, self._revision)) from error
        # …/snapshots/<commit>/<name>: the commit that a branch or tag meant when the first file came.
        self.commit = path.parent.name
        return path

    def names(self) -> tuple[str, ...]:
        """Names of the repository's files, folders left out; without the Hub of those that are in the cache."""
        if self._offline:
            folder = Path(snapshot_download(self.source, revision=self.commit or self._revision, local_files_only=True))
            return tuple(sorted(path.name for path in folder.iterdir()))
        try:
            names = HfApi().list_repo_files(self.source, revision=self.commit or self._revision)
        except (HfHubHTTPError, OSError) as error:
            raise ValueError(hub_refusal(error, self.source, self._revision)) from error
        return tuple(sorted(name for name in names if "/" not in name))

    def shards(self) -> tuple[str, ...]:
        """Names of its files of tensors."""
        return tuple(name for name in self.names() if name.endswith(".safetensors"))

    def sizes(self) -> dict[str, int]:
        """Bytes of every shard, as the Hub tells them; without it those of the cache."""
        if self._offline:
            kept = {shard: self.get(shard) for shard in self.shards()}
            return {shard: path.stat().st_size for shard, path in kept.items() if path is not None}
        try:
            tree = HfApi().list_repo_tree(self.source, revision=self.commit or self._revision)
            return {e.path: e.size for e in tree if isinstance(e, RepoFile) and e.path.endswith(".safetensors")}
        except (HfHubHTTPError, OSError) as error:
            text = N_("The Hub could not tell the size of {repo}: go online, or try again.")
            raise ValueError(translate(text, repo=self.source)) from error

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
