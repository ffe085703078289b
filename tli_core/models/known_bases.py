"""Bases that are known beforehand: ids, families, licences, languages and traps, read from one file of data."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).parent / "known_bases.yaml"


@dataclass(frozen=True)
class KnownBase:
    """What is known of a base; an empty text is what is not known.

    name: what it can be asked for by, beside its id. parent: the id of the base that it was continued from. languages:
    ISO 639 codes that it was made for.
    """

    id: str
    family: str
    size: str
    name: str = ""
    licence: str = ""
    parent: str = ""
    traps: str = ""
    languages: tuple[str, ...] = field(default=())


@cache
def known_bases() -> tuple[KnownBase, ...]:
    """All of them, in the order of the file."""
    read = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(KnownBase(**{**entry, "languages": tuple(entry["languages"])}) for entry in read)


def known_base(id: str) -> KnownBase | None:
    """What is known of a base by its id; None where nothing is."""
    return next((base for base in known_bases() if base.id == id), None)
