"""Files of words as people have them, written by hand, each with its right reading.

Every file holds the same six pairs, or as many as its shape has room for, so that a wrong reading is seen at a glance.
"""

import io
import json
import zipfile
from collections.abc import Callable
from typing import NamedTuple

from openpyxl import Workbook

PAIRS = (
    ("maji", "water"),
    ("ng'ombe", "cow"),
    ("haba na haba", "little by little"),
    ("kusoma", "to read"),
    ("ndizi", "banana"),
    ("rafiki", "friend"),
)


class Listed(NamedTuple):
    """A file's bytes, by its name's ending, and the pairs in it."""

    ending: str
    data: bytes
    pairs: tuple[tuple[str, str], ...] = PAIRS


def text(ending: str, written: str, pairs=PAIRS, encoding: str = "utf-8") -> Listed:
    """A file of text."""
    return Listed(ending, written.encode(encoding), pairs)


def lines(separator: str, pairs=PAIRS, header: str = "", before: str = "", after: str = "", end: str = "\n") -> str:
    """A line for each pair."""
    body = [f"{before}{sw}{separator}{en}{after}" for sw, en in pairs]
    return end.join(([header] if header else []) + body) + end


def rows(header: str, row: Callable[[int, str, str], str]) -> str:
    """A header and a row for each pair, numbered from 1."""
    return "\n".join([header, *(row(i, sw, en) for i, (sw, en) in enumerate(PAIRS, 1))])


def quoted(mark: str = ",") -> str:
    """Every cell in quotes."""
    return "\n".join(f'"{sw}"{mark}"{en}"' for sw, en in PAIRS)


def excel(*sheets: tuple[str, list[list]]) -> Listed:
    """An Excel file of these sheets."""
    book = Workbook()
    book.remove(book.active)
    for name, cells in sheets:
        page = book.create_sheet(name)
        for row in cells:
            page.append(row)
    out = io.BytesIO()
    book.save(out)
    return Listed("xlsx", out.getvalue())


def records(source: str, target: str) -> list[dict]:
    """An object for each pair."""
    return [{source: sw, target: en} for sw, en in PAIRS]


def dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def archive(**files: str) -> Listed:
    """A zip of text files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, written in files.items():
            packed.writestr(f"cldf/{name}.csv", written)
    return Listed("zip", out.getvalue())


SWAPPED = tuple((en, sw) for sw, en in PAIRS)
FORMS = "ID,Language_ID,Parameter_ID,Value,Form\n"
SWAHILI_FORMS = FORMS + "".join(f"{i},swahili,c{i},{sw},{sw}\n" for i, (sw, _) in enumerate(PAIRS))
TWO_LANGUAGES = SWAHILI_FORMS + "".join(f"e{i},eng,c{i},{en},{en}\n" for i, (_, en) in enumerate(PAIRS))
PARAMETERS = "ID,Name,Concepticon_ID\n" + "".join(f"c{i},{en},{100 + i}\n" for i, (_, en) in enumerate(PAIRS))
ACCENTS = (("sabuni", "soap"), ("kahawa", "café"), ("mkahawa", "café bar"), ("ng'ombe", "cow"), ("sawa", "déjà vu"))

FILES: dict[str, Listed] = {
    "comma": text("csv", lines(",")),
    "comma and space": text("txt", lines(", ")),
    "tab": text("tsv", lines("\t")),
    "semicolon": text("csv", lines(";")),
    "pipe": text("txt", lines("|")),
    "pipe with spaces": text("txt", lines(" | ")),
    "equals": text("txt", lines(" = ")),
    "tight equals": text("txt", lines("=")),
    "dash": text("txt", lines(" - ")),
    "long dash": text("txt", lines(" — ")),
    "tight en dash": text("txt", lines("–")),
    "colon": text("txt", lines(": ")),
    "arrow": text("txt", lines(" -> ")),
    "fat arrow": text("txt", lines(" => ")),
    "Unicode arrow": text("txt", lines(" → ")),
    "aligned with spaces": text("txt", "".join(f"{sw:<20}{en}\n" for sw, en in PAIRS)),
    "Windows line ends": text("csv", lines(",", end="\r\n")),
    "old Mac line ends": text("csv", lines(",", end="\r")),
    "quotes round every cell": text("csv", quoted()),
    "quotes and semicolons": text("csv", quoted(";")),
    "whole lines in quotes": text("csv", "\n".join(f'"{sw},{en}"' for sw, en in PAIRS)),
    "a comma at every end": text("csv", lines(",", header="Swahili,English,", after=",")),
    "blank lines between": text("txt", lines(", ", end="\n\n")),
    "header in English": text("csv", lines(",", header="Swahili,English")),
    "header in Swahili": text("csv", lines(",", header="Kiswahili,Kiingereza")),
    "header of both": text("csv", lines(",", header="Kiswahili,English")),
    "header by code": text("csv", lines(",", header="sw,en")),
    "header by region": text("csv", lines(",", header="sw-KE,en-US")),
    "header by three letters": text("tsv", lines("\t", header="swh_Latn\teng_Latn")),
    "header in capitals": text("csv", lines(",", header="SWAHILI,ENGLISH")),
    "header without languages": text("csv", lines(",", header="Word,Translation")),
    "header of flash cards": text("csv", lines(",", SWAPPED, header="Front,Back")),
    "header the other way": text("csv", lines(",", SWAPPED, header="English,Kiswahili")),
    "no header, the other way": text("csv", lines(",", SWAPPED)),
    "header of roles, the other way": text("csv", lines(",", SWAPPED, header="Term,Meaning")),
    "sep line": text("csv", "sep=;\nKiswahili;English;Notes\n" + lines(";", after=";x")),
    "sep line without a header": text("csv", "sep=,\n" + lines(",")),
    "numbered, in two languages": text(
        "tsv",
        rows("No.\tNeno la Kiswahili\tTafsiri (English)\tNotes", lambda i, sw, en: f"{i}\t{sw}\t{en}\tsay it"),
    ),
    "id, source, target": text("csv", rows("id,source,target", lambda i, sw, en: f"{i},{sw},{en}")),
    "lemma and gloss": text("csv", rows("lemma_sw,POS,gloss_en", lambda i, sw, en: f"{sw},n.,{en}")),
    "hash as a name": text("csv", rows("#,English,Swahili", lambda i, sw, en: f"{i},{en},{sw}")),
    "topic, example, audio": text(
        "csv",
        rows(
            "Mada,Swahili,Swahili example,English,English example,Audio",
            lambda i, sw, en: f'msingi,{sw},"{sw.title()}, sawa.",{en},"A {en}, yes.",{sw}.mp3',
        ),
    ),
    "camel case": text("csv", rows("EntryId,SwahiliWord,EnglishGloss", lambda i, sw, en: f"{i},{sw},{en}")),
    "numbers before pairs without names": text("csv", "".join(f"{i},{s},{e}\n" for i, (s, e) in enumerate(PAIRS, 1))),
    "part of speech without names": text("csv", "".join(f"{e},noun,{s}\n" for s, e in PAIRS)),
    "a title above the header": text("csv", "My list of words,\n,\n" + lines(",", header="Swahili,English")),
    "the header twice": text("csv", lines(",", header="Swahili,English").replace("ndizi,", "Swahili,English\nndizi,")),
    "one line for Quizlet": text("txt", ";".join(f"{sw},{en}" for sw, en in PAIRS)),
    "Anki": text("txt", "#separator:tab\n#html:true\n#tags column:3\n" + lines("\t", after="\tleo sw")),
    "Anki with columns": text("txt", "#separator:Comma\n#columns:Kiingereza,Swahili\n" + lines(",", SWAPPED)),
    "Anki with decks and HTML": text(
        "txt",
        "#separator:tab\n#html:true\n#notetype column:1\n#deck column:2\n#tags column:5\n"
        + "".join(
            f"Basic\tSwahili\t<b>{sw}</b> [sound:{i}.mp3]\t<div>{en}</div>\t\n" for i, (sw, en) in enumerate(PAIRS)
        ),
    ),
    "Windows-1252": text("csv", lines(",", ACCENTS, "sw,en").replace("'", "’"), ACCENTS, "cp1252"),
    "Mac Roman": text("csv", lines(",", ACCENTS, "sw,en").replace("'", "’"), ACCENTS, "mac_roman"),
    "Unicode text of Excel": text("txt", lines("\t", header="Kiswahili\tEnglish", end="\r\n"), encoding="utf-16"),
    "UTF-16 without a mark": text("txt", lines("\t"), encoding="utf-16-le"),
    "UTF-8 with a mark": text("csv", lines(",", header="Swahili,English"), encoding="utf-8-sig"),
    "UTF-32": text("txt", lines("\t"), encoding="utf-32"),
    "Excel": excel(("Words", [["Swahili", "English"], *map(list, PAIRS)])),
    "Excel with a title and further sheets": excel(
        ("About", [["A list of words"]]),
        (
            "Words",
            [
                ["Words for class 1"],
                [],
                ["No.", "English", "Kiswahili", "Notes"],
                *([i, en, sw, "–"] for i, (sw, en) in enumerate(PAIRS, 1)),
            ],
        ),
        ("More", [["Swahili", "English"], ["paka", "cat"]]),
    ),
    "Excel without a header": excel(("Sheet1", [[None, sw, en] for sw, en in PAIRS])),
    "JSON as published": text("json", dumped(records("swahili", "english"))),
    "JSON by code": text("json", dumped([{"id": i, **one} for i, one in enumerate(records("sw", "en"))])),
    "JSON of words and translations": text("json", dumped({"words": records("word", "translation")})),
    "JSON of lists": text("json", dumped([list(pair) for pair in PAIRS])),
    "JSON by word": text("json", dumped(dict(PAIRS))),
    "JSON by word, the other way": text("json", dumped({en: [sw] for sw, en in PAIRS})),
    "JSON of columns": text("json", dumped({"en": [en for _, en in PAIRS], "sw": [sw for sw, _ in PAIRS]})),
    "records of the Hub": text("json", dumped([{"id": "1", "translation": one} for one in records("sw", "en")])),
    "viewer of the Hub": text(
        "json",
        dumped({"rows": [{"row_idx": i, "row": {"translation": one}} for i, one in enumerate(records("sw", "en"))]}),
    ),
    "JSON Lines": text("jsonl", "\n".join(map(dumped, records("source", "target")))),
    "JSON Lines of the Hub": text("jsonl", "\n".join(dumped({"translation": one}) for one in records("sw", "en"))),
    "JSON Lines of lists": text("jsonl", "\n".join(dumped([sw, en]) for sw, en in PAIRS)),
    "MUSE": text(
        "txt",
        "maji water\nkusoma read\nndizi banana\nrafiki friend\n",
        (("maji", "water"), ("kusoma", "read"), ("ndizi", "banana"), ("rafiki", "friend")),
    ),
    "Markdown table": text(
        "md", "# Words\n\n| Kiswahili | English |\n|---|:--|\n" + lines(" | ", before="| ", after=" |")
    ),
    "Markdown table with emphasis": text(
        "md", "Swahili | Notes | English\n--- | --- | ---\n" + "".join(f"**{s}** | x | *{e}*\n" for s, e in PAIRS)
    ),
    "bulleted list": text("md", lines(" - ", before="- ")),
    "bulleted list with colons": text("txt", lines(": ", before="• ")),
    "numbered list": text("txt", "".join(f"{i}. {sw} – {en}\n" for i, (sw, en) in enumerate(PAIRS, 1))),
    "numbered list with brackets": text("txt", "".join(f"{i}) {sw}, {en}\n" for i, (sw, en) in enumerate(PAIRS, 1))),
    "numbers in the cells": text("csv", "".join(f"{i}. {sw},{en}\n" for i, (sw, en) in enumerate(PAIRS, 1))),
    "tasks": text("md", lines(" → ", before="- [ ] ")),
    "CLDF in an archive": archive(forms=SWAHILI_FORMS, parameters=PARAMETERS),
    "CLDF of two languages": archive(forms=TWO_LANGUAGES, languages="ID,Name\nswahili,Swahili\neng,English\n"),
    "soft hyphens and zero-width spaces": text(
        "csv",
        lines(",").replace("kusoma", "ku\u00adsoma").replace("banana", "ba\u200bnana").replace("ma", "\ufeffma", 1),
    ),
    "curly apostrophes": text("csv", lines(",").replace("'", "\u2019")),
    "modifier apostrophes": text("csv", lines(",").replace("'", "\u02bc")),
    "HTML": text("csv", lines(",").replace("'", "&#39;").replace("water", "<b>water</b>&nbsp;")),
    "curly quotes": text("csv", lines(",", before="“", after="”").replace(",", "”,“")),
    "commas in a list of semicolons": text(
        "txt",
        "ndiyo, naam;yes\nsimu;phone, telephone\nmaji;water\n",
        (("ndiyo, naam", "yes"), ("simu", "phone, telephone"), ("maji", "water")),
    ),
    "line breaks in cells": text(
        "csv",
        'Swahili,English\n"haba na\nhaba","little by\nlittle"\nmaji,water\n',
        (("haba na haba", "little by little"), ("maji", "water")),
    ),
    "an inch mark": text(
        "csv", 'Swahili,English\nmsumari,5" nail\nmaji,water\n', (("msumari", '5" nail'), ("maji", "water"))
    ),
}
