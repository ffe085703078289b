"""JSON and JSON Lines in the shapes that people have them, as a table."""

import json
import math
from collections.abc import Sequence
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.lists.formats.headers import is_known
from tli_core.lists.formats.sheet import Row, Sheet, entry_place

MOST_KEYS = 100

WRAPPERS = ("translation", "translations", "row", "fields", "sides")
"""Keys under which one entry's sides stand: records of the Hub, of its viewer, and of flash cards."""


def read_json(text: str) -> Sheet | list[str]:
    """An array, a mapping of words, columns by their names, or one entry a line; of an array of lines the lines.

    Raises:
        ValueError: it is no JSON, or holds no list; the message says where or what.
    """
    entries, kind = _entries(text)
    if kind == "json" and entries and all(isinstance(entry, str) for entry in entries):
        return list(entries)
    entries = [one for entry in entries for one in _groups(entry)]
    objects = [(number, _opened(entry)) for number, entry in enumerate(entries, 1)]
    names = tuple(dict.fromkeys(key for _, entry in objects if isinstance(entry, dict) for key in entry))
    if len(names) > MOST_KEYS:
        raise ValueError(translate("The objects of the JSON have more than {most} different keys.", most=MOST_KEYS))
    rows = []
    for number, entry in objects:
        came = f"# {json.dumps(entry, ensure_ascii=False)}"
        if isinstance(entry, dict):
            cells = tuple(plain_text(entry.get(name)) for name in names)
        elif isinstance(entry, list) and len(entry) > 1 and not names:
            cells = tuple(map(plain_text, entry))
        else:
            shown = json.dumps(entry, ensure_ascii=False)[:60]
            problem = translate('expected {{"source": "…", "target": "…"}}, got {found}.', found=shown)
            rows.append(Row(entry_place(number), came, problem=problem))
            continue
        rows.append(Row(entry_place(number), came, cells))
    return Sheet(kind, tuple(rows), header=names)


def _groups(entry: Any) -> list[Any]:
    """The entries of a lesson or the like, with its title as their topic; an entry that is none stays alone."""
    inner = [value for value in entry.values() if isinstance(value, list)] if isinstance(entry, dict) else []
    if len(inner) != 1 or not all(isinstance(one, dict) for one in inner[0]) or "senses" in entry or not inner[0]:
        return [entry]
    title = next((value for value in entry.values() if isinstance(value, str)), "")
    return [{**one, "topic": one.get("topic", title)} for one in inner[0]]


def plain_text(value: object) -> str:
    """A value of JSON as text: glosses with `;` between them; empty for null and for what is no text or number."""
    if isinstance(value, list):
        return "; ".join(filter(None, (plain_text(one) for one in value if not isinstance(one, list))))
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return str(value) if isinstance(value, str) or number else ""


def _entries(text: str) -> tuple[Sequence[Any], str]:
    try:
        return _as_list(json.loads(text, object_pairs_hook=_with_repeats)), "json"
    except (json.JSONDecodeError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError) and (by_line := _by_line(text)) is not None:
            return by_line, "jsonl"
        known = isinstance(error, json.JSONDecodeError)
        line = translate("Line {number}", number=error.lineno).lower() if known else ""
        place = f"{line}: {error.msg}" if known else translate("nested too deep")
        text = N_("The JSON could not be read ({place}): mend it there, or write one pair a line.")
        raise ValueError(translate(text, place=place)) from error


def _with_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping in which a key that is there twice keeps both its texts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        # The words of a mapping are not repeated by the thousand.
        both = key in found and isinstance(value, str) and isinstance(found[key], (str, list))
        found[key] = [*([found[key]] if isinstance(found[key], str) else found[key]), value] if both else value
    return found


def _by_line(text: str) -> list[Any] | None:
    """The entries of JSON Lines, a broken one as its text; None where it is no such file."""
    lines = [line for line in text.splitlines() if line.strip()]
    entries, broken = [], 0
    for line in lines:
        try:
            entries.append(json.loads(line, object_pairs_hook=_with_repeats))
        except (json.JSONDecodeError, RecursionError):
            entries.append(line.strip())
            broken += 1
    return entries if len(lines) > 1 and broken * 2 < len(lines) else None


def _as_list(read: Any) -> Sequence[Any]:
    """The list of entries in what was read, whichever way they are wrapped."""
    if isinstance(read, list):
        return read
    if isinstance(read, dict):
        lists = {key: value for key, value in read.items() if isinstance(value, list)}
        plain = {key: value for key, value in lists.items() if not any(isinstance(one, (dict, list)) for one in value)}
        if len(plain) > 1 and len(plain) == len(read) and _are_columns(plain):
            return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
        if isinstance(read.get("columns"), list) and isinstance(read.get("data"), list):
            # As pandas splits a table.
            return [
                dict(zip(map(str, read["columns"]), row, strict=False)) for row in read["data"] if isinstance(row, list)
            ]
        nested = {key: value for key, value in lists.items() if key not in plain}
        if nested:
            return [_of_group(one, key) if len(nested) > 1 else one for key, value in nested.items() for one in value]
        inner = {key: value for key, value in read.items() if isinstance(value, dict)}
        if inner and len(inner) == len(read) and len(inner) > 1:
            return _of_mappings(inner)
        if len(inner) == 1:
            return _as_list(next(iter(inner.values())))
        if read and _is_one_entry(read):
            return [read]
        if read and all(isinstance(value, (str, list)) for value in read.values()):
            return [[key, plain_text(value)] for key, value in read.items()]
    raise ValueError(translate('The JSON must be an array of {"source": …, "target": …} objects: wrap it in [ ].'))


def _of_group(entry: Any, group: str) -> Any:
    """An entry of one of several lists, with the name of its list."""
    return {**entry, "group": group} if isinstance(entry, dict) else entry


def _of_mappings(inner: dict[str, dict]) -> Sequence[Any]:
    """Rows or columns as pandas writes them, entries by their words, or words by their topics."""
    if all(map(is_known, inner)) and len({tuple(one) for one in inner.values()}) == 1:
        keys = next(iter(inner.values()))
        return [{name: column[key] for name, column in inner.items()} for key in keys]
    if all(key.isdecimal() for key in inner):
        return list(inner.values())
    if any(map(is_known, (key for one in inner.values() for key in one))):
        return [{"word": word, **one} for word, one in inner.items()]
    return [
        {"source": word, "target": plain_text(one[word]), "topic": topic}
        for topic, one in inner.items()
        for word in one
    ]


def _are_columns(lists: dict[str, list]) -> bool:
    """Whether lists of equal length are columns by their names, and not the glosses of words."""
    if not any(map(is_known, lists)):
        return False
    if len(set(map(len, lists.values()))) > 1:
        lengths = ", ".join(f"{name}: {len(value)}" for name, value in list(lists.items())[:6])
        raise ValueError(translate("The columns of the JSON are of different lengths ({lengths}).", lengths=lengths))
    return True


def _is_one_entry(read: dict) -> bool:
    """Whether a mapping is a single entry: its keys name columns."""
    return all(is_known(key) for key in read)


def _opened(entry: Any) -> Any:
    """An entry's own mapping, out of the record it may stand in, with the other keys of that record beside it."""
    # A record may stand in another.
    for key in (*WRAPPERS, *WRAPPERS):
        wrapped = entry.get(key) if isinstance(entry, dict) else None
        # A list of texts is a word's translations.
        if isinstance(wrapped, dict) or (isinstance(wrapped, list) and any(isinstance(one, list) for one in wrapped)):
            rest = {name: value for name, value in entry.items() if name != key and not isinstance(value, (dict, list))}
            entry = {**rest, **entry[key]} if isinstance(entry[key], dict) else entry[key]
    senses = entry.get("senses") if isinstance(entry, dict) else None
    if isinstance(senses, list):
        # As Wiktionary is extracted: each sense has glosses.
        glosses = [one.get("glosses") for one in senses if isinstance(one, dict)]
        firsts = [gloss[0] for gloss in glosses if isinstance(gloss, list) and gloss and isinstance(gloss[0], str)]
        entry = {key: value for key, value in entry.items() if isinstance(value, str)} | {"gloss": firsts}
    return entry
