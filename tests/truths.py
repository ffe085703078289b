"""How often verdicts, notices and intervals are right, on the lists of `tests.planted`.

    python -m tests.truths [DRAWS]

prints the tables of docs/measures.md, its cells side by side on all cores: in three and a half minutes on sixteen.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from tests.planted import (
    BESIDE_THEMSELVES,
    BOTH_LISTS,
    CHANGES,
    INTERVALS,
    LISTS,
    SOURCE,
    measured,
    topics_moved_at_random,
    unlike_pairs,
)
from tli_core.measures.alignment import align
from tli_core.measures.before_after import compare_lists
from tli_core.measures.rank_tests import corrected_p_values
from tli_core.measures.registry import MEASURES
from tli_core.measures.significance import change_interval
from tli_core.measures.verdicts import change, verdict

INTERVAL_SIZES = (20, 60, 150)
STRENGTHS = (0.6, 0.75, 0.9, 1.05, 1.2)
"""How much the two words of a pair share, as parts of what the other truths have. Of twenty pairs a share takes 21
values, and the interval of one strength holds it in 80 to 99 % of lists, as these fall: so several are drawn."""
COVERAGE_DRAWS = 5
"""Intervals are tried on so many times the draws: 93 and 97 % are further from 95 than chance then takes them."""


def coverage(name: str, n: int, draws: int, seed: int = 0) -> dict[str, float]:
    """How often the 95 % interval of each measure holds its mean, over so many lists of STRENGTHS.

    Of a change it is the mean over the strengths at which most lists have an interval.
    """
    drawn = np.random.default_rng([seed, n])
    each = [_coverage(name, n, draws // len(STRENGTHS), strength, drawn) for strength in STRENGTHS]
    values = {key: np.array([found[key] for found in each]) for key in each[0]}
    return {key: float(of[np.isfinite(of)].mean()) if np.isfinite(of).any() else np.nan for key, of in values.items()}


def _coverage(name: str, n: int, draws: int, strength: float, drawn: np.random.Generator) -> dict[str, float]:
    """The same of one strength, over its own lists; of changes, over as many twice.

    Lists are drawn as layers of one measurement, as an interval is of one layer.
    """
    first, second = (measured(*INTERVALS[name](drawn, n, draws, strength)) for _ in range(2))
    found = {}
    for measure in MEASURES:
        for way in measure.ways[:1]:
            interval = measure.interval(first, way)
            if interval is not None and measure.bounds_key == "ci95":
                found[measure.key] = _share_within(interval, measure.values(first, way))
    moved = 1 / second.retrieval["to_target"].rank - 1 / first.retrieval["to_target"].rank  # (draws, n)
    found["change of mrr"] = _share_within(change_interval(moved, first.clusters), moved.mean(axis=1))
    return found


def _share_within(interval: np.ndarray, values: np.ndarray) -> float:
    """How many of the intervals that there are hold the mean of all; nan where under half of the lists have one."""
    truth, known = values.mean(), np.isfinite(interval[:, 0])
    held = (interval[:, 0] <= truth) & (truth <= interval[:, 1])
    return float(held[known].mean()) if known.mean() >= 0.5 else float("nan")


def noticed_of_lists(name: str, n: int, draws: int, seed: int = 0) -> list[set[str]]:
    """What is noticed of held-out lists beside trained ones."""
    make, _ = BOTH_LISTS[name]
    drawn = np.random.default_rng([seed, n])
    found = []
    for draw in range(draws):
        lists, changes = make(drawn, n)
        results = [measured(pairs, vectors) for pairs, change in zip(lists, changes, strict=True) for vectors in change]
        _, held_out = compare_lists(*results, layer=0, seed=draw)
        found.append({warning.code for warning in held_out.warnings})
    return found


def hubs_noticed(name: str, n: int, draws: int, seed: int = 0) -> list[bool]:
    """Whether a hub is noticed in lists of a truth."""
    make, _ = LISTS[name]
    drawn = np.random.default_rng([seed, n])
    return [any(warning.code == "hub" for warning in measured(*make(drawn, n, 1)).warnings) for _ in range(draws)]


@contextmanager
def each_layer_alone() -> Iterator[None]:
    """Correct p values of every layer for itself: lists of one layer can then be drawn as layers of one measurement.

    That takes two thirds of the time, as pairs, partners and permutations are those of all of them.
    """

    def alone(values: np.ndarray) -> dict[str, np.ndarray]:
        each = [corrected_p_values(values[layer : layer + 1]) for layer in range(len(values))]
        return {key: np.concatenate([of[key] for of in each]) for key in each[0]}

    with patch("tli_core.measures.alignment.corrected_p_values", alone):
        yield


def said_of_lists(name: str, n: int, layers: int, draws: int, seed: int = 0) -> list[list[str]]:
    """The verdicts on every layer of so many lists of a truth."""
    make, _ = LISTS[name]
    drawn = np.random.default_rng([seed, n, layers])
    if layers == 1:
        with each_layer_alone():
            result = measured(*make(drawn, n, draws))
        return [[verdict(result, layer)] for layer in range(draws)]
    found = []
    for _ in range(draws):
        result = measured(*make(drawn, n, layers))
        found.append([verdict(result, layer) for layer in range(layers)])
    return found


def said_beside_themselves(name: str, n: int, draws: int, seed: int = 0) -> list[str]:
    """The verdicts on so many lists of noise whose words are in the reference pool."""
    made, reference = BESIDE_THEMSELVES[name](np.random.default_rng([seed, n]), n, draws)
    with each_layer_alone():
        result = align(made, reference, SOURCE)
    return [verdict(result, layer) for layer in range(draws)]


def said_of_changes(name: str, n: int, draws: int, seed: int = 0) -> list[str]:
    """The verdicts on so many changes of a truth."""
    make, _ = CHANGES[name]
    drawn, pairs = np.random.default_rng([seed, n]), unlike_pairs(n)
    if make is topics_moved_at_random:
        pairs = tuple(pair._replace(topic=str(i % 20)) for i, pair in enumerate(pairs))
    each = [make(drawn, n) for _ in range(draws)]
    with each_layer_alone():
        before, after = (
            measured(pairs, tuple(np.concatenate([twice[when][side] for twice in each]) for side in (0, 1)))
            for when in (0, 1)
        )
    return [change(before, after, layer, seed=seed).verdict for layer in range(draws)]


NOTHING = ("noise", "hubs", "repeated words")
SAYS_NOTHING = ("not discriminative", "too few pairs", "no clear change")
SIZES = ((3, 33), (5, 1), (10, 1), (20, 1), (20, 33), (60, 1), (150, 1))


def main(draws: int) -> None:
    """Print how often nothing is called something, and how often what is there gets its name; a cell each core."""
    with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for rows in [list(table) for table in _tables(pool.submit, draws)]:
            for head, *cells in rows:
                print(_row(head, *(cell if isinstance(cell, str) else cell.result() for cell in cells)), flush=True)
            print()


def _tables(submit: Callable[..., Future], draws: int) -> Iterator[Iterator[tuple]]:
    """The tables' rows, each cell a text or what will be one."""
    yield _nothing_is_there(submit, draws)
    yield _intervals(submit, draws)
    yield _notices(submit, draws)
    yield _names(submit, draws)


def _nothing_is_there(submit, draws):
    yield (
        "nothing is there",
        *(f"{n} pairs" if layers == 1 else f"{n} pairs, any of {layers} layers" for n, layers in SIZES),
    )
    yield ("---",) * (len(SIZES) + 1)
    for name in NOTHING:
        yield name, *(submit(_called_something, said_of_lists, name, *size, draws) for size in SIZES)
    for said, names, longest in (
        (said_beside_themselves, BESIDE_THEMSELVES, 60),
        (said_of_changes, ("nothing changed", "topics moved at random"), 150),
    ):
        for name in names:
            tried = (layers == 1 and n <= longest for n, layers in SIZES)
            yield (
                name,
                *(
                    submit(_called_something, said, name, n, draws) if is_tried else _percent(())
                    for is_tried, (n, _) in zip(tried, SIZES, strict=True)
                ),
            )


def _intervals(submit, draws):
    measures = coverage("plain", INTERVAL_SIZES[0], 5)
    yield "95 % intervals", *measures
    yield ("---",) * (len(measures) + 1)
    for name in INTERVALS:
        for n in INTERVAL_SIZES:
            yield f"{name}, {n} pairs", submit(_covered, name, n, COVERAGE_DRAWS * draws)


def _notices(submit, draws):
    yield "150 pairs each", "must be noticed", "is"
    yield "---", "---", "---"
    for name, (_, must) in BOTH_LISTS.items():
        yield name, ", ".join(must) or "nothing", submit(_is, noticed_of_lists, must, name, 150, draws)
    for name, must in (("hubs", True), ("noise", False), ("aligned", False)):
        yield name, "hub" if must else "no hub", submit(_is, hubs_noticed, must, name, 150, draws)


def _names(submit, draws):
    yield "truth, 150 pairs", "must be called", "is"
    yield "---", "---", "---"
    for name, (_, must) in LISTS.items():
        yield name, must, submit(_is, said_of_lists, [must], name, 150, 1, draws)
    for name, (_, must) in CHANGES.items():
        yield name, must, submit(_is, said_of_changes, must, name, 150, draws)


def _called_something(said: Callable, *of: Any) -> str:
    """The share of lists, or of changes, of which any layer is called anything."""
    return _percent(any(word not in SAYS_NOTHING for word in np.atleast_1d(words)) for words in said(*of))


def _is(found: Callable, must: Any, *of: Any) -> str:
    """The share of which is found what must be."""
    return _percent(each == must for each in found(*of))


def _covered(name: str, n: int, draws: int) -> str:
    """The cells of a row of intervals."""
    return " | ".join(_or_dash(share) for share in coverage(name, n, draws).values())


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _or_dash(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f}"


def _percent(found: Iterable[bool]) -> str:
    """A share of draws; a dash where there are none."""
    counted = list(found)
    return f"{100 * sum(counted) / len(counted):.1f} %" if counted else "–"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
