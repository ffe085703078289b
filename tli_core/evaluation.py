"""Before and after: one list of pairs under the base and under an adapter, tested at one layer."""

from collections.abc import Sequence
from dataclasses import dataclass

from .alignment import Change, LayerAlignment, change, measure
from .model import LoadedModel
from .pairs import WordPair
from .significance import PairedTest, paired_test


@dataclass(frozen=True)
class Evaluation:
    """One list measured twice: `test` compares matched cosines at `layer`, `change` sets them against the controls."""

    name: str
    layer: int
    before: LayerAlignment
    after: LayerAlignment
    test: PairedTest
    change: Change


def evaluate(
    loaded: LoadedModel, name: str, pairs: Sequence[WordPair], adapter: str, layer: int | str = "output", seed: int = 0
) -> Evaluation:
    """Measure a list under the base and under the adapter, words pooled, and compare the two at a layer.

    Raises:
        ValueError: fewer than two pairs, or a layer that the model does not have.
    """
    before = measure(loaded, pairs, None, seed=seed)
    after = measure(loaded, pairs, adapter, seed=seed)
    return compare(name, before, after, layer, seed)


def compare(name: str, before: LayerAlignment, after: LayerAlignment, layer: int | str, seed: int = 0) -> Evaluation:
    """Set two measurements of the same pairs against each other at a layer.

    Raises:
        ValueError: different pairs, fewer than two, or a layer that the model does not have.
    """
    index = before.layer_index(layer)
    return Evaluation(
        name,
        index,
        before,
        after,
        paired_test(before.cosine[:, index], after.cosine[:, index], seed),
        change(before, after, index, seed),
    )
