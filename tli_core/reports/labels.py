"""How pairs are written as labels of charts. No drawing library is needed for it."""

from collections.abc import Sequence

from tli_core.lists.pairs import WordPair


def pair_words(pair: WordPair) -> str:
    """A pair as a label."""
    return plain_label(f"{pair.source} – {pair.target}")


def number_of(pairs: Sequence[WordPair], words: str) -> int | None:
    """The number of a picked pair in a list, by its words as a label; None where it is not in it."""
    return next((i for i, pair in enumerate(pairs) if words and pair_words(pair) == words), None)


def plain_label(text: str) -> str:
    """`<` opens a tag in Plotly's own small markup; a word must stay a word."""
    return text.replace("<", "&lt;")
