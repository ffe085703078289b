"""Pairs → tokens → batches, in the order of a run and ready for a step on its device."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.distributed import gather_tensor, own_part
from tli_core.encoding.packing import MULTIPLE, Pack, copy_to_device, pack_side_by_side
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

    def words(self, epoch: int, batch: Sequence[int]) -> list[EncodedWord]:
        """This process's part of a batch: its Swahili words, then their English ones, behind text where it has some."""
        own, context = own_part(batch), self._context(epoch, batch)
        return [behind(context, self._encoded[i][side]) for side in (0, 1) for i in own]

    def _context(self, epoch: int, batch: Sequence[int]) -> EncodedWord | None:
        """What the words of a batch stand behind; the same whenever the run comes to this batch."""
        if self.own_texts is None or not self.config.in_text:
            return None
        seed = f"{self.config.seed} {epoch} {batch[0]}"
        return self.own_texts.context(seed) if random.Random(seed).random() < self.config.in_text else None

    def encode(self, indices: Iterable[int]) -> None:
        """Tokenise the words of pairs that have not come before."""
        new = [i for i in indices if i not in self._encoded]
        if new:
            words = [self.pairs[i].source for i in new] + [self.pairs[i].target for i in new]
            encoded = encode_in(self.tokenizer, words, self.readout)
            self._encoded.update(zip(new, zip(encoded[: len(new)], encoded[len(new) :], strict=True), strict=True))

    def same(self, batch: Sequence[int]) -> Tensor:
        """Which English of a batch is right for which Swahili: (b, b)."""
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

    Small batches are made ready several at a time. Of several processes each gets its own part of a batch.

    Args:
        runs: each with its batches of (epoch, indices) in their order; all of one readout.
    """
    lists = [data for data, _ in runs]
    for several in zip(*(_several(iter(order)) for _, order in runs), strict=False):
        for data, order in zip(lists, several, strict=True):
            data.encode(i for _, batch in order for i in own_part(batch))
        steps = list(zip(*several, strict=False))  # for each step the (epoch, indices) of every run
        laid_out = _laid_out(lists, steps, device)
        copied = copy_to_device([batch.tensors() for batch in laid_out], device)
        for step, batch, (memory, tensors) in zip(steps, laid_out, copied, strict=True):
            parts = len(tensors) - len(runs)
            pack = Pack(*tensors[:parts]) if parts else None
            yield (
                tuple(epoch for epoch, _ in step),
                replace(batch, pack=pack, same=tuple(tensors[parts:]), memory=memory),
            )


def _several(order: Iterator[tuple[int, Sequence[int]]]) -> Iterator[list[tuple[int, Sequence[int]]]]:
    """The batches of an order, so many at a time that they have AHEAD pairs, or one."""
    for first in order:
        yield [first, *islice(order, AHEAD // len(first[1]) - 1 if len(first[1]) < AHEAD else 0)]


def _laid_out(
    lists: Sequence[TrainingPairs], steps: Sequence[Sequence[tuple[int, Sequence[int]]]], device: torch.device
) -> list[Batch]:
    """The batches of steps on the CPU."""
    of_runs = [[data.words(*batch) for data, batch in zip(lists, step, strict=True)] for step in steps]
    sizes = [[len(words) for words in step] for step in of_runs]
    # One pack for a step: the gradient needs the whole batch at once in any case.
    words = [word for step in of_runs for words in step for word in words]
    weights = all_weights(words, lists[0].readout.pooling) if words else []
    on_gpu = device.type == "cuda"
    filled = [of for of in sizes if any(of)]
    packs = iter(pack_side_by_side(words, weights, filled, GPU_ROUNDS_TO if on_gpu else (MULTIPLE, 1)) if words else ())
    found = []
    for step, own_sizes in zip(steps, sizes, strict=True):
        same = tuple(data.same(batch) for data, (_, batch) in zip(lists, step, strict=True))
        if not any(own_sizes):
            found.append(Batch(None, same, tuple(own_sizes), (), None))
            continue
        made = next(packs)
        rows, tokens = made.pack.ids.shape
        # A graph is for one shape, and there are few of the whole pass.
        shapes = ((rows // len(lists), tokens),) * len(lists) if on_gpu else made.shapes
        found.append(Batch(made.pack, same, tuple(own_sizes), shapes, None))
    return found
