"""Words of a list side by side in rows that share their BOS: nothing is computed twice, next to nothing is padded.

In a causal model BOS sees only itself, so it is the same for every word and need be computed once a row. A mask lets
each word see BOS and its own past, and positions begin anew with every word: each gets the states it has alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ROW_TOKENS = 128
"""Tokens in a row: enough for a training batch in one row, few enough that attention across words costs little."""

_MULTIPLE = 8
"""Rows are padded to a multiple of this, which fused attention asks of a mask."""


@dataclass(frozen=True)
class EncodedWord:
    """A word's token ids as the model reads it, and which of them the tokenizer added (BOS)."""

    ids: tuple[int, ...]
    special: tuple[bool, ...]


@dataclass(frozen=True)
class Pack:
    """r rows of t tokens with up to k words each; `indices` are the n words' places in the list, in order of `slots`.

    ids and positions are (r, t), mask (r, t, t) is True where a token sees another. weights and anchors (r, k, t) are
    each token's part in a word's vector, and that of special tokens alone; slots (n,) are the words' places in (r · k).
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    weights: Tensor
    anchors: Tensor
    slots: Tensor
    indices: tuple[int, ...]

    def to(self, device: torch.device) -> "Pack":
        """The same on a device."""
        tensors = (self.ids, self.positions, self.mask, self.weights, self.anchors, self.slots)
        return Pack(*(tensor.to(device) for tensor in tensors), self.indices)

    def inputs(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """What the decoder takes: its mask is additive, in its own dtype."""
        hidden = torch.zeros(self.mask.shape, dtype=dtype, device=self.mask.device)
        hidden = hidden.masked_fill(~self.mask, torch.finfo(dtype).min)
        return {"input_ids": self.ids, "position_ids": self.positions, "attention_mask": hidden[:, None]}

    def pool(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Weighted sums over tokens in float32: hidden (r, t, d) and weights (r, k, t) -> (n, d)."""
        return torch.bmm(weights, hidden.float()).flatten(0, 1)[self.slots]


def pack_words(
    words: Sequence[EncodedWord], weights: Sequence[np.ndarray], max_tokens: int, row_tokens: int = ROW_TOKENS
) -> Iterator[Pack]:
    """Lay words out in packs of at most max_tokens tokens (more only where a single row has more).

    Args:
        weights: each word's pooling weights, one a token of it.
    """
    shared = _shared_prefix(words)
    capacity = max(row_tokens, max(len(word.ids) for word in words))
    # Longest first, so that what is left at the end of a row is no more than a short word.
    order = sorted(range(len(words)), key=lambda i: -len(words[i].ids))
    rows: list[list[int]] = []
    used = capacity
    for i in order:
        own = len(words[i].ids) - shared
        if used + own > capacity:
            rows.append([])
            used = shared
        rows[-1].append(i)
        used += own
    per_pack = max(1, max_tokens // capacity)
    for start in range(0, len(rows), per_pack):
        yield _pack(rows[start : start + per_pack], words, weights, shared)


def _pack(
    rows: Sequence[Sequence[int]], words: Sequence[EncodedWord], weights: Sequence[np.ndarray], shared: int
) -> Pack:
    lengths = [shared + sum(len(words[i].ids) - shared for i in row) for row in rows]
    r, k = len(rows), max(map(len, rows))
    t = -(-max(lengths) // _MULTIPLE) * _MULTIPLE
    ids, positions = np.zeros((r, t), dtype=np.int64), np.zeros((r, t), dtype=np.int64)
    segment = np.full((r, t), -1)  # 0: the shared prefix; from 1: the words; −1: padding
    pooled, anchors = np.zeros((r, k, t), dtype=np.float32), np.zeros((r, k, t), dtype=np.float32)
    slots, indices = [], []
    for at, row in enumerate(rows):
        ids[at, :shared] = words[row[0]].ids[:shared]
        positions[at, :shared] = range(shared)
        segment[at, :shared] = 0
        begin = shared
        for slot, i in enumerate(row):
            word, end = words[i], begin + len(words[i].ids) - shared
            ids[at, begin:end] = word.ids[shared:]
            positions[at, begin:end] = range(shared, len(word.ids))
            segment[at, begin:end] = slot + 1
            special = weights[i] * np.asarray(word.special)
            for table, parts in ((pooled, weights[i]), (anchors, special)):
                table[at, slot, :shared] = parts[:shared]
                table[at, slot, begin:end] = parts[shared:]
            slots.append(at * k + slot)
            indices.append(i)
            begin = end
    own = segment[:, :, None] == segment[:, None, :]
    mask = (own | (segment[:, None, :] == 0)) & np.tri(t, dtype=bool)  # (r, t, t)
    return Pack(
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        torch.from_numpy(mask),
        torch.from_numpy(pooled),
        torch.from_numpy(anchors),
        torch.tensor(slots),
        tuple(indices),
    )


def _shared_prefix(words: Sequence[EncodedWord]) -> int:
    """How many special tokens all words begin with alike: one for BOS, none where the tokenizer adds none."""
    first = words[0]
    count = next(i for i, special in enumerate(first.special) if not special)
    while any(word.ids[:count] != first.ids[:count] or not all(word.special[:count]) for word in words):
        count -= 1
    return count
