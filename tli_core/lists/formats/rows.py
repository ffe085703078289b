"""Rows of a table as pairs: each cell tidied, and a sentence for every row that holds none."""

import re
from dataclasses import dataclass, replace

from tli_core.i18n import N_, translate, translate_plural
from tli_core.lists.formats.cleaning import BREAK, NUMBERS, cleaned, decoded_again, is_no_word, without_bullet
from tli_core.lists.formats.columns import BY_CHOICE, Columns
from tli_core.lists.formats.headers import is_called, may_name_languages, named_columns
from tli_core.lists.formats.separated import SEPARATORS
from tli_core.lists.formats.sheet import Row, Sheet
from tli_core.lists.language_pair import LanguagePair
from tli_core.lists.pairs import WordPair, normalise

MAX_WORD_LENGTH = 120
"""Characters a side: long enough for a proverb, short enough that nobody scores a page of text as a word."""


COMMA = ","
"""What to advise where a list has no separator that could be told."""


@dataclass(frozen=True)
class Change:
    """A cell that was tidied: where, what it was, what it is, and the names of what was done."""

    place: str
    before: str
    after: str
    kinds: tuple[str, ...]


class RowReader:
    """Turns rows into pairs, and keeps account of what was left out, repeated and tidied."""

    def __init__(self, sheet: Sheet, columns: Columns, pair: LanguagePair):
        self.sheet, self.columns, self.pair = sheet, columns, pair
        self.pairs: list[WordPair] = []
        self.extras: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.unread: list[str] = []
        self.changes: list[Change] = []
        self.header: tuple[str, ...] = ()
        self.line_breaks = self.behind = self.broken = 0
        self.seen: dict[tuple[str, str], tuple[str, int]] = {}
        sides = (columns.source, columns.target)
        self.numbered = {side for side in sides if self._is_numbered(side)}
        self.one_separator = self._keeps_to_one_separator()
        naming = {row.place for row in sheet.rows if may_name_languages(row.cells, pair)}
        # Where many rows name languages, these are what each row says of itself.
        keep = columns.decided == BY_CHOICE or len(naming) > max(3, len(sheet.rows) // 10)
        self.may_name_columns = frozenset() if keep else naming

    def remarks(self) -> tuple[str, ...]:
        """What people should look at in rows that were taken."""
        said = {
            translate_plural(
                "{n} cell holds a line break, which is read as a space: write ; between glosses.",
                "{n} cells hold line breaks, which are read as spaces: write ; between glosses.",
                self.line_breaks,
            ): self.line_breaks,
            translate_plural(
                "In {n} row what stands behind the second column is read as further glosses.",
                "In {n} rows what stands behind the second column is read as further glosses.",
                self.behind,
            ): self.behind,
            translate_plural(
                "{n} pair holds letters that were read in the wrong encoding: Word lists mends them.",
                "{n} pairs hold letters that were read in the wrong encoding: Word lists mends them.",
                self.broken,
            ): self.broken,
        }
        return tuple(sentence for sentence, count in said.items() if count)

    def skip(self, row: Row, problem: str) -> None:
        """Leave a row out, and say why."""
        self.warnings.append(f"{row.place}: {problem}")
        self.unread.append(row.came)

    def add(self, row: Row) -> None:
        """Take a row's pair, or say why there is none."""
        if not row.problem and not any(cell.strip() for cell in row.cells):
            return
        if self._names_columns(row):
            return
        if self._is_example(row):
            self.skip(row, translate("is an example or a note, by its first word."))
            return
        pair, problem, changes = self._pair(row)
        if pair is None:
            self.skip(row, problem)
            return
        self.changes += changes
        key = normalise(pair.source), normalise(pair.target)
        if key in self.seen:
            place, at = self.seen[key]
            text = N_("repeats {place} ({source}, {target}); it is counted once.")
            again = translate(text, place=place.lower(), source=pair.source, target=pair.target)
            self.warnings.append(f"{row.place}: {again}")
            first = self.pairs[at]
            glosses = tuple(dict.fromkeys((*first.glosses, *pair.glosses)))
            self.pairs[at] = first._replace(topic=first.topic or pair.topic, glosses=glosses)
            return
        self.seen[key] = row.place, len(self.pairs)
        self.pairs.append(pair)
        if self.columns.others:
            self.extras.append({name: " ".join(self._cell(row, i).split()) for i, name in self.columns.others})

    def _is_example(self, row: Row) -> bool:
        """Whether a line without a header begins with a word such as Mfano, before the sign that separates."""
        if row.problem or self.columns.header is not None or len(row.cells) != 2:
            return False
        return " " in row.cells[1].strip() and is_called(row.cells[0], "example", "note")

    def _names_columns(self, row: Row) -> bool:
        """Whether a row names the columns again; where it names them in another order, that holds from here on."""
        if row.problem or max(map(len, row.cells), default=0) > MAX_WORD_LENGTH:
            return False
        if self.header and [*map(normalise, row.cells)] == [*map(normalise, self.header)]:
            self.skip(row, translate("repeats the names of the columns."))
            return True
        if row.place not in self.may_name_columns:
            return False
        named = named_columns(row.cells, self.pair)
        if named is None or not named.strong:
            return False
        self.columns = replace(self.columns, source=named.source, target=named.target)
        self.header = row.cells
        self.skip(row, translate("names the columns again; from here on they are read as it says."))
        return True

    def _cell(self, row: Row, number: int) -> str:
        return row.cells[number] if number < len(row.cells) else ""

    def _keeps_to_one_separator(self) -> bool:
        """Whether lines without a header mostly hold no second sign that may separate, so that one that does is odd."""
        if self.sheet.separator not in (",", ":") or self.columns.header is not None:
            return False
        rows = [row for row in self.sheet.rows if not row.problem]
        return sum(_second_separator(row) != "" for row in rows) * 2 < len(rows)

    def _is_numbered(self, side: int) -> bool:
        """Whether at least half of a side's cells, and two, begin with the number or bullet of a list."""
        cells = [cell for row in self.sheet.rows if (cell := self._cell(row, side)).strip()]
        items = sum(without_bullet(cell) != cell for cell in cells)
        return items > 1 and items * 2 >= len(cells)

    def _pair(self, row: Row) -> tuple[WordPair | None, str, list[Change]]:
        """The pair a row holds, or None and the sentence that says why not; and what was tidied."""
        if row.problem:
            return None, row.problem, []
        if problem := self._wrong_width(row):
            return None, problem, []
        changes: list[Change] = []
        words = []
        for side in (self.columns.source, self.columns.target):
            cell = self._cell(row, side)
            bare = without_bullet(cell) if side in self.numbered else cell
            word, kinds = cleaned(bare)
            numbered = bare != cell or (side == self.columns.source and row.place in self.sheet.numbered)
            kinds = (*kinds, NUMBERS) if numbered else kinds
            if kinds:
                changes.append(Change(row.place, cell.strip(), word, kinds))
            words.append(word)
            self.line_breaks += "\n" in cell.strip() or bool(BREAK.search(cell))
        source, (target, *more) = words[0], [cleaned(part).word for part in words[1].split(";")]
        for language, word in zip(self.pair.names, (source, target), strict=True):
            if problem := _wrong_word(word, translate(language), f'"{self.pair.example}"'):
                return None, problem, []
        for number in self.columns.glosses:
            more += cleaned(self._cell(row, number)).word.split(";")
        if self.sheet.separator == ";" and self.columns.header is None and not self.columns.others:
            behind = [cell for cell in row.cells[2:] if cell.strip()]
            self.behind += bool(behind)
            more += behind
        self.broken += any(decoded_again(word) != word for word in (source, target))
        topic = row.topic if self.columns.topic is None else self._cell(row, self.columns.topic) or row.topic
        topic = cleaned(topic).word
        if len(topic) > MAX_WORD_LENGTH:
            text = N_("the topic has {n} characters; shorten it to {most}.")
            return None, translate(text, n=len(topic), most=MAX_WORD_LENGTH), []
        found = (cleaned(gloss).word for gloss in more)
        glosses = tuple(gloss for gloss in found if gloss and len(gloss) <= MAX_WORD_LENGTH)
        return WordPair(source, target, glosses, topic), "", changes

    def _wrong_width(self, row: Row) -> str:
        """What is wrong with the number of a row's cells; empty where the pair is there."""
        filled = len(row.cells)
        while filled and not row.cells[filled - 1].strip():
            filled -= 1
        needed = max(self.columns.source, self.columns.target) + 1
        if len(row.cells) < needed:
            if len(row.cells) < 2 and self.columns.header is None and self.sheet.separator:
                text = N_("expected two words, such as {example}, got {found!r}; put a {separator} between the two.")
                separator = translate(SEPARATORS[self.sheet.separator or COMMA].label)
                example = f'"{self.pair.example}"'
                return translate(text, example=example, found=row.came.strip()[:60], separator=separator)
            text = N_("expected at least {n} columns, got {found!r}.")
            return translate(text, n=needed, found=row.came[:60])
        listed_glosses = self.sheet.separator == ";"
        if self.columns.header is None and not self.columns.others and filled > needed and not listed_glosses:
            text = N_("expected two columns, got {n}; put quotes round a side that holds a {separator}.")
            return translate(text, n=filled, separator=translate(SEPARATORS[self.sheet.separator or COMMA].label))
        separator = SEPARATORS.get(self.sheet.separator)
        if separator and separator.pattern and re.search(separator.pattern, row.cells[1].strip()):
            text = N_("holds a {separator} more than once: leave the one between the two sides.")
            return translate(text, separator=translate(separator.label))
        if self.one_separator and (mark := _second_separator(row)):
            text = N_("holds {mark} beside the {separator} of the list: write it like the other lines.")
            return translate(text, mark=mark, separator=translate(SEPARATORS[self.sheet.separator].label))
        return ""


def _second_separator(row: Row) -> str:
    """A sign in a row that separates in other lists, where the row puts nothing into quotes; empty without one."""
    found = None if '"' in row.came else re.search(r"\t|->|=>|→|=|\s[-–—]\s", row.came)
    return found.group().strip() or translate("tab") if found else ""


def single_word(text: str) -> str:
    """A word that comes alone, cleaned as those of pairs are.

    Raises:
        ValueError: it is empty, or longer than a word of a pair may be.
    """
    word = cleaned(text).word
    if not word:
        raise ValueError(translate("The word is empty: type one."))
    if len(word) > MAX_WORD_LENGTH:
        text = N_("The word has {n} characters: shorten it to {most}.")
        raise ValueError(translate(text, n=len(word), most=MAX_WORD_LENGTH))
    return word


def _wrong_word(word: str, side: str, example: str) -> str:
    """What is wrong with a word; empty where nothing is."""
    if not word:
        return translate("the {side} side is empty; write both, such as {example}.", side=side, example=example)
    if word.startswith('"') and word.count('"') == 1:
        return translate("the {side} side begins with a quote that does not end: {word!r}.", side=side, word=word[:40])
    if is_no_word(word):
        return translate("the {side} side holds no word: {word!r}.", side=side, word=word[:40])
    if len(word) > MAX_WORD_LENGTH:
        text = N_("the {side} side has {n} characters; shorten it to {most}.")
        return translate(text, side=side, n=len(word), most=MAX_WORD_LENGTH)
    return ""
