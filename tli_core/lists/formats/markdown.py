"""Tables of Markdown."""

import itertools
import re
from collections.abc import Sequence

from tli_core.lists.formats.sheet import Row, Sheet, line_place

RULE = re.compile(r"\|?:?-+:?(?:\|:?-+:?)*\|?")
"""The line between a table's header and its body."""


def is_table(lines: Sequence[str]) -> bool:
    """Whether there is a line of cells with a rule below it."""
    return any("|" in head and _is_rule(line) for head, line in itertools.pairwise(lines))


def _is_rule(line: str) -> bool:
    return "|" in line and "-" in line and RULE.fullmatch("".join(line.split())) is not None


def read_table(lines: Sequence[str]) -> Sheet:
    """All tables of a text below each other; what stands between them is text and no row."""
    rows = []
    for number, line in enumerate(lines, 1):
        if "|" not in line or _is_rule(line):
            continue
        inner = line.strip().removeprefix("|")
        inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
        cells = tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner))
        rows.append(Row(line_place(number), line, cells))
    return Sheet("markdown", tuple(rows), "|")
