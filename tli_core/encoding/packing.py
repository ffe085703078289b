"""Words of a list side by side in rows that share what they begin with: little is computed twice, or padded.

In a causal model a token attends to those before it only, so the states of BOS, and of a piece that several words begin
with, are the same in all of them and are computed once a row. A mask lets each word attend to its own tokens only, and
positions restart at every word: the states are unchanged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise, takewhile

import numpy as np
import torch
from torch import Tensor

from tli_core.encoding.pooling import EncodedWord

ROW_TOKENS = 128
"""Tokens in a row: enough for a training batch in one row, few enough that attention across words costs little."""

_ALIGNED = 256
"""Bytes: where a tensor may begin in another's memory for a GPU to read it as fast as one of its own."""

MULTIPLE = 8
"""Rows are padded to a multiple of this, which fused attention asks of a mask."""


@dataclass(frozen=True)
class Pack:
    """r rows of t tokens with up to k words each: n neighbours of a list, laid out in whatever order fills the rows.

    ids and positions are (r, t), mask (r, t, t) is True where a token sees another. weights (r, k, t) are each token's
    part in a word's vector, and prefix_weights (r, k, t) that of special tokens alone. slots (n,) are the words' places
    in (r · k), in the order of the list, which is also their order within a row.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    weights: Tensor
    prefix_weights: Tensor
    slots: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """Its parts, in order."""
        return self.ids, self.positions, self.mask, self.weights, self.prefix_weights, self.slots

    def to(self, device: torch.device) -> "Pack":
        """Copy to a device; the copy to a GPU is asynchronous."""
        ((_, parts),) = copy_to_device([self.tensors()], device)
        return Pack(*parts)

    def additive_mask(self, dtype: torch.dtype, window: int | None = None) -> Tensor:
        """The mask as blocks take it: (r, 1, t, t), added to the scores. Every token sees itself at least.

        Args:
            window: how many positions a token looks back, its own counted; None for all.
        """
        seen = self.mask
        if window is not None:
            seen = seen & (self.positions[:, :, None] - self.positions[:, None] < window)
        return seen.to(dtype).log()[:, None]  # log 1 = 0, log 0 = −∞

    def pool(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Weighted sums over tokens: hidden (r, t, d) in float32 and weights (r, k, t) -> (n, d)."""
        if len(hidden) == 1:
            # In the only row words have their places in the order of the list.
            return weights.squeeze(0)[: len(self.slots)] @ hidden.squeeze(0)
        return torch.bmm(weights, hidden).flatten(0, 1).index_select(0, self.slots)


def copy_to_device(
    groups: Sequence[Sequence[Tensor]], device: torch.device
) -> list[tuple[Tensor | None, list[Tensor]]]:
    """Move groups of tensors to a device, as one copy to a GPU: separate copies took a fifth of a step on the CPU.

    The copy is from pinned memory; from pageable memory it would wait until the GPU is idle.

    Returns:
        for each group the memory that it lies in on a GPU, as bytes, or None, and its tensors.
    """
    if device.type != "cuda" or groups[0][0].is_cuda:
        return [(None, [tensor.to(device) for tensor in group]) for group in groups]
    tensors = list(chain.from_iterable(groups))
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    edges = [0, *accumulate(-(-size // _ALIGNED) * _ALIGNED for size in sizes)]
    here = torch.empty(edges[-1], dtype=torch.uint8, pin_memory=True)
    # With NumPy on this thread: PyTorch shares even small copies out to all cores, and waking them takes longer.
    bytes_here = here.numpy()
    for start, size, tensor in zip(edges, sizes, tensors, strict=False):
        array = tensor.numpy()
        bytes_here[start : start + size].view(array.dtype).reshape(array.shape)[...] = array
    there = here.to(device, non_blocking=True)
    parts = [
        there[start : start + size].view(tensor.dtype).view(tensor.shape)
        for start, size, tensor in zip(edges, sizes, tensors, strict=False)
    ]
    ends = list(accumulate(len(group) for group in groups))
    return [(there[edges[begin] : edges[end]], parts[begin:end]) for begin, end in pairwise([0, *ends])]


def pack_words(
    words: Sequence[EncodedWord], weights: Sequence[np.ndarray], max_tokens: int, row_tokens: int = ROW_TOKENS
) -> Iterator[Pack]:
    """Lay words out in packs, each of the next words of the list; words of a row share all that they begin with alike.

    Args:
        weights: each word's pooling weights, one a token of it.
        max_tokens: about how many tokens a pack has at most.
    """
    shared, own, capacity = _measure(words, row_tokens)
    room = max(1, max_tokens // capacity) * (capacity - shared)
    stretch = np.maximum(own.cumsum() - 1, 0) // max(1, room)  # which pack each word goes to
    edges = [0, *(np.flatnonzero(np.diff(stretch)) + 1).tolist(), len(words)]
    for begin, end in pairwise(edges):
        part = words[begin:end]
        yield from _packs(part, weights[begin:end], [end - begin], _as_trees(part, capacity))


def pack_batches(
    words: Sequence[EncodedWord], weights: Sequence[np.ndarray], sizes: Sequence[int], round_to: tuple[int, int]
) -> list[Pack]:
    """One pack for each batch of so many words, which follow one another, as `pack_side_by_side`."""
    return [found.pack for found in pack_side_by_side(words, weights, [[size] for size in sizes], round_to)]


@dataclass(frozen=True)
class SideBySide:
    """Batches in one pack, each in rows of its own: batch i of k has rows i · r/k to (i + 1) · r/k of r.

    shapes (k,) are the rows and the tokens of a row that each would fill alone.
    """

    pack: Pack
    shapes: tuple[tuple[int, int], ...]


def pack_side_by_side(
    words: Sequence[EncodedWord],
    weights: Sequence[np.ndarray],
    sizes: Sequence[Sequence[int]],
    round_to: tuple[int, int],
) -> list[SideBySide]:
    """Packs of k batches each; words follow one another. Many batches at once take hardly longer than one.

    Words share what all of them begin with: to share more would have them share their dropout, too.

    Args:
        weights: as in `pack_words`.
        sizes: for each pack the words of its batches, k of them.
        round_to: rows are padded to a multiple of the first, words in a row to one of the second.
    """
    flat = np.array(sizes).ravel()  # (batches,)
    edges = np.cumsum([0, *flat])  # of each batch's words
    # Each batch by itself, so that it lies in its rows as it would alone.
    measured = [_measure(words[begin:end], ROW_TOKENS) for begin, end in pairwise(edges.tolist())]
    shared, capacities = [of[0] for of in measured], [of[2] for of in measured]
    own = np.concatenate([of[1] for of in measured])  # (n,)
    layout = _one_by_one(own, flat.tolist(), shared, capacities)
    starts = edges[:-1]
    first = np.minimum.reduceat(layout.row, starts)
    rows = np.diff([*first, layout.row.max() + 1])
    most = np.maximum.reduceat(layout.column, (own.cumsum() - own)[starts]) + 1
    shapes = [(int(r), _rounded(t, round_to[0])) for r, t in zip(rows, most, strict=True)]
    k = len(sizes[0])
    r = rows.reshape(-1, k).max(axis=1)  # of each batch in a pack
    begin = np.repeat(np.cumsum([0, *(k * r[:-1])]), k) + np.tile(np.arange(k), len(sizes)) * np.repeat(r, k)
    layout = replace(layout, row=layout.row + np.repeat(begin - first, flat))
    first_rows = np.cumsum([0, *(k * r)]).tolist()
    packs = _packs(words, weights, [sum(of) for of in sizes], layout, round_to, flat.tolist(), shared, first_rows)
    return [SideBySide(pack, tuple(shapes[i * k : (i + 1) * k])) for i, pack in enumerate(packs)]


def _measure(words: Sequence[EncodedWord], row_tokens: int) -> tuple[int, np.ndarray, int]:
    """How many tokens all words begin with alike, how many each has beside, (n,), and how many a row has."""
    shared = _shared_prefix(words)
    own = np.fromiter((len(word.ids) - shared for word in words), dtype=np.int64, count=len(words))
    return shared, own, max(row_tokens, shared + int(own.max()))


@dataclass(frozen=True)
class _Layout:
    """Where n words go: row (n,) is each one's; of all their own tokens, one word after the other, column is the place
    in the row, and end where the tokens that see it end."""

    row: np.ndarray
    column: np.ndarray
    end: np.ndarray


def _packs(
    words: Sequence[EncodedWord],
    weights: Sequence[np.ndarray],
    sizes: Sequence[int],
    layout: _Layout,
    round_to: tuple[int, int] = (MULTIPLE, 1),
    batches: Sequence[int] | None = None,
    shared: Sequence[int] = (0,),
    first_rows: Sequence[int] | None = None,
) -> list[Pack]:
    """The packs of a layout, so many words in each.

    Args:
        batches: the words of each batch, which has rows of its own; without them all are one.
        shared: how many tokens the words of each batch begin with alike, which are in its rows once.
        first_rows: of each pack, and one more; without them rows follow one another.
    """
    # All packs are laid out as one with as many rows, which is then cut: NumPy takes as long for one as for many.
    row = layout.row
    slot = _counted(row)
    before = np.repeat(shared, batches or [len(words)])  # (n,)
    lengths = np.fromiter((len(word.ids) for word in words), dtype=np.int64, count=len(words))
    own = lengths - before
    # Every word's own tokens, flattened: the index of the word, and the index of the token within the word.
    word = np.repeat(np.arange(len(words)), own)
    first_token = own.cumsum() - own
    within = np.arange(len(word)) - first_token[word]
    starts = np.cumsum([0, *sizes[:-1]])  # each pack's first word
    first_row = first_rows or [*np.minimum.reduceat(row, starts).tolist(), int(row.max()) + 1]
    ts = [_rounded(most + 1, round_to[0]) for most in np.maximum.reduceat(layout.column, first_token[starts])]
    ks = [_rounded(most + 1, round_to[1]) for most in np.maximum.reduceat(slot, starts)]
    r, t, k = first_row[-1], max(ts), max(ks)
    ids, positions = np.zeros((r, t), dtype=np.int64), np.zeros((r, t), dtype=np.int64)
    end = np.tile(np.arange(1, t + 1), (r, 1))  # padding is seen by itself alone
    pooled, prefix_weights = np.zeros((r, k, t), dtype=np.float32), np.zeros((r, k, t), dtype=np.float32)

    at = row[word], layout.column
    cut = before.tolist()
    ids[at] = np.fromiter(
        chain.from_iterable(w.ids[s:] for w, s in zip(words, cut, strict=True)), dtype=np.int64, count=len(word)
    )
    positions[at] = before[word] + within
    end[at] = layout.end
    special = np.fromiter(
        chain.from_iterable(w.special[s:] for w, s in zip(words, cut, strict=True)), dtype=bool, count=len(word)
    )
    parts = np.concatenate([part[s:] for part, s in zip(weights, cut, strict=True)])
    pooled[at[0], slot[word], at[1]] = parts
    prefix_weights[at[0], slot[word], at[1]] = parts * special
    edges = np.cumsum([0, *(batches or [len(words)])]).tolist()
    for s, (begin, stop) in zip(shared, pairwise(edges), strict=True):
        if s:
            of = slice(begin, stop)
            rows = slice(row[of].min(), row[of].max() + 1)
            ids[rows, :s], positions[rows, :s], end[rows, :s] = words[begin].ids[:s], range(s), t
            prefix = np.stack([part[:s] for part in weights[of]])  # (b, s); special tokens, all of them
            pooled[row[of], slot[of], :s] = prefix_weights[row[of], slot[of], :s] = prefix

    mask = (np.arange(t)[:, None] < end[:, None]) & np.tri(t, dtype=bool)  # (r, t, t)
    packs = []
    for start, size, (top, bottom), t, k in zip(starts, sizes, pairwise(first_row), ts, ks, strict=True):
        own_slots = (row[start : start + size] - top) * k + slot[start : start + size]
        rows = slice(top, bottom)
        arrays = (
            ids[rows, :t],
            positions[rows, :t],
            mask[rows, :t, :t],
            pooled[rows, :k, :t],
            prefix_weights[rows, :k, :t],
        )
        packs.append(Pack(*map(torch.from_numpy, (*arrays, own_slots))))
    return packs


def _rounded(count: int, unit: int) -> int:
    return -(-int(count) // unit) * unit


def _one_by_one(own: np.ndarray, sizes: Sequence[int], shared: Sequence[int], capacities: Sequence[int]) -> _Layout:
    """Words one after the other behind what all of a batch begin with. A batch begins with a row of its own."""
    lengths, row, begin = own.tolist(), [0] * len(own), [0] * len(own)
    at, first = -1, 0
    for size, before, capacity in zip(sizes, shared, capacities, strict=True):
        used = capacity
        # Longest first, so that what is left at the end of a row is no more than a short word.
        for i in sorted(range(first, first + size), key=lengths.__getitem__, reverse=True):
            if used + lengths[i] > capacity:
                at, used = at + 1, before
            row[i], begin[i] = at, used
            used += lengths[i]
        first += size
    starts = np.array(begin)
    within = np.arange(own.sum()) - np.repeat(own.cumsum() - own, own)
    return _Layout(np.array(row), np.repeat(starts, own) + within, np.repeat(starts + own, own))


def _as_trees(words: Sequence[EncodedWord], capacity: int) -> _Layout:
    """Words as paths in one tree a row, its tokens depth first: words that begin alike share the tokens of that."""
    row = [0] * len(words)
    columns: list[list[int]] = [[]] * len(words)  # of each word's tokens
    ends = [[0] * capacity]  # of each row's tokens
    path: list[int] = []  # columns of the last word's tokens
    last: tuple[int, ...] = ()
    used = 0
    # In alphabetical order words that begin alike are neighbours.
    for i in sorted(range(len(words)), key=lambda i: words[i].ids):
        ids = words[i].ids
        alike = sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(last, ids, strict=False)))
        if used + len(ids) - alike > capacity:
            _close(ends[-1], path, used)
            ends.append([0] * capacity)
            path, alike, used = [], 0, 0
        _close(ends[-1], path[alike:], used)
        path = [*path[:alike], *range(used, used + len(ids) - alike)]
        used += len(ids) - alike
        row[i], columns[i], last = len(ends) - 1, path, ids
    _close(ends[-1], path, used)
    return _Layout(
        np.array(row),
        np.fromiter(chain.from_iterable(columns), dtype=np.int64),
        np.fromiter((ends[of][c] for of, path in zip(row, columns, strict=True) for c in path), dtype=np.int64),
    )


def _close(ends: list[int], columns: Sequence[int], used: int) -> None:
    """Mark that no word comes any more that begins with these tokens."""
    for column in columns:
        ends[column] = used


def _counted(row: np.ndarray) -> np.ndarray:
    """Each word's place among those of its row, in the order of the list: (n,)."""
    place = np.empty_like(row)
    counts = np.bincount(row)
    place[np.argsort(row, kind="stable")] = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
    return place


def _shared_prefix(words: Sequence[EncodedWord]) -> int:
    """How many special tokens all words begin with alike: one for BOS, none where the tokenizer adds none."""
    first = words[0]
    count = first.special.index(False)
    while any(word.ids[:count] != first.ids[:count] or not all(word.special[:count]) for word in words):
        count -= 1
    return count
