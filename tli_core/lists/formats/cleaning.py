"""A cell as it came, as the word that is shown and measured; and what was done to it, by name."""

import html
import re
import unicodedata
from typing import NamedTuple

from tli_core.i18n import N_
from tli_core.lists.pairs import APOSTROPHES, normalise

HIDDEN = N_("hidden characters")
HTML = N_("HTML")
APOSTROPHE = N_("apostrophes")
QUOTES = N_("quotes around a word")
NUMBERS = N_("list numbers and bullets")
MARKS = N_("marks of Markdown or Anki")
UNICODE = N_("Unicode form")

JOINERS = "\u200c\u200d"
"""What separates or joins letters. Persian, the scripts of India and emoji need them; between Latin letters they are
left from a web page."""

PAIRED_QUOTES = ('""', "“”", "„“", "”“", "«»", "»«", "‘’", "‚‘", "''", "‹›", "``")
TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|code|div|em|font|h[1-6]|hr|i|img|li|mark|ol|p|s|small|span|strong|sub|sup|"
    r"table|tbody|td|th|tr|tt|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)
BREAK = re.compile(r"(?<=.)<(?:br|div|p|li)\b", re.IGNORECASE)
"""What begins another line inside a cell of HTML."""

_SIGN = r"[-*+–—•‣◦·▪●○✓✔✗✅★☆➢➤➡👉☞§◆■□☐☑>]\ufe0f?|o(?=\t)"
_NUMBER = r"\d\ufe0f?\u20e3|\[\d{1,5}\]|#?\(?\d{1,5}[.)\]]|#\d{1,5}|\(?(?:[ivxIVX]{1,5}|[a-zA-Z])[.)]"
_GAP = r"(?:[ \u00a0]+|\t(?![^\t]*\t))"
# A tab is part of it only where no other follows: before two columns a number is a column of its own.
BULLET = re.compile(
    rf"^\s*(?:(?:{_SIGN}|{_NUMBER})(?: +\[[ xX]\])?{_GAP}|\[[ xX]\] +|\d{{1,5}}[.)](?=[^\W\d])|\d{{1,5}} +(?=[^\W\d]))"
)
"""The beginning of an item of a list. A hyphen with no space after it begins a stem."""

ANKI = (re.compile(r"\[sound:[^\]]*\]"), re.compile(r"\{\{c\d+::(.*?)(?:::[^}]*)?\}\}"))
EMPHASIS = re.compile(r"^(\*\*|__|\*|_|`)(?=\S)(.+?)(?<=\S)\1$")


PARTS_OF_SPEECH = (
    "n|nn|noun|propn|nom|nm|v|vb|vt|vi|v[.]t|v[.]i|verb|adj|adjective|adv|adverb|prep|conj|pron|interj|intj|num|det|adp|"
    "aux|phr|pl|sg|sing|nomino|kitenzi|kivumishi|kielezi|kihusishi|kiunganishi|kt|kv|kl|kh|kiw"
)
"""As dictionaries of English and Swahili shorten them, in a pattern."""

NO_WORDS = frozenset(
    ("#n/a", "#name?", "#ref!", "#value!", "#div/0!", "#num!", "#null!", "n/a", "<na>", "null", "nan", "nil", "tbd")
)
"""What spreadsheets and people write where a word is missing. `none` is a word."""

FORMULA = re.compile(r"=[A-Za-z][\w.]*\(|[=+@-][A-Za-z]+\|")
"""The beginning of a formula that a spreadsheet wrote instead of its value."""

MOST_TIDIED = 1_000
"""Characters of a cell: a longer one is no word, and is not looked at further."""


class Cleaned(NamedTuple):
    """A word without what is no part of it, and the names of what was taken off or made alike."""

    word: str
    changes: tuple[str, ...] = ()


def cleaned(cell: str) -> Cleaned:
    """The word that a cell holds. Spaces that it does not need go without a mention."""
    if cell.isascii() and cell.isalnum():
        return Cleaned(cell)
    if len(cell) > MOST_TIDIED:
        return Cleaned(" ".join(cell.split()))
    changes: list[str] = []

    def after(now: str, name: str, before: str) -> str:
        if now != before and name not in changes:
            changes.append(name)
        return now

    word = after(unicodedata.normalize("NFC", cell), UNICODE, cell)
    if "&" in word or "<" in word:
        # Tags first: an entity that stands for < begins none.
        word = after(html.unescape(TAG.sub(" ", word)), HTML, word)
    if "[sound:" in word or "{{c" in word:
        word = after(ANKI[1].sub(r"\1", ANKI[0].sub(" ", word)), MARKS, word)
    word = after(_without_format_characters(word), HIDDEN, word)
    plain = " ".join(word.split())
    shown = "".join(c for c in plain if unicodedata.category(c)[0] != "C" or c in JOINERS)
    word = after(shown.strip(), HIDDEN, plain)
    word = after(EMPHASIS.sub(r"\2", word), MARKS, word)
    word = after(_without_quotes(word), QUOTES, word)
    word = after(word.translate(APOSTROPHES), APOSTROPHE, word)
    return Cleaned(word, tuple(changes))


def decoded_again(word: str) -> str:
    """Letters that were saved in UTF-8 and opened as Windows-1252 put right: `cafÃ©` is café."""
    if not re.search(r"[ÃÂâðÅÄ][\u0080-\u00ff€‚„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œž]", word):
        return word
    try:
        return word.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return word


def is_no_word(word: str) -> bool:
    """Whether this stands where a word is missing: a placeholder, a formula, an address, or only signs and numbers."""
    if normalise(word) in NO_WORDS or FORMULA.match(word) or "://" in word:
        return True
    return all(unicodedata.category(letter)[0] in "NPZ" or letter in "=+<>|^~$€£`" for letter in word)


def without_bullet(text: str) -> str:
    """A line or a cell without the number, letter or sign that begins an item of a list."""
    rest = BULLET.sub("", text)
    return rest if rest.strip() else text


def _without_format_characters(word: str) -> str:
    """Soft hyphens, zero-width spaces, marks of direction and the like taken out of a word."""
    if word.isascii():
        return word
    kept = []
    for at, character in enumerate(word):
        if unicodedata.category(character) == "Cf" and not (
            character in JOINERS and 0 < at < len(word) - 1 and not _is_latin(word[at - 1] + word[at + 1])
        ):
            continue
        kept.append(character)
    return "".join(kept)


def _is_latin(letters: str) -> bool:
    return any(letter.isspace() or unicodedata.name(letter, "").startswith("LATIN") for letter in letters)


def _without_quotes(word: str) -> str:
    """A word without the pairs of quotes around all of it."""
    # An apostrophe between letters is no quote: 'ng'ombe'.
    inner = re.sub(r"(?<=\w)['’](?=\w)", "", word[1:-1])
    while len(word) > 2 and word[0] + word[-1] in PAIRED_QUOTES and not set(inner) & {word[0], word[-1]}:
        word = word[1:-1].strip()
        inner = word[1:-1]
    return word
