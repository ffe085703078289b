"""How much one request may ask of the model: tokens, whatever the number of words."""

from __future__ import annotations

from collections.abc import Sequence

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair

MAX_TOKENS = 120_000
"""Tokens of all words of a request: 5,000 ordinary pairs have half of it; two CPU cores take half a minute."""


def check_tokens(loaded: core.models.loaded_model.LoadedModel, *lists: Sequence[WordPair]) -> None:
    """Refuse lists that are too long, in the model's own tokens: an emoji may be ten of them.

    Raises:
        ValueError: together they have more than MAX_TOKENS.
    """
    words = {word for pairs in lists for pair in pairs for word in pair[:2]}
    found = sum(len(word.ids) for word in core.encoding.tokens.encode(loaded.tokenizer, sorted(words))) if words else 0
    if found > MAX_TOKENS:
        text = N_("The words have {n} tokens together, more than {most}, the most here: use fewer or shorter ones.")
        raise ValueError(translate(text, n=found, most=MAX_TOKENS))
