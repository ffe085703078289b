"""Adapters from elsewhere: a zip file or the Hub → a PEFT folder of the right files, for the right base."""

import re
import shutil
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

from tli_core.i18n import N_, translate
from tli_core.models.adapter_config import CONFIG, read_json_object
from tli_core.models.hub import hub_answers, hub_refusal
from tli_core.models.hub_address import HubAddress, hub_address
from tli_core.models.registry import MAX_CONFIG_BYTES, is_same_base, named_base, source_of

WEIGHTS, RECORD = "adapter_model.safetensors", "tli.json"
WANTED = {CONFIG: MAX_CONFIG_BYTES, RECORD: 8_000_000, WEIGHTS: 256_000_000}
"""What is taken of an adapter, and the most bytes of each."""

MOST_SHRUNK = 20
"""How many times as large as its zip file an adapter may be; trained numbers hardly shrink, zeros without end do."""

MOST_LISTED = 2_000_000
"""Bytes of a zip file's list of files: tens of thousands of names, where an adapter has a dozen."""


ENCRYPTED = 1
"""Of a zip member's flags."""


def unpack_adapter(archive: Path, into: Path) -> Path:
    """Take an adapter's files out of a zip file, whatever folder they are in there, into a folder of its name.

    Nothing else is taken out, and no name in the archive decides where anything is written.

    Args:
        into: the new folder's parent, which exists.

    Raises:
        ValueError: it is no zip file, is damaged, holds no adapter or several, or one in pickles or too large.
    """
    try:
        _check_list(archive)
        with zipfile.ZipFile(archive) as file, _all_or_nothing(into / _name_in(file, archive.stem)) as target:
            _unpack(file, target, MOST_SHRUNK * archive.stat().st_size + 100_000)
            return target
    except Exception as error:  # Python's zip reader raises whatever a damaged file leads it to
        if type(error) is ValueError:
            raise
        reason = (str(error) if isinstance(error, zipfile.BadZipFile) else "") or type(error).__name__
        text = N_("{name} cannot be opened as a zip file: {error}")
        raise ValueError(translate(text, name=archive.name[:60], error=reason[:120])) from error


def _check_list(archive: Path) -> None:
    """Refuse a zip file with a long list of files; Python reads all of it at once."""
    with archive.open("rb") as file:
        # The longest comment, the record before it, and before that the place of a longer record.
        file.seek(max(0, archive.stat().st_size - (65_536 + 22 + 20)))
        end = file.read()
    # Where Python looks: at the very end, else for the last signature before a comment.
    at_end = end[-22:-18] == b"PK\5\6" and end[-2:] == b"\0\0"
    place = len(end) - 22 if at_end else end.rfind(b"PK\5\6")
    if place < 0 or len(end) < place + 22:
        return  # no zip file, as Python will say
    long = struct.unpack_from("<I", end, place + 12)[0] > MOST_LISTED
    if long or end[max(0, place - 20) : place].startswith(b"PK\6\7"):  # zip64, which only long lists need
        raise ValueError(translate("{name} lists too many files: zip the adapter's folder alone.", name=archive.name))


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[Path]:
    """A new folder, which goes again if what is put into it cannot be finished."""
    folder.mkdir()
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _members(file: zipfile.ZipFile) -> dict[str, str]:
    """Names in the archive of the one adapter's files, by the files' own names."""
    members = {member.filename: PurePosixPath(member.filename) for member in file.infolist() if not member.is_dir()}
    folders = {path.parent for path in members.values() if path.name == CONFIG}
    if not folders:
        raise ValueError(translate("The zip file has no {file}: zip the folder that PEFT saved.", file=CONFIG))
    if len(folders) > 1:
        raise ValueError(translate("The zip file holds {n} adapters: zip one of them alone.", n=len(folders)))
    (folder,) = folders
    names = {path.name: name for name, path in members.items() if path.parent == folder}
    if WEIGHTS not in names:
        pickled = (
            " " + translate("Its weights are a pickle, which can run code.") if "adapter_model.bin" in names else ""
        )
        text = N_("The zip file has no {file}.{pickled} Save the adapter again as safetensors.")
        raise ValueError(translate(text, file=WEIGHTS, pickled=pickled))
    return names


def _name_in(file: zipfile.ZipFile, stem: str) -> str:
    return folder_name(PurePosixPath(_members(file)[CONFIG]).parent.name or stem)


def _unpack(file: zipfile.ZipFile, target: Path, most_in_all: int) -> None:
    names, left_in_all = _members(file), most_in_all
    for name in WANTED.keys() & names.keys():
        member = file.getinfo(names[name])
        if member.flag_bits & ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Others are unpacked a whole block at once, however large that becomes.
            text = N_("{name} is encrypted or packed in an unusual way: zip the folder again, without a password.")
            raise ValueError(translate(text, name=name))
    for name, most in WANTED.items():
        if name not in names:
            continue
        with file.open(names[name]) as packed, (target / name).open("wb") as unpacked:
            # Not the size that the archive claims: that may be a lie.
            left = most
            while block := packed.read(1 << 20):
                left, left_in_all = left - len(block), left_in_all - len(block)
                if left < 0:
                    text = N_("{name} is larger than {most} MB, too large for this page.")
                    raise ValueError(translate(text, name=name, most=most // 1_000_000))
                if left_in_all < 0:
                    text = N_("{name} is more than {times} times as large as its zip file: it holds little but zeros.")
                    raise ValueError(translate(text, name=name, times=MOST_SHRUNK))
                unpacked.write(block)


def fetch_adapter(place: str, into: Path, token: bool | None = None) -> Path:
    """Fetch an adapter's files, and no others, from the Hub into a folder of its name; the cache keeps none of them.

    Args:
        place: owner/name, with a revision or a folder in it, or the address of its page, as in `hub_address`.
        into: the new folder's parent, which exists.
        token: False asks as nobody, where strangers do; None as whoever is logged in on this machine.

    Raises:
        ValueError: that is no Hub id, there is no adapter there in safetensors, it is too large, or the Hub cannot be
            reached.
    """
    from huggingface_hub.errors import HfHubHTTPError

    address = hub_address(place)
    if not hub_answers():
        raise ValueError(
            translate("The Hub cannot be reached from here: go online, or upload the adapter as a zip file.")
        )
    try:
        with _all_or_nothing(into / folder_name(address.name)) as target:
            _fetch_files(address, target, token)
            return target
    except (HfHubHTTPError, OSError) as error:
        raise ValueError(hub_refusal(error, address.repo, address.revision)) from error


def _fetch_files(address: HubAddress, target: Path, token: bool | None) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    revision = address.revision
    for name, most in WANTED.items():
        path = f"{address.folder}/{name}" if address.folder else name
        try:
            found = get_hf_file_metadata(hf_hub_url(address.repo, path, revision=revision), token=token)
            # Every file of the commit that the first one is of.
            revision = found.commit_hash or revision
            size = found.size or 0
            if size > most:
                text = N_("{name} of {repo} has {size:.0f} MB, more than {most:.0f}.")
                raise ValueError(translate(text, name=name, repo=address.repo, size=size / 1e6, most=most / 1e6))
            hf_hub_download(address.repo, path, revision=revision, local_dir=target, token=token)
        except EntryNotFoundError as error:
            if name in (WEIGHTS, CONFIG):
                text = N_("{repo} has no {name}: it is no PEFT adapter in safetensors.")
                raise ValueError(translate(text, repo=address, name=name)) from error
            continue
        if address.folder:
            (target / path).replace(target / name)
    shutil.rmtree(target / ".cache", ignore_errors=True)
    if address.folder:
        shutil.rmtree(target / address.folder.partition("/")[0], ignore_errors=True)


def check_base(folder: Path, model: str, confirmed: bool = False) -> None:
    """Refuse an adapter made for another base, by the name in its config, unless somebody says it is the same.

    Shapes are compared when it is attached, whatever the names say.

    Args:
        confirmed: whether the user has said that it is for this base, whatever its config names.

    Raises:
        ValueError: it names another base, or none, and nobody has confirmed it.
    """
    if confirmed:
        return
    named = named_base(folder)
    source = source_of(model)
    if named is None:
        text = N_("{name} does not say which base it was made for. If that is {base}, say so and bring it again.")
        raise ValueError(translate(text, name=folder.name, base=source))
    if not is_same_base(named, source):
        text = N_("{name} was made for {named}, not for {base}. Choose that base, or say that this is the same one.")
        raise ValueError(translate(text, name=folder.name, named=named[:120], base=source))


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
    config = read_json_object(folder / CONFIG, MAX_CONFIG_BYTES) or {}
    targets = config.get("target_modules") or ()
    blocks = config.get("layers_to_transform")
    numbers = [block for block in (blocks if isinstance(blocks, list) else [blocks]) if isinstance(block, int)]
    told = "–".join(str(number) for number in sorted({min(numbers), max(numbers)})) if numbers else "?"
    return Facts(
        str(config.get("r", "?")),
        tuple(sorted(map(str, targets))) if isinstance(targets, list) else (str(targets),),
        None if blocks is None else told,
        file_sha256(folder / WEIGHTS),
    )


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_name(name: str) -> str:
    """A name that can name an adapter, made of what it was called."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:64] or "adapter"
