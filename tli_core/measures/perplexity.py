"""Does the model speak at all? Perplexity on plain sentences, so that a model that came out as noise is announced."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.tokens import encode, padded_ids
from tli_core.i18n import Message, message
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.placement import input_device

NOISY_SHARE = 0.75
"""A model whose loss is above this share of a uniform guess's is noise, or was not loaded whole."""

# Written for this check, so that no model was trained on them by the project, and plain enough for a small one.
SWAHILI = (
    "Mama anapika chakula jikoni.",
    "Watoto wanacheza mpira baada ya shule.",
    "Leo asubuhi nilikunywa chai na maziwa.",
    "Ndugu yangu anaishi mjini na anafanya kazi sokoni.",
    "Mvua ilinyesha usiku wote na mto umejaa maji.",
    "Tafadhali funga mlango ukitoka nje.",
    "Bei ya mkate imepanda mwaka huu.",
    "Mwalimu aliwauliza wanafunzi maswali matatu.",
)
ENGLISH = (
    "My mother is cooking food in the kitchen.",
    "The children play football after school.",
    "This morning I drank tea with milk.",
    "My brother lives in town and works at the market.",
    "It rained all night and the river is full of water.",
    "Please close the door when you go out.",
    "The price of bread has gone up this year.",
    "The teacher asked the students three questions.",
)


@dataclass(frozen=True)
class Health:
    """Perplexity a token on the plain sentences; `uniform` is that of guessing every token alike: the vocabulary."""

    swahili: float
    english: float
    uniform: int

    @property
    def noisy(self) -> bool:
        """Whether either language is hardly better than guessing."""
        worst = max(self.swahili, self.english)
        return not math.isfinite(worst) or math.log(worst) > NOISY_SHARE * math.log(self.uniform)

    @property
    def message(self) -> Message:
        """What was found, for a result to carry."""
        figures = message(
            "perplexity {swahili:,.0f} on plain Swahili and {english:,.0f} on plain English, where guessing gives "
            "{uniform:,}",
            swahili=self.swahili,
            english=self.english,
            uniform=self.uniform,
        )
        if self.noisy:
            return message(
                "This model writes noise ({figures}): it was not trained, or not loaded whole. Believe nothing "
                "measured with it.",
                figures=figures,
            )
        return message("The model reads both languages ({figures}).", figures=figures)

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        return str(self.message)


_KNOWN: WeakKeyDictionary[LoadedModel, Health] = WeakKeyDictionary()


def health_of(loaded: LoadedModel) -> Health | None:
    """The base's health, worked out once; None where the model has no output head to read sentences with."""
    if not loaded.can_generate:
        return None
    if loaded not in _KNOWN:
        with loaded.using(None) as model:
            _KNOWN[loaded] = check_health(model, loaded.tokenizer)
    return _KNOWN[loaded]


def check_health(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Health:
    """Perplexity on the plain sentences of both languages; the model needs its output head."""
    swahili, english = (perplexity(model, tokenizer, texts) for texts in (SWAHILI, ENGLISH))
    return Health(swahili, english, model.config.vocab_size)


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
