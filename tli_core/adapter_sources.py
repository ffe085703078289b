"""Adapters from elsewhere: a zip file or the Hub → a PEFT folder that is safe to read, and for the right base."""

import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

from .catalogue import HUB_ID, source_of
from .reach import hub_answers
from .wording import say

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
WANTED = {WEIGHTS: 256_000_000, CONFIG: 100_000, "tli.json": 8_000_000}
"""What is taken of an adapter, and the most bytes of each."""


def unpack_adapter(archive: Path, into: Path) -> Path:
    """Take an adapter's files out of a zip file, whatever folder they are in there, into a folder of its name.

    Nothing else is taken out, and no name in the archive decides where anything is written.

    Args:
        into: the new folder's parent, which exists.

    Raises:
        ValueError: it is no zip file, holds no adapter or several, or one in pickles or too large.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            return _unpacked(file, archive.stem, into)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        text = "{name} cannot be opened as a zip file: {error}"
        raise ValueError(say(text, name=archive.name, error=error)) from error


def _unpacked(file: zipfile.ZipFile, stem: str, into: Path) -> Path:
    members = {member.filename: PurePosixPath(member.filename) for member in file.infolist() if not member.is_dir()}
    folders = {path.parent for path in members.values() if path.name == CONFIG}
    if not folders:
        raise ValueError(say("The zip file has no {file}: zip the folder that PEFT saved.", file=CONFIG))
    if len(folders) > 1:
        raise ValueError(say("The zip file holds {n} adapters: zip one of them alone.", n=len(folders)))
    (folder,) = folders
    names = {path.name: name for name, path in members.items() if path.parent == folder}
    if WEIGHTS not in names:
        pickled = " " + say("Its weights are a pickle, which can run code.") if "adapter_model.bin" in names else ""
        text = "The zip file has no {file}.{pickled} Save the adapter again as safetensors."
        raise ValueError(say(text, file=WEIGHTS, pickled=pickled))
    target = into / folder_name(folder.name or stem)
    target.mkdir()
    for name, most in WANTED.items():
        if name not in names:
            continue
        with file.open(names[name]) as packed, (target / name).open("wb") as unpacked:
            # Not the size that the archive claims: that may be a lie.
            left = most
            while block := packed.read(1 << 20):
                left -= len(block)
                if left < 0:
                    shutil.rmtree(target)
                    text = "{name} is larger than {most} MB, too large for this page."
                    raise ValueError(say(text, name=name, most=most // 1_000_000 or 1))
                unpacked.write(block)
    return target


def fetch_adapter(repo: str, into: Path) -> Path:
    """Fetch an adapter's files, and no others, from the Hub into a folder of its name.

    Args:
        into: the new folder's parent, which exists.

    Raises:
        ValueError: that is no Hub id, there is no adapter there in safetensors, it is too large, or the Hub cannot be
            reached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

    if not HUB_ID.fullmatch(repo):
        raise ValueError(say("{repo!r} is no Hub id: write it as owner/name.", repo=repo[:80]))
    if not hub_answers():
        raise ValueError(say("The Hub cannot be reached from here: go online, or upload the adapter as a zip file."))
    target = into / folder_name(repo.partition("/")[2])
    target.mkdir()
    try:
        for name, most in WANTED.items():
            try:
                size = get_hf_file_metadata(hf_hub_url(repo, name)).size or 0
                if size > most:
                    text = "{name} of {repo} has {size:.0f} MB, more than {most:.0f}."
                    raise ValueError(say(text, name=name, repo=repo, size=size / 1e6, most=most / 1e6))
                shutil.copyfile(hf_hub_download(repo, name), target / name)
            except EntryNotFoundError as error:
                if name in (WEIGHTS, CONFIG):
                    text = "{repo} has no {name}: it is no PEFT adapter in safetensors."
                    raise ValueError(say(text, repo=repo, name=name)) from error
    except RepositoryNotFoundError as error:
        raise ValueError(say("There is no {repo} on the Hub, or it is private: check the id.", repo=repo)) from error
    except (HfHubHTTPError, OSError) as error:
        text = "The Hub could not be asked for {repo}: {error}"
        raise ValueError(say(text, repo=repo, error=str(error).splitlines()[0])) from error
    return target


def check_base(folder: Path, model: str) -> None:
    """Pass if an adapter was made for a base, by what its config says.

    Raises:
        ValueError: it names another base, or none can be read.
    """
    try:
        named = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = "{name} does not say which base it was made for, in {file}."
        raise ValueError(say(text, name=folder.name, file=CONFIG)) from error
    source = source_of(model)
    # A base that was loaded from a folder is named by that folder, wherever it was.
    if named != source and Path(str(named)).name != Path(source).name:
        text = "{name} was made for {named}, not for {base}: choose that base."
        raise ValueError(say(text, name=folder.name, named=str(named)[:120], base=source))


@dataclass(frozen=True)
class Facts:
    """What an adapter's files say of it, a question mark where they do not; blocks is None where it changes all."""

    rank: str
    targets: tuple[str, ...]
    blocks: str | None
    sha256: str


@lru_cache(maxsize=256)
def read_facts(folder: Path) -> Facts:
    """An adapter's rank, matrices, blocks and the hash of its weights, without reading them into a model."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    targets = config.get("target_modules") or ()
    blocks = config.get("layers_to_transform")
    numbers = [block for block in (blocks if isinstance(blocks, list) else [blocks]) if isinstance(block, int)]
    told = "–".join(str(number) for number in sorted({min(numbers), max(numbers)})) if numbers else "?"
    return Facts(
        str(config.get("r", "?")),
        tuple(sorted(map(str, targets))) if isinstance(targets, list) else (str(targets),),
        None if blocks is None else told,
        sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
    )


def folder_name(name: str) -> str:
    """A name that can name an adapter, made of what it was called."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:64] or "adapter"
