"""Lines of text as a table: one separator for the whole of it, chosen from all of it."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from tli_core.i18n import N_, translate
from tli_core.lists.formats.cleaning import without_bullet
from tli_core.lists.formats.sheet import MAX_LINE_LENGTH, Row, Sheet, line_place
from tli_core.lists.language_guess import ENOUGH

TOPIC = "topic"
"""The heading (`# topic: food`, for the lines below it) that says what pairs are about."""

SAME_CELL = 10
"""Lines that one quoted cell may go over; a quote that closes later opens nothing."""

HEADER_WITHIN = 30
"""Rows from the top in which a header is looked for: spreadsheets begin with titles."""

FITS = 0.95
"""Separators that fit this part of the lines that the best one fits are weighed by which languages they set apart."""


@dataclass(frozen=True)
class Separator:
    """What stands between the cells of a line.

    mark: the character of CSV and its like, which may stand inside quotes; pattern: of the others, the first of which
    in a line counts.
    """

    key: str
    label: str
    mark: str = ""
    pattern: str = ""


SEPARATORS = {
    separator.key: separator
    for separator in (
        Separator("tab", N_("tab"), mark="\t"),
        Separator("|", "|", mark="|"),
        Separator("->", N_("arrow"), pattern=r"\s*(?:-{1,3}>|={1,3}>|[→⇒➔➜⟶↔]|➡\ufe0f?)\s*|\s+[>»~]\s+"),
        Separator("=", "=", pattern=r"\s*[=＝]+\s*"),
        Separator("-", N_("dash"), pattern=r"\s+(?:--?|[–—−‑―•·])\s+|\s*[–—―]\s*"),
        Separator(";", ";", mark=";"),
        Separator(":", N_("colon"), pattern=r"\s*::?-?\s+|\s+::?-?\s*"),
        Separator("،", N_("comma of another script"), pattern=r"\s*[،，፣፦፡：]\s*"),
        Separator(",", N_("comma"), mark=","),
        Separator("()", N_("brackets"), pattern=r"\s*[(\[](?=[^()\[\]]+[)\]]\s*$)"),
        Separator("/", "/", pattern=r"\s+//?\s+"),
        Separator("...", N_("dots"), pattern=r"\s*(?:\.{3,}|…+|_{3,}|\.(?: \.){2,})\s*"),
        Separator("spaces", N_("two spaces or more"), pattern=r"\s{2,}"),
        Separator("space", N_("space"), pattern=r"\s+"),
    )
}
"""From the one that is least often part of a word to the one that most often is."""


@dataclass(frozen=True)
class Line:
    """A line that may hold a pair. number: from 1. topic: as the last heading above says."""

    number: int
    text: str
    topic: str = ""


def read_lines(
    text: str,
    separator: str | None,
    is_header: Callable[[Sequence[str]], bool],
    languages_apart: Callable[[Sequence[Row]], float],
) -> Sheet:
    """A text that is neither JSON nor a table of Markdown.

    Args:
        separator: a key of SEPARATORS; None to choose.
        is_header: whether cells name the columns of a list of words.
        languages_apart: how well the cells of rows keep two languages apart, for separators that fit equally.
    """
    raw = text.splitlines()
    kind, declared, header, skip = _declared(raw)
    lines, remarks = ([] if kind == "anki" else _one_line_of_pairs(raw)), []
    if not lines:
        lines, remarks = _lines(raw, skip, with_remarks=kind != "anki")
    lines, numbered = _without_bullets(_without_emphasis(_without_code(lines)))
    long = [line for line in lines if len(line.text) > MAX_LINE_LENGTH]
    problem = translate("the line has more than {most} characters: put each pair on a line of its own.",
                        most=MAX_LINE_LENGTH)  # fmt: skip
    unread = [Row(line_place(line.number), line.text, problem=problem) for line in long]
    lines = [line for line in lines if len(line.text) <= MAX_LINE_LENGTH]
    key, notes = (separator or declared, ()) if separator or declared else _chosen(lines, is_header, languages_apart)
    rows = split(lines, SEPARATORS[key])
    unread += _commented_out(remarks, SEPARATORS[key], rows)
    if kind == "lines" and SEPARATORS[key].mark and key in ("tab", ",", ";", "|"):
        kind = "table"
    return Sheet(kind, (*unread, *rows), key, header, numbered=frozenset(line_place(n) for n in numbered), notes=notes)


def split(lines: Sequence[Line], separator: Separator) -> tuple[Row, ...]:
    """The lines cut at one separator."""
    if separator.mark:
        return tuple(_records(lines, separator.mark))
    pattern = re.compile(rf'^(\s*"[^"]*"|.*?\S)(?:{separator.pattern})(\S.*)?$')
    rows = []
    for line in lines:
        found = pattern.match(line.text)
        first, second = (found.group(1), found.group(2) or "") if found else (line.text, None)
        if separator.key == "()" and second:
            second = second.rstrip().rstrip(")]")
        cells = (first,) if second is None else (first, second)
        rows.append(Row(line_place(line.number), line.text, cells, topic=line.topic))
    return tuple(rows)


def _declared(raw: Sequence[str]) -> tuple[str, str, tuple[str, ...], int]:
    """What the first lines say of the rest: the format, its separator, its columns, and how many lines they are."""
    first = raw[0].strip().strip('"') if raw else ""
    if found := re.fullmatch(r"sep=(.|\\t)", first, re.IGNORECASE):
        mark = "\t" if found.group(1) == "\\t" else found.group(1)
        return "table", next((key for key, one in SEPARATORS.items() if one.mark == mark), ""), (), 1
    said: dict[str, str] = {}
    for line in raw:
        if not (found := re.match(r"#([a-z ]+):(.*)$", line)) or found.group(1).strip() == TOPIC:
            break
        said[found.group(1).strip()] = found.group(2)[:MAX_LINE_LENGTH]
    if not {"separator", "html", "columns", "notetype", "deck", "tags column", "notetype column"} & said.keys():
        return "lines", "", (), 0
    names = {"comma": ",", "semicolon": ";", "tab": "tab", "pipe": "|", "colon": ":", "space": "space", "\\t": "tab"}
    asked = said.get("separator", "tab").strip()
    key = names.get(asked.lower(), asked if asked in SEPARATORS else "tab")
    mark = SEPARATORS[key].mark or "\t"
    columns = tuple(next(csv.reader([said["columns"]], delimiter=mark))) if said.get("columns") else ()
    for what in ("guid", "notetype", "deck", "tags"):
        number = said.get(f"{what} column", "").strip()
        if number.isdecimal() and 1 <= int(number) <= 100:
            columns += ("",) * (int(number) - len(columns))
            columns = (*columns[: int(number) - 1], what, *columns[int(number) :])
    return "anki", key, columns, len(said)


def _lines(raw: Sequence[str], skip: int, with_remarks: bool) -> tuple[list[Line], list[Line]]:
    """The lines that hold something, with the topic that a heading above them says; and the remarks, after a #."""
    lines, remarks, topic = [], [], ""
    for number, text in enumerate(raw, 1):
        if number <= skip or not text.strip():
            continue
        if found := re.match(rf"\s*#+\s*{TOPIC}\s*:(.*)", text[:MAX_LINE_LENGTH], re.IGNORECASE):
            topic = found.group(1)
            continue
        # A # before a separator is the name of a column of numbers, and before a number it counts.
        remark = with_remarks and text.lstrip().startswith("#") and not re.match(r"\s*#(?:\s*[,;\t|]|\d)", text)
        (remarks if remark else lines).append(Line(number, text, topic))
    return lines, remarks


def _commented_out(remarks: Sequence[Line], separator: Separator, rows: Sequence[Row]) -> list[Row]:
    """Remarks that look like rows of a table, which may be words that begin with #."""
    widths = {len(row.cells) for row in rows} - {1}
    if not separator.mark:
        return []
    problem = translate("begins with #, so it is taken for a remark: put the word into quotes to have it read.")
    found = [row for row in split(remarks, separator) if len(row.cells) in widths and not row.came.startswith("# {")]
    return [Row(row.place, row.came, problem=problem) for row in found]


def _one_line_of_pairs(raw: Sequence[str]) -> list[Line]:
    """Pairs one after another in a single line, as Quizlet writes them: `maji,water;moto,fire`."""
    filled = [(number, text) for number, text in enumerate(raw, 1) if text.strip()]
    if len(filled) != 1 or len(filled[0][1]) > MAX_LINE_LENGTH:
        return []
    parts = [part for part in filled[0][1].split(";") if part.strip()]
    marks = ("\t", ",", " - ", "=")
    # Of two parts the second may be a further gloss.
    if len(parts) > 2 and any(all(part.count(mark) == 1 for part in parts) for mark in marks):
        return [Line(filled[0][0], part) for part in parts]
    return []


def _without_code(lines: Sequence[Line]) -> list[Line]:
    """Lines of a list in a program's text, `("maji", "water"),`, without its brackets, where most are such."""
    inner = [re.fullmatch(r"""\s*[(\[]\s*(["'].*["'])\s*[)\]]\s*[,;]?\s*""", line.text) for line in lines]
    if sum(found is not None for found in inner) * 2 <= len(lines):
        return list(lines)
    return [replace(line, text=found.group(1)) if found else line for line, found in zip(lines, inner, strict=True)]


def _without_emphasis(lines: Sequence[Line]) -> list[Line]:
    """Lines without the asterisks round a part of them, as in `**maji:** water`, where most have such."""
    plain = [re.sub(r"(\*\*|__)(?=\S)([^*_]+)(?<=\S)\1", r"\2", line.text) for line in lines]
    if sum(now != line.text for line, now in zip(lines, plain, strict=True)) * 2 <= len(lines):
        return list(lines)
    return [replace(line, text=now) for line, now in zip(lines, plain, strict=True)]


def _without_bullets(lines: Sequence[Line]) -> tuple[list[Line], set[int]]:
    """The lines as items of a list where at least half of them, and two, begin as such; and their numbers."""
    bare = [without_bullet(line.text) for line in lines]
    changed = [line.number for line, now in zip(lines, bare, strict=True) if now != line.text]
    if len(changed) < 2 or len(changed) * 2 < len(lines):
        return list(lines), set()
    return [replace(line, text=now) for line, now in zip(lines, bare, strict=True)], set(changed)


def _chosen(
    lines: Sequence[Line],
    is_header: Callable[[Sequence[str]], bool],
    languages_apart: Callable[[Sequence[Row]], float],
) -> tuple[str, tuple[str, ...]]:
    """The separator that shows a header, else the one that gives most lines as many cells as the others.

    Of several that do, the one that parts the languages. With it what to say where another would do as well.
    """
    fits: dict[str, float] = {}
    rows: dict[str, tuple[Row, ...]] = {}
    for key, separator in SEPARATORS.items():
        if key in ("()", "space") and max(fits.values(), default=0) > 0.5:
            continue
        rows[key] = split(lines, separator)
        if separator.mark and any(is_header(row.cells) for row in rows[key][:HEADER_WITHIN]):
            return key, ()
        counts = Counter(len(row.cells) for row in rows[key] if key == "tab" or not _ends_in_a_separator(row))
        most = max((number for number in counts if number > 1), key=lambda n: (counts[n], -n), default=0)
        fits[key] = counts[most] / len(lines) if most else 0.0
        if key == "space" and not _two_words_each(lines, rows[key], languages_apart):
            fits[key] = 0.0
    best = max(fits.values(), default=0)
    if not best:
        return ",", ()
    close = [key for key, fit in fits.items() if fit >= FITS * best]
    if len(close) == 1:
        return close[0], ()
    apart = {key: languages_apart(rows[key]) for key in close}
    # A little more is chance; then the one that is less often part of a word.
    first, *rivals = [key for key in close if apart[key] >= 0.8 * max(apart.values())]
    if len(lines) < ENOUGH:
        # Of so few the languages tell which is likely, and no more.
        rivals = [key for key in close if key != first and not _joins_glosses(key, rows[first])]
    others = [key for key in rivals if [_bare(row) for row in rows[key]] != [_bare(row) for row in rows[first]]]
    text = N_("The lines could be cut at {others} too; they are cut at {chosen}.")
    labels = [translate(SEPARATORS[key].label) for key in (first, *others)]
    notes = (translate(text, chosen=labels[0], others=", ".join(labels[1:])),) if others else ()
    return first, notes


def _joins_glosses(key: str, rows: Sequence[Row]) -> bool:
    """Whether a sign stands only where further glosses follow the target, as `;` does by our own rule."""
    return key == ";" and not any(";" in row.cells[0] for row in rows)


def _bare(row: Row) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in row.cells)


def _ends_in_a_separator(row: Row) -> bool:
    """Whether a cell begins or ends with what separates in other lists, so that this one was cut at the wrong place."""
    return any(re.match(r"[,;:=|→⇒]|- |->|.*(?:[,=|]| -)$", cell) for cell in _bare(row))


def _two_words_each(lines: Sequence[Line], rows: Sequence[Row], languages_apart) -> bool:
    """Whether lines are two words in two languages, as in the dictionaries of MUSE, and no phrases."""
    return len(lines) >= ENOUGH and all(len(line.text.split()) == 2 for line in lines) and languages_apart(rows) > 1


def _records(lines: Sequence[Line], mark: str) -> Iterable[Row]:
    """Rows of CSV and its like, in which a quoted cell may go over several lines."""
    at = 0
    while at < len(lines):
        line = lines[at]
        cells, used = _record(lines[at : at + SAME_CELL], mark) if '"' in line.text else (line.text.split(mark), 1)
        came = "\n".join(one.text for one in lines[at : at + used])
        yield Row(line_place(line.number), came, tuple(cells), topic=line.topic)
        at += used


def _record(lines: Sequence[Line], mark: str) -> tuple[list[str], int]:
    """The cells that begin in the first of these lines, and over how many lines they go."""
    for used in range(1, len(lines) + 1):
        text = [f"{line.text}\n" for line in lines[:used]]
        if sum(map(len, text)) > MAX_LINE_LENGTH:
            break
        try:
            records = list(csv.reader(text, delimiter=mark, strict=True, skipinitialspace=True))
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                break
            continue
        if len(records) == 1:
            cells = [cell.removesuffix("\n") for cell in records[0]]
            if used == 1 and len(cells) == 1 and mark in cells[0]:
                # The whole line stands in quotes.
                return next(csv.reader([cells[0]], delimiter=mark, skipinitialspace=True)), 1
            return cells, used
        break
    # A quote that is part of the word.
    return lines[0].text.split(mark), 1
