"""Where a number comes from: the model, its adapter, the readout, and the versions of what computed it."""

import hashlib
import os
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

_HASHED_BYTES = 256_000_000
"""Weights up to this size are hashed; more would take longer than loading them."""


@dataclass(frozen=True)
class Provenance:
    """Where a number comes from: enough to make it again.

    languages, readout and view are the keys of `language_pair`, `readouts.READOUTS` and `views.VIEWS`.
    prefix_token is what every text begins with, never pooled with a word unless the readout says so; prefix_added says
    that it was put there, as the tokenizer adds none. None where the vocabulary has no token for it.
    """

    model: str
    revision: str | None
    dtype: str
    adapter: str | None
    adapter_sha256: str | None
    languages: str
    readout: str
    view: str
    prefix_token: str | None
    prefix_added: bool
    n: int
    seed: int
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What a measurement is called beside others: its model, and its adapter where it had one."""
        model = Path(self.model).name
        return model if self.adapter is None else f"{model} + {self.adapter}"

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on, looked up once: each time takes as long as a small block."""
    return {package: version(package) for package in ("torch", "transformers", "peft")}


def content_hash(folder: Path) -> str | None:
    """A SHA-256 of a folder's safetensors files; None where there are none, or hashing would take too long."""
    shards = sorted(folder.glob("*.safetensors"))
    if not shards or sum(os.path.getsize(shard) for shard in shards) > _HASHED_BYTES:
        return None
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(shard.read_bytes())
    return f"sha256:{digest.hexdigest()}"
