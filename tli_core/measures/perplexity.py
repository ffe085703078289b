"""Sanity check of a loaded model: perplexity on plain sentences, with a warning if its output is noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.tokens import encode, padded_ids
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.placement import input_device
from tli_core.notices import Notice, notice

NOISY_SHARE = 0.75
"""A model whose loss is above this share of a uniform guess's is noise, or was not loaded whole."""


@dataclass(frozen=True)
class Health:
    """Perplexity a token on the plain sentences of two languages, nan where there are none.

    uniform is that of guessing every token alike: the vocabulary. languages is the key of the two.
    """

    source: float
    target: float
    uniform: int
    languages: str = DEFAULT

    @property
    def noisy(self) -> bool:
        """Whether either language is hardly better than guessing."""
        worst = max(self.source, self.target)
        return not math.isfinite(worst) or math.log(worst) > NOISY_SHARE * math.log(self.uniform)

    @property
    def notice(self) -> Notice:
        """What was found, for a result to carry."""
        source, target = language_pair(self.languages).names
        figures = notice(
            "perplexity",
            source=self.source,
            target=self.target,
            source_language=source,
            target_language=target,
            uniform=self.uniform,
        )
        return notice("noisy_model" if self.noisy else "healthy_model", figures=figures)


_KNOWN: WeakKeyDictionary[LoadedModel, Health] = WeakKeyDictionary()


def health_of(loaded: LoadedModel) -> Health | None:
    """The base's health, worked out once; None where the model has no output head to read sentences with."""
    if not loaded.can_generate:
        return None
    if loaded not in _KNOWN:
        with loaded.using(None) as model:
            _KNOWN[loaded] = check_health(model, loaded.tokenizer)
    return _KNOWN[loaded]


def check_health(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, languages: str = DEFAULT) -> Health:
    """Perplexity on the plain sentences of both languages; the model needs its output head."""
    pair = language_pair(languages)
    source, target = (
        perplexity(model, tokenizer, texts) if texts else math.nan
        for texts in (pair.source.sentences, pair.target.sentences)
    )
    return Health(source, target, model.config.vocab_size, languages)


@torch.inference_mode()
def perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """exp of the mean loss a token over all texts, each read alone; a first token without BOS before it is not scored.

    Source: the usual definition, as in the perplexity page of the transformers documentation, without a window.
    """
    encoded = encode(tokenizer, texts)
    ids = padded_ids(encoded).to(input_device(model))  # (n, t)
    lengths = torch.tensor([len(text.ids) for text in encoded], device=ids.device)
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[:, :-1].float()  # (n, t − 1, vocabulary)
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")  # (n, t − 1)
    real = torch.arange(1, ids.shape[1], device=ids.device) < lengths[:, None]
    return float(losses[real].mean().exp())
