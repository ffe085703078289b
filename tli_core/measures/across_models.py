"""Models, adapters and saved measurements beside each other: which of them finds the right words better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tli_core.encoding.lens import LENS, Lens
from tli_core.encoding.readouts import IN_CONTEXT
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.perplexity import Health, check_health
from tli_core.measures.result import DIRECTIONS, LayerAlignment, Neighbours, Retrieval
from tli_core.measures.verdicts import Change, change
from tli_core.models.layers import layer_index
from tli_core.models.loaded_model import LoadedModel


@dataclass(frozen=True)
class Compared:
    """A model, with an adapter or without, or a saved measurement, among others that it is compared with.

    in_sentences is the same list with its words inside plain sentences, health the perplexity of plain sentences, and
    record how the adapter was made (its tli.json); each is None where it is not known, as of a saved measurement.
    """

    label: str
    result: LayerAlignment
    in_sentences: LayerAlignment | None = None
    health: Health | None = None
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Standing:
    """Where one of those compared stands at the layer that all are read at.

    layer is None where it has no such layer. change is against the first of them, its p values corrected for the number
    of comparisons; None for the first itself, and for what was not measured on the same pairs in the same way.
    """

    of: Compared
    layer: int | None
    change: Change | None = None


def measure_compared(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    lens: Lens = LENS,
    seed: int = 0,
) -> Compared:
    """Measure a list under a base or an adapter, alone and in sentences, and how well plain sentences are read."""
    framed = all(language.frames for language in (lens.pair.source, lens.pair.target)) and lens.readout != IN_CONTEXT
    in_sentences = measure(loaded, pairs, adapter, replace(lens, readout=IN_CONTEXT), seed) if framed else None
    health = None
    if loaded.can_generate:
        with loaded.using(adapter) as model:
            health = check_health(model, loaded.tokenizer, lens.languages)
    record = loaded.adapters[adapter].record or None if adapter in loaded.adapters else None
    result = measure(loaded, pairs, adapter, lens, seed)
    return Compared(result.provenance.label, result, in_sentences, health, record)


def standings(compared: Sequence[Compared], layer: int | str = "output", seed: int = 0) -> tuple[Standing, ...]:
    """Each of those compared at one layer, a number or `output`, and what sets it apart from the first."""
    layers = [_index(of.result, layer) for of in compared]
    first, *others = compared
    like = [of for of in others if comparable(first.result, of.result)]
    found = [Standing(first, layers[0])]
    for of, index in zip(others, layers[1:], strict=True):
        moved = None
        if of in like and index is not None and layers[0] is not None:
            moved = compare_models(first.result, of.result, layer, seed, len(like))
        found.append(Standing(of, index, moved))
    return tuple(found)


def comparable(first: LayerAlignment, second: LayerAlignment) -> bool:
    """Whether two measurements are of the same pairs, read in the same way."""
    one, other = first.provenance, second.provenance
    return first.pairs == second.pairs and (one.readout, one.view) == (other.readout, other.view)


def compare_models(
    first: LayerAlignment, second: LayerAlignment, layer: int | str = "output", seed: int = 0, comparisons: int = 1
) -> Change:
    """What the second model finds more, or less, than the first at a layer, a number or `output`: each at its own.

    Args:
        comparisons: how many are made side by side, which p values are corrected for.

    Raises:
        ValueError: they were measured on different pairs, or read otherwise, or one has no such layer.
    """
    if not comparable(first, second):
        text = N_("{first} and {second} were not measured on the same pairs, or not read alike: measure both alike.")
        raise ValueError(translate(text, first=first.provenance.model, second=second.provenance.model))
    at = [_at_layer(result, layer_index(result.names, layer)) for result in (first, second)]
    return change(at[0], at[1], 0, seed, comparisons=comparisons)


def _index(result: LayerAlignment, layer: int | str) -> int | None:
    try:
        return layer_index(result.names, layer)
    except ValueError:
        return None


def _at_layer(result: LayerAlignment, layer: int) -> LayerAlignment:
    """A measurement at one layer alone; its p values stay corrected for all layers."""
    at = slice(layer, layer + 1)
    by_layer = ("matched", "mismatched", "wrong_quantiles", "gap", "prefix_share", "rogue_share", "reference_rank")
    return replace(
        result,
        names=result.names[at],
        cosine=result.cosine[:, at],
        wrong_cosine=result.wrong_cosine[:, at],
        gap_of_pairs=result.gap_of_pairs[:, at],
        scores={key: values[at] for key, values in result.scores.items()},
        p_values={key: values[at] for key, values in result.p_values.items()},
        retrieval={
            way: Retrieval(result.retrieval[way].rank[at], result.retrieval[way].csls_rank[at]) for way in DIRECTIONS
        },
        nearest={way: Neighbours(result.nearest[way].pair[at], result.nearest[way].cosine[at]) for way in DIRECTIONS},
        **{field: getattr(result, field)[at] for field in by_layer},
    )
