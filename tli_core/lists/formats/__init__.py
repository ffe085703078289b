"""Files and texts of pairs as people have them, read whole, with a sentence for every line that cannot be.

One file a format; `decoding` turns bytes into text, `columns` says which column is which, `cleaning` tidies a cell,
`importing` puts these together, and `writing` writes lists that are read back as they are.
"""

from pathlib import Path

from tli_core.lists.formats.importing import (
    ImportChoices,
    ListImport,
    PairList,
    import_file,
    import_text,
)
from tli_core.lists.formats.rows import MAX_WORD_LENGTH, single_word
from tli_core.lists.formats.writing import format_pairs
from tli_core.lists.language_pair import DEFAULT

__all__ = [
    "MAX_WORD_LENGTH",
    "ImportChoices",
    "ListImport",
    "PairList",
    "format_pairs",
    "import_file",
    "import_text",
    "parse_pairs",
    "read_pairs",
    "single_word",
]


def read_pairs(path: str | Path, languages: str = DEFAULT, choices: ImportChoices | None = None) -> PairList:
    """Read a file of pairs: text with any separator, JSON, Excel, exports of Anki and Quizlet, tables of CLDF and
    Markdown; in any encoding that can be told.

    Args:
        languages: the codes of the list's two languages.
        choices: what would otherwise be found out; None to find out all.

    Raises:
        ValueError: the file is missing, too large, holds no pair, or must be told apart first; the message says which.
    """
    return _listed(import_file(path, languages, choices))


def parse_pairs(text: str, languages: str = DEFAULT, choices: ImportChoices | None = None) -> PairList:
    """Read pairs from a text: the published JSON, CSV or TSV with or without a header, or one pair a line.

    One separator and one choice of columns hold for the whole text. Further glosses follow the target after `;`. Blank
    lines and lines that start with `#` are ignored, but for `# topic: food`, which says what the pairs below it are
    about; in CSV, TSV and JSON `topic` is a name. Bad lines are reported in `warnings` with their number and the
    remedy, and the rest is kept.

    Raises:
        ValueError: the text is too long, no line of it holds a pair, or its columns must be told apart first.
    """
    return _listed(import_text(text, languages, choices))


def _listed(found: ListImport) -> PairList:
    if found.problem:
        raise ValueError(found.problem)
    pairs = found.listed
    return PairList(pairs.pairs, (*found.remarks, *pairs.warnings), pairs.unread, pairs.extras)
