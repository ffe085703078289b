"""Pairs → tokens → batches, in the order of a run and ready for a step on its device."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .embeddings import encode, pack_states
from .losses import contrastive_loss, triplet_loss
from .model import LoadedModel
from .packing import Pack, pack_words, sent
from .pairs import WordPair, listed_translations, normalise
from .parallel import gathered, own_part
from .placement import input_device
from .pooling import EncodedWord, all_weights
from .presets import TrainingConfig, batch_slices

GPU_ROUNDS_TO = (32, 8)
"""On a GPU, packs are padded to few sizes, since each size needs a graph of its own; the padding costs it nothing."""


def shuffled_translations(pairs: Sequence[WordPair], seed: int) -> tuple[WordPair, ...]:
    """The control: the same words, every Swahili word with the English of another pair.

    Raises:
        ValueError: fewer than two distinct translations, so that nothing can be shuffled.
    """
    if len({pair.english for pair in pairs}) < 2:
        raise ValueError("Shuffling needs at least two different translations: add pairs.")
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    # Each pair takes the English of the next in a random cycle, so that none keeps its own.
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    return tuple(WordPair(pair.swahili, pairs[following[i]].english) for i, pair in enumerate(pairs))


def batches(n: int, config: TrainingConfig) -> Iterator[tuple[int, list[int]]]:
    """The run's batches in order: (epoch, indices of pairs), shuffled anew each epoch from the seed."""
    shuffler = random.Random(config.seed)
    for epoch in range(1, config.epochs + 1):
        order = list(range(n))
        shuffler.shuffle(order)
        for part in batch_slices(n, config.batch_size):
            yield epoch, order[part]


@dataclass(frozen=True)
class Batch:
    """A batch of b pairs on its device.

    pack holds the p Swahili words of this process's part of it and then their p English ones, None where that part is
    empty; same (b, b) is True where the English of pair j is a right translation of pair i's Swahili as well.
    """

    pack: Pack | None
    same: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """Its parts, in order."""
        return (*(self.pack.tensors() if self.pack else ()), self.same)

    def states(self, model: PreTrainedModel, layer: int) -> tuple[Tensor, Tensor]:
        """Anchors and positives, (b, d) each, with the gradient of this process's part."""
        if self.pack is None:
            # More processes than pairs: this one has nothing to embed.
            states = torch.zeros(0, model.config.hidden_size, device=input_device(model))
        else:
            states = pack_states(model, self.pack, layer)  # (2p, d)
        anchors, positives = states.chunk(2) if len(states) else (states, states)
        return gathered(anchors, len(self.same)), gathered(positives, len(self.same))

    def loss(self, anchors: Tensor, positives: Tensor, config: TrainingConfig) -> Tensor:
        """The loss of the whole batch: (b, d), (b, d) -> ()."""
        same = self.same.to(anchors.device)
        if config.loss == "triplet":
            return triplet_loss(anchors, positives, config.margin, same)
        return contrastive_loss(anchors, positives, config.temperature, same)


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs ready to train on, and which English strings are right for each Swahili word.

    english_id numbers the distinct English strings; listed[i] are the numbers of those that are right for pair i. Words
    are tokenised when their batch first comes, while a GPU is at the one before, so that a long list starts at once.
    """

    pairs: tuple[WordPair, ...]
    english_id: tuple[int, ...]
    listed: tuple[frozenset[int], ...]
    tokenizer: PreTrainedTokenizerBase
    _encoded: dict[int, tuple[EncodedWord, EncodedWord]] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: LoadedModel, pairs: Sequence[WordPair], config: TrainingConfig) -> "TrainingPairs":
        """The pairs, shuffled where the config says so.

        Raises:
            ValueError: fewer than two pairs.
        """
        if len(pairs) < 2:
            raise ValueError(
                f"A fine-tune needs at least two pairs, got {len(pairs)}: negatives come from the other pairs."
            )
        pairs = shuffled_translations(pairs, config.seed) if config.shuffled else tuple(pairs)
        numbers: dict[str, int] = {}
        english_id = tuple(numbers.setdefault(normalise(pair.english), len(numbers)) for pair in pairs)
        right = listed_translations(pairs)
        listed = (right[normalise(pair.swahili)] for pair in pairs)
        return cls(
            pairs,
            english_id,
            tuple(frozenset(numbers[english] for english in words if english in numbers) for words in listed),
            loaded.tokenizer,
        )

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, indices: Sequence[int], pooling: str, device: torch.device) -> Batch:
        """The pairs of these indices on a device; of several processes each gets the tokens of its own part."""
        part = own_part(indices)
        swahili, english = self._words(part)
        words = [*swahili, *english]
        same = self._same(indices)
        if not words:
            return Batch(None, *sent([same], device))
        sizes = {"round_to": GPU_ROUNDS_TO} if device.type == "cuda" else {}
        # One pack: the gradient needs the whole batch at once in any case.
        (pack,) = pack_words(words, all_weights(words, pooling), **sizes)
        *parts, same = sent((*pack.tensors(), same), device)
        return Batch(Pack(*parts), same)

    def _words(self, part: Sequence[int]) -> tuple[list[EncodedWord], list[EncodedWord]]:
        new = [i for i in part if i not in self._encoded]
        if new:
            words = [self.pairs[i].swahili for i in new] + [self.pairs[i].english for i in new]
            encoded = encode(self.tokenizer, words)
            self._encoded.update(zip(new, zip(encoded[: len(new)], encoded[len(new) :], strict=True), strict=True))
        return [self._encoded[i][0] for i in part], [self._encoded[i][1] for i in part]

    def _same(self, batch: Sequence[int]) -> Tensor:
        english = np.array([self.english_id[j] for j in batch])  # (b,)
        table = english[:, None] == english  # (b, b); most words have one right translation, their own
        for row, i in enumerate(batch):
            if len(self.listed[i]) > 1:
                table[row] = np.isin(english, list(self.listed[i]))
        return torch.from_numpy(table)
