"""A file or a text of pairs, read whole: what was found, how it was read, what was tidied, and what was left out."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tli_core.i18n import N_, translate, translate_plural
from tli_core.lists.formats.cldf import read_cldf
from tli_core.lists.formats.columns import BY_WORDS, MOST_COLUMNS, Columns, choose_columns, languages_apart
from tli_core.lists.formats.decoding import Decoded, decode, encoding_name
from tli_core.lists.formats.excel import read_excel
from tli_core.lists.formats.headers import named_columns
from tli_core.lists.formats.json_shapes import read_json
from tli_core.lists.formats.markdown import is_table, read_table
from tli_core.lists.formats.rows import Change, RowReader
from tli_core.lists.formats.separated import SEPARATORS, read_lines
from tli_core.lists.formats.sheet import Sheet
from tli_core.lists.language_pair import DEFAULT, LanguagePair, language_pair
from tli_core.lists.pairs import WordPair

MAX_SIZE = 4_000_000
"""Bytes of a file, characters of a text."""

MAX_LINES = 100_000

KINDS = {
    "lines": N_("lines"),
    "table": N_("a table of text"),
    "anki": N_("an export of Anki"),
    "json": "JSON",
    "jsonl": "JSON Lines",
    "xlsx": "Excel",
    "markdown": N_("a table of Markdown"),
    "cldf": "CLDF",
}


@dataclass(frozen=True)
class ImportChoices:
    """What a user says of a file that would otherwise be found out.

    encoding: by Python's name. separator: a key of SEPARATORS. sheet: the name of a sheet of an Excel file. columns:
    the source's and the target's, by number from 1 or by name. language: which language of a CLDF table to take.
    """

    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    columns: tuple[str, str] | None = None
    language: str | None = None


@dataclass(frozen=True)
class PairList:
    """Pairs that could be read, one sentence for every line that could not, and those lines as they came.

    extras: for each pair what further columns say of it, by their names; empty where there are none.
    """

    pairs: tuple[WordPair, ...]
    warnings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    extras: tuple[dict[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self):
        return iter(self.pairs)


@dataclass(frozen=True)
class ListImport:
    """A list of pairs and how it was read.

    name: the file's; empty for a text. problem: why there are no pairs, or what must be chosen first; empty where the
    list is read. skipped: a sentence for each row that is left out. remarks: what people should look at.
    """

    sheet: Sheet
    name: str = ""
    encoding: str = ""
    encoding_guessed: bool = False
    columns: Columns | None = None
    listed: PairList = field(default_factory=lambda: PairList(()))
    skipped: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()
    problem: str = ""

    def summary(self, pair: LanguagePair) -> str:
        """How the list was read, in one line: format, encoding, separator, columns, and what came of it."""
        parts = [translate(KINDS[self.sheet.kind])]
        if self.sheet.sheet:
            parts.append(translate("sheet {name}", name=self.sheet.sheet))
        if self.encoding:
            guess = N_("{name} (a guess)") if self.encoding_guessed else "{name}"
            parts.append(translate(guess, name=encoding_name(self.encoding)))
        if self.sheet.separator:
            text = N_("separator: {name}")
            parts.append(translate(text, name=translate(SEPARATORS[self.sheet.separator].label)))
        if self.columns and self.sheet.kind != "cldf":
            text = N_("{source} in column {a} and {target} in column {b}, {how}")
            a, b, how = self.columns.source + 1, self.columns.target + 1, translate(self.columns.decided)
            if self.columns.decided == BY_WORDS:
                percent = round(100 * self.columns.agree)
                how = translate("by their words, as {percent} % of the rows say", percent=percent)
            source, target = (translate(name) for name in pair.names)
            parts.append(translate(text, source=source, target=target, a=a, b=b, how=how))
        if self.columns and self.columns.topic is not None and self.sheet.kind != "cldf":
            parts.append(translate("topics in column {number}", number=self.columns.topic + 1))
        if self.columns and self.columns.others:
            parts.append(translate("kept: {names}", names=", ".join(name for _, name in self.columns.others)))
        n, left_out, tidied = len(self.listed), len(self.skipped), len(self.changes)
        parts.append(translate_plural("{n} pair", "{n} pairs", n))
        if left_out:
            parts.append(translate_plural("{n} row left out", "{n} rows left out", left_out))
        if tidied:
            kinds = Counter(kind for change in self.changes for kind in change.kinds)
            which = ", ".join(f"{translate(kind)} {count}" for kind, count in kinds.most_common())
            cells = translate_plural("{n} cell tidied ({which})", "{n} cells tidied ({which})", tidied, which=which)
            parts.append(cells)
        return " · ".join(parts)


def import_file(path: str | Path, languages: str = DEFAULT, choices: ImportChoices | None = None) -> ListImport:
    """Read a file of pairs, of any format in KINDS; of CLDF the tables in the same folder with it.

    Raises:
        ValueError: the file is missing, too large, or no list in any of these formats. What can be mended by a choice
            is no error: it is `problem`.
    """
    choices = choices or ImportChoices()
    path = Path(path)
    if not (path.is_file() or path.is_fifo()):  # a pipe is what a shell makes of <(…)
        raise ValueError(translate("There is no file of pairs at {path}: check the path.", path=path))
    with path.open("rb") as file:
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        text = N_("{file} is larger than {most} MB: split it into smaller lists.")
        raise ValueError(translate(text, file=path.name, most=MAX_SIZE // 1_000_000))
    _refuse_documents(data, path.name)
    pair = language_pair(languages)
    if data[:4] == b"PK\x03\x04":
        zipped = read_cldf(path, pair, choices.language)
        sheet = zipped or read_excel(path, choices.sheet, partial(_is_header, pair=pair))
        return _imported(sheet, pair, choices, Decoded("", ""), path.name)
    if table := read_cldf(path, pair, choices.language):
        return _imported(table, pair, choices, Decoded("", "utf-8"), path.name)
    decoded = decode(data, choices.encoding, [pair.source.code, pair.target.code])
    _refuse_markup(decoded.text, path.name)
    return _imported(_sheet(decoded.text, pair, choices), pair, choices, decoded, path.name)


def import_text(text: str, languages: str = DEFAULT, choices: ImportChoices | None = None) -> ListImport:
    """Read pairs from a text; otherwise as `import_file`.

    Raises:
        ValueError: the text is too long, or JSON that holds no list.
    """
    choices = choices or ImportChoices()
    if len(text) > MAX_SIZE:
        said = N_("The list has more than {most} million characters: split it into smaller lists.")
        raise ValueError(translate(said, most=MAX_SIZE // 1_000_000))
    pair = language_pair(languages)
    return _imported(_sheet(text, pair, choices), pair, choices, Decoded("", ""), "")


def _refuse_documents(data: bytes, name: str) -> None:
    """Files that hold text, but not as text, and how to have it."""
    known = {b"%PDF": "PDF", b"\xd0\xcf\x11\xe0": ".xls, .doc", b"{\\rtf": "RTF", b"SQLite format 3": "SQLite"}
    for mark, what in known.items():
        if data.startswith(mark):
            text = N_("{file} is a file of the kind {kind}: open it and save the list as .xlsx, CSV or plain text.")
            raise ValueError(translate(text, file=name, kind=what))


def _refuse_markup(text: str, name: str) -> None:
    """Files of text that are made for programs: pages, feeds, calendars, subtitles."""
    begins = text.lstrip()[:40].lower()
    if begins.startswith(("<?xml", "<!doctype", "<html", "<tmx", "begin:v", "webvtt", "par1")):
        said = N_("{file} is no list but a file for programs ({begins}…): save the list alone, as CSV or plain text.")
        raise ValueError(translate(said, file=name, begins=begins[:12]))
    if sum(unicodedata.category(letter) == "Cc" and letter not in "\t\r\n" for letter in text[:4000]) > 40:
        raise ValueError(translate("{file} is no text: save the list as CSV or plain text.", file=name))


def _sheet(text: str, pair: LanguagePair, choices: ImportChoices) -> Sheet:
    # Before Python 3.11 the csv module refuses a line with a NUL in it.
    text = text.removeprefix("\ufeff").replace("\0", "")
    begins = text.lstrip()[:1]
    # A bracket may also begin a line of words, as in [a]maji; a brace may not.
    if begins == "{" or re.match(r"\s*\[\s*(?:[\[{\]\"]|-?\d[\d.]*\s*,|$)", text):
        listed = read_json(text)
        if isinstance(listed, Sheet):
            return listed
        text = "\n".join(listed)
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        said = N_("The list has more than {most} lines: split it into smaller lists.")
        raise ValueError(translate(said, most=MAX_LINES))
    if not choices.separator and is_table(lines):
        return read_table(lines)
    is_header, apart = partial(_is_header, pair=pair), partial(languages_apart, pair=pair)
    return read_lines(text, choices.separator, is_header, apart)


def _is_header(cells: Sequence[str], pair: LanguagePair) -> bool:
    return 1 < len(cells) <= MOST_COLUMNS and named_columns(cells, pair) is not None


def _imported(sheet: Sheet, pair: LanguagePair, choices: ImportChoices, decoded: Decoded, name: str) -> ListImport:
    remarks = sheet.notes
    if decoded.guessed:
        text = N_("The file does not say its encoding, which is taken for {name}: look whether the letters are right.")
        remarks += (translate(text, name=encoding_name(decoded.encoding)),)
    found = ListImport(sheet, name, decoded.encoding, decoded.guessed, remarks=remarks)
    try:
        columns = choose_columns(sheet, pair, choices.columns)
    except ValueError as error:
        skipped = tuple(f"{row.place}: {row.problem}" for row in sheet.rows if row.problem)
        return ListImport(sheet, name, decoded.encoding, decoded.guessed, skipped=skipped, problem=str(error))
    return _read(found, columns, pair)


def _read(found: ListImport, columns: Columns, pair: LanguagePair) -> ListImport:
    """The pairs of a sheet whose columns are known."""
    sheet = found.sheet
    reader = RowReader(sheet, columns, pair)
    good = -1
    for row in sheet.rows:
        if not row.problem:
            good += 1
            if columns.header is not None and good <= columns.header:
                if good < columns.header:
                    reader.skip(row, translate("stands above the names of the columns."))
                else:
                    reader.header = row.cells
                continue
        reader.add(row)
    problem = ""
    if not reader.pairs:
        reason = reader.warnings[0] if reader.warnings else translate("The list is empty.")
        text = N_("No pair could be read. {reason} Write one pair a line, such as {example}.")
        problem = translate(text, reason=reason, example=f'"{pair.example}"')
    remarks = (*found.remarks, *columns.remarks, *reader.remarks())
    extras = tuple(reader.extras) if columns.others else ()
    listed = PairList(tuple(reader.pairs), tuple(reader.warnings), tuple(reader.unread), extras)
    return ListImport(
        sheet,
        found.name,
        found.encoding,
        found.encoding_guessed,
        columns,
        listed,
        tuple(reader.warnings),
        tuple(reader.changes),
        remarks,
        problem,
    )
