"""What can be asked for by name. Light, so that a page opens before PyTorch does."""

import json
import re
from pathlib import Path

from .wording import say

ROOT = Path(__file__).resolve().parent.parent
ADAPTERS = ROOT / "adapters"
KNOWN_MODELS = {
    "lugha-mini": str(ROOT / "models" / "lugha-mini"),
    "lugha-llama": "Lugha-Llama/Lugha-Llama-8B-wura",
}
ADAPTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
LANGUAGES = ("Swahili", "English")
PROJECTIONS = ("PCA", "t-SNE", "UMAP")

SMALL_MODEL_PARAMETERS = 500_000_000
"""Up to this size a model is read in float32, above in bf16."""


def is_small_shape(blocks: int, hidden: int, intermediate: int) -> bool:
    """Whether a Llama of this shape is small, its blocks counted."""
    return blocks * (4 * hidden**2 + 3 * hidden * intermediate) <= SMALL_MODEL_PARAMETERS


def is_small(name: str) -> bool:
    """Whether a base is in a folder of this machine and small; a Hub id is never asked for to tell."""
    shape = _local_config(KNOWN_MODELS.get(name, name))
    try:
        return is_small_shape(shape["num_hidden_layers"], shape["hidden_size"], shape["intermediate_size"])
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
    from .checkpoint import read_config

    return read_config(source).num_hidden_layers


def _local_config(source: str) -> dict:
    """The config of a folder as it stands; empty where there is none."""
    try:
        config = json.loads((Path(source) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def find_adapter(name: str, folder: Path = ADAPTERS) -> Path:
    """The folder of an adapter given by its name under `folder`, or by a path.

    Raises:
        ValueError: neither exists; the message lists what there is.
    """
    if ADAPTER_NAME.fullmatch(name) and (folder / name / "adapter_config.json").is_file():
        return folder / name
    if (Path(name) / "adapter_config.json").is_file():
        return Path(name)
    there = ", ".join(shipped_adapters(folder)) or "none yet"
    raise ValueError(f"There is no adapter {name!r}: give a folder with adapter_config.json, or one of {there}.")


def shipped_adapters(folder: Path = ADAPTERS, base: str | None = None) -> tuple[str, ...]:
    """Names of the adapters under a folder; with `base`, only those whose config says they were made for it."""
    configs = sorted(folder.glob("*/adapter_config.json"))
    if base is not None:
        source = source_of(base)
        configs = [path for path in configs if json.loads(path.read_text())["base_model_name_or_path"] == source]
    return tuple(path.parent.name for path in configs)


def source_of(name: str) -> str:
    """Where a base is loaded from, as others can use it: a Hub id, or a folder relative to the project."""
    source = Path(KNOWN_MODELS.get(name, name))
    return source.relative_to(ROOT).as_posix() if source.is_relative_to(ROOT) else str(KNOWN_MODELS.get(name, name))


def check_adapter_name(name: str) -> str:
    """The name, if it can name an adapter's folder.

    Raises:
        ValueError: it has other characters than letters, digits, dot, dash and underscore, or is too long.
    """
    if not ADAPTER_NAME.fullmatch(name):
        raise ValueError(
            say(
                "{name} cannot name an adapter: use up to 64 letters, digits, dots, dashes or underscores, beginning "
                "with a letter or digit.",
                name=repr(name[:70]),
            )
        )
    return name


def resolve(name: str) -> str:
    """The folder or Hub id behind a base's name.

    Raises:
        ValueError: it is none of the three.
    """
    source = KNOWN_MODELS.get(name, name)
    if not Path(source).is_dir() and not HUB_ID.fullmatch(source):
        raise ValueError(
            f"There is no model {name!r}: give {', '.join(KNOWN_MODELS)}, a Hub id such as owner/name, or a folder."
        )
    return source
