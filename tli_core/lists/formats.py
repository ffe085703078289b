"""Files and texts of pairs as people have them, read whole, with a sentence for every line that cannot be."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair, normalise

MAX_WORD_LENGTH = 120
"""Characters a side: long enough for a proverb, short enough that nobody scores a page of text as a word."""

MAX_LINE_LENGTH = 10_000
"""Characters: room for a pair with any number of glosses, and far below what the csv module refuses to read."""

TOPIC = "topic"
"""The column, the key, and the heading (`# topic: food`, for the lines below it) that say what pairs are about."""

MAX_SIZE = 4_000_000
"""Bytes of a file, characters of a text."""


@dataclass(frozen=True)
class PairList:
    """Pairs that could be read, one sentence for every line that could not, and those lines as they came."""

    pairs: tuple[WordPair, ...]
    warnings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self):
        return iter(self.pairs)


def read_pairs(path: str | Path) -> PairList:
    """Read a file of pairs: JSON as published, CSV, TSV, or plain lines; UTF-8 with or without a BOM.

    Raises:
        ValueError: the file is missing, too large, not UTF-8, or holds no pair at all; the message says which.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(translate("There is no file of pairs at {path}: check the path.", path=path))
    if path.stat().st_size > MAX_SIZE:
        most = MAX_SIZE // 1_000_000
        text = N_("{file} is larger than {most} MB: split it into smaller lists.")
        raise ValueError(translate(text, file=path.name, most=most))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = translate(
            "{file} is not UTF-8 text (byte {byte}): save it again as UTF-8.", file=path.name, byte=error.start
        )
        raise ValueError(text) from error
    return parse_pairs(text)


def parse_pairs(text: str) -> PairList:
    """Read pairs from text: the published JSON array, CSV or TSV with or without a header, or one pair a line.

    A line's two sides are separated by a tab, a comma, `;`, `=`, `: `, `->` or ` - `, whichever comes first (a tab
    always wins); further glosses follow the English after `;`. Blank lines and lines that start with `#` are ignored,
    but for `# topic: food`, which says what the pairs below it are about; in CSV, TSV and JSON `topic` is a name.
    Bad lines are reported in `warnings` with their number and the remedy, and the rest is kept.

    Raises:
        ValueError: the text is too long, or no line of it held a pair.
    """
    if len(text) > MAX_SIZE:
        text = N_("The list has more than {most} million characters: split it into smaller lists.")
        raise ValueError(translate(text, most=MAX_SIZE // 1_000_000))
    # Before Python 3.11 the csv module refuses a line with a NUL in it.
    text = text.removeprefix("\ufeff").replace("\0", " ")
    rows = _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _line_rows(text)
    pairs: list[WordPair] = []
    warnings: list[str] = []
    unread: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    indices: dict[tuple[str, str], int] = {}
    for place, came, row in rows:
        pair, problem = _checked(row)
        if pair is None:
            warnings.append(f"{place}: {problem}")
            unread.append(came)
            continue
        key = normalise(pair.source), normalise(pair.target)
        if key in seen:
            again = translate("repeats {place} ({source}, {target}); it is counted once.",
                        place=seen[key].lower(), source=pair.source, target=pair.target)  # fmt: skip
            warnings.append(f"{place}: {again}")
            at = indices[key]
            pairs[at] = pairs[at]._replace(topic=pairs[at].topic or pair.topic)
            continue
        seen[key], indices[key] = place, len(pairs)
        pairs.append(pair)
    if not pairs:
        reason = warnings[0] if warnings else translate("The list is empty.")
        text = N_("No pair could be read. {reason} Write one pair a line, such as {example}.")
        raise ValueError(translate(text, reason=reason, example=_example()))
    return PairList(tuple(pairs), tuple(warnings), tuple(unread))


def format_pairs(pairs: Iterable[WordPair], unread: Iterable[str] = ()) -> str:
    """The pairs as lines that `parse_pairs` reads back as they are; a tab where a side holds a separator.

    A heading stands above pairs of another topic than those before them.

    Args:
        unread: lines of a `PairList` that could not be read, to follow as they came, for people to mend.
    """
    lines, topic = [], ""
    for pair in pairs:
        own = _clean(pair.topic)
        if own != topic:
            topic = own
            lines.append(f"# {TOPIC}: {topic}".strip())
        separator = "\t" if re.search(r'[,=":;→–—]| - |->', pair.source + pair.target) else ", "
        lines.append(f"{pair.source}{separator}{'; '.join(pair.accepted)}")
    unread = list(unread)
    # What is mended there is of no topic that is known.
    closing = [f"# {TOPIC}:"] if topic and unread else []
    return "\n".join((*lines, *closing, *unread))


@dataclass(frozen=True)
class _Row:
    """The fields found at one place, or what was wrong there."""

    source: str = ""
    target: str = ""
    glosses: str = ""
    topic: str = ""
    problem: str = ""


def _json_rows(text: str) -> Iterable[tuple[str, str, _Row]]:
    """Each entry's place, the entry as a comment in a list of lines, and what it holds."""
    try:
        entries = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        known = isinstance(error, json.JSONDecodeError)
        place = f"{_line(error.lineno).lower()}: {error.msg}" if known else translate("nested too deep")
        text = translate("The JSON could not be read ({place}): mend it there, or write one pair a line.", place=place)
        raise ValueError(text) from error
    if not isinstance(entries, list):
        raise ValueError(translate('The JSON must be an array of {"source": …, "target": …} objects: wrap it in [ ].'))
    for number, entry in enumerate(entries, 1):
        came = f"# {json.dumps(entry, ensure_ascii=False)}"
        found = {str(key).strip().lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
        sides = [_of_side(found, names) for names in _side_names()]
        if not all(isinstance(side, str) for side in sides):
            shown = json.dumps(entry, ensure_ascii=False)[:60]
            problem = translate('expected {{"source": "…", "target": "…"}}, got {found}.', found=shown)
            yield _entry(number), came, _Row(problem=problem)
            continue
        glosses = found.get("glosses")
        glosses = ";".join(map(_plain_text, glosses)) if isinstance(glosses, list) else _plain_text(glosses)
        yield _entry(number), came, _Row(str(sides[0]), str(sides[1]), glosses, _plain_text(found.get(TOPIC)))


def _plain_text(value: object) -> str:
    """A value of JSON as text; empty for null and for what is neither text nor a number."""
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value == value else ""


def _line_rows(text: str) -> Iterable[tuple[str, str, _Row]]:
    """Each line's place, the line, and what it holds."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    topics = dict(_headings(lines))
    lines = [(number, line) for number, line in lines if not line.lstrip().startswith("#")]
    long = {number: line for number, line in lines if len(line) > MAX_LINE_LENGTH}
    for number, line in long.items():
        problem = translate(
            "the line has more than {most} characters: put each pair on a line of its own.", most=MAX_LINE_LENGTH
        )
        yield _line(number), line, _Row(problem=problem)
    lines = [(number, line) for number, line in lines if number not in long]
    if lines and (columns := _header(lines[0][1])):
        width = len(re.split(r"[,;\t]", lines[0][1]))
        delimiter = next(mark for mark in "\t;," if mark in lines[0][1])
        for number, line in lines[1:]:
            fields = next(csv.reader([line], delimiter=delimiter))
            if len(fields) <= max(columns["source"], columns["target"]):
                problem = translate("expected {n} columns as in the header, got {found!r}.", n=width, found=line[:60])
                yield _line(number), line, _Row(problem=problem)
                continue
            glosses, topic = (
                fields[columns[name]] if columns.get(name, len(fields)) < len(fields) else ""
                for name in ("glosses", TOPIC)
            )
            topic = topic if topic.strip() else topics[number]
            yield _line(number), line, _Row(fields[columns["source"]], fields[columns["target"]], glosses, topic)
        return
    for number, line in lines:
        yield _line(number), line, replace(_split_line(line), topic=topics[number])


def _headings(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The topic of every line, as the last heading above it says; empty above the first."""
    topic = ""
    for number, line in lines:
        if found := re.match(rf"\s*#+\s*{TOPIC}\s*:(.*)", line[:MAX_LINE_LENGTH], re.IGNORECASE):
            topic = found.group(1)
        yield number, topic


def _line(number: int) -> str:
    return translate("Line {number}", number=number)


def _entry(number: int) -> str:
    return translate("Entry {number}", number=number)


def _header(line: str) -> dict[str, int]:
    """Column numbers by name when the line is a header that names both languages, else empty."""
    names = [name.strip().strip('"').lower() for name in re.split(r"[,;\t]", line)]
    known = {name: i for i, name in enumerate(names)}
    source, target = (_of_side(known, spellings) for spellings in _side_names())
    return {} if source is None or target is None else {**known, "source": source, "target": target}


def _side_names() -> tuple[tuple[str, str], tuple[str, str]]:
    """How a file may call the source and the target side: by those words, or by the language."""
    source, target = (name.lower() for name in language_pair().names)
    return ("source", source), ("target", target)


def _of_side(found: dict, names: tuple[str, ...]):
    """What stands under the first of several names; None under none."""
    return next((found[name] for name in names if name in found), None)


def _split_line(line: str) -> _Row:
    if "\t" in line:
        fields = line.split("\t")
    else:
        found = re.search(r'^\s*(?:"[^"]*"\s*)?(.*?)(->|→|=| - |–|—|,|;|: )', line)
        separator = found.group(2) if found else ""
        if separator == ",":
            fields = next(csv.reader(io.StringIO(line), skipinitialspace=True))
        elif separator:
            fields = line.split(separator, 1)
        else:
            return _Row(
                problem=translate(
                    "expected two words, such as {example}, got {found!r}; put a comma between the two.",
                    example=_example(),
                    found=line.strip()[:60],
                )
            )
    if len(fields) != 2:
        problem = translate("expected two columns, got {n}; put quotes round a side that holds a comma.", n=len(fields))
        return _Row(problem=problem)
    target, _, glosses = fields[1].partition(";")
    return _Row(fields[0], target, glosses)


def _checked(row: _Row) -> tuple[WordPair | None, str]:
    """The pair a row holds, or None and the sentence that says why not."""
    if row.problem:
        return None, row.problem
    source, target, topic = _clean(row.source), _clean(row.target), _clean(row.topic)
    if len(topic) > MAX_WORD_LENGTH:
        return None, translate(
            "the topic has {n} characters; shorten it to {most}.", n=len(topic), most=MAX_WORD_LENGTH
        )
    for side, word in zip(language_pair().names, (source, target), strict=True):
        if not word:
            return None, translate(
                "the {side} side is empty; write both, such as {example}.", side=translate(side), example=_example()
            )
        if len(word) > MAX_WORD_LENGTH:
            return None, translate(
                "the {side} side has {n} characters; shorten it to {most}.",
                side=translate(side),
                n=len(word),
                most=MAX_WORD_LENGTH,
            )
    glosses = tuple(g for g in map(_clean, row.glosses.split(";")) if g and len(g) <= MAX_WORD_LENGTH)
    return WordPair(source, target, glosses, topic), ""


def single_word(text: str) -> str:
    """A word that comes alone, cleaned as those of pairs are.

    Raises:
        ValueError: it is empty, or longer than a word of a pair may be.
    """
    word = _clean(text)
    if not word:
        raise ValueError(translate("The word is empty: type one."))
    if len(word) > MAX_WORD_LENGTH:
        raise ValueError(
            translate("The word has {n} characters: shorten it to {most}.", n=len(word), most=MAX_WORD_LENGTH)
        )
    return word


def _example() -> str:
    return f'"{language_pair().example}"'


def _clean(word: str) -> str:
    """The word without control characters, quotes around it, or spaces it does not need."""
    word = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in unicodedata.normalize("NFC", word))
    return " ".join(word.split()).strip('"').strip()
