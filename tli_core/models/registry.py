"""What can be asked for by name. Light, so that a page opens before PyTorch does."""

import json
import logging
import os
import re
from functools import cache
from pathlib import Path

from tli_core.i18n import N_, translate
from tli_core.models.architecture import parameters_in_blocks
from tli_core.models.hub_address import hub_address, is_hub_address
from tli_core.models.known_bases import known_bases

_LOG = logging.getLogger(__name__)

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parent
"""The checkout, or the folder that packages are installed into."""


def _shipped(kind: str) -> Path:
    """The folder of what ships with the project: beside the package in a checkout, inside it where it is installed."""
    in_checkout = ROOT / kind
    return in_checkout if (ROOT / "pyproject.toml").is_file() else PACKAGE / f"shipped_{kind}"


MODELS, ADAPTERS, MEASUREMENTS = _shipped("models"), _shipped("adapters"), _shipped("measurements")
OWN_ADAPTERS = ADAPTERS if ADAPTERS.parent == ROOT else Path("adapters")
"""Where trained adapters go; of an installed package a folder of the present one, as its own is not the user's."""

KNOWN_MODELS = {
    base.name: str(MODELS / Path(base.id).name) if base.id.startswith("models/") else base.id
    for base in known_bases()
    if base.name
}
"""The folder or Hub id of each base that has a name of its own here."""

ADAPTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_NAME = 500
"""Letters in the name of a base, as a config has it."""

MAX_CONFIG_BYTES = 1_000_000
"""Of an adapter's config; PEFT's has a few thousand."""

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""Where something may be put on the Hub; `hub_address` reads where it may be fetched from."""
SMALL_MODEL_PARAMETERS = 500_000_000
"""A model whose blocks have up to so many parameters is read in float32, a larger one in bf16."""


def is_small(name: str) -> bool:
    """Whether a base is in a folder of this machine and small; a Hub id is never asked for to tell."""
    shape = _local_config(KNOWN_MODELS.get(name, name))
    try:
        return parameters_in_blocks(shape) <= SMALL_MODEL_PARAMETERS
    except (KeyError, TypeError):
        return False


def block_count(name: str) -> int:
    """How many blocks a base has, from its config alone.

    Raises:
        ValueError: there is no such base, or the Hub cannot be asked for its config.
    """
    source = resolve(name)
    if blocks := _local_config(source).get("num_hidden_layers"):
        return blocks
    # Through the package, which imports under its lock.
    from tli_core.models import checkpoint

    return checkpoint.read_config(source).num_hidden_layers


def _local_config(source: str) -> dict:
    """The config of a folder as it stands; empty where there is none."""
    try:
        config = json.loads((Path(source) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def find_adapter(name: str) -> Path:
    """The folder of an adapter given by its name, one's own or a shipped one, or by a path.

    Raises:
        ValueError: neither exists; the message lists what there is.
    """
    for folder in (OWN_ADAPTERS, ADAPTERS):
        if ADAPTER_NAME.fullmatch(name) and (folder / name / "adapter_config.json").is_file():
            return folder / name
    if (Path(name) / "adapter_config.json").is_file():
        return Path(name)
    known = dict.fromkeys((*shipped_adapters(OWN_ADAPTERS), *shipped_adapters()))
    there = ", ".join(known) or "none yet"
    text = N_("There is no adapter {name!r}: give a folder with adapter_config.json, or one of {there}.")
    raise ValueError(translate(text, name=name, there=there))


def shipped_adapters(folder: Path = ADAPTERS, base: str | None = None) -> tuple[str, ...]:
    """Names of the adapters under a folder; with `base`, only those whose config says they were made for it.

    What a killed save has left there is ignored, and the log says so once.
    """
    source = None if base is None else source_of(base)
    found = []
    for path in sorted(folder.glob("*/adapter_config.json")):
        adapter = path.parent
        if not ADAPTER_NAME.fullmatch(adapter.name):
            continue
        named = named_base(adapter)
        if named is None or not (adapter / "adapter_model.safetensors").is_file():
            _pass_over(adapter)
        elif source is None or is_same_base(named, source):
            found.append(adapter.name)
    return tuple(found)


@cache
def _pass_over(adapter: Path) -> None:
    _LOG.warning("%s is no whole adapter and is skipped: save it again, or remove the folder.", adapter)


def named_base(folder: Path) -> str | None:
    """The base that an adapter's config names; None where it names none, or cannot be read."""
    try:
        config = folder / "adapter_config.json"
        if not config.is_file() or config.stat().st_size > MAX_CONFIG_BYTES:
            return None
        named = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
        str(named).encode("utf-8")  # half of a surrogate pair is no text
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return named if isinstance(named, str) and named.strip() and len(named) <= MAX_NAME else None


def is_same_base(named: str, source: str) -> bool:
    """Whether a name that some tool wrote for a base means this one.

    A base that was loaded from a folder is named by that folder, wherever it was, on Windows or in a cache; copies in
    few bits carry the name of what they were made of.
    """
    return len(named) <= MAX_NAME and _plain_name(named) == _plain_name(source)


_FEW_BITS = ("-unsloth", "-bnb", "-nf4", "-4bit", "-8bit", "-int4", "-int8", "-awq", "-gptq", "-fp8", "-gguf", "-hqq")
"""What tools put behind the name of a base that they have stored in few bits."""


def _plain_name(base: str) -> str:
    """A base's own name, without its owner, its folder, or what was done to its weights."""
    parts = base.strip().replace("\\", "/").rstrip("/").casefold().split("/")
    cached = len(parts) > 2 and parts[-2] == "snapshots" and parts[-3].startswith("models--")
    name = parts[-3].rpartition("--")[2] if cached else parts[-1]
    name = name.partition("@")[0]
    while ending := next((ending for ending in _FEW_BITS if name.endswith(ending)), ""):
        name = name.removesuffix(ending)
    return name


def source_of(name: str) -> str:
    """Where a base is loaded from, as others can use it: a Hub id, or a folder relative to the project."""
    source = KNOWN_MODELS.get(name, name)
    if Path(source).is_relative_to(MODELS):
        return f"models/{Path(source).relative_to(MODELS).as_posix()}"
    return hub_address(source).repo if not os.path.exists(source) and is_hub_address(source) else source


def check_adapter_name(name: str) -> str:
    """The name, if it can name an adapter's folder.

    Raises:
        ValueError: it has other characters than letters, digits, dot, dash and underscore, or is too long.
    """
    if not ADAPTER_NAME.fullmatch(name):
        text = N_(
            "{name} cannot name an adapter: use up to 64 letters, digits, dots, dashes or underscores, beginning "
            "with a letter or digit."
        )
        raise ValueError(translate(text, name=repr(name[:70])))
    return name


def resolve(name: str) -> str:
    """The folder or Hub id behind a base's name; an id with its revision after an @, where one is given.

    Raises:
        ValueError: it is none of the three.
    """
    source = KNOWN_MODELS.get(name, name)
    if os.path.isdir(source):  # which takes a name that is too long for none
        return source
    if not is_hub_address(source) or (address := hub_address(source)).folder:
        text = N_("There is no model {name!r}: give {choices}, a Hub id such as owner/name, or a folder.")
        raise ValueError(translate(text, name=name, choices=", ".join(KNOWN_MODELS)))
    return str(address)
