"""What an adapter is held against: a linear map on the untouched base, fitted on the same training pairs.

Two languages' vectors can be brought together without changing the model at all. What an adapter finds beyond such a
map is what changing the model gave. The map is a canonical correlation analysis with shrinkage (Faruqui & Dyer 2014):
both languages are mapped into one space, so it serves both directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tli_core.encoding.lens import LENS, Lens
from tli_core.encoding.pair_states import word_states
from tli_core.lists.pairs import WordPair, numbered
from tli_core.measures.result import Retrieval
from tli_core.measures.retrieval import best_rank, csls, nearest
from tli_core.measures.wrong_pairs import right_table
from tli_core.models.loaded_model import LoadedModel

SHRINKAGE = (1.0, 3.0, 10.0, 30.0)
"""Added to every squared singular value of the unit vectors; which one is picked on a part of the training pairs."""

HELD_BACK = 5
"""One in so many training pairs picks the shrinkage and is not fitted on meanwhile."""

FEWEST_TO_FIT = 20


@dataclass(frozen=True)
class LinearMap:
    """Where a linear map puts the right words of a list that it was not fitted on: ranks (1, n) for each direction.

    layer is the one that it was fitted at, and fitted_on how many pairs it saw.
    """

    layer: int
    retrieval: dict[str, Retrieval]
    fitted_on: int
    shrinkage: float


def map_base(
    loaded: LoadedModel, trained: Sequence[WordPair], held_out: Sequence[WordPair], layer: int, lens: Lens = LENS
) -> LinearMap | None:
    """Fit a map on the training pairs under the base at a layer, and rank the held-out list by it.

    None where there are too few training pairs to fit one, or their vectors are no numbers.
    """
    if len(trained) < FEWEST_TO_FIT:
        return None
    source_vectors, target_vectors = _at_layer(loaded, (*trained, *held_out), layer, lens)
    source = torch.stack([source_vectors[pair.source] for pair in trained])  # (n, d)
    target = torch.stack([target_vectors[pair.target] for pair in trained])  # (n, d)
    if not (source.isfinite().all() and target.isfinite().all()):
        return None
    back = torch.arange(len(trained)) % HELD_BACK == 0
    tried = {
        shrinkage: _mrr(_cosines(fitted, source[back], target[back]))
        for shrinkage, fitted in _fit(source[~back], target[~back], SHRINKAGE).items()
    }
    best = max(SHRINKAGE, key=tried.__getitem__)
    source_words, source_index = numbered(pair.source for pair in held_out)
    target_words, target_index = numbered(pair.target for pair in held_out)
    asked = (
        torch.stack([vectors[word] for word in words])
        for vectors, words in ((source_vectors, source_words), (target_vectors, target_words))
    )
    cosines = _cosines(_fit(source, target, (best,))[best], *asked)  # (a, b)
    right = right_table(held_out, source_index, target_words)
    corrected = csls(cosines, nearest(cosines)[0], nearest(cosines.T)[0])
    ranks = {
        "to_target": (best_rank(cosines, right), best_rank(corrected, right), source_index),
        "to_source": (best_rank(cosines.T, right.T), best_rank(corrected.T, right.T), target_index),
    }
    retrieval = {way: Retrieval(rank[None, of], hubless[None, of]) for way, (rank, hubless, of) in ranks.items()}
    return LinearMap(layer, retrieval, len(trained), best)


def _at_layer(
    loaded: LoadedModel, pairs: Sequence[WordPair], layer: int, lens: Lens
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The base's vector of every source and target word at one layer, (d,) each; all layers might fill gigabytes."""
    sides = []
    for language, words in (
        (lens.pair.source, [pair.source for pair in pairs]),
        (lens.pair.target, [pair.target for pair in pairs]),
    ):
        words = list(dict.fromkeys(words))
        sides.append(dict(zip(words, word_states(loaded, words, language, None, layer, lens), strict=True)))
    return sides[0], sides[1]


@dataclass(frozen=True)
class _Side:
    """How one language's vectors are mapped: less their mean (d,), as unit vectors, times a matrix (d, k)."""

    mean: Tensor
    matrix: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        return _unit(vectors - self.mean) @ self.matrix


def _fit(source: Tensor, target: Tensor, shrinkages: Sequence[float]) -> dict[float, tuple[_Side, _Side]]:
    """A map of both languages for each shrinkage, from (n, d) vectors of right pairs."""
    means = source.mean(dim=0), target.mean(dim=0)
    parts = [
        torch.linalg.svd(_unit(side - mean), full_matrices=False)
        for side, mean in zip((source, target), means, strict=True)
    ]
    found = {}
    for shrinkage in shrinkages:
        # In the basis of singular vectors, whitening is a division: (k, k) instead of (d, d).
        scale = [s / (s.square() + shrinkage).sqrt() for _, s, _ in parts]
        u, correlation, v = torch.linalg.svd(scale[0][:, None] * (parts[0][0].T @ parts[1][0]) * scale[1])
        turned = u * correlation, v.T
        matrices = [
            part[2].T / (part[1].square() + shrinkage).sqrt() @ turn for part, turn in zip(parts, turned, strict=True)
        ]
        found[shrinkage] = _Side(means[0], matrices[0]), _Side(means[1], matrices[1])
    return found


def _cosines(fitted: tuple[_Side, _Side], source: Tensor, target: Tensor) -> np.ndarray:
    """Cosines of mapped vectors: (a, d) and (b, d) -> (a, b)."""
    return (_unit(fitted[0](source)) @ _unit(fitted[1](target)).T).numpy()


def _mrr(cosines: np.ndarray) -> float:
    """Mean reciprocal rank of the diagonal, both directions added: (n, n)."""
    own = np.eye(len(cosines), dtype=bool)
    return float((1 / best_rank(cosines, own)).mean() + (1 / best_rank(cosines.T, own)).mean())


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=-1)
