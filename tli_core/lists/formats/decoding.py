"""The bytes of a file as text: by its byte order mark, as UTF-8, or by a guess that is named."""

import codecs
import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from charset_normalizer import from_bytes

from tli_core.i18n import N_, translate

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

ENCODINGS = (
    "utf-8",
    "utf-16",
    "cp1252",
    "mac_roman",
    "cp1250",
    "cp1251",
    "cp1254",
    "cp1256",
    "cp850",
    "iso8859_15",
    "koi8_r",
    "gb18030",
    "shift_jis",
)
"""What a visitor may choose instead, by Python's names."""

NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1252": "Windows-1252 (Western Europe)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp850": "DOS 850 (Western Europe)",
    "iso8859_15": "ISO 8859-15 (Western Europe)",
    "koi8_r": "KOI8-R (Cyrillic)",
    "mac_roman": "Mac Roman",
    "gb18030": "GB 18030 (Chinese)",
    "shift_jis": "Shift JIS (Japanese)",
}

WESTERN = ("cp1252", "mac_roman", "cp850")
"""Tried first: short texts with a few letters above ASCII fit dozens of encodings, and these are what office programs
wrote where most Latin text comes from."""

LETTERS = "àâäáãåæçèéêëìíîïñòóôöõøœùúûüýÿßšžđŋɓɗƙ’‘“”–—…«»·°¿¡£€©®ª"
"""What text of Western Europe and much of Africa holds above ASCII."""


@dataclass(frozen=True)
class Decoded:
    """A text and the encoding it was in, by Python's name. guessed: nothing in the file says so."""

    text: str
    encoding: str
    guessed: bool = False


def encoding_name(encoding: str) -> str:
    """An encoding as people know it."""
    return NAMES.get(encoding, encoding.replace("_", "-").upper())


SCRIPTS = {
    "Arab": ("ARABIC", ("cp1256", "iso8859_6")),
    "Cyrl": ("CYRILLIC", ("cp1251", "koi8_r", "iso8859_5")),
    "Grek": ("GREEK", ("cp1253",)),
    "Hebr": ("HEBREW", ("cp1255",)),
}
"""How Unicode's names of a script's letters begin, and the encodings of one byte a letter that hold them."""


def script_of(code: str) -> str:
    """The script that a language is usually written in, by its four letters; Latn where that is not known."""
    try:
        # Here, as machines that only measure and train may lack Babel.
        from babel.core import get_global
    except ImportError:
        return "Latn"
    likely = get_global("likely_subtags").get(code, "")
    return likely.split("_")[1] if likely.count("_") > 1 else "Latn"


def decode(data: bytes, encoding: str | None = None, languages: Sequence[str] = ()) -> Decoded:
    """The text of a file's bytes.

    Args:
        encoding: what it is in; None to find out.
        languages: the codes of those that it is in, whose letters a guess looks for.

    Raises:
        ValueError: it is no text, is in more than one encoding, or is not in the one that was named.
    """
    if encoding:
        return Decoded(_as_named(data, encoding), encoding)
    for mark, marked in MARKS:
        if data.startswith(mark):
            return Decoded(_as_named(data, marked), marked)
    if wide := _wide(data):
        return Decoded(_as_named(data, wide), wide, guessed=True)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        good = sum(character > "\x7f" for character in data.decode("utf-8", errors="ignore"))
        bad = data.decode("utf-8", errors="replace").count("\ufffd")
        if good >= bad:
            line = data[: error.start].count(b"\n") + 1
            text = N_("Most of the text is UTF-8, but line {line} is not: write that line again, or save all as UTF-8.")
            raise ValueError(translate(text, line=line)) from error
    return _guessed(data, [script_of(code) for code in languages])


def _as_named(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        text = N_("The text is not in the encoding {encoding}: choose another.")
        raise ValueError(translate(text, encoding=encoding_name(encoding))) from error


def _wide(data: bytes) -> str:
    """UTF-16 without a mark, known by the zero bytes beside Latin letters; empty for anything else."""
    head = data[:4000]
    if len(head) < 4 or len(data) % 2:
        return ""
    even, odd = head[0::2].count(0) / len(head[0::2]), head[1::2].count(0) / len(head[1::2])
    if max(even, odd) > 0.4 and min(even, odd) < 0.1:
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _guessed(data: bytes, scripts: Sequence[str]) -> Decoded:
    """Text in an older encoding: one that holds only letters of these scripts, or the library's best guess."""
    for script in scripts:
        name, encodings = SCRIPTS.get(script, ("", ()))
        for encoding in encodings:
            text = data.decode(encoding, errors="replace")
            above = [letter for letter in text if letter > "\x7f" and letter not in LETTERS[-20:]]
            # Of two encodings of one script the wrong one gives capitals for small letters.
            small = sum(letter.isupper() for letter in above) * 2 <= len(above)
            if small and all(unicodedata.name(letter, "").startswith(name) for letter in above):
                return Decoded(text, encoding, guessed=True)
    for encoding in WESTERN if set(scripts) <= {"Latn"} else ():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        above = [character for character in text if character > "\x7f"]
        if all(character.lower() in LETTERS for character in above) and not _oddly_placed(text):
            return Decoded(text, encoding, guessed=True)
    best = from_bytes(data).best()
    if best is None:
        raise ValueError(translate("This is no text in any encoding that is known here: save it again as UTF-8."))
    return Decoded(str(best), best.encoding, guessed=True)


def _oddly_placed(text: str) -> bool:
    """Whether capitals or signs stand where a word goes on in small letters: then the encoding is another one."""
    return any(
        after > "\x7f" and before.islower() and (after.isupper() or after in "“…€£©®ª°¿¡«»·")
        for before, after in itertools.pairwise(text)
    )
