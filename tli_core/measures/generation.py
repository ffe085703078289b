"""Greedy and sampled continuations, and word translation as the model does it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.tokens import encode, length_batches
from tli_core.i18n import say
from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair, normalise
from tli_core.models import architecture
from tli_core.models.placement import input_device


@dataclass(frozen=True)
class TranslationAccuracy:
    """Share of words whose greedy translation is a listed one, and each answer beside its pair."""

    to_target: float
    to_source: float
    answers_target: tuple[str, ...]
    answers_source: tuple[str, ...]

    @property
    def mean(self) -> float:
        """Both directions averaged."""
        return (self.to_target + self.to_source) / 2


@torch.inference_mode()
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
            say("This checkpoint has no output head, so the model can be measured and trained but not generate.")
        )
    encoded = encode(tokenizer, prompts)
    answers = [""] * len(prompts)
    for indices in length_batches(encoded):
        input_ids = torch.tensor([encoded[i].ids for i in indices], device=input_device(model))  # (b, t)
        output = model.generate(  # pyright: ignore[reportCallIssue]
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            temperature=None,
            top_p=None,
            pad_token_id=tokenizer.eos_token_id,
        )  # (b, t + new)
        for i, ids in zip(indices, output[:, input_ids.shape[1] :], strict=True):
            answers[i] = str(tokenizer.decode(ids, skip_special_tokens=True))
    return answers


def word_translation(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[WordPair], max_new_tokens: int = 16
) -> TranslationAccuracy:
    """Greedy translation of every pair both ways; the first line of the answer must be a listed translation."""
    to_target, to_source = language_pair().translations
    target = _first_lines(continuations(model, tokenizer, [to_target.fill(*p[:2]) for p in pairs], max_new_tokens))
    source = _first_lines(continuations(model, tokenizer, [to_source.fill(*p[:2]) for p in pairs], max_new_tokens))
    right_target = [normalise(answer) in map(normalise, p.accepted) for answer, p in zip(target, pairs, strict=True)]
    right_source = [
        normalise(answer) in {normalise(q.source) for q in pairs if p.target in q.accepted}
        for answer, p in zip(source, pairs, strict=True)
    ]
    return TranslationAccuracy(
        sum(right_target) / len(pairs), sum(right_source) / len(pairs), tuple(target), tuple(source)
    )


def _first_lines(answers: Sequence[str]) -> list[str]:
    return [answer.strip().split("\n")[0].strip() for answer in answers]
