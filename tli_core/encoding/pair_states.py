"""The pooled vectors of a list of pairs: each distinct word embedded once, whatever the number of its pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from tli_core.distributed import gather_tensor, own_part, processes
from tli_core.encoding.pooled_states import states_by_pooling
from tli_core.encoding.tokens import encode
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair, numbered
from tli_core.models.loaded_model import LoadedModel


@dataclass(frozen=True)
class PairStates:
    """The pooled vectors of a list of pairs, each distinct word once.

    source is (layers, a, d) and target (layers, b, d) for a and b distinct strings; pair i is row source_index[i] of
    the one and target_index[i] of the other. source_pieces (a,) and target_pieces (b,) count each word's tokens.
    prefix_share (layers,) is the mean over words of
    `pooled_states.PooledStates.prefix_share`; first_piece (layers,) is the ratio of the same name there.
    """

    pairs: tuple[WordPair, ...]
    source: Tensor
    target: Tensor
    source_index: np.ndarray
    target_index: np.ndarray
    source_pieces: np.ndarray
    target_pieces: np.ndarray
    names: tuple[str, ...]
    prefix_share: np.ndarray
    first_piece: np.ndarray

    def __post_init__(self) -> None:
        if self.source.shape[0] != self.target.shape[0] or self.source.shape[2] != self.target.shape[2]:
            raise ValueError(
                f"Swahili states {tuple(self.source.shape)} do not fit English {tuple(self.target.shape)}."
            )
        if not len(self.names) == len(self.prefix_share) == self.source.shape[0]:
            raise ValueError(
                f"{self.source.shape[0]} layers but {len(self.names)} names and {len(self.prefix_share)} shares."
            )
        if not len(self.pairs) == len(self.source_index) == len(self.target_index):
            raise ValueError(f"{len(self.pairs)} pairs but {len(self.source_index)} indices.")


def embed_pairs(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    pooling: str,
    progress: Callable[[int, int], None] = lambda done, blocks: None,
    alone: bool = False,
) -> PairStates:
    """Embed every distinct word of the pairs under one pooling, as `embed_by_pooling`."""
    return embed_by_pooling(loaded, pairs, adapter, (pooling,), progress, alone)[pooling]


def embed_by_pooling(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    poolings: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, blocks: None,
    alone: bool = False,
) -> dict[str, PairStates]:
    """Embed every distinct word of the pairs once, for all poolings, with the named adapter on (None: the base).

    Args:
        progress: called with (blocks done, total blocks).
        alone: whether this process embeds all of them; otherwise several processes share the words out.
    """
    source, source_index = numbered(pair.source for pair in pairs)
    target, target_index = numbered(pair.target for pair in pairs)
    words = source + target
    with loaded.using(adapter) as model:
        own = words if alone else own_part(words)
        by_pooling = states_by_pooling(model, loaded.tokenizer, own, poolings, progress=progress)
    pieces = np.array([len(word.ids) - sum(word.special) for word in encode(loaded.tokenizer, words)])
    found = {}
    for pooling, pooled in by_pooling.items():
        states, shares = pooled.vectors, pooled.prefix_share  # (layers, a + b, d) and (layers, a + b)
        if not alone:
            states, shares = (_gathered(part, len(words), loaded) for part in (states, shares))
        found[pooling] = PairStates(
            tuple(pairs),
            states[:, : len(source)],
            states[:, len(source) :],
            source_index,
            target_index,
            pieces[: len(source)],
            pieces[len(source) :],
            loaded.layer_names[: states.shape[0]],
            shares.numpy().mean(axis=1, dtype=np.float64),
            pooled.first_piece.numpy(),
        )
    return found


def _gathered(part: Tensor, total: int, loaded: LoadedModel) -> Tensor:
    """All processes' words of (layers, own n, …), on the CPU: (layers, total, …)."""
    if processes() == 1:
        return part
    # Processes exchange what lies on their device.
    return gather_tensor(part.transpose(0, 1).to(loaded.device), total).transpose(0, 1).cpu()


def reference_states(loaded: LoadedModel, adapter: str | None, poolings: Sequence[str]) -> dict[str, PairStates]:
    """The reference pool's vectors for each pooling; those not cached yet are computed in one forward pass."""
    new = [pooling for pooling in poolings if not loaded.has_reference(adapter, pooling)]
    made = embed_by_pooling(loaded, shipped("pool"), adapter, new) if new else {}

    def kept(pooling: str) -> PairStates:
        # The cache entry may have been evicted by another thread since the check.
        found = made.get(pooling)
        return loaded.reference(
            adapter, pooling, lambda: found or embed_pairs(loaded, shipped("pool"), adapter, pooling)
        )

    return {pooling: kept(pooling) for pooling in poolings}
