"""Saved measurements: everything that one measurement found, in one file that needs no model to be looked at.

A file is safetensors: arrays as they are, the rest as JSON in the metadata, and a SHA-256 of both beside it. It tells
an altered file from the one that was saved; who made it, it cannot tell.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tli_core.atomic_files import write_bytes
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair
from tli_core.measures.result import (
    DIRECTIONS,
    OWN_PAIRS,
    REFERENCE_POOL,
    LayerAlignment,
    Neighbours,
    Retrieval,
)
from tli_core.measures.token_cost import TokenCost
from tli_core.models.provenance import Provenance
from tli_core.models.registry import MEASUREMENTS
from tli_core.notices import Notice
from tli_core.reports.notices import worded

ENDING = ".safetensors"
LAYOUT = 2
MAX_BYTES = 64_000_000
INDEX = "SHA256SUMS"
"""In the folder of measurements that ship: each file's SHA-256 and name, as sha256sum writes and checks them."""


@dataclass(frozen=True)
class SavedMeasurement:
    """A measurement from a file: what it was of, and the checksum of what is in it."""

    name: str
    result: LayerAlignment
    sha256: str


def save_measurement(result: LayerAlignment, path: Path) -> str:
    """Write a measurement into one file, making its folder, and return its checksum."""
    arrays: dict[str, np.ndarray] = {}
    plain = json.dumps({"layout": LAYOUT, **_apart(result, "", arrays)}, ensure_ascii=False, sort_keys=True)
    digest = _digest(plain, arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save(arrays, {"measurement": plain, "sha256": digest}))
    return digest


def read_measurement(path: Path) -> SavedMeasurement:
    """Read a measurement; nothing in the file is run or trusted.

    Raises:
        ValueError: it is none, is too large, was altered, or is of another version.
    """
    name = path.name
    if path.stat().st_size > MAX_BYTES:
        text = N_("{name} is larger than {most} MB, too large for a measurement.")
        raise ValueError(translate(text, name=name, most=MAX_BYTES // 1_000_000))
    try:
        with safe_open(path, "numpy") as file:
            told = file.metadata() or {}
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
        plain, digest = told["measurement"], told["sha256"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        text = N_("{name} is no saved measurement: make one with measure --save.")
        raise ValueError(translate(text, name=name)) from error
    if _digest(plain, arrays) != digest:
        text = N_("{name} was altered after it was saved: its checksum does not fit. Get it again from who made it.")
        raise ValueError(translate(text, name=name))
    try:
        result = _together(json.loads(plain), arrays)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        text = N_("{name} is a measurement of another version of this project: measure again.")
        raise ValueError(translate(text, name=name)) from error
    return SavedMeasurement(path.name.removesuffix(ENDING), result, digest)


def shipped_measurements(folder: Path = MEASUREMENTS) -> tuple[str, ...]:
    """The names of the measurements that ship."""
    return tuple(path.name.removesuffix(ENDING) for path in sorted(folder.glob(f"*{ENDING}")))


def read_shipped(name: str, folder: Path = MEASUREMENTS) -> SavedMeasurement:
    """A measurement that ships, which must also be the one that the folder's index names.

    Raises:
        ValueError: there is none of that name, or it is another than the index says.
    """
    if name not in shipped_measurements(folder):
        text = N_("There is no measurement {name!r}: choose one of {choices}.")
        raise ValueError(translate(text, name=name[:60], choices=", ".join(shipped_measurements(folder))))
    path, index = folder / f"{name}{ENDING}", folder / INDEX
    lines = index.read_text(encoding="utf-8").splitlines() if index.is_file() else []
    if f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" not in lines:
        text = N_("{name} is not the measurement that shipped: {index} has another checksum for it, or none.")
        raise ValueError(translate(text, name=path.name, index=INDEX))
    return read_measurement(path)


def _digest(plain: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(plain.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _apart(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A value as JSON has it; its arrays go into `arrays` under their path, which stands in their place."""
    if isinstance(value, np.ndarray):
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name}
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _apart(item, f"{name}/{key}".lstrip("/"), arrays) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_apart(item, f"{name}/{i}", arrays) for i, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def _together(plain: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> LayerAlignment:
    """The measurement of `_apart`; a part that is missing or of another kind raises what Python raises."""
    if plain.pop("layout") != LAYOUT:
        raise ValueError("another layout")

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            is_array = value.keys() == {"array"}
            return arrays[value["array"]] if is_array else {key: whole(item) for key, item in value.items()}
        return value

    found = {key: whole(value) for key, value in plain.items()}
    cost = found["tokens"]
    found |= {
        "pairs": tuple(WordPair(str(s), str(t), tuple(map(str, g)), str(topic)) for s, t, g, topic in found["pairs"]),
        "names": tuple(map(str, found["names"])),
        "retrieval": {way: Retrieval(**found["retrieval"][way]) for way in DIRECTIONS},
        "nearest": {way: Neighbours(**found["nearest"][way]) for way in DIRECTIONS},
        "spelling_alone": _two(found["spelling_alone"]),
        "chance": _two(found["chance"]),
        "pool_size": (int(found["pool_size"][0]), int(found["pool_size"][1])),
        "tokens": TokenCost(_two(cost["per_word"]), _two(cost["bytes_per_token"])),
        "provenance": Provenance(**found["provenance"]),
        "warnings": tuple(_notice(item) for item in found["warnings"]),
    }
    made = LayerAlignment(**found)
    # What names a readout, a notice or a place that is not known here would be found out where it is shown.
    origin = made.provenance
    Lens(origin.languages, origin.readout, origin.view)
    if made.wrong_from not in (OWN_PAIRS, REFERENCE_POOL):
        raise ValueError("wrong pairs from nowhere known")
    for warning in made.warnings:
        worded(warning)
    return made


def _two(values: list[Any]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _notice(found: dict[str, Any]) -> Notice:
    values = ((str(key), _notice(value) if isinstance(value, dict) else value) for key, value in found["values"])
    return Notice(str(found["code"]), tuple(values))
