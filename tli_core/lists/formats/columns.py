"""Which columns of a table hold the source and the target: by their names, or by the words in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from tli_core.i18n import N_, translate
from tli_core.lists.formats.cleaning import PARTS_OF_SPEECH, cleaned, is_no_word
from tli_core.lists.formats.headers import (
    ROLES,
    SIDES,
    NamedColumns,
    is_half_named,
    is_nameless,
    name_of,
    named_columns,
    other_language,
)
from tli_core.lists.formats.separated import HEADER_WITHIN
from tli_core.lists.formats.sheet import Row, Sheet
from tli_core.lists.language_guess import ENOUGH, LOOKED_AT, Sides, leanings, sides
from tli_core.lists.language_pair import LanguagePair, language
from tli_core.lists.lexicon import translations
from tli_core.lists.pairs import normalise

MOST_COLUMNS = 100

SENTENCE = 5
"""Words: a column whose median cell has so many holds sentences, where the other side's has at most WORDS."""

WORDS = 2

MOST_TRANSLATIONS = 4
"""Of one word in a list of two columns, on average; what returns more often is a label, as topics are."""

BY_NAMES, BY_WORDS = N_("by their names"), N_("by their words")
BY_ORDER, BY_CHOICE = N_("by their order"), N_("as chosen")


@dataclass(frozen=True)
class Columns:
    """Which columns are which, by their numbers from 0.

    header: the number of the row that names them, -1 where the format does, None where nothing does. decided: how, and
    agree, where by their words, the part of the rows that say so. others: columns that are kept as they are, by name.
    """

    source: int
    target: int
    glosses: tuple[int, ...] = ()
    topic: int | None = None
    others: tuple[tuple[int, str], ...] = ()
    header: int | None = None
    decided: str = BY_ORDER
    agree: float = 1.0
    remarks: tuple[str, ...] = ()


def choose_columns(sheet: Sheet, pair: LanguagePair, chosen: tuple[str, str] | None = None) -> Columns:
    """Which columns of a table hold the two sides.

    Args:
        chosen: the two columns, by number from 1 or by name, as a user chose them.

    Raises:
        ValueError: neither names nor words tell, no two columns hold words of two languages, or a chosen column is not
            there.
    """
    rows = [row for row in sheet.rows if not row.problem]
    if _width(rows) > MOST_COLUMNS:
        text = N_("There are {n} columns, and a list of words has at most {most}: leave out the others.")
        raise ValueError(translate(text, n=_width(rows), most=MOST_COLUMNS))
    header, named = _header(sheet, rows, pair)
    body = rows[header + 1 :] if header is not None and header >= 0 else rows
    names = _names(sheet, rows, header)
    if chosen:
        source, target = (_by_choice(one, names, _width(rows)) for one in chosen)
        return _with_others(Columns(source, target, header=header, decided=BY_CHOICE), named, names, body)
    if named is not None:
        columns = Columns(named.source, named.target, header=header, decided=BY_NAMES)
        return _checked_order(_with_others(columns, named, names, body), named, body, pair)
    _refuse_other_columns(sheet, rows, pair)
    found = _by_words(sheet, body, pair)
    if header is None or header < 0:
        return found
    taken = translate("{place} is taken for the names of the columns: {names}.", place=rows[header].place,
                      names=", ".join(filter(None, rows[header].cells))[:80])  # fmt: skip
    return replace(found, header=header, remarks=(taken, *found.remarks))


def languages_apart(rows: Sequence[Row], pair: LanguagePair) -> float:
    """How far the two columns that differ most in language do, in nats a row; 0 where no list of either ships."""
    width = _usual_width(rows)
    rows = [row for row in rows if len(row.cells) == width][:LOOKED_AT]
    if width < 2 or not rows:
        return 0.0
    means = [leanings(_column(rows, i), *_codes(pair)).clip(-8, 8).mean() for i in range(min(width, 12))]
    return float(max(means) - min(means))


def _codes(pair: LanguagePair) -> tuple[str, str]:
    return pair.source.code, pair.target.code


def _header(sheet: Sheet, rows: Sequence[Row], pair: LanguagePair) -> tuple[int | None, NamedColumns | None]:
    """The number of the row that names the columns, and what it says; -1 where the format names them.

    Below rows of two cells or more only one that names both languages is a header; above it stand titles.
    """
    if sheet.header:
        return -1, named_columns(sheet.header, pair)
    for number, row in enumerate(rows[:HEADER_WITHIN]):
        named = named_columns(row.cells, pair) if len(row.cells) > 1 else None
        first = not any(_filled(above) > 1 for above in rows[:number])
        below = rows[number + 1 :]
        if named and (_recurs(row, below) <= 0.5 if named.strong else first and not _recurs(row, below)):
            return number, named
        if first and len(row.cells) > 1 and is_half_named(row.cells, pair) and not _recurs(row, below):
            return number, None
    return (0 if rows and len(rows) > 1 and is_nameless(rows[0].cells) else None), None


def _recurs(row: Row, below: Sequence[Row]) -> float:
    """In which part of the next rows a cell stands in its column again, as labels do and names of columns do not."""
    columns = [(i, cell.strip().lower()) for i, cell in enumerate(row.cells) if cell.strip()]
    below = below[:50]
    again = sum(any(_cell(other, i).strip().lower() == cell for i, cell in columns) for other in below)
    return again / max(len(below), 1)


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row.cells)


def _names(sheet: Sheet, rows: Sequence[Row], header: int | None) -> tuple[str, ...]:
    return sheet.header if header == -1 else rows[header].cells if header is not None else ()


def _width(rows: Sequence[Row]) -> int:
    return max((len(row.cells) for row in rows), default=0)


def _usual_width(rows: Sequence[Row]) -> int:
    """How many cells most rows have that have two or more."""
    counts = [len(row.cells) for row in rows if len(row.cells) > 1]
    return max(set(counts), key=lambda n: (counts.count(n), -n)) if counts else 0


def _by_choice(wanted: str, names: Sequence[str], width: int) -> int:
    """A column's number from 0, by its number from 1 or its name."""
    wanted = wanted.strip()
    lowered = [name.strip().lower() for name in names]
    if wanted.lower() in lowered:
        return lowered.index(wanted.lower())
    if wanted.isdecimal() and 1 <= int(wanted) <= max(width, len(names)):
        return int(wanted) - 1
    text = N_("There is no column {wanted!r}: choose a number from 1 to {most}, or a name ({names}).")
    raise ValueError(translate(text, wanted=wanted[:40], most=width, names=", ".join(filter(None, names)) or "–"))


def _with_others(columns: Columns, named: NamedColumns | None, names: Sequence[str], body: Sequence[Row]) -> Columns:
    """With the glosses, the topic, and the columns that are kept; those that are empty throughout are not."""
    sides = (columns.source, columns.target)
    glosses = tuple(i for i in (named.glosses if named else ()) if i not in sides)
    topic = named.topic if named and named.topic not in sides else None
    kept = tuple(
        (i, _column_name(i, names))
        for i in range(max(_width(body), len(names)))
        if i not in (*sides, *glosses, topic) and any(_cell(row, i).strip() for row in body)
    )
    return replace(columns, glosses=glosses, topic=topic, others=kept)


def _column_name(number: int, names: Sequence[str]) -> str:
    name = names[number].strip() if number < len(names) else ""
    return name or translate("column {number}", number=number + 1)


def _cell(row: Row, number: int) -> str:
    return row.cells[number] if number < len(row.cells) else ""


def _column(rows: Sequence[Row], number: int) -> list[str]:
    """A column's words, tidied as they are where they are read."""
    return [cleaned(_cell(row, number)).word for row in rows]


def _checked_order(columns: Columns, named: NamedColumns, body: Sequence[Row], pair: LanguagePair) -> Columns:
    """Named columns held against their words: which side is which where the names do not say, and what looks wrong."""
    source, target = _column(body, columns.source), _column(body, columns.target)
    found = sides(source, target, *_codes(pair))
    remarks = list(columns.remarks)
    _refuse_mixed_languages(named, body, pair)
    if named.further:
        remarks.append(translate("There are more columns of words beside the first two; they are not read."))
    if found.same and pair.source.code != pair.target.code:
        both = translate(language(found.same).name)
        remarks.append(translate("Both sides look like {language}: is this the right pair of columns?", language=both))
    elif found.order < 0 and named.ordered:
        text = N_("The sides look swapped: the column {name} holds words that look like {language}.")
        other = translate(pair.target.name)
        remarks.append(translate(text, name=columns.source + 1, language=other))
    if one := _sentences_against_words(source, target):
        remarks.append(one)
    swapped = found.order < 0 and not named.ordered
    first, second = (columns.target, columns.source) if swapped else (columns.source, columns.target)
    if swapped:
        remarks.append(_swap_sentence(pair, first, second))
    decided = columns.decided if named.ordered else BY_WORDS if found.order else BY_ORDER
    return replace(columns, source=first, target=second, decided=decided, agree=found.agree, remarks=tuple(remarks))


def _refuse_mixed_languages(named: NamedColumns, body: Sequence[Row], pair: LanguagePair) -> None:
    """Stop where a column says of each row which language it is in, and both are there."""
    for column, role in named.others.items():
        if role == "language" and {name_of(cell, pair).language for cell in _column(body, column)} >= {*SIDES}:
            text = N_("Each row is in one language, which column {n} names: set the two languages beside each other, "
                      "one pair a row.")  # fmt: skip
            raise ValueError(translate(text, n=column + 1))


def _swap_sentence(pair: LanguagePair, source: int, target: int) -> str:
    text = N_("{source} is read from column {a} and {target} from column {b}, as their words look.")
    names = [translate(name) for name in pair.names]
    return translate(text, source=names[0], target=names[1], a=source + 1, b=target + 1)


def _refuse_other_columns(sheet: Sheet, rows: Sequence[Row], pair: LanguagePair) -> None:
    """Stop where the first row names columns, and not two of words in the languages that are asked for."""
    cells = sheet.header or (rows[0].cells if rows else ())
    named = ", ".join(cell.strip() for cell in cells)[:80]
    codes = [other_language(cell, pair) for cell in cells]
    known = [code or (name_of(cell, pair).language and "–") for code, cell in zip(codes, cells, strict=True)]
    if any(codes) and len(set(filter(None, known))) > 1:
        text = N_("The columns are named {names}, and the list is asked for as {pair}: choose its languages.")
        raise ValueError(translate(text, names=named, pair=" – ".join(map(translate, pair.names))))
    names = [name_of(cell, pair) for cell in cells]
    roles = {name.role for name in names}
    if all(name.role and name.whole for name in names) and len(roles) > 1 and roles & {*ROLES}:
        text = N_("The columns are named {names}: none of these is known to hold {source} and {target} words. "
                  "Say which do.")  # fmt: skip
        source, target = map(translate, pair.names)
        raise ValueError(translate(text, names=named, source=source, target=target))


def _by_words(sheet: Sheet, rows: Sequence[Row], pair: LanguagePair) -> Columns:
    """Columns without names, by what stands in them."""
    width = _usual_width(rows)
    if width < 2 or (width > 2 and len(rows) < ENOUGH):
        # Too few to tell: each row is held to be two words, and says so where it is not.
        return Columns(0, 1, header=-1 if sheet.header else None)
    # A row that is there twice says nothing twice.
    whole = list({row.cells: row for row in rows if len(row.cells) == width}.values())
    called = [name_of(name, pair) for name in sheet.header]
    other = {i for i, name in enumerate(called) if name.role not in ("", *SIDES, *ROLES, "definition")}
    texts = [i for i in range(width) if i not in other and _holds_words(_column(whole, i))]
    header = -1 if sheet.header else None
    returning = [i for i in range(width) if i not in texts and _holds_words_again(_column(whole, i), pair)]
    if width == 2 and len(texts) == 1 and returning:
        found = _two_columns(0, 1, whole, pair, header, sheet.header)
        text = N_("Column {n} holds a word in several rows: each is read as another translation of it.")
        return replace(found, remarks=(*found.remarks, translate(text, n=returning[0] + 1)))
    if len(texts) < 2 and len(whole) >= ENOUGH:
        text = N_("This does not look like a list of {source} and {target} words: at most one column holds words that "
                  "differ from row to row.")  # fmt: skip
        source, target = map(translate, pair.names)
        raise ValueError(translate(text, source=source, target=target))
    if len(texts) < 2:
        # A few rows, of which nothing can be told: the order that people are asked to write in.
        texts = [i for i in range(width) if any(cell.strip() for cell in _column(whole, i))]
    if len(texts) == 2:
        return _two_columns(texts[0], texts[1], whole, pair, header, sheet.header)
    if len(texts) < 2:
        return Columns(0, 1, header=header)
    means = {i: float(leanings(_column(whole, i)[:LOOKED_AT], *_codes(pair)).clip(-8, 8).mean()) for i in texts}
    source, target = max(texts, key=means.__getitem__), min(texts, key=means.__getitem__)
    plain = [i for i in texts if _median_words(_column(whole, i)) < SENTENCE] or texts
    source = next((i for i in plain if means[i] > 1), source)
    target = next((i for i in plain if means[i] < -1), target)
    found = sides(_column(whole, source), _column(whole, target), *_codes(pair))
    if source == target or found.order <= 0:
        text = N_("There are {n} columns without names, and the words do not tell which hold {source} and {target}: "
                  "say which, or name the columns in the first line.")  # fmt: skip
        names = [translate(name) for name in pair.names]
        raise ValueError(translate(text, n=width, source=names[0], target=names[1]))
    text = N_("Of {n} columns with words, {a} and {b} are read, as their words look.")
    remarks = (translate(text, n=len(texts), a=source + 1, b=target + 1),)
    columns = Columns(source, target, header=header, decided=BY_WORDS, agree=found.agree, remarks=remarks)
    return _with_others(columns, None, sheet.header, whole)


def _two_columns(
    first: int, second: int, rows: Sequence[Row], pair: LanguagePair, header: int | None, names: Sequence[str]
) -> Columns:
    """Two columns of words: in the order of the pair, unless their words tell the other."""
    one, two = _column(rows, first), _column(rows, second)
    found = sides(one, two, *_codes(pair))
    if len(rows) < ENOUGH and _known_as_swapped(one, two, pair):
        found = Sides(-1)
    if found.same and pair.source.code != pair.target.code:
        text = N_("Both columns look like {language}, so this is no list of {source} and {target}: "
                  "choose other columns or other languages.")  # fmt: skip
        both, *asked = (translate(name) for name in (language(found.same).name, *pair.names))
        raise ValueError(translate(text, language=both, source=asked[0], target=asked[1]))
    if sentence := _sentences_against_words(one, two):
        raise ValueError(sentence)
    remarks = ()
    source, target = (second, first) if found.order < 0 else (first, second)
    if found.order < 0:
        remarks = (_swap_sentence(pair, source, target),)
    decided = BY_WORDS if found.order else BY_ORDER
    columns = Columns(source, target, header=header, decided=decided, agree=found.agree, remarks=remarks)
    return _with_others(columns, None, names, rows)


def _known_as_swapped(one: Sequence[str], two: Sequence[str], pair: LanguagePair) -> bool:
    """Whether the lexicon knows every word of a few rows, and as one of the other side only."""
    source, target = (set(words) for words in translations(pair.key))
    first, second = ({normalise(word) for word in column} for column in (one, two))
    return bool(first) and first <= target - source and second <= source - target


def _sentences_against_words(one: Sequence[str], two: Sequence[str]) -> str:
    """What to say where one side is words and the other sentences about them; empty for anything else."""
    if len(one) < 3:
        return ""
    lengths = [_median_words(column) for column in (one, two)]
    ended = [sum(cell.rstrip().endswith((".", "!", "?")) for cell in column) / len(column) for column in (one, two)]
    side = lengths.index(max(lengths))
    sentences = lengths[side] >= SENTENCE or (lengths[side] > WORDS and ended[side] > 0.75 and ended[1 - side] < 0.25)
    if not sentences or min(lengths) > WORDS:
        return ""
    text = N_("One side holds words and the other sentences, such as {example!r}: a word is compared with its "
              "translation, not with a definition or an example. Choose other columns.")  # fmt: skip
    return translate(text, example=max((one, two)[side], key=len)[:60])


def _median_words(cells: Sequence[str]) -> float:
    return median(len(cell.split()) for cell in cells) if cells else 0


def _holds_words(cells: Sequence[str]) -> bool:
    """Whether a column holds words that differ from row to row: no numbers, no few labels that return, not empty."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) * 2 < len(cells):
        return False
    if sum(is_no_word(cell) for cell in filled) * 2 > len(filled):
        return False
    if all(map(_is_part_of_speech, filled)):
        return False
    different = len(set(map(str.lower, filled)))
    return different * 2 > len(filled) if len(filled) > 3 else different > 1 or len(filled) == 1


def _holds_words_again(cells: Sequence[str], pair: LanguagePair) -> bool:
    """Whether a column holds words that return because each has several translations, and no labels."""
    words = {normalise(cell) for cell in cells if cell.strip()}
    if any(is_no_word(word) or name_of(word, pair).language or _is_part_of_speech(word) for word in words):
        return False
    return len(words) == 1 or len(words) * MOST_TRANSLATIONS >= len(cells)


def _is_part_of_speech(cell: str) -> bool:
    return bool(re.fullmatch(rf"(?:{PARTS_OF_SPEECH})\.?", cell, re.IGNORECASE))
