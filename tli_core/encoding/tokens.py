"""Words to token ids, each word alone with a prefix token in front, and batches of them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from tli_core.encoding.pooling import EncodedWord
from tli_core.encoding.readouts import ALONE, FRAMED, SPACED, Readout
from tli_core.i18n import N_, translate
from tli_core.models.tokenizer import prefix_of

MAX_BATCH_TOKENS = 8192
"""Tokens in one forward pass: enough to fill two CPU cores or a GPU, little enough to stay in megabytes."""


def encode(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[EncodedWord]:
    """Tokenise each word alone, with a prefix token in front: the tokenizer's own, or as `prefix_of` says.

    Raises:
        ValueError: a word gives no token of its own; the message names it.
    """
    batch = tokenizer(list(words), return_special_tokens_mask=True, split_special_tokens=True)
    masks = [list(map(bool, mask)) for mask in batch["special_tokens_mask"]]
    return _with_prefix(tokenizer, words, batch["input_ids"], masks)


def encode_within(
    tokenizer: PreTrainedTokenizerBase, words: Sequence[str], before: str, after: str
) -> list[EncodedWord]:
    """Tokenise each word between two texts; every token that has no letter of the word is marked special.

    Raises:
        ValueError: a word gives no token, or the tokenizer does not tell where its tokens lie in a text.
    """
    if not tokenizer.is_fast:
        text = N_("The tokenizer of {name} does not tell which tokens a word has in a sentence: read words alone.")
        raise ValueError(translate(text, name=tokenizer.name_or_path))
    texts = [before + word + after for word in words]
    batch = tokenizer(texts, split_special_tokens=True, return_offsets_mapping=True)
    # A token covers letters [begin, end) of its text; a special one covers none.
    masks = [
        [not (begin < len(before) + len(word) and end > len(before) and begin < end) for begin, end in offsets]
        for word, offsets in zip(words, batch["offset_mapping"], strict=True)
    ]
    return _with_prefix(tokenizer, words, batch["input_ids"], masks)


def encode_in(
    tokenizer: PreTrainedTokenizerBase, words: Sequence[str], readout: Readout, text: str = "{word}"
) -> list[EncodedWord]:
    """Tokenise each word in a text of a readout's kind; tokens that are not the word's own are marked special.

    Args:
        text: one of `readouts.texts_of`.

    Raises:
        ValueError: a word gives no token of its own, or the tokenizer does not tell where its tokens lie in a text.
    """
    if not words:
        return []
    if readout.text == ALONE:
        return encode(tokenizer, words)
    if readout.text == SPACED:
        space = text_space(tokenizer)
        return encode(tokenizer, [space + word for word in words])
    before, _, after = text.partition("{word}")
    encoded = encode_within(tokenizer, words, before, after)
    # No token sees those after it: what stands behind a word is needed only to tell which tokens are its own.
    return [_upto_own(word) for word in encoded] if readout.text == FRAMED else encoded


def _upto_own(word: EncodedWord) -> EncodedWord:
    """A word's tokens and those before them."""
    end = len(word.ids) - word.special[::-1].index(False)
    return EncodedWord(word.ids[:end], word.special[:end])


def _with_prefix(
    tokenizer: PreTrainedTokenizerBase,
    words: Sequence[str],
    ids: Sequence[Sequence[int]],
    special: Sequence[Sequence[bool]],
) -> list[EncodedWord]:
    """The words with a prefix token in front, where the tokenizer adds none."""
    prefix = prefix_of(tokenizer)
    ids_before = (prefix.id,) if prefix.added and prefix.id is not None else ()
    special_before = (True,) * len(ids_before)
    encoded = [
        EncodedWord((*ids_before, *own), (*special_before, *mask)) for own, mask in zip(ids, special, strict=True)
    ]
    for word, tokens in zip(words, encoded, strict=True):
        if all(tokens.special):
            raise ValueError(translate("The tokenizer makes no token of {word!r}: leave it out.", word=word))
    return encoded


def text_space(tokenizer: PreTrainedTokenizerBase) -> str:
    """What to put in front of a word alone so that it is tokenised as in running text: a space, or nothing.

    Some tokenizers, as Llama 2's, put the space there themselves.
    """
    alone, running = (list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in ("a", "a a"))
    return "" if running == alone + alone else " "


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
