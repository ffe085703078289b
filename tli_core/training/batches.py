"""Pairs → tokens → batches, in the order of a run and ready for a step on its device."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.distributed import gather_tensor, own_part
from tli_core.encoding.packing import MULTIPLE, Pack, copy_to_device, pack_batches, side_by_side
from tli_core.encoding.pooled_states import pack_states
from tli_core.encoding.pooling import EncodedWord, all_weights
from tli_core.encoding.readouts import Readout, readout
from tli_core.encoding.tokens import encode_in
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair, listed_translations, normalise
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.placement import input_device
from tli_core.training.config import TrainingConfig, batch_slices
from tli_core.training.losses import contrastive_loss, triplet_loss
from tli_core.training.own_text import OwnTexts

GPU_ROUNDS_TO = (32, 8)
"""On a GPU, packs are padded to few sizes, since each size needs a graph of its own; the padding costs it nothing."""

AHEAD = 64
"""Pairs that are laid out at a time: small batches several at once, which takes the CPU hardly longer than one."""


def shuffled_translations(pairs: Sequence[WordPair], seed: int) -> tuple[WordPair, ...]:
    """The control: the same words, every Swahili word with the English of another pair.

    Raises:
        ValueError: fewer than two distinct translations, so that nothing can be shuffled.
    """
    if len({pair.target for pair in pairs}) < 2:
        raise ValueError(translate("Shuffling needs at least two different translations: add pairs."))
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    # Each pair takes the English of the next in a random cycle, so that none keeps its own.
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    return tuple(pair._replace(target=pairs[following[i]].target, glosses=()) for i, pair in enumerate(pairs))


def batches(n: int, config: TrainingConfig) -> Iterator[tuple[int, list[int]]]:
    """The run's batches in order: (epoch, indices of pairs), shuffled anew each epoch from the seed."""
    shuffler = random.Random(config.seed)
    for epoch in range(1, config.epochs + 1):
        order = list(range(n))
        shuffler.shuffle(order)
        for part in batch_slices(n, config.batch_size):
            yield epoch, order[part]


def behind(context: EncodedWord | None, word: EncodedWord) -> EncodedWord:
    """A word behind a text, which has the prefix token already; where there is no text, the word as it is."""
    if context is None:
        return word
    own = word.special.index(False)
    return EncodedWord(context.ids + word.ids[own:], context.special + word.special[own:])


@dataclass(frozen=True)
class Batch:
    """A batch of b pairs of each of k runs, on its device: k is 1 unless runs are trained side by side.

    pack holds the p Swahili words of this process's part of a run's batch and then their p English ones, one run after
    the other, None where that part is empty; sizes (k,) are the words of each run and shapes (k,) the rows and tokens
    that they fill. Of each run, same (b, b) is True where the English of pair j is a right translation of pair i's
    Swahili, as it is of its own. memory is what all of it lies in on a GPU, as bytes.
    """

    pack: Pack | None
    same: tuple[Tensor, ...]
    sizes: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    memory: Tensor | None

    def tensors(self) -> tuple[Tensor, ...]:
        """Its parts, in order."""
        return (*(self.pack.tensors() if self.pack else ()), *self.same)

    def states(self, model: PreTrainedModel, layer: int) -> list[tuple[Tensor, Tensor]]:
        """Anchors and positives of each run, (b, d) each, with the gradient of this process's part."""
        if self.pack is None:
            # More processes than pairs: this one has nothing to embed.
            states = torch.zeros(0, model.config.hidden_size, device=input_device(model))
        else:
            states = pack_states(model, self.pack, layer)  # (all words, d)
        found = []
        for own, same in zip(states.split(self.sizes), self.same, strict=True):
            anchors, positives = own.chunk(2) if len(own) else (own, own)
            found.append((gather_tensor(anchors, len(same)), gather_tensor(positives, len(same))))
        return found

    def losses(self, states: Sequence[tuple[Tensor, Tensor]], config: TrainingConfig) -> Tensor:
        """The loss of each run's whole batch, (k,), from what `states` gives."""
        found = []
        for (anchors, positives), same in zip(states, self.same, strict=True):
            same = same.to(anchors.device)
            if config.loss == "triplet":
                found.append(triplet_loss(anchors, positives, config.margin, same))
            else:
                found.append(contrastive_loss(anchors, positives, config.temperature, same))
        return torch.stack(found)


@dataclass(frozen=True)
class OneBatch:
    """A batch of one run on the CPU: the epoch that it is of, and the rest as in `Batch`."""

    epoch: int
    pack: Pack | None
    same: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """The rows and tokens that its words fill."""
        rows, tokens = self.pack.ids.shape if self.pack else (0, 0)
        return rows, tokens


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs ready to train on, and which English strings are right for each Swahili word.

    english_id numbers the distinct English strings; listed[i] are the numbers of those that are right for pair i. Words
    are tokenised when their batch first comes, while a GPU is at the one before, so that a long list starts at once.
    """

    pairs: tuple[WordPair, ...]
    target_id: tuple[int, ...]
    listed: tuple[frozenset[int], ...]
    tokenizer: PreTrainedTokenizerBase
    readout: Readout
    config: TrainingConfig
    own_texts: OwnTexts | None
    _encoded: dict[int, tuple[EncodedWord, EncodedWord]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, loaded: LoadedModel, pairs: Sequence[WordPair], config: TrainingConfig, own_texts: OwnTexts | None = None
    ) -> "TrainingPairs":
        """The pairs, shuffled where the config says so.

        Args:
            own_texts: what words are put behind in some of the batches; needed where `config.in_text` is above 0.

        Raises:
            ValueError: fewer than two pairs.
        """
        if len(pairs) < 2:
            text = N_("A fine-tune needs at least two pairs, got {n}: negatives come from the other pairs.")
            raise ValueError(translate(text, n=len(pairs)))
        pairs = shuffled_translations(pairs, config.seed) if config.shuffled else tuple(pairs)
        numbers: dict[str, int] = {}
        target_id = tuple(numbers.setdefault(normalise(pair.target), len(numbers)) for pair in pairs)
        right = listed_translations(pairs)
        listed = (right[normalise(pair.source)] for pair in pairs)
        return cls(
            pairs,
            target_id,
            tuple(frozenset(numbers[target] for target in words if target in numbers) for words in listed),
            loaded.tokenizer,
            readout(config.readout),
            config,
            own_texts,
        )

    def __len__(self) -> int:
        return len(self.pairs)

    def ready(self, order: Iterable[tuple[int, Sequence[int]]], device: torch.device) -> Iterator[tuple[int, Batch]]:
        """The batches of (epoch, indices) in their order and on a device, as `ready_together`."""
        for (epoch,), batch in ready_together([(self, order)], device):
            yield epoch, batch

    def laid_out(
        self, order: Iterable[tuple[int, Sequence[int]]], round_to: tuple[int, int]
    ) -> Iterator[list[OneBatch]]:
        """The batches of (epoch, indices) in their order on the CPU, small ones several at a time.

        Of several processes each gets the tokens of its own part of a batch.
        """
        order = iter(order)
        for first in order:
            several = [first, *islice(order, AHEAD // len(first[1]) - 1 if len(first[1]) < AHEAD else 0)]
            yield self._several(several, round_to)

    def _several(self, order: Sequence[tuple[int, Sequence[int]]], round_to: tuple[int, int]) -> list[OneBatch]:
        parts = [own_part(batch) for _, batch in order]
        self._encode(chain.from_iterable(parts))
        contexts = [self._context(epoch, batch) for epoch, batch in order]
        words = [
            behind(context, self._encoded[i][side])
            for part, context in zip(parts, contexts, strict=True)
            for side in (0, 1)
            for i in part
        ]
        # One pack for a batch: the gradient needs the whole batch at once in any case.
        filled = [2 * len(part) for part in parts if part]
        packs = iter(pack_batches(words, all_weights(words, self.readout.pooling), filled, round_to) if words else ())
        return [
            OneBatch(epoch, next(packs) if part else None, self._same(batch))
            for (epoch, batch), part in zip(order, parts, strict=True)
        ]

    def _context(self, epoch: int, batch: Sequence[int]) -> EncodedWord | None:
        """What the words of a batch stand behind; the same whenever the run comes to this batch."""
        if self.own_texts is None or not self.config.in_text:
            return None
        seed = f"{self.config.seed} {epoch} {batch[0]}"
        return self.own_texts.context(seed) if random.Random(seed).random() < self.config.in_text else None

    def _encode(self, indices: Iterable[int]) -> None:
        new = [i for i in indices if i not in self._encoded]
        if new:
            words = [self.pairs[i].source for i in new] + [self.pairs[i].target for i in new]
            encoded = encode_in(self.tokenizer, words, self.readout)
            self._encoded.update(zip(new, zip(encoded[: len(new)], encoded[len(new) :], strict=True), strict=True))

    def _same(self, batch: Sequence[int]) -> Tensor:
        target = np.array([self.target_id[j] for j in batch])  # (b,)
        table = target[:, None] == target  # (b, b); most words have one right translation, their own
        for row, i in enumerate(batch):
            if len(self.listed[i]) > 1:
                table[row] = [number in self.listed[i] for number in target.tolist()]
        return torch.from_numpy(table)


def ready_together(
    runs: Sequence[tuple[TrainingPairs, Iterable[tuple[int, Sequence[int]]]]], device: torch.device
) -> Iterator[tuple[tuple[int, ...], Batch]]:
    """The next batch of every run side by side, on a device, until one of them has no more: its epochs, and the batch.

    Args:
        runs: each with its batches of (epoch, indices) in their order.
    """
    round_to = GPU_ROUNDS_TO if device.type == "cuda" else (MULTIPLE, 1)
    for several in zip(*(data.laid_out(order, round_to) for data, order in runs), strict=False):
        together = list(zip(*several, strict=False))  # for each step one batch of every run
        packs = [_side_by_side(of_runs) for of_runs in together]
        groups = [
            (*(pack.tensors() if pack else ()), *(batch.same for batch in of_runs))
            for pack, of_runs in zip(packs, together, strict=True)
        ]
        for of_runs, (memory, tensors) in zip(together, copy_to_device(groups, device), strict=True):
            parts = len(tensors) - len(runs)
            shapes = tuple(batch.shape for batch in of_runs)
            if device.type == "cuda" and parts:
                # A graph is for one shape, and there are few of the whole pass.
                shapes = ((len(tensors[0]) // len(runs), tensors[0].shape[1]),) * len(runs)
            yield (
                tuple(batch.epoch for batch in of_runs),
                Batch(
                    Pack(*tensors[:parts]) if parts else None,
                    tuple(tensors[parts:]),
                    tuple(len(batch.pack.slots) if batch.pack else 0 for batch in of_runs),
                    shapes,
                    memory,
                ),
            )


def _side_by_side(batches: Sequence[OneBatch]) -> Pack | None:
    packs = [batch.pack for batch in batches if batch.pack]
    return side_by_side(packs) if packs else None
