"""Greedy continuations, and word translation as the model does it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.tokens import encode, length_batches
from tli_core.i18n import translate
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.pairs import WordPair, normalise
from tli_core.models import architecture
from tli_core.models.placement import input_device


@dataclass(frozen=True)
class TranslationAccuracy:
    """Of each pair, whether its greedy translation is a listed one, (n,) of bool by direction, and the answer."""

    right: Mapping[str, np.ndarray]
    answers_target: tuple[str, ...]
    answers_source: tuple[str, ...]

    @property
    def to_target(self) -> float:
        """Share of source words that are translated rightly."""
        return float(self.right["to_target"].mean())

    @property
    def to_source(self) -> float:
        """Share of target words that are translated rightly."""
        return float(self.right["to_source"].mean())

    @property
    def mean(self) -> float:
        """Both directions averaged."""
        return (self.to_target + self.to_source) / 2


@torch.inference_mode()
def greedy_logits(
    using: Callable[[], AbstractContextManager[PreTrainedModel]], input_ids: Tensor, max_new_tokens: int
) -> Iterator[Tensor]:
    """Decode greedily: yield the logits of each next token, (b, vocabulary), of which the likeliest is appended.

    Args:
        using: gives the model for one token at a time, so that others may have it between two.
        input_ids: prompts of one length, (b, t).
    """
    ids, cache = input_ids, None
    for _ in range(max_new_tokens):
        with using() as model:
            out = model(ids.to(input_device(model)), past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits, cache = out.logits[:, -1].float(), out.past_key_values  # (b, vocabulary)
        yield logits
        ids = logits.argmax(dim=-1, keepdim=True)  # (b, 1)


def end_tokens(model: PreTrainedModel) -> tuple[int, ...]:
    """The tokens that end a text, as the model's generation config has them."""
    config = model.generation_config
    ends = config.eos_token_id if config else None
    return (ends,) if isinstance(ends, int) else tuple(ends or ())


def continuations(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], max_new_tokens: int
) -> list[str]:
    """What the model writes after each prompt by greedy decoding, special tokens left out.

    Prompts of one length go together, so nothing is padded and every answer is what the prompt alone would give.

    Raises:
        ValueError: the model has no output head.
    """
    if not architecture.has_head(model):
        raise ValueError(
            translate("This checkpoint has no output head, so the model can be measured and trained but not generate.")
        )
    encoded = encode(tokenizer, prompts)
    ends = torch.tensor(end_tokens(model))
    answers = [""] * len(prompts)
    for indices in length_batches(encoded):
        written: list[Tensor] = []
        ended = torch.zeros(len(indices), dtype=torch.bool)
        input_ids = torch.tensor([encoded[i].ids for i in indices])  # (b, t)
        for logits in greedy_logits(lambda: nullcontext(model), input_ids, max_new_tokens):
            written.append(logits.argmax(dim=-1).cpu())  # (b,)
            ended |= torch.isin(written[-1], ends)
            if ended.all():
                break
        for i, ids in zip(indices, torch.stack(written, dim=1).tolist(), strict=True):
            own = list(takewhile(lambda token: token not in ends, ids))
            answers[i] = str(tokenizer.decode(own, skip_special_tokens=True))
    return answers


def word_translation(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[WordPair],
    max_new_tokens: int = 16,
    languages: str = DEFAULT,
) -> TranslationAccuracy:
    """Greedy translation of every pair both ways; the first line of the answer must be a listed translation."""
    to_target, to_source = language_pair(languages).translations
    target = first_lines(continuations(model, tokenizer, [to_target.fill(*p[:2]) for p in pairs], max_new_tokens))
    source = first_lines(continuations(model, tokenizer, [to_source.fill(*p[:2]) for p in pairs], max_new_tokens))
    right_target = [normalise(answer) in map(normalise, p.accepted) for answer, p in zip(target, pairs, strict=True)]
    right_source = [
        normalise(answer) in {normalise(q.source) for q in pairs if p.target in q.accepted}
        for answer, p in zip(source, pairs, strict=True)
    ]
    right = {"to_target": np.array(right_target), "to_source": np.array(right_source)}
    return TranslationAccuracy(right, tuple(target), tuple(source))


def first_lines(answers: Sequence[str]) -> list[str]:
    """What counts of each answer: its first line."""
    return [answer.strip().split("\n")[0].strip() for answer in answers]
