"""One result of the parts in which a long list is measured."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from tli_core.measures.result import DIRECTIONS, LayerAlignment, Retrieval
from tli_core.measures.retrieval import retrieval_of
from tli_core.notices import Notice, notice


def merge_parts(parts: Sequence[LayerAlignment]) -> LayerAlignment:
    """One result of the parts of a long list: wrong pairs and ranks are those within a part.

    Means are over pairs, shares and percentiles over parts by their size, and intervals of the list's size rest on its
    own scatter (normal, rather than a bootstrap of so many pairs).
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
        by_csls = np.tensordot(sizes, np.stack([one.csls_p_at_1 for one in of]), axes=1)
        found[way] = retrieval_of(np.concatenate([one.rank for one in of], axis=1), by_csls)
    return found


def _whole(parts: Sequence[LayerAlignment], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


_FIRST = _joined(lambda values, sizes: values[0])
_MEAN = _joined(lambda values, sizes: np.tensordot(sizes, np.stack(values), axes=1))
_ALL_PAIRS = _joined(lambda values, sizes: np.concatenate(values))
_ALL_RANKS = _joined(lambda values, sizes: np.concatenate(values, axis=1))
_SAME_IN_ALL = ("names", "provenance", "reference_size", "wrong_from")
_AVERAGED = ("mismatched", "wrong_quantiles", "prefix_share", "rogue_share")
_JOINED: dict[str, Callable[[Sequence[LayerAlignment], np.ndarray], Any]] = {
    **{name: _FIRST(name) for name in _SAME_IN_ALL},
    **{name: _MEAN(name) for name in _AVERAGED},
    **{name: _ALL_PAIRS(name) for name in ("cosine", "wrong_cosine")},
    "pairs": lambda parts, sizes: tuple(pair for part in parts for pair in part.pairs),
    "matched": lambda parts, sizes: _whole(parts, "cosine").mean(axis=0),
    "matched_ci95": lambda parts, sizes: _normal95(_whole(parts, "cosine")),
    "gap": lambda parts, sizes: _MEAN("matched")(parts, sizes) - _MEAN("mismatched")(parts, sizes),
    "gap_ci95": lambda parts, sizes: _normal95(_whole(parts, "cosine") - _whole(parts, "wrong_cosine")),
    "scores": lambda parts, sizes: {
        key: np.tensordot(sizes, np.stack([part.scores[key] for part in parts]), axes=1) for key in parts[0].scores
    },
    "retrieval": _joined_retrieval,
    "reference_rank": _ALL_RANKS("reference_rank"),
    "pool_size": lambda parts, sizes: max(part.pool_size for part in parts),
    "chance": lambda parts, sizes: float(sizes @ [part.chance for part in parts]),
    "warnings": _joined_warnings,
}
"""How each field of a whole list comes from its parts; a field that is not here cannot be left at part one's value."""


def _normal95(values: np.ndarray) -> np.ndarray:
    """The mean's 95 % interval over many pairs: (n, layers) -> (layers, 2)."""
    error = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return np.stack([values.mean(axis=0) - error, values.mean(axis=0) + error], axis=1)
