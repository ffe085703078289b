"""One result of the parts in which a long list is measured."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from tli_core.lists.pairs import WordPair, normalise
from tli_core.measures.rank_tests import topic_clusters, word_groups
from tli_core.measures.result import DIRECTIONS, LayerAlignment, Neighbours, Retrieval
from tli_core.measures.token_cost import mean_cost
from tli_core.notices import Notice, notice


def merge_parts(parts: Sequence[LayerAlignment]) -> LayerAlignment:
    """One result of the parts of a long list: wrong pairs and ranks are those within a part.

    Means are over pairs, percentiles over parts by their size, and pairs that share a word are one group in all parts.
    """
    sizes = np.array([len(part.pairs) for part in parts]) / sum(len(part.pairs) for part in parts)
    return LayerAlignment(**{field.name: _JOINED[field.name](parts, sizes) for field in fields(LayerAlignment)})


def _joined(combine: Callable[[list, np.ndarray], Any]) -> Callable[[str], Callable]:
    """How a field's values of all parts, and the parts' shares of the list, become that of the whole."""
    return lambda name: lambda parts, sizes: combine([getattr(part, name) for part in parts], sizes)


def _joined_warnings(parts: Sequence[LayerAlignment], sizes: np.ndarray) -> tuple[Notice, ...]:
    n = sum(len(part.pairs) for part in parts)
    count = notice("measured_in_parts", n=n, part=len(parts[0].pairs))
    return (count, *dict.fromkeys(warning for part in parts for warning in part.warnings))


def _joined_retrieval(parts: Sequence[LayerAlignment], sizes: np.ndarray) -> dict[str, Retrieval]:
    found = {}
    for way in DIRECTIONS:
        of = [part.retrieval[way] for part in parts]
        found[way] = Retrieval(
            np.concatenate([one.rank for one in of], axis=1), np.concatenate([one.csls_rank for one in of], axis=1)
        )
    return found


def _joined_nearest(parts: Sequence[LayerAlignment], sizes: np.ndarray) -> dict[str, Neighbours]:
    """Neighbours are those within a part; pairs are numbered through."""
    starts = np.cumsum([0, *(len(part.pairs) for part in parts[:-1])])
    found = {}
    for way in DIRECTIONS:
        of = [part.nearest[way] for part in parts]
        least = min(one.pair.shape[2] for one in of)
        pairs = [one.pair[:, :, :least] + start for one, start in zip(of, starts, strict=True)]
        cosines = [one.cosine[:, :, :least] for one in of]
        found[way] = Neighbours(np.concatenate(pairs, axis=1), np.concatenate(cosines, axis=1))
    return found


def _pairs(parts: Sequence[LayerAlignment]) -> tuple[WordPair, ...]:
    return tuple(pair for part in parts for pair in part.pairs)


def _whole(parts: Sequence[LayerAlignment], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


_FIRST = _joined(lambda values, sizes: values[0])
_MEAN = _joined(lambda values, sizes: np.tensordot(sizes, np.stack(values), axes=1))
_ALL_PAIRS = _joined(lambda values, sizes: np.concatenate(values))
_ALL_RANKS = _joined(lambda values, sizes: np.concatenate(values, axis=1))
_SAME_IN_ALL = ("names", "provenance", "wrong_from")
_AVERAGED = ("mismatched", "wrong_quantiles", "prefix_share", "rogue_share")
_JOINED: dict[str, Callable[[Sequence[LayerAlignment], np.ndarray], Any]] = {
    **{name: _FIRST(name) for name in _SAME_IN_ALL},
    **{name: _MEAN(name) for name in _AVERAGED},
    **{name: _ALL_PAIRS(name) for name in ("cosine", "wrong_cosine", "gap_of_pairs")},
    "pairs": lambda parts, sizes: _pairs(parts),
    "matched": lambda parts, sizes: _whole(parts, "cosine").mean(axis=0),
    "gap": lambda parts, sizes: _MEAN("matched")(parts, sizes) - _MEAN("mismatched")(parts, sizes),
    "scores": lambda parts, sizes: {k: _score([part.scores[k] for part in parts], sizes) for k in parts[0].scores},
    "groups": lambda parts, sizes: word_groups(_pairs(parts), parts[0].languages),
    "clusters": lambda parts, sizes: _clusters(parts),
    "look_alike": lambda parts, sizes: _whole(parts, "look_alike"),
    "movable": lambda parts, sizes: {key: sum(part.movable[key] for part in parts) for key in parts[0].movable},
    "p_values": lambda parts, sizes: {key: _p_value(parts, key) for key in parts[0].p_values},
    "retrieval": _joined_retrieval,
    "nearest": _joined_nearest,
    "reference_rank": _ALL_RANKS("reference_rank"),
    "reference_size": lambda parts, sizes: max(part.reference_size for part in parts),
    "pool_size": lambda parts, sizes: tuple(np.max([part.pool_size for part in parts], axis=0).tolist()),
    "spelling_alone": lambda parts, sizes: tuple(sizes @ np.array([part.spelling_alone for part in parts])),
    "tokens": lambda parts, sizes: mean_cost([part.tokens for part in parts], sizes),
    "chance": lambda parts, sizes: tuple(sizes @ np.array([part.chance for part in parts])),
    "warnings": _joined_warnings,
}
"""How each field of a whole list comes from its parts; a field that is not here cannot be left at part one's value."""


def _score(values: Sequence[np.ndarray], sizes: np.ndarray) -> np.ndarray:
    """A computed measure of the whole: of each pair where it has such values, else the parts' mean by their size.

    A part that has no value, as where none of its pairs has a topic, does not count.
    """
    if values[0].ndim == 2:
        return np.concatenate(values, axis=1)
    stacked = np.stack(values)  # (parts, layers)
    known = np.isfinite(stacked)
    weights = sizes[:, None] * known
    total = np.where(known, stacked, 0) * weights
    return np.divide(total.sum(axis=0), weights.sum(axis=0), out=np.full(stacked.shape[1], np.nan),
                     where=weights.sum(axis=0) > 0)  # fmt: skip


def _p_value(parts: Sequence[LayerAlignment], control: str) -> np.ndarray:
    """A control's p values of the whole, (layers, 2): of the parts in which it can move anything.

    Twice the mean of p values is one, whatever their dependence (Rüschendorf 1982).
    """
    able = [part for part in parts if part.movable[control]] or parts
    return np.minimum(1, 2 * np.mean([part.p_values[control] for part in able], axis=0))


def _clusters(parts: Sequence[LayerAlignment]) -> np.ndarray:
    """The clusters of the whole: a topic is one in all parts."""
    pairs = _pairs(parts)
    return topic_clusters(word_groups(pairs, parts[0].languages), [normalise(pair.topic) for pair in pairs])
