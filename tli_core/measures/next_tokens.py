"""Base and adapter on one prompt: token by token, the likeliest next tokens, and where the answers differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

import torch

from tli_core.encoding.tokens import encode
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair
from tli_core.measures.generation import end_tokens, greedy_logits
from tli_core.measures.translation import GlossRanking, rank_glosses
from tli_core.models import architecture
from tli_core.models.loaded_model import LoadedModel

NEXT = 8
"""How many of the likeliest next tokens are told."""


@dataclass(frozen=True)
class NextToken:
    """A token that may follow a prompt, as text, and its probability."""

    text: str
    probability: float


@dataclass(frozen=True)
class Continuation:
    """What has been written after a prompt so far, and the likeliest first tokens of it."""

    text: str
    next_tokens: tuple[NextToken, ...]


@dataclass(frozen=True)
class RightWord:
    """A pair's right translation after its prompt, under the base and with the adapter."""

    pair: WordPair
    before: GlossRanking
    after: GlossRanking


def written(loaded: LoadedModel, adapter: str | None, prompt: str, max_new_tokens: int) -> Iterator[Continuation]:
    """Yield the greedy continuation of a prompt after every new token.

    The model is locked for one token at a time, so that others can use it, and the adapter is off between tokens.

    Raises:
        ValueError: the model has no output head.
    """
    (encoded,) = encode(loaded.tokenizer, [prompt])
    with loaded.using(adapter) as model:
        if not architecture.has_head(model):
            text = N_("{name} has no output head here, so it can be measured but writes nothing.")
            raise ValueError(translate(text, name=loaded.name))
        ends = end_tokens(model)
    first: tuple[NextToken, ...] = ()
    new: list[int] = []
    for (logits,) in greedy_logits(lambda: loaded.using(adapter), torch.tensor([encoded.ids]), max_new_tokens):
        if not logits.isfinite().any() or logits.isnan().any():  # (vocabulary,)
            text = N_("What {name} would say next is no number (NaN or infinity): the model or the adapter is broken.")
            raise ValueError(translate(text, name=loaded.name))
        if not new:
            first = _likeliest(loaded, logits)
        token = int(logits.argmax())
        if token in ends:
            break
        new.append(token)
        yield Continuation(str(loaded.tokenizer.decode(new, skip_special_tokens=True)), first)
    if not new:
        yield Continuation("", first)


def side_by_side(
    loaded: LoadedModel, adapter: str | None, prompt: str, max_new_tokens: int
) -> Iterator[tuple[Continuation | None, Continuation | None]]:
    """The base's and the adapter's continuation, a token each in turn; without an adapter the base's alone."""
    base, adapted = None, None
    streams = [written(loaded, key, prompt, max_new_tokens) for key in dict.fromkeys((None, adapter))]
    for items in zip_longest(*streams):
        base = items[0] or base
        adapted = (items[1] or adapted) if len(items) > 1 else None
        yield base, adapted


def right_word(loaded: LoadedModel, adapter: str | None, pair: WordPair, way: str) -> RightWord:
    """How likely the right translation is after the translation prompt, and its rank among the reference pool's words.

    Args:
        way: `to_target` or `to_source`.
    """
    found = {}
    for key in dict.fromkeys((None, adapter)):
        with loaded.using(key) as model:
            found[key] = rank_glosses(model, loaded.tokenizer, [pair], way)
    return RightWord(pair, found[None], found[adapter])


def differences(first: str, second: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Two texts in pieces of words, each with whether the other lacks it there; joined, the pieces are the texts."""
    words = [_words(text) for text in (first, second)]
    marked: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    for what, a, b, c, d in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        for pieces, side, start, end in ((marked[0], words[0], a, b), (marked[1], words[1], c, d)):
            if start < end:
                pieces.append(("".join(side[start:end]), what != "equal"))
    return marked


def _words(text: str) -> Sequence[str]:
    """Words with the space before them."""
    words: list[str] = []
    for i, piece in enumerate(text.split(" ")):
        words.append(piece if i == 0 else f" {piece}")
    return [word for word in words if word]


def _likeliest(loaded: LoadedModel, logits: torch.Tensor) -> tuple[NextToken, ...]:
    top = logits.softmax(dim=-1).topk(min(NEXT, len(logits)))
    return tuple(
        NextToken(str(loaded.tokenizer.decode([token])), probability)
        for token, probability in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    )
