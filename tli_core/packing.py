"""Words of a list side by side in rows that share their BOS: nothing is computed twice, next to nothing is padded.

In a causal model BOS sees only itself, so it is the same for every word and need be computed once a row. A mask lets
each word see BOS and its own past, and positions begin anew with every word: each gets the states it has alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

import numpy as np
import torch
from torch import Tensor

from .pooling import EncodedWord

ROW_TOKENS = 128
"""Tokens in a row: enough for a training batch in one row, few enough that attention across words costs little."""

_ALIGNED = 256
"""Bytes: where a tensor may begin in another's memory for a GPU to read it as fast as one of its own."""

_MULTIPLE = 8
"""Rows are padded to a multiple of this, which fused attention asks of a mask."""


@dataclass(frozen=True)
class Pack:
    """r rows of t tokens with up to k words each: n neighbours of a list, laid out in whatever order fills the rows.

    ids and positions are (r, t), mask (r, t, t) is True where a token sees another. weights and anchors (r, k, t) are
    each token's part in a word's vector, and that of special tokens alone; slots (n,) are the words' places in (r · k),
    in the order of the list.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    weights: Tensor
    anchors: Tensor
    slots: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """Its parts, in order."""
        return self.ids, self.positions, self.mask, self.weights, self.anchors, self.slots

    def to(self, device: torch.device) -> "Pack":
        """The same on a device; a GPU fetches it while the CPU goes on."""
        return Pack(*sent(self.tensors(), device))

    def additive_mask(self, dtype: torch.dtype) -> Tensor:
        """The mask as blocks take it: (r, 1, t, t), added to the scores."""
        hidden = torch.zeros(self.mask.shape, dtype=dtype, device=self.mask.device)
        return hidden.masked_fill(~self.mask, torch.finfo(dtype).min)[:, None]

    def pool(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Weighted sums over tokens: hidden (r, t, d) in float32 and weights (r, k, t) -> (n, d)."""
        return torch.bmm(weights, hidden).flatten(0, 1).index_select(0, self.slots)


def sent(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Tensors on a device, to a GPU as one copy: one for each took the CPU a fifth of a training step.

    The copy is from page-locked memory, as from any other it would wait for the GPU to be idle.
    """
    if device.type != "cuda" or tensors[0].is_cuda:
        return [tensor.to(device) for tensor in tensors]
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    ends = list(accumulate(-(-size // _ALIGNED) * _ALIGNED for size in sizes))
    places = [slice(start, start + size) for start, size in zip([0, *ends], sizes, strict=False)]
    here = torch.empty(ends[-1], dtype=torch.uint8, pin_memory=True)
    # With NumPy on this thread: PyTorch shares even small copies out to all cores, and waking them takes longer.
    bytes_here = here.numpy()
    for place, tensor in zip(places, tensors, strict=True):
        bytes_here[place] = tensor.numpy().reshape(-1).view(np.uint8)
    there = here.to(device, non_blocking=True)
    return [there[place].view(t.dtype).view(t.shape) for place, t in zip(places, tensors, strict=True)]


def pack_words(
    words: Sequence[EncodedWord],
    weights: Sequence[np.ndarray],
    max_tokens: int | None = None,
    row_tokens: int = ROW_TOKENS,
    round_to: tuple[int, int] = (_MULTIPLE, 1),
) -> Iterator[Pack]:
    """Lay words out in packs, each of the next words of the list.

    Args:
        weights: each word's pooling weights, one a token of it.
        max_tokens: about how many tokens a pack has at most; None makes one pack of all.
        round_to: rows are padded to a multiple of the first, words in a row to one of the second.
    """
    shared = _shared_prefix(words)
    capacity = max(row_tokens, max(len(word.ids) for word in words))
    own = np.fromiter((len(word.ids) - shared for word in words), dtype=np.int64, count=len(words))
    room = own.sum() if max_tokens is None else max(1, max_tokens // capacity) * (capacity - shared)
    stretch = np.maximum(own.cumsum() - 1, 0) // max(1, room)  # which pack each word goes to
    edges = [0, *(np.flatnonzero(np.diff(stretch)) + 1).tolist(), len(words)]
    for begin, end in pairwise(edges):
        yield _pack(words[begin:end], weights[begin:end], own[begin:end], shared, capacity, round_to)


def _pack(
    words: Sequence[EncodedWord],
    weights: Sequence[np.ndarray],
    own: np.ndarray,
    shared: int,
    capacity: int,
    round_to: tuple[int, int],
) -> Pack:
    n = len(words)
    row, slot, begin = _rows(own, shared, capacity)
    r = int(row.max()) + 1
    t, k = _rounded((begin + own).max(), round_to[0]), _rounded(slot.max() + 1, round_to[1])
    ids, positions = np.zeros((r, t), dtype=np.int64), np.zeros((r, t), dtype=np.int64)
    segment = np.full((r, t), -1)  # 0: the shared prefix; from 1: the words; −1: padding
    pooled, anchors = np.zeros((r, k, t), dtype=np.float32), np.zeros((r, k, t), dtype=np.float32)
    ids[:, :shared], positions[:, :shared], segment[:, :shared] = words[0].ids[:shared], range(shared), 0

    # Every word's own tokens, one after another: which word, and the how manyth token of its own.
    word = np.repeat(np.arange(n), own)
    within = np.arange(len(word)) - np.repeat(own.cumsum() - own, own)
    at = row[word], begin[word] + within
    ids[at] = np.fromiter(chain.from_iterable(w.ids[shared:] for w in words), dtype=np.int64, count=len(word))
    positions[at] = shared + within
    segment[at] = slot[word] + 1
    special = np.fromiter(chain.from_iterable(w.special[shared:] for w in words), dtype=bool, count=len(word))
    parts = np.concatenate([part[shared:] for part in weights])
    pooled[at[0], slot[word], at[1]] = parts
    anchors[at[0], slot[word], at[1]] = parts * special
    prefix = np.stack([part[:shared] for part in weights])  # (n, shared); special tokens, all of them
    pooled[row, slot, :shared] = anchors[row, slot, :shared] = prefix

    seen = segment[:, :, None] == segment[:, None, :]
    mask = (seen | (segment[:, None, :] == 0)) & np.tri(t, dtype=bool)  # (r, t, t)
    return Pack(*map(torch.from_numpy, (ids, positions, mask, pooled, anchors, row * k + slot)))


def _rounded(count: int, unit: int) -> int:
    return -(-int(count) // unit) * unit


def _rows(own: np.ndarray, shared: int, capacity: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each word's row, its place among the row's words, and its first token there: (n,) each."""
    row, slot, begin = (np.empty(len(own), dtype=np.int64) for _ in range(3))
    at, count, used = -1, 0, capacity
    # Longest first, so that what is left at the end of a row is no more than a short word.
    for i in np.argsort(-own, kind="stable").tolist():
        length = int(own[i])
        if used + length > capacity:
            at, count, used = at + 1, 0, shared
        row[i], slot[i], begin[i] = at, count, used
        count, used = count + 1, used + length
    return row, slot, begin


def _shared_prefix(words: Sequence[EncodedWord]) -> int:
    """How many special tokens all words begin with alike: one for BOS, none where the tokenizer adds none."""
    first = words[0]
    count = next(i for i, special in enumerate(first.special) if not special)
    while any(word.ids[:count] != first.ids[:count] or not all(word.special[:count]) for word in words):
        count -= 1
    return count
