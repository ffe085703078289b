"""Lists of any words, written in any format, come back as they went in, or the reader says what did not."""

import csv
import io
import json
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from tli_core.lists.formats import ImportChoices, format_pairs, import_text, parse_pairs, read_pairs
from tli_core.lists.formats.cleaning import cleaned, is_no_word, without_bullet
from tli_core.lists.formats.separated import SEPARATORS
from tli_core.lists.pairs import WordPair, normalise

# Letters with and without accents, and all that may be mistaken for something else.
LETTERS = "abkmnzéñáßɓŋ'’-  .,;:|=/\t\"()&<>#*1"
WORDS = st.text(LETTERS, min_size=1, max_size=12).map(lambda word: cleaned(word).word)
PLAIN = st.text("abdeghijklmnoprstuvwyz", min_size=2, max_size=9)
# Words, some with a sign inside that separates in other lists.
TWO_WORDS = st.tuples(
    PLAIN, st.sampled_from([" ", ", ", ",", "; ", ": ", " - ", "-", "=", " / ", "'", "\t"]), PLAIN
).map("".join)
TYPED = (", ", "\t", " = ", " - ", ": ", " -> ")
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def is_right(word: str) -> bool:
    """Whether a word is one that the reader takes: it has letters, and no quote that does not end."""
    return not is_no_word(word) and not (word.startswith('"') and word.count('"') == 1)


def whole(words: st.SearchStrategy[str]) -> st.SearchStrategy[list[WordPair]]:
    """Lists of pairs that differ, none of which tidying would change further."""
    word = words.filter(lambda word: word and cleaned(word).word == word == without_bullet(word) and is_right(word))
    target = word.filter(lambda word: ";" not in word)
    pairs = st.lists(st.tuples(word, target).map(lambda sides: WordPair(*sides)), min_size=1, max_size=8)
    return pairs.map(lambda many: list({tuple(map(normalise, pair[:2])): pair for pair in many}.values()))


def is_right_or_told(text: str, pairs: list[WordPair]) -> bool:
    """Whether the pairs are those that went in, or sentences name what is not."""
    try:
        read = parse_pairs(text)
    except ValueError:
        return True
    if any("could be cut at" in warning or "as their words look" in warning for warning in read.warnings):
        return True
    back, went_in = ({pair[:2] for pair in some} for some in (read, pairs))
    return back <= went_in and len(read.warnings) >= len(went_in - back)


@QUICK
@given(whole(WORDS))
def test_lines_of_our_own_are_read_back(pairs):
    assert [pair[:2] for pair in parse_pairs(format_pairs(pairs))] == [pair[:2] for pair in pairs]


@QUICK
@given(whole(WORDS), st.sampled_from(",;\t|"), st.booleans(), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_tables_with_a_header_are_read_back(pairs, mark, swapped, quoting):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=mark, quoting=quoting)
    order = slice(None, None, -1 if swapped else 1)
    writer.writerow(["Kiswahili", "English"][order])
    writer.writerows(pair[:2][order] for pair in pairs)
    assert is_right_or_told(out.getvalue(), pairs)


@QUICK
@given(whole(PLAIN), st.sampled_from(sorted(SEPARATORS)), st.booleans())
def test_a_separator_that_is_chosen_holds(pairs, key, numbered):
    separator = SEPARATORS[key]
    marks = {"->": " -> ", "=": "=", "-": " - ", ":": ": ", "/": " / ", "spaces": "   ", "space": " ", "،": "، "}
    mark, end = separator.mark or marks.get(key, " ("), ")" if key == "()" else ""
    text = "\n".join(f"{f'{i}. ' if numbered else ''}{a}{mark}{b}{end}" for i, (a, b, *_) in enumerate(pairs, 1))
    found = import_text(text, choices=ImportChoices(separator=key, columns=("1", "2")))
    assume(not (numbered and len(pairs) == 1))
    assert [pair[:2] for pair in found.listed] == [pair[:2] for pair in pairs]


@QUICK
@given(whole(WORDS), st.sampled_from(["objects", "lists", "columns", "lines", "nested"]))
def test_json_in_any_shape_is_read_back(pairs, shape):
    records = [{"en": pair.target, "sw": pair.source} for pair in pairs]
    shapes = {
        "objects": records,
        "lists": {"words": [["sw", "en"], *([p.source, p.target] for p in pairs)]},
        "columns": {side: [record[side] for record in records] for side in ("sw", "en")},
        "nested": {"data": [{"translation": record} for record in records]},
    }
    text = "\n".join(map(json.dumps, records)) if shape == "lines" else json.dumps(shapes[shape])
    assert {pair[:2] for pair in parse_pairs(text)} == {pair[:2] for pair in pairs}


@QUICK
@given(whole(WORDS), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"]))
def test_any_encoding_is_read_back_or_named(tmp_path_factory, pairs, encoding):
    table = "".join(
        f'"{p.source.replace(chr(34), chr(34) * 2)}","{p.target.replace(chr(34), chr(34) * 2)}"\n' for p in pairs
    )
    try:
        data = f"sw,en\n{table}".encode(encoding)
    except UnicodeEncodeError:
        assume(False)
        return
    path = Path(tmp_path_factory.mktemp("encoded")) / "list.csv"
    path.write_bytes(data)
    assert {pair[:2] for pair in read_pairs(path)} == {pair[:2] for pair in pairs}


@settings(QUICK, max_examples=30)
@given(whole(WORDS), st.integers(0, 2), st.booleans())
def test_excel_is_read_back(tmp_path_factory, pairs, titles, swapped):
    book = Workbook()
    page = book.active
    for _ in range(titles):
        page.append(["Words for today"])
    order = slice(None, None, -1 if swapped else 1)
    page.append(["Neno la Kiswahili", "Tafsiri (English)"][order])
    for pair in pairs:
        page.append(list(pair[:2][order]))
        for cell in page[page.max_row]:
            cell.data_type = "s"
    path = Path(tmp_path_factory.mktemp("excel")) / "list.xlsx"
    book.save(path)
    assert {pair[:2] for pair in read_pairs(path)} == {pair[:2] for pair in pairs}


@QUICK
@given(whole(PLAIN), whole(TWO_WORDS), st.sampled_from(TYPED))
def test_lines_as_people_type_them_are_right_or_told(plain, odd, mark):
    """Most lines are plain, which tells the separator; what the others hold beside it must not be cut in silence."""
    # After ; stand further glosses: no source holds it.
    pairs = [*plain, *(pair for pair in odd[: len(plain) // 2] if ";" not in pair.source)]
    assert is_right_or_told("\n".join(f"{pair.source}{mark}{pair.target}" for pair in pairs), pairs)
