"""Excel files (.xlsx) as a table."""

import datetime
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.lists.formats.separated import HEADER_WITHIN
from tli_core.lists.formats.sheet import Row, Sheet, row_place

MAX_UNPACKED = 20_000_000
"""Bytes that a file may unpack to; a list of words needs a tenth."""

MAX_ROWS = 20_000
"""A spreadsheet takes its time to read: three seconds for these."""

MAX_COLUMNS = 50


BROKEN = (
    KeyError,
    IndexError,
    ValueError,
    OSError,
    RuntimeError,
    TypeError,
    AttributeError,
    SyntaxError,
    zipfile.BadZipFile,
)
"""What openpyxl raises for files that are cut, locked, or made by hand; a ParseError of XML is a SyntaxError."""


def read_excel(path: Path, sheet: str | None, is_header: Callable[[Sequence[str]], bool]) -> Sheet:
    """The rows of one sheet, as they are shown: of formulas the values last worked out.

    Args:
        sheet: its name; None for the first with a header, or else with two columns, that is not hidden.
        is_header: whether cells name the columns of a list of words.

    Raises:
        ValueError: it is no Excel file, or has no such sheet.
    """
    _check_size(path)
    values = _values(path)
    names = tuple(values)
    if sheet is not None and sheet not in names:
        text = N_("{file} has no sheet {sheet!r}: choose one of {names}.")
        raise ValueError(translate(text, file=path.name, sheet=sheet, names=", ".join(names)))
    read = {title: _rows(rows, title, path.name) for title, rows in values.items() if sheet in (None, title)}
    named = [title for title, rows in read.items() if any(is_header(row.cells) for row in rows[:HEADER_WITHIN])]
    wide = [title for title, rows in read.items() if any(len(row.cells) > 1 for row in rows)]
    title = next(iter((*named, *wide, *read)), "")
    rows = read.get(title, ())
    others = [name for name in names if name != title]
    notes = ()
    if others and sheet is None:
        text = N_("The sheet {sheet} is read; the file also has {names}.")
        notes = (translate(text, sheet=title, names=", ".join(others)),)
    return Sheet("xlsx", rows, sheets=names, sheet=title, notes=notes)


def _values(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What openpyxl reads of each sheet that is not hidden, a row more than may be there."""
    # Here, as most lists are text.
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            pages = [page for page in book.worksheets if page.sheet_state == "visible"] or book.worksheets
            limits = {"values_only": True, "max_row": MAX_ROWS + 1, "max_col": MAX_COLUMNS}
            return {page.title: list(page.iter_rows(**limits)) for page in pages}
        finally:
            book.close()
    except BROKEN as error:
        text = N_("{file} could not be read as Excel: save it again as .xlsx or as CSV.")
        raise ValueError(translate(text, file=path.name)) from error


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(file.file_size for file in packed.infolist())
            names = set(packed.namelist())
    except zipfile.BadZipFile as error:
        text = N_("{file} could not be read as Excel: save it again as .xlsx or as CSV.")
        raise ValueError(translate(text, file=path.name)) from error
    if unpacked > MAX_UNPACKED:
        text = N_("{file} unpacks to more than {most} MB: save the list alone, as CSV.")
        raise ValueError(translate(text, file=path.name, most=MAX_UNPACKED // 1_000_000))
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        text = N_("{file} is an archive that holds no Excel sheet and no CLDF table: save the list as .xlsx or CSV.")
        raise ValueError(translate(text, file=path.name))


def _rows(values: Sequence[Sequence[Any]], sheet: str, file: str) -> tuple[Row, ...]:
    if len(values) > MAX_ROWS:
        text = N_("{file} has more than {most} rows in the sheet {sheet}: save it as CSV.")
        raise ValueError(translate(text, file=file, most=MAX_ROWS, sheet=sheet))
    rows = []
    for number, cells in enumerate(values, 1):
        shown = [_shown(cell) for cell in cells]
        while shown and not shown[-1].strip():
            shown.pop()
        if shown:
            rows.append(Row(row_place(number), "\t".join(" ".join(cell.split()) for cell in shown), tuple(shown)))
    return tuple(rows)


def _shown(cell: Any) -> str:
    """A cell as Excel shows it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    return str(cell)
