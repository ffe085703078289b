"""Words to token ids, each word alone with a prefix token in front, and batches of them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from tli_core.encoding.pooling import EncodedWord
from tli_core.i18n import translate
from tli_core.models.tokenizer import prefix_of

MAX_BATCH_TOKENS = 8192
"""Tokens in one forward pass: enough to fill two CPU cores or a GPU, little enough to stay in megabytes."""


def encode(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[EncodedWord]:
    """Tokenise each word alone, with a prefix token in front: the tokenizer's own, or as `prefix_of` says.

    Raises:
        ValueError: a word gives no token of its own; the message names it.
    """
    batch = tokenizer(list(words), return_special_tokens_mask=True, split_special_tokens=True)
    prefix = prefix_of(tokenizer)
    ids_before = (prefix.id,) if prefix.added and prefix.id is not None else ()
    special_before = (True,) * len(ids_before)
    encoded = [
        EncodedWord((*ids_before, *ids), (*special_before, *map(bool, special)))
        for ids, special in zip(batch["input_ids"], batch["special_tokens_mask"], strict=True)
    ]
    for word, tokens in zip(words, encoded, strict=True):
        if all(tokens.special):
            raise ValueError(translate("The tokenizer makes no token of {word!r}: leave it out.", word=word))
    return encoded


def subwords(tokenizer: PreTrainedTokenizerBase, word: str) -> tuple[str, ...]:
    """The pieces that the tokenizer makes of a word, as text, special tokens left out."""
    (encoded,) = encode(tokenizer, [word])
    own = [token for token, special in zip(encoded.ids, encoded.special, strict=True) if not special]
    return tuple(str(tokenizer.decode([token])) for token in own)


def padded_ids(words: Sequence[EncodedWord]) -> Tensor:
    """Token ids (n, t), padded on the right with 0.

    Attention is causal, so no real token sees the padding and no mask is needed; pooling gives it weight 0.
    """
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(word.ids) for word in words], batch_first=True)


def length_batches(words: Sequence[EncodedWord], max_tokens: int = MAX_BATCH_TOKENS) -> list[list[int]]:
    """Indices of words in batches of one length, so that nothing is padded.

    Args:
        max_tokens: the most tokens in one batch.
    """
    by_length: dict[int, list[int]] = {}
    for index, word in enumerate(words):
        by_length.setdefault(len(word.ids), []).append(index)
    batches = []
    for length, indices in sorted(by_length.items(), reverse=True):
        size = max(1, max_tokens // length)
        batches += [indices[i : i + size] for i in range(0, len(indices), size)]
    return batches
