"""What every format is read into: rows of cells, each with the place it stands at and the text as it came."""

from dataclasses import dataclass

from tli_core.i18n import translate

MAX_LINE_LENGTH = 10_000
"""Characters: room for a pair with any number of glosses, and far below what the csv module refuses to read."""


@dataclass(frozen=True)
class Row:
    """The cells found at one place, or what was wrong there.

    came: the line or entry as it came, written so that a list of lines can keep it. topic: what a heading above it says
    it is about.
    """

    place: str
    came: str
    cells: tuple[str, ...] = ()
    problem: str = ""
    topic: str = ""


@dataclass(frozen=True)
class Sheet:
    """A list as a table.

    kind: the format, by the key under which `KINDS` names it. separator: by its key; empty where the format has none.
    header: the names of the columns where the format itself says them. sheets: the names of an Excel file's sheets.
    numbered: places where a list number or bullet was taken off. notes: what people should know of how it was read.
    """

    kind: str
    rows: tuple[Row, ...]
    separator: str = ""
    header: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    sheet: str = ""
    numbered: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def line_place(number: int) -> str:
    """The name of a line, by its number from 1."""
    return translate("Line {number}", number=number)


def entry_place(number: int) -> str:
    """The name of an entry of JSON, by its number from 1."""
    return translate("Entry {number}", number=number)


def row_place(number: int) -> str:
    """The name of a row of a spreadsheet, by its number from 1."""
    return translate("Row {number}", number=number)
