"""Word lists of CLDF: a table of forms, whose concepts and languages stand in tables of their own."""

import csv
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tli_core.i18n import N_, translate
from tli_core.lists.formats.headers import name_of
from tli_core.lists.formats.sheet import Row, Sheet, row_place
from tli_core.lists.language_pair import LanguagePair

MAX_TABLE = 20_000_000
"""Bytes of one table inside an archive."""

FORMS = {"Language_ID", "Parameter_ID"}
CONCEPT = ("Name", "English", "Concepticon_Gloss", "Gloss")
"""Columns of a table of concepts that say what a concept is, the best first."""


def read_cldf(path: Path, pair: LanguagePair, asked: str | None = None) -> Sheet | None:
    """The forms of one language with their concepts as glosses, or those of two languages side by side.

    Args:
        path: the table of forms, with the others in its folder, or an archive of the whole data set.
        asked: the language of the forms by its id or name, where the two of `pair` do not say.

    Returns:
        None where the file is no table of forms.

    Raises:
        ValueError: its language cannot be told, or the concepts have no names in words.
    """
    table = _tables(path)
    forms = table("forms.csv")
    if forms is None or not forms or not forms[0].keys() >= FORMS:
        return None
    column = "Form" if "Form" in forms[0] else "Value"
    concepts = {row.get("ID", ""): row for row in table("parameters.csv") or ()}
    languages = {row.get("ID", ""): row for row in table("languages.csv") or ()}
    ids = list(dict.fromkeys(row["Language_ID"] for row in forms))
    source = _language(ids, languages, pair, "source", asked)
    if source is None and len(ids) == 1:
        source = ids[0]
    target = _language(ids, languages, pair, "target", None)
    if source is None:
        text = N_("The table has forms of {n} languages, none of which is known as {language}: say which ({names}).")
        names = ", ".join(ids[:12])
        raise ValueError(translate(text, n=len(ids), language=translate(pair.source.name), names=names))
    others: dict[str, list[str]] = {}
    for row in forms:
        if target and row["Language_ID"] == target:
            others.setdefault(row["Parameter_ID"], []).append(row[column] or "")
    rows = []
    for number, row in enumerate(forms, 2):
        if row["Language_ID"] != source:
            continue
        concept = row["Parameter_ID"]
        glosses = others.get(concept) or [_gloss(concepts.get(concept), concept, bool(concepts))]
        cells = (row.get(column) or "", "; ".join(glosses))
        rows.append(Row(row_place(number), "\t".join(cells), cells))
    notes = () if concepts or target else (
        translate("There is no parameters.csv beside the forms, so the concepts' ids are read as glosses."),
    )  # fmt: skip
    return Sheet("cldf", tuple(rows), header=("source", "target"), notes=notes)


def _gloss(concept: Mapping[str, str] | None, name: str, known: bool) -> str:
    """What a concept is in words; where there is no table of concepts, its id without the number before it."""
    if concept is None:
        return "" if known else name.lstrip("0123456789_-. ").replace("_", " ")
    return next((concept[column] for column in CONCEPT if concept.get(column)), "")


def _language(
    ids: Sequence[str], languages: Mapping[str, Mapping[str, str]], pair: LanguagePair, side: str, asked: str | None
) -> str | None:
    """The id of a side's language among those of the forms, by its id, name or ISO code."""
    for one in ids:
        row = languages.get(one, {})
        named = [one, row.get("Name") or "", row.get("ISO639P3code") or "", row.get("Glottolog_Name") or ""]
        if asked is not None:
            if asked.strip().lower() in map(str.lower, named):
                return one
        elif any(name_of(name, pair).language == side for name in named):
            return one
    return None


def _tables(path: Path) -> Callable[[str], list[dict[str, str]] | None]:
    """Reads a table of the data set by its usual name."""
    if zipfile.is_zipfile(path):
        return lambda name: _zipped(path, name)

    def read(name: str) -> list[dict[str, str]] | None:
        file = path if name == "forms.csv" else path.parent / name
        if not file.is_file() or file.stat().st_size > MAX_TABLE:
            return None
        return _rows(file.read_bytes())

    return read


def _zipped(path: Path, name: str) -> list[dict[str, str]] | None:
    try:
        with zipfile.ZipFile(path) as packed:
            for file in packed.infolist():
                if file.filename.rsplit("/", 1)[-1].lower() == name and file.file_size <= MAX_TABLE:
                    return _rows(packed.read(file))
    except (zipfile.BadZipFile, RuntimeError, OSError) as error:
        text = N_("{file} could not be unpacked: it is damaged or has a password.")
        raise ValueError(translate(text, file=path.name)) from error
    return None


def _rows(data: bytes) -> list[dict[str, str]] | None:
    try:
        text = data.decode("utf-8-sig")
        # What stands behind the last column is a comma without quotes; the columns before it may be right.
        return [{name: row[name] for name in row if name is not None} for row in csv.DictReader(io.StringIO(text))]
    except (UnicodeDecodeError, csv.Error):
        return None
