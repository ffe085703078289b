"""Pairs as text that is read back as it is."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from tli_core.lists.formats.cleaning import cleaned, without_bullet
from tli_core.lists.formats.separated import TOPIC
from tli_core.lists.pairs import WordPair

PLAIN = re.compile(r'[,=":;|→⇒–—\t#]|\s-+\s|->|=>|\s/\s|\s\s')
"""What a side may not hold where a comma stands between the two."""


def format_pairs(
    pairs: Iterable[WordPair],
    unread: Iterable[str] = (),
    extras: Sequence[Mapping[str, str]] = (),
    with_header: bool = False,
) -> str:
    """The pairs as lines that `parse_pairs` reads back as they are.

    Commas stand between the sides; where any side holds a sign that may separate, or there are further columns, it is a
    table with tabs and a header instead. A heading stands above pairs of another topic than those before them.

    Args:
        unread: lines of a `PairList` that could not be read, to follow as they came, for people to mend.
        extras: further columns of each pair, by their names.
        with_header: name the sides, so that they hold whatever their words look like.
    """
    pairs, unread = list(pairs), list(unread)
    sides = [side for pair in pairs for side in pair[:2]]
    if with_header or extras or any(PLAIN.search(side) or without_bullet(side) != side for side in sides):
        lines = _table(pairs, extras)
    else:
        lines = [f"{pair.source}, {'; '.join(pair.accepted)}" for pair in pairs]
    written, topic = [], ""
    if len(lines) > len(pairs):
        written.append(lines.pop(0))
    for pair, line in zip(pairs, lines, strict=True):
        own = cleaned(pair.topic).word
        if own != topic:
            topic = own
            written.append(f"# {TOPIC}: {topic}".strip())
        written.append(line)
    # What is mended there is of no topic that is known.
    closing = [f"# {TOPIC}:"] if topic and unread else []
    return "\n".join((*written, *closing, *unread))


def _table(pairs: Sequence[WordPair], extras: Sequence[Mapping[str, str]]) -> list[str]:
    """A header and a line for each pair, with tabs between the cells."""
    names = list(dict.fromkeys(name for extra in extras for name in extra))
    out = []
    rows = [
        [pair.source, "; ".join(pair.accepted), *(extra.get(name, "") for name in names)]
        for pair, extra in zip(pairs, extras or [{}] * len(pairs), strict=True)
    ]
    for row in [["source", "target", *names], *rows]:
        line = io.StringIO()
        csv.writer(line, delimiter="\t", lineterminator="").writerow(row)
        written = line.getvalue()
        # A line that begins with # is a remark.
        out.append(f'"{row[0]}"{written.removeprefix(row[0])}' if written.startswith("#") else written)
    return out
