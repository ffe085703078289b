"""Text that the base writes by itself: what a gentle fine-tune keeps as it is, and what it puts words behind.

A model that drifts on its own text has lost something, and needs no corpus to show it. After "Learning without
Forgetting" (Li & Hoiem 2016, arXiv 1606.09282), on hidden states instead of answers, so that large vocabularies cost
nothing.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tli_core.distributed import processes
from tli_core.encoding.forward import visit_layers
from tli_core.encoding.packing import MULTIPLE, Pack, pack_batches
from tli_core.encoding.pooling import EncodedWord, all_weights
from tli_core.encoding.readouts import DEFAULT_READOUT, readout
from tli_core.encoding.tokens import encode_in, length_batches
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.placement import input_device

TEXTS = 256
"""Half of them begin with a source word, half with a target word, so that both languages are written."""

HELD_BACK = 16
"""Texts beside these that nothing trains on: by them a run sees whether it harms what the model writes."""

FAR_FROM_ANY_SEED = 1_000_003
"""Added to a run's seed for the texts that are held back, so that they are not those that it trains on."""

NEW_TOKENS = 24
TEXTS_A_STEP = 24
"""Of the texts, how many are compared with the base in one step: about as many tokens as a batch of words has."""

MAX_SCORED = 256
"""Tokens whose next ones are scored at once: of a vocabulary of a quarter million a quarter of a gigabyte, a few times
over."""

CONTEXT_TOKENS = (4, 12)
"""Fewest and most tokens of a text that a word is put behind."""


@dataclass(frozen=True)
class OwnTexts:
    """What the base wrote, tokenised; a text's prefix token is marked special. held_back is not trained on."""

    texts: tuple[EncodedWord, ...]
    held_back: tuple[EncodedWord, ...]

    def context(self, seed: str) -> EncodedWord:
        """The beginning of a text, all of it special: what the words of a batch are put behind."""
        drawn = random.Random(seed)
        text = drawn.choice(self.texts)
        ids = text.ids[: text.special.index(False) + drawn.randint(*CONTEXT_TOKENS)]
        return EncodedWord(ids, (True,) * len(ids))


def write_texts(loaded: LoadedModel, pairs: Sequence[WordPair], seed: int) -> OwnTexts:
    """Have the base go on from words of the list, at temperature 1.

    Raises:
        ValueError: it has no output head to write with.
    """
    if not loaded.can_generate:
        text = N_(
            "Only a model with its output head can write the text that this fine-tune keeps: load all of the model, or "
            "set keep and in_text to 0."
        )
        raise ValueError(translate(text))
    return OwnTexts(_written(loaded, pairs, seed, TEXTS), _written(loaded, pairs, seed + FAR_FROM_ANY_SEED, HELD_BACK))


@torch.inference_mode()
def _written(loaded: LoadedModel, pairs: Sequence[WordPair], seed: int, count: int) -> tuple[EncodedWord, ...]:
    drawn, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    chosen = [drawn.choice(pairs) for _ in range(count)]
    asked = [pair.target if i % 2 else pair.source for i, pair in enumerate(chosen)]
    prompts = encode_in(loaded.tokenizer, asked, readout(DEFAULT_READOUT))
    written: list[EncodedWord] = []
    with loaded.using(None) as model:
        for group in length_batches(prompts):
            ids = torch.tensor([prompts[i].ids for i in group])  # (b, t)
            cache, new = None, ids
            for _ in range(NEW_TOKENS):
                out = model(new.to(input_device(model)), past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache = out.past_key_values
                likely = out.logits[:, -1].float().softmax(dim=-1).cpu()  # (b, vocabulary)
                new = torch.multinomial(likely, 1, generator=generator)  # (b, 1)
                ids = torch.cat([ids, new], dim=1)
            own = (False,) * NEW_TOKENS
            texts = zip(group, ids.tolist(), strict=True)
            written += [EncodedWord(tuple(text), prompts[i].special + own) for i, text in texts]
    drawn.shuffle(written)
    return tuple(written)


@torch.inference_mode()
def text_loss(model: PreTrainedModel, texts: Sequence[EncodedWord]) -> float:
    """The model's mean loss a token on what the base wrote, NEW_TOKENS at the end of each text, in nats."""
    total, count = 0.0, 0
    for group in length_batches(texts, MAX_SCORED):
        ids = torch.tensor([texts[i].ids for i in group], device=input_device(model))  # (b, t)
        logits = model(input_ids=ids, use_cache=False).logits[:, -NEW_TOKENS - 1 : -1].float()  # (b, new, vocabulary)
        scored = ids[:, -NEW_TOKENS:]  # (b, new)
        total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), scored.flatten(), reduction="sum"))
        count += scored.numel()
    return total / count


class KeptTexts:
    """The base's hidden states of its own texts at the layer that a loss reads, to hold an adapter to."""

    def __init__(self, loaded: LoadedModel, own: OwnTexts, layer: int):
        self._layer = layer
        self._packs: list[list[Pack]] = []
        self._states: list[Tensor] = []
        for begin in range(0, len(own.texts), TEXTS_A_STEP):
            texts = own.texts[begin : begin + TEXTS_A_STEP]
            laid_out = pack_batches(texts, all_weights(texts, "words"), [len(texts)], round_to=(MULTIPLE, 1))
            packs = [pack.to(loaded.device) for pack in laid_out]
            with loaded.using(None) as model, torch.no_grad():
                self._states.append(self._hidden(model, packs))
            self._packs.append(packs)

    def distance(self, model: PreTrainedModel, step: int) -> Tensor:
        """How far the states of one step's texts are from the base's: mean of ‖change‖² / ‖base‖² over tokens, ()."""
        number = step % len(self._packs)
        base = self._states[number]  # (tokens, d)
        moved = (self._hidden(model, self._packs[number]) - base).square().sum(dim=-1)  # (tokens,)
        # Every process has all texts, and their gradients are added up.
        return (moved / base.square().sum(dim=-1).clamp(min=1e-6)).mean() / processes()

    def _hidden(self, model: PreTrainedModel, packs: Sequence[Pack]) -> Tensor:
        """The states of the texts' own tokens, without prefix and padding: (tokens, d) in float32."""
        found: list[Tensor] = []

        def keep(layer: int, i: int, hidden: Tensor) -> None:
            if layer == self._layer:
                own = packs[i].weights.sum(dim=1) > 0  # (r, t)
                found.append(hidden[own.to(hidden.device)].float())

        visit_layers(model, packs, keep, upto=self._layer)
        return torch.cat(found)
