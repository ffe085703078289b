"""Pooled states → per-layer measures of alignment, each with its control.

Every number is defined here once. S and E are the Swahili and English vectors of n pairs at one layer, both (n, d),
and c_ij = cos(S_i, E_j).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tli_core.distributed import gathered, gathered_objects, own_part, processes
from tli_core.encoding.pooled_states import states_by_pooling
from tli_core.encoding.readouts import POOLINGS
from tli_core.i18n import Message, message, say
from tli_core.lists.pairs import WordPair, normalise, shipped, translation_table
from tli_core.measures.perplexity import health_of
from tli_core.measures.significance import above_chance, bootstrap_weights, interval95
from tli_core.models.layers import layer_message
from tli_core.models.loaded_model import LoadedModel, Provenance

DIRECTIONS = ("sw_en", "en_sw")
CSLS_NEIGHBOURS = 10
LEAST_CHANGE = 0.01
"""A gap, or a change, in cosine below this is too small to call by a name, however sure it is."""

LARGE_SHARE = 0.5
"""Where one token or three dimensions carry this share of the squared norm, the cosine is mostly about them."""

SINK_RATIO = 5
"""How many times as long as its other pieces a first piece is that is no part of the word any more. On
SmolLM2-135M it is below 4 behind a prefix token and above 50 without one (`tests/test_real_models.py`)."""

ROGUE_DIMENSIONS = 3
BAND = [5, 95]
"""The percentiles between which nine in ten wrong pairs lie."""

PART = 2000
"""The most pairs that are all compared with each other: every layer of them takes 16 MB a table."""

FEW_PAIRS = 20
"""Below this many pairs their own wrong partners are too few, and the reference pool's serve in their place."""

FEWEST = 5
"""Below this many pairs nothing is judged, and no interval is drawn: a bootstrap of two knows two values."""

OWN_PAIRS, REFERENCE_POOL = "list", "reference pool"


@dataclass(frozen=True)
class PairStates:
    """The pooled vectors of a list of pairs, each distinct word once.

    swahili is (layers, a, d) and english (layers, b, d) for a and b distinct strings; pair i is row swahili_index[i]
    of the one and english_index[i] of the other. anchor_share (layers,) is the mean over words of
    `embeddings.PooledStates.anchor_share`, first_piece (layers,) its ratio of that name.
    """

    pairs: tuple[WordPair, ...]
    swahili: Tensor
    english: Tensor
    swahili_index: np.ndarray
    english_index: np.ndarray
    names: tuple[str, ...]
    anchor_share: np.ndarray
    first_piece: np.ndarray

    def __post_init__(self) -> None:
        if self.swahili.shape[0] != self.english.shape[0] or self.swahili.shape[2] != self.english.shape[2]:
            raise ValueError(
                f"Swahili states {tuple(self.swahili.shape)} do not fit English {tuple(self.english.shape)}."
            )
        if not len(self.names) == len(self.anchor_share) == self.swahili.shape[0]:
            raise ValueError(
                f"{self.swahili.shape[0]} layers but {len(self.names)} names and {len(self.anchor_share)} shares."
            )
        if not len(self.pairs) == len(self.swahili_index) == len(self.english_index):
            raise ValueError(f"{len(self.pairs)} pairs but {len(self.swahili_index)} indices.")


@dataclass(frozen=True)
class Retrieval:
    """Ranks of a right translation, per layer: each array is (layers,), and rank is (layers, n), counted from 1."""

    rank: np.ndarray
    p_at_1: np.ndarray
    p_at_5: np.ndarray
    mrr: np.ndarray
    csls_p_at_1: np.ndarray


@dataclass(frozen=True)
class LayerAlignment:
    """What one list of pairs gives at every layer of one model with one adapter; arrays are indexed by layer.

    matched, mismatched, gap, auc, centred and mexa are (layers,); intervals and bands (layers, 2);
    wrong_quantiles (layers, 101) the percentiles of the wrong pairs' cosines. cosine is
    (n, layers), and wrong_cosine (n, layers) the mean of each Swahili word with its wrong English partners.
    Wrong partners are the list's own, or of a list too short for that, the reference pool's: wrong_from says which, and
    every figure about wrong pairs is of those. Intervals are nan below FEWEST pairs.
    anchor_share and rogue_share (layers,) tell how much of the vectors' squared norm comes from BOS, and from each
    vector's three largest dimensions.
    """

    pairs: tuple[WordPair, ...]
    names: tuple[str, ...]
    matched: np.ndarray
    matched_ci95: np.ndarray
    mismatched: np.ndarray
    wrong_quantiles: np.ndarray
    gap: np.ndarray
    gap_ci95: np.ndarray
    auc: np.ndarray
    centred: np.ndarray
    retrieval: dict[str, Retrieval]
    mexa: np.ndarray
    cosine: np.ndarray
    wrong_cosine: np.ndarray
    anchor_share: np.ndarray
    rogue_share: np.ndarray
    wrong_from: str
    reference_rank: np.ndarray
    pool_size: int
    chance: float
    reference_size: int
    provenance: Provenance
    warnings: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        layers = len(self.names)
        for field in ("matched", "mismatched", "gap", "auc", "centred", "mexa", "anchor_share", "rogue_share"):
            if getattr(self, field).shape != (layers,):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({layers},).")
        for field in ("matched_ci95", "gap_ci95"):
            if getattr(self, field).shape != (layers, 2):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({layers}, 2).")
        for field in ("cosine", "wrong_cosine"):
            if getattr(self, field).shape != (len(self.pairs), layers):
                raise ValueError(f"{field} is {getattr(self, field).shape}, expected ({len(self.pairs)}, {layers}).")

    @property
    def mismatched_band(self) -> np.ndarray:
        """The 5th and 95th percentiles of the wrong pairs: (layers, 2)."""
        return self.wrong_quantiles[:, BAND]

    @property
    def few(self) -> bool:
        """Whether the list is so short that whatever it says is a hint at most."""
        return len(self.pairs) < FEW_PAIRS


KEPT_BYTES = 32_000_000
"""Vectors of one pooling that are kept until it is looked at; a longer list's measures are worked out at once."""


def embed_pairs(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    pooling: str,
    tell: Callable[[int, int], None] = lambda done, blocks: None,
    alone: bool = False,
) -> PairStates:
    """Embed every distinct word of the pairs under one pooling, as `embed_by_pooling`."""
    return embed_by_pooling(loaded, pairs, adapter, (pooling,), tell, alone)[pooling]


def embed_by_pooling(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    poolings: Sequence[str],
    tell: Callable[[int, int], None] = lambda done, blocks: None,
    alone: bool = False,
) -> dict[str, PairStates]:
    """Embed every distinct word of the pairs once, for all poolings, with the named adapter on (None: the base).

    Args:
        tell: told (blocks done, blocks in all).
        alone: whether this process embeds all of them; otherwise several processes share the words out.
    """
    swahili = list(dict.fromkeys(pair.swahili for pair in pairs))
    english = list(dict.fromkeys(pair.english for pair in pairs))
    words = swahili + english
    with loaded.using(adapter) as model:
        own = words if alone else own_part(words)
        by_pooling = states_by_pooling(model, loaded.tokenizer, own, poolings, tell=tell)
    place_sw, place_en = {w: i for i, w in enumerate(swahili)}, {w: i for i, w in enumerate(english)}
    swahili_index = np.array([place_sw[pair.swahili] for pair in pairs])
    english_index = np.array([place_en[pair.english] for pair in pairs])
    found = {}
    for pooling, pooled in by_pooling.items():
        states, shares = pooled.vectors, pooled.anchor_share  # (layers, a + b, d) and (layers, a + b)
        if not alone:
            states, shares = (_gathered(part, len(words), loaded) for part in (states, shares))
        found[pooling] = PairStates(
            tuple(pairs),
            states[:, : len(swahili)],
            states[:, len(swahili) :],
            swahili_index,
            english_index,
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
    return gathered(part.transpose(0, 1).to(loaded.device), total).transpose(0, 1).cpu()


def measure(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None = None,
    pooling: str = "words",
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, steps: None,
) -> LayerAlignment:
    """Every measure of a list of pairs at every layer under one pooling, as `measure_by_pooling`."""
    return measure_by_pooling(loaded, pairs, adapter, (pooling,), seed, tell)[pooling]


def measure_by_pooling(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None = None,
    poolings: Sequence[str] = POOLINGS,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, steps: None,
) -> "ByPooling":
    """Every measure of a list of pairs at every layer, for all poolings, with the named adapter on (None: the base).

    One pass gives the vectors of all poolings; those of a short list are kept, and its measures under a pooling are
    worked out when that pooling is first looked at.

    A list of more than PART pairs is measured in parts, so that memory does not grow with its square; several processes
    share the parts out.

    Args:
        tell: told (steps done, steps in all): blocks, over all parts of this process.

    Raises:
        ValueError: no pairs, an unknown pooling, or a word without tokens.
    """
    if not pairs:
        raise ValueError(say("There are no pairs to measure: add at least one, such as maji, water."))
    references = _references(loaded, adapter, poolings)
    # Parts of one size, so that none is too short to have wrong pairs of its own.
    size = -(-len(pairs) // -(-len(pairs) // PART))
    parts = [pairs[i : i + size] for i in range(0, len(pairs), size)]
    whole = len(parts) == 1
    own = parts if whole else own_part(parts)
    measured: dict[str, list[partial[LayerAlignment]]] = {pooling: [] for pooling in poolings}
    for number, part in enumerate(own):

        def told(done: int, blocks: int, number: int = number) -> None:
            tell(number * blocks + done, len(own) * blocks)

        states = embed_by_pooling(loaded, part, adapter, poolings, told, alone=not whole)
        for pooling in poolings:
            provenance = loaded.provenance(adapter, pooling, len(pairs), seed)
            later = partial(align, states[pooling], references[pooling], provenance, seed)
            measured[pooling].append(later if whole else partial(_as_it_is, later()))
    health = health_of(loaded)
    note = health.message if health and health.noisy else None
    if not whole:
        joint = {p: joined(gathered_objects([part() for part in of_parts])) for p, of_parts in measured.items()}
        measured = {pooling: [partial(_as_it_is, result)] for pooling, result in joint.items()}
    found = ByPooling({pooling: of_one for pooling, (of_one,) in measured.items()}, note)
    # A process that had no part of a list in parts has no states; nor is anything left to work out there.
    if whole and states[poolings[0]].swahili.nbytes + states[poolings[0]].english.nbytes > KEPT_BYTES:
        for pooling in poolings:
            _ = found[pooling]
    return found


def _as_it_is(result: LayerAlignment) -> LayerAlignment:
    return result


class ByPooling(Mapping[str, LayerAlignment]):
    """A list's measures under each pooling, worked out when they are first asked for."""

    def __init__(self, waiting: dict[str, Callable[[], LayerAlignment]], note: Message | None):
        self._waiting = waiting
        self._found: dict[str, LayerAlignment] = {}
        self._note = note

    def __getitem__(self, pooling: str) -> LayerAlignment:
        if pooling not in self._found:
            result = self._waiting[pooling]()
            self._found[pooling] = replace(result, warnings=(self._note, *result.warnings)) if self._note else result
            self._waiting[pooling] = partial(_as_it_is, self._found[pooling])  # lets go of the vectors
        return self._found[pooling]

    def __iter__(self) -> Iterator[str]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)


def _references(loaded: LoadedModel, adapter: str | None, poolings: Sequence[str]) -> dict[str, PairStates]:
    """The reference pool's vectors for each pooling; those not known yet come of one pass."""
    new = [pooling for pooling in poolings if not loaded.has_reference(adapter, pooling)]
    made = embed_by_pooling(loaded, shipped("pool"), adapter, new) if new else {}

    def kept(pooling: str) -> PairStates:
        # Known a moment ago does not mean known still: other work may have pushed it out meanwhile.
        found = made.get(pooling)
        return loaded.reference(
            adapter, pooling, lambda: found or embed_pairs(loaded, shipped("pool"), adapter, pooling)
        )

    return {pooling: kept(pooling) for pooling in poolings}


def joined(parts: Sequence[LayerAlignment]) -> LayerAlignment:
    """One result of the parts of a long list: wrong pairs and ranks are those within a part.

    Means are over pairs, shares and percentiles over parts by their size, and intervals of the list's size rest on its
    own scatter (normal, rather than a bootstrap of so many pairs).
    """
    sizes = np.array([len(part.pairs) for part in parts]) / sum(len(part.pairs) for part in parts)
    return LayerAlignment(**{field.name: _JOINED[field.name](parts, sizes) for field in fields(LayerAlignment)})


def _joined(combine: Callable[[list, np.ndarray], Any]) -> Callable[[str], Callable]:
    """How a field's values of all parts, and the parts' shares of the list, become that of the whole."""
    return lambda name: lambda parts, sizes: combine([getattr(part, name) for part in parts], sizes)


def _joined_warnings(parts: Sequence[LayerAlignment], sizes: np.ndarray) -> tuple[Message, ...]:
    n = sum(len(part.pairs) for part in parts)
    text = "{n} pairs are measured in parts of {part}: wrong pairs and ranks are those within a part."
    count = message(text, n=n, part=len(parts[0].pairs))
    return (count, *dict.fromkeys(warning for part in parts for warning in part.warnings))


def _joined_retrieval(parts: Sequence[LayerAlignment], sizes: np.ndarray) -> dict[str, Retrieval]:
    found = {}
    for way in DIRECTIONS:
        of = [part.retrieval[way] for part in parts]
        by_csls = np.tensordot(sizes, np.stack([one.csls_p_at_1 for one in of]), axes=1)
        found[way] = _retrieval(np.concatenate([one.rank for one in of], axis=1), by_csls)
    return found


def _whole(parts: Sequence[LayerAlignment], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


_FIRST = _joined(lambda values, sizes: values[0])
_MEAN = _joined(lambda values, sizes: np.tensordot(sizes, np.stack(values), axes=1))
_ALL_PAIRS = _joined(lambda values, sizes: np.concatenate(values))
_ALL_RANKS = _joined(lambda values, sizes: np.concatenate(values, axis=1))
_SAME_IN_ALL = ("names", "provenance", "reference_size", "wrong_from")
_AVERAGED = ("mismatched", "wrong_quantiles", "auc", "centred", "mexa", "anchor_share", "rogue_share")
_JOINED: dict[str, Callable[[Sequence[LayerAlignment], np.ndarray], Any]] = {
    **{name: _FIRST(name) for name in _SAME_IN_ALL},
    **{name: _MEAN(name) for name in _AVERAGED},
    **{name: _ALL_PAIRS(name) for name in ("cosine", "wrong_cosine")},
    "pairs": lambda parts, sizes: tuple(pair for part in parts for pair in part.pairs),
    "matched": lambda parts, sizes: _whole(parts, "cosine").mean(axis=0),
    "matched_ci95": lambda parts, sizes: _normal95(_whole(parts, "cosine")),
    "gap": lambda parts, sizes: _MEAN("matched")(parts, sizes) - _MEAN("mismatched")(parts, sizes),
    "gap_ci95": lambda parts, sizes: _normal95(_whole(parts, "cosine") - _whole(parts, "wrong_cosine")),
    "retrieval": _joined_retrieval,
    "reference_rank": _ALL_RANKS("reference_rank"),
    "pool_size": lambda parts, sizes: max(part.pool_size for part in parts),
    "chance": lambda parts, sizes: float(sizes @ [part.chance for part in parts]),
    "warnings": _joined_warnings,
}
"""How each field of a whole list comes of its parts; a field that is not here cannot be left at part one's value."""


def _normal95(values: np.ndarray) -> np.ndarray:
    """The mean's 95 % interval over many pairs: (n, layers) -> (layers, 2)."""
    error = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return np.stack([values.mean(axis=0) - error, values.mean(axis=0) + error], axis=1)


def align(states: PairStates, reference: PairStates, provenance: Provenance, seed: int = 0) -> LayerAlignment:
    """The measures of embedded pairs, with the reference pool's vectors for centring, bands and ranks."""
    pairs = states.pairs
    n, layers = len(pairs), states.swahili.shape[0]
    english_words = _distinct(pairs, states.english_index, "english")
    listed = translation_table(pairs, english_words)  # (n, b)
    right = np.zeros((states.swahili.shape[1], len(english_words)), dtype=bool)
    right[states.swahili_index] = listed  # (a, b)
    wrong = ~listed[:, states.english_index]  # (n, n): j's English is no translation of i
    np.fill_diagonal(wrong, False)

    reference_words = _distinct(reference.pairs, reference.english_index, "english")
    listed_reference = translation_table(pairs, reference_words)  # (n, m)
    listed_reference |= _as_listed_in(reference, states, reference_words)

    own_pairs = n >= FEW_PAIRS and bool(wrong.any())
    swahili, english = _unit(states.swahili), _unit(states.english)
    reference_english = _unit(reference.english)

    def at_layer(layer: int) -> dict[str, np.ndarray]:
        cosines = (swahili[layer] @ english[layer].T).numpy()  # (a, b)
        own = cosines[states.swahili_index][:, states.english_index]  # (n, n)
        against = (swahili[layer] @ reference_english[layer].T).numpy()[states.swahili_index]  # (n, m)
        corrected = csls(cosines)
        return {
            **_one_layer(own, *((own, wrong) if own_pairs else (against, ~listed_reference))),
            # The pair's own English joins the pool: how many wrong words of the pool come before or level with it?
            "reference_rank": 1 + (~(against < own.diagonal()[:, None]) & ~listed_reference).sum(axis=1),
            "centred": _centred(states, reference, layer),
            "sw_en": best_rank(cosines, right)[states.swahili_index],
            "en_sw": best_rank(cosines.T, right.T)[states.english_index],
            "sw_en csls": best_rank(corrected, right)[states.swahili_index],
            "en_sw csls": best_rank(corrected.T, right.T)[states.english_index],
        }

    if n < FEW_PAIRS:
        columns = [at_layer(layer) for layer in range(layers)]  # threads would cost more than they save
    else:
        # Sorting and ranking leave Python's lock, so layers go side by side.
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            columns = list(threads.map(at_layer, range(layers)))
    stacked = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
    diagonal, wrong_sum = stacked["diagonal"], stacked["wrong_sum"]  # (layers, n) each
    counts = (wrong if own_pairs else ~listed_reference).sum(axis=1)  # (n,)
    with np.errstate(invalid="ignore"):
        wrong_mean = wrong_sum / counts  # (layers, n)
        mismatched = wrong_sum.sum(axis=1) / counts.sum()
    rogue_share = rogue_shares(states)
    return LayerAlignment(
        pairs=pairs,
        names=states.names,
        matched=diagonal.mean(axis=1),
        matched_ci95=_interval_of_mean(diagonal, seed),
        mismatched=mismatched,
        wrong_quantiles=stacked["wrong_quantiles"],
        gap=diagonal.mean(axis=1) - mismatched,
        gap_ci95=_interval_of_mean(diagonal - wrong_mean, seed),
        auc=stacked["auc"],
        centred=stacked["centred"],
        retrieval={way: _retrieval(stacked[way], (stacked[f"{way} csls"] == 1).mean(axis=1)) for way in DIRECTIONS},
        mexa=stacked["mexa"],
        cosine=diagonal.T,
        wrong_cosine=wrong_mean.T,
        anchor_share=states.anchor_share,
        rogue_share=rogue_share,
        wrong_from=OWN_PAIRS if own_pairs else REFERENCE_POOL,
        reference_rank=stacked["reference_rank"],
        pool_size=len(english_words),
        chance=float(right[states.swahili_index].mean()),
        reference_size=len(reference_words),
        provenance=provenance,
        warnings=(
            *_no_numbers(states.names, diagonal),
            *_warnings(pairs, wrong),
            *_in_front(provenance),
            *_sinks(states.names, states.first_piece),
            *_artefacts(states.names, states.anchor_share, rogue_share),
        ),
    )


def _interval_of_mean(values: np.ndarray, seed: int) -> np.ndarray:
    """The 95 % bootstrap interval of the mean over pairs, (layers, n) -> (layers, 2); nan below FEWEST pairs."""
    layers, n = values.shape
    if n < FEWEST:
        return np.full((layers, 2), np.nan)
    return interval95(bootstrap_weights(n, seed) @ values.T / n)


def _one_layer(own: np.ndarray, cosines: np.ndarray, wrong: np.ndarray) -> dict:
    """The measures of one layer's cosines alone: own (n, n), and cosines (n, m), of which `wrong` marks wrong pairs."""
    diagonal = own.diagonal().copy()
    # Sorted once, for the band and the AUC.
    wrong_values = np.sort(cosines[wrong])
    return {
        "diagonal": diagonal.astype(np.float64),
        "wrong_sum": np.where(wrong, cosines, 0).sum(axis=1, dtype=np.float64),
        "wrong_quantiles": _quantiles(wrong_values),
        "auc": auc(diagonal, wrong_values),
        "mexa": mexa(own),
    }


def highest(values: np.ndarray) -> int:
    """The index of the highest of the values that are numbers; what is no number is never chosen."""
    return int(np.where(np.isfinite(values), values, -np.inf).argmax())


def _quantiles(ordered: np.ndarray) -> np.ndarray:
    """The 101 percentiles of values in ascending order, 0 to 100; nan where there is nothing."""
    if not ordered.size:
        return np.full(101, np.nan)
    place = np.linspace(0, ordered.size - 1, 101)
    low = place.astype(int)
    high = np.minimum(low + 1, ordered.size - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def auc(right: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a right pair scores above a wrong one, ties counted half; nan without wrong pairs or numbers.

    Args:
        wrong: in ascending order.
    """
    if not wrong.size:
        return float("nan")
    if np.isnan(right).any() or np.isnan(wrong[-1]):
        return float("nan")
    below = np.searchsorted(wrong, right, side="left")
    upto = np.searchsorted(wrong, right, side="right")
    return float((below + upto).mean() / 2 / wrong.size)


def mexa(cosines: np.ndarray) -> float:
    """Share of pairs whose own cosine beats every other in its row and column of (n, n) (Kargaran et al. 2024)."""
    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    diagonal = cosines.diagonal()
    return float(((diagonal > others.max(axis=1)) & (diagonal > others.max(axis=0))).mean())


def best_rank(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Rank, from 1, of each row's best right candidate: scores and right are (q, c).

    Ties count against: a wrong candidate level with the right one comes first, so equal vectors retrieve nothing. A
    score that is no number finds nothing: a right candidate of that kind comes last, a wrong one comes first.
    """
    best = np.where(right & ~np.isnan(scores), scores, -np.inf).max(axis=1, keepdims=True)  # (q, 1)
    return 1 + (~(scores < best) & ~right).sum(axis=1)


def csls(cosines: np.ndarray, k: int = CSLS_NEIGHBOURS) -> np.ndarray:
    """Cosines corrected for hubs: 2c_ij − the mean of row i's k best − the mean of column j's (Conneau et al. 2018)."""
    return 2 * cosines - _mean_of_best(cosines, k)[:, None] - _mean_of_best(cosines.T, k)


def _mean_of_best(scores: np.ndarray, k: int) -> np.ndarray:
    """The mean of each row's k highest values (all of them, where there are fewer): (q, c) -> (q,)."""
    rows = torch.from_numpy(np.ascontiguousarray(scores))
    return rows.topk(min(k, scores.shape[1]), dim=1).values.mean(dim=1).numpy()


def _retrieval(rank: np.ndarray, by_csls: np.ndarray) -> Retrieval:
    """Shares and means of ranks by cosine (layers, n), beside the P@1 by CSLS (layers,)."""
    return Retrieval(
        rank=rank,
        p_at_1=(rank == 1).mean(axis=1),
        p_at_5=(rank <= 5).mean(axis=1),
        mrr=(1 / rank).mean(axis=1),
        csls_p_at_1=by_csls,
    )


def _centred(states: PairStates, reference: PairStates, layer: int) -> float:
    """Matched cosine after each language's mean over the reference pool is taken away."""
    swahili = states.swahili[layer] - reference.swahili[layer].mean(dim=0)
    english = states.english[layer] - reference.english[layer].mean(dim=0)
    pairwise = torch.nn.functional.cosine_similarity(
        swahili[states.swahili_index], english[states.english_index], dim=-1
    )
    return float(pairwise.mean())


def _unit(states: Tensor) -> Tensor:
    return torch.nn.functional.normalize(states, dim=-1)


def _distinct(pairs: Sequence[WordPair], index: np.ndarray, side: str) -> list[str]:
    """The distinct words of one side, in the order of their rows."""
    words = {int(row): getattr(pair, side) for pair, row in zip(pairs, index, strict=True)}
    return [words[row] for row in sorted(words)]


def _as_listed_in(reference: PairStates, states: PairStates, reference_words: list[str]) -> np.ndarray:
    """Right translations that the reference pool, rather than the list itself, names: (n, m)."""
    known = translation_table(reference.pairs, reference_words)  # (m rows, m words)
    by_word = {pair.swahili: row for pair, row in zip(reference.pairs, known, strict=True)}
    nothing = np.zeros(len(reference_words), dtype=bool)
    return np.stack([by_word.get(pair.swahili, nothing) for pair in states.pairs])


def rogue_shares(states: PairStates) -> np.ndarray:
    """The mean share of a word vector's squared norm that its three largest dimensions carry, per layer: (layers,)."""
    squares = torch.cat([states.swahili, states.english], dim=1).square()  # (layers, a + b, d)
    largest = squares.topk(min(ROGUE_DIMENSIONS, squares.shape[-1]), dim=-1).values.sum(dim=-1)  # (layers, a + b)
    return (largest / squares.sum(dim=-1)).double().mean(dim=1).numpy()


def _artefacts(names: Sequence[str], anchor_share: np.ndarray, rogue_share: np.ndarray) -> Iterator[Message]:
    for share, text in (
        (
            anchor_share,
            "At {where}, BOS is averaged in and carries up to {share:.0f} % of the vectors' squared length: any two "
            "words look alike there, right or wrong. Pool words only.",
        ),
        (
            rogue_share,
            "At {where}, three dimensions carry up to {share:.0f} % of the vectors' squared length: the cosine there "
            "is about them more than about the words.",
        ),
    ):
        heavy = np.flatnonzero(share >= LARGE_SHARE)
        if heavy.size:
            first = layer_message(names[heavy[0]])
            span = message("{n} layers from {first} on", n=heavy.size, first=first) if heavy.size > 1 else first
            yield message(text, where=span, share=100 * share[heavy].max())


def _no_numbers(names: Sequence[str], cosine: np.ndarray) -> Iterator[Message]:
    """A warning on layers (layers, n) whose cosines are no numbers."""
    lost = np.flatnonzero(~np.isfinite(cosine).all(axis=1))
    if lost.size:
        first = layer_message(names[lost[0]])
        span = message("{n} layers from {first} on", n=lost.size, first=first) if lost.size > 1 else first
        text = "At {where}, vectors are no numbers (NaN or infinity): the model or the adapter is broken there."
        yield message(text, where=span)


def _in_front(provenance: Provenance) -> Iterator[Message]:
    """A note where the tokenizer puts no token in front of a text."""
    if provenance.prefix_added:
        text = (
            "The tokenizer of {model} puts no token in front of a text. {token} was put there, so that no word's first "
            "piece is what the model parks its attention on; it is part of no word."
        )
        yield message(text, model=provenance.model, token=provenance.prefix_token)
    elif provenance.prefix_token is None:
        text = "The tokenizer of {model} has no token to put in front: every word's first piece sees only itself."
        yield message(text, model=provenance.model)


def _sinks(names: Sequence[str], first_piece: np.ndarray) -> Iterator[Message]:
    """A warning on layers where a word's first piece is an attention sink."""
    heavy = np.flatnonzero(np.nan_to_num(first_piece) >= SINK_RATIO)
    if heavy.size:
        first = layer_message(names[heavy[0]])
        span = message("{n} layers from {first} on", n=heavy.size, first=first) if heavy.size > 1 else first
        text = (
            "At {where}, a word's first piece is an attention sink, up to {times:.0f} times as long as its others: the "
            "model parks attention there, and any two words look alike, right or wrong."
        )
        yield message(text, where=span, times=first_piece[heavy].max())


def _warnings(pairs: Sequence[WordPair], wrong: np.ndarray) -> Iterator[Message]:
    alike = [pair.swahili for pair in pairs if normalise(pair.swahili) == normalise(pair.english)]
    if alike:
        yield message(
            "Spelt the same in both languages, so the cosine is 1 whatever the model knows: {alike} of {n} pairs. "
            "Leave them out.",
            alike=len(alike),
            n=len(pairs),
        )
    if not wrong.any():
        yield message(
            "This list has no wrong pair of its own: those shown are the reference pool's. Add a second pair."
        )


def verdict(result: LayerAlignment, layer: int) -> str:
    """`aligned`, `not discriminative` or `too few pairs` at a layer.

    Aligned: the gap's interval lies above 0, the gap is no smaller than LEAST_CHANGE, and P@1 beats chance. Words
    drowned in BOS can keep a gap of a thousandth that is sure but means nothing: such a layer is not discriminative.
    Too few pairs: fewer than FEWEST, or even if every word were found, it might be chance.
    """
    n = len(result.pairs)
    if n < FEWEST or not above_chance(n, n, result.chance):
        return "too few pairs"
    hits = round(float(result.retrieval["sw_en"].p_at_1[layer]) * n)
    clear = bool(result.gap_ci95[layer, 0] > 0 and result.gap[layer] >= LEAST_CHANGE)
    return "aligned" if clear and above_chance(hits, n, result.chance) else "not discriminative"


@dataclass(frozen=True)
class Change:
    """How one layer's measures moved from base to adapter on the same pairs, and the verdict on it."""

    layer: int
    matched: float
    mismatched: float
    gap: float
    gap_ci95: tuple[float, float]
    p_at_1: float
    verdict: str


def change(before: LayerAlignment, after: LayerAlignment, layer: int, seed: int = 0) -> Change:
    """Compare two measurements of the same pairs at a layer.

    `collapsed`: matched rose, and mismatched as much or more (the gap did not grow). `improved`: the gap grew beyond
    chance and by at least LEAST_CHANGE, and P@1 did not fall. `worse`: the gap or P@1 fell by as much. Else `no clear
    change`. Of a short list (`few`) the typical rank in the reference pool decides beside the gap; below FEWEST pairs
    it is `too few pairs`, and where vectors are none, `no numbers`.

    Raises:
        ValueError: the two were measured on different pairs.
    """
    if before.pairs != after.pairs:
        raise ValueError("Before and after must be measured on the same pairs.")
    matched = float(after.matched[layer] - before.matched[layer])
    mismatched = float(after.mismatched[layer] - before.mismatched[layer])
    per_pair = (after.cosine - after.wrong_cosine)[:, layer] - (before.cosine - before.wrong_cosine)[:, layer]  # (n,)
    gap_low, gap_high = map(float, _interval_of_mean(per_pair[None], seed)[0])
    p_at_1 = float(after.retrieval["sw_en"].p_at_1[layer] - before.retrieval["sw_en"].p_at_1[layer])
    gap = matched - mismatched
    # On a handful of pairs a gap moves by chance and their own P@1 is coarse: the rank in the pool must move as well.
    ranks = [float(np.median(result.reference_rank[layer])) for result in (before, after)]
    found_better = ranks[1] < ranks[0] if before.few else gap_low > 0 and p_at_1 >= 0
    found_worse = gap <= -LEAST_CHANGE and (ranks[1] > ranks[0] if before.few else gap_high < 0)
    if not np.isfinite([matched, mismatched]).all():
        said = "no numbers"
    elif len(per_pair) < FEWEST:
        said = "too few pairs"
    elif matched >= LEAST_CHANGE and mismatched > 0 and gap <= 0:
        said = "collapsed"
    elif gap >= LEAST_CHANGE and found_better:
        said = "improved"
    elif found_worse or (not before.few and gap <= 0 and p_at_1 <= -LEAST_CHANGE):
        said = "worse"
    else:
        said = "no clear change"
    return Change(layer, matched, mismatched, gap, (gap_low, gap_high), p_at_1, said)
