"""Sanity check of a loaded model: perplexity on plain sentences, with a warning if its output is noise."""

import math
from collections.abc import Mapping, Sequence
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

SIDES = ("source", "target")
NOISY_SHARE = 0.75
"""A model whose loss is above this share of a uniform guess's is noise, or was not loaded whole."""


@dataclass(frozen=True)
class Health:
    """Perplexity a token on the plain sentences of two languages, nan where there are none.

    uniform is that of guessing every token alike: the vocabulary. languages is the key of the two. losses are by side
    the mean loss a token of each sentence, in nats.
    """

    source: float
    target: float
    uniform: int
    languages: str
    losses: Mapping[str, tuple[float, ...]]

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
    losses: dict[str, tuple[float, ...]] = {}
    perplexities: dict[str, float] = {}
    for side, texts in zip(SIDES, (pair.source.sentences, pair.target.sentences), strict=True):
        sums, counts = _losses(model, tokenizer, texts) if texts else (torch.zeros(0), torch.zeros(0))
        losses[side] = tuple((sums / counts).tolist())
        perplexities[side] = float((sums.sum() / counts.sum()).exp())  # nan of no texts
    source, target = (perplexities[side] for side in SIDES)
    return Health(source, target, model.config.vocab_size, languages, losses)


def perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """exp of the mean loss a token over all texts, each read alone; a first token without BOS before it is not scored.

    Source: the usual definition, as in the perplexity page of the transformers documentation, without a window.
    """
    sums, counts = _losses(model, tokenizer, texts)
    return float((sums.sum() / counts.sum()).exp())


@torch.inference_mode()
def _losses(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The loss of every text, summed over its tokens, and how many of them are scored: (n,) each on the CPU."""
    encoded = encode(tokenizer, texts)
    ids = padded_ids(encoded).to(input_device(model))  # (n, t)
    lengths = torch.tensor([len(text.ids) for text in encoded], device=ids.device)
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[:, :-1].float()  # (n, t − 1, vocabulary)
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")  # (n, t − 1)
    real = torch.arange(1, ids.shape[1], device=ids.device) < lengths[:, None]
    return torch.where(real, losses, 0).sum(dim=1).cpu(), real.sum(dim=1).cpu()
