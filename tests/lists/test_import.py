"""What is said of a file beside its pairs: how it was read, what was tidied, what must be chosen, what is no list."""

import os
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.lists.files_people_have import FORMS, PAIRS, PARAMETERS, SWAHILI_FORMS, lines
from tli_core.lists.formats import ImportChoices, format_pairs, import_file, import_text, parse_pairs, read_pairs
from tli_core.lists.language_pair import language_pair


def refused(text: str, languages: str = "sw-en") -> str:
    """The sentence with which a text is refused."""
    with pytest.raises(ValueError) as told:
        parse_pairs(text, languages)
    return str(told.value)


def test_a_summary_tells_how_a_file_was_read(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_bytes(
        "Nr.;English;Kiswahili;Notes\n1;cow;ng’ombe;a\n2;caf\xe9;mkahawa;\n3;#N/A;moto;\n".encode("cp1252")
    )
    found = import_file(path)
    assert found.summary(language_pair()) == (
        "a table of text · Windows-1252 (Western Europe) (a guess) · separator: ; · Swahili in column 3 and English in "
        "column 2, by their names · kept: Nr., Notes · 2 pairs · 1 row left out · 1 cell tidied (apostrophes 1)"
    )
    assert found.skipped == ("Line 4: the English side holds no word: '#N/A'.",)
    (change,) = found.changes
    assert (change.place, change.before, change.after) == ("Line 2", "ng’ombe", "ng'ombe")
    assert found.listed.extras == ({"Nr.": "1", "Notes": "a"}, {"Nr.": "2", "Notes": ""})
    assert "taken for Windows-1252" in found.remarks[0]


def test_how_sure_the_words_make_it_is_said():
    turned = import_text(lines(",", [(en, sw) for sw, en in PAIRS])).summary(language_pair())
    assert "Swahili in column 2 and English in column 1, by their words, as 100 % of the rows say" in turned
    mixed = import_text(lines(",", [*PAIRS, ("computer", "tarakilishi")])).summary(language_pair())
    assert "by their words, as 86 % of the rows say" in mixed


def test_further_columns_are_kept_and_written_out():
    read = parse_pairs("Kiswahili,POS,English,Tags\nmaji,n.,water; fluid,leo\nkusoma,v.,to read,\n")
    written = format_pairs(read.pairs, read.unread, read.extras)
    assert written.splitlines()[:2] == ["source\ttarget\tPOS\tTags", "maji\twater; fluid\tn.\tleo"]
    again = parse_pairs(written)
    assert again.pairs == read.pairs and again.extras == read.extras


def test_every_decision_can_be_overruled(tmp_path: Path):
    path = tmp_path / "list.txt"
    path.write_text("a;b,c\nd;e,f\ng;h,i\n")
    chosen = ImportChoices(separator=",", columns=("2", "1"))
    assert [pair[:2] for pair in read_pairs(path, choices=chosen)] == [("c", "a"), ("f", "d"), ("i", "g")]
    named = import_text(
        "x\tWord\tgloss\n1\tmaji\twater\n2\tmoto\tfire\n", choices=ImportChoices(columns=("gloss", "Word"))
    )
    assert [pair[:2] for pair in named.listed] == [("water", "maji"), ("fire", "moto")]
    assert "There is no column 'nowhere'" in import_text("a,b", choices=ImportChoices(columns=("nowhere", "1"))).problem
    path.write_bytes("maji,caf\xe9\n".encode("cp1252"))
    assert read_pairs(path, choices=ImportChoices(encoding="mac_roman")).pairs[0].target == "cafÈ"


def test_words_stay_where_a_user_put_them():
    """A choice against what the words look like holds when its lines are read again."""
    found = import_text(lines(","), choices=ImportChoices(columns=("2", "1")))
    assert parse_pairs(format_pairs(found.listed, with_header=True)).pairs == found.listed.pairs


def test_a_sheet_of_excel_is_chosen_and_a_hidden_one_is_not(tmp_path: Path):
    book = Workbook()
    book.active.title = "Hidden"
    book["Hidden"].append(["Swahili", "English"])
    book["Hidden"].sheet_state = "hidden"
    for title, word in (("About", "x"), ("Food", "bread")):
        book.create_sheet(title).append(["mkate" if title == "Food" else "A list", word])
    path = tmp_path / "list.xlsx"
    book.save(path)
    assert import_file(path, choices=ImportChoices(sheet="Food")).listed.pairs[0].target == "bread"
    with pytest.raises(ValueError, match="has no sheet 'Hidden': choose one of About, Food"):
        read_pairs(path, choices=ImportChoices(sheet="Hidden"))


def test_tables_of_cldf_lie_beside_each_other_and_languages_are_asked_for(tmp_path: Path):
    (tmp_path / "forms.csv").write_text(SWAHILI_FORMS)
    assert [pair.target for pair in read_pairs(tmp_path / "forms.csv")][:2] == ["c0", "c1"]
    (tmp_path / "parameters.csv").write_text(PARAMETERS)
    assert tuple(pair[:2] for pair in read_pairs(tmp_path / "forms.csv")) == PAIRS
    (tmp_path / "forms.csv").write_text(FORMS + "1,stan1,c0,maji,maji\n2,coas1,c0,madzi,madzi\n")
    with pytest.raises(ValueError, match="none of which is known as Swahili: say which \\(stan1, coas1\\)"):
        read_pairs(tmp_path / "forms.csv")
    chosen = ImportChoices(language="coas1")
    assert [pair[:2] for pair in read_pairs(tmp_path / "forms.csv", choices=chosen)] == [("madzi", "water")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lines(",", [(en, f"a {en} is what people call so in the house") for _, en in PAIRS]), "the other sentences"),
        (
            lines(",", [(en, f"{en}s") for en in ("water", "dog", "house", "school", "tree", "river", "rain", "cat")]),
            "English",
        ),
        ("SW: maji\nEN: water\nSW: moto\nEN: fire\n", "at most one column holds words"),
        ("French,English\nchien,dog\n", "choose its languages"),
        ("Neno,Sentensi\nmaji,Ninakunywa maji.\n", "none of these is known"),
        ("language,word,concept\nSwahili,maji,WATER\nEnglish,water,WATER\n", "one pair a row"),
        ("qwr,xzv,kjh\nbnm,tyu,ghj\nqaz,wsx,edc\n", "do not tell"),
        ("maji,60\nndizi,20\nmkate,10\n", "at most one column holds words"),
    ],
)
def test_what_is_no_list_of_two_languages_is_said(text: str, says: str):
    assert says in refused(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lines(",", header="English,Swahili"), "The sides look swapped"),
        ("Kiswahili,English\nmaji,water\nEnglish,Kiswahili\nfire,moto\n", "names the columns again"),
        ("Kiswahili,English\n#1;x,one\nmaji,water\n#moto,fire\n", "begins with #"),
        ('Kiswahili,English\nndizi,"banana\nplantain"\n', "holds a line break"),
        ("a, b: c\n", "could be cut at"),
    ],
)
def test_what_is_unsure_is_said_and_read(text: str, says: str):
    read = parse_pairs(text)
    assert len(read) and says in " ".join(read.warnings)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7", "of the kind PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "of the kind .xls"),
        (b"<?xml version='1.0'?><a/>", "a file for programs"),
        (b"PK\x03\x04broken", "could not be read as Excel"),
        (bytes(range(32)) * 200, "is no text"),
        ("maji,café\nmoto,feu\u00e9\n".encode() + b"x,\xff\xfe\n", "line 3 is not"),
        (b"a,b\n" * 200_000, "more than 100000 lines"),
        (b"#separator:tab\n#columns:" + b"a" * 200_000 + b"\n,\n", "No pair could be read"),
        (b'["maji", "water"', "JSON could not be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(data: bytes, says: str, tmp_path: Path):
    path = tmp_path / "list.bin"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=says):
        read_pairs(path)


def test_a_broken_sheet_and_a_list_too_long_are_one_sentence_each(tmp_path: Path):
    book, path = Workbook(), tmp_path / "list.xlsx"
    for number in range(20_010):
        book.active.append([f"neno{number}", "word"])
    book.save(path)
    with pytest.raises(ValueError, match="more than 20000 rows in the sheet Sheet"):
        read_pairs(path)
    with zipfile.ZipFile(path) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    files["xl/worksheets/sheet1.xml"] = files["xl/worksheets/sheet1.xml"][:500]
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    with pytest.raises(ValueError, match="could not be read as Excel"):
        read_pairs(path)


def test_an_archive_that_unpacks_to_much_is_refused(tmp_path: Path):
    path = tmp_path / "list.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "x")
        packed.writestr("xl/worksheets/sheet1.xml", " " * 70_000_000)
    with pytest.raises(ValueError, match="unpacks to more than 20 MB"):
        read_pairs(path)


def test_a_list_may_come_through_a_pipe():
    """As a shell gives what stands in <(…)."""
    out, into = os.pipe()
    os.write(into, b"maji,water\nmti,tree\n")
    os.close(into)
    try:
        assert len(import_file(f"/dev/fd/{out}").listed) == 2
    finally:
        os.close(out)


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ([("mama", "mother"), ("mama", "mum"), ("mama", "mom")], 1),
        ([("likizo", "leave"), ("kuacha", "leave"), ("kuondoka", "leave")], 2),
        ([("mama", "mother"), ("mama", "mum"), ("mama", "mom"), ("baba", "dad"), ("baba", "daddy"), ("baba", "pa")], 1),
    ],
)
def test_a_word_with_several_translations_is_a_list_and_said_to_be_one(rows: list[tuple[str, str]], column: int):
    read = parse_pairs(lines(",", rows))
    assert [pair[:2] for pair in read.pairs] == rows
    assert f"Column {column} holds a word in several rows" in " ".join(read.warnings)


@pytest.mark.parametrize("label", ["EN", "noun", "7"])
def test_a_label_that_returns_is_no_word(label: str):
    assert "at most one column holds words" in refused(f"{label},maji\n{label},moto\n{label},mti\n")


def test_topics_beside_words_are_no_translations():
    foods, beasts = ["mkate", "wali", "chumvi", "nyama", "samaki"], ["paka", "simba", "mbwa", "nyoka", "ndege"]
    rows = [*(("food", word) for word in foods), *(("animals", word) for word in beasts)]
    assert "at most one column holds words" in refused(lines(",", rows))
