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
    ISO 639 codes that it was made for. surely_known: the key of two languages whose shipped pairs it must find.
    """

    id: str
    family: str
    size: str
    name: str = ""
    licence: str = ""
    parent: str = ""
    traps: str = ""
    surely_known: str = "en-en"
    languages: tuple[str, ...] = field(default=())


@cache
def known_bases() -> tuple[KnownBase, ...]:
    """All of them, in the order of the file."""
    read = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(KnownBase(**{**entry, "languages": tuple(entry["languages"])}) for entry in read)


def known_base(name: str) -> KnownBase | None:
    """What is known of a base by its id or name; None where nothing is."""
    return next((base for base in known_bases() if name and name in (base.id, base.name)), None)


def surely_known(name: str) -> str:
    """The key of two languages whose shipped pairs a base must find: English with itself where nothing is known."""
    found = known_base(name)
    return found.surely_known if found else KnownBase.surely_known
