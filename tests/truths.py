"""How often verdicts, notices and intervals are right, on the lists of `tests.planted`.

    python -m tests.truths [DRAWS]

prints the tables of docs/measures.md.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

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
from tli_core.measures.significance import FEWEST_RANKS, mean_interval
from tli_core.measures.verdicts import change, verdict

INTERVAL_SIZES = (20, 60, 150)
STRENGTHS = (0.6, 0.75, 0.9, 1.05, 1.2)
"""How much the two words of a pair share, as parts of what the other truths have. Of twenty pairs a share takes 21
values, and the interval of one strength holds it in 80 to 99 % of lists, as these fall: so several are drawn."""
COVERAGE_DRAWS = 5
"""Intervals are tried on so many times the draws: 93 and 97 % are further from 95 than chance then takes them."""


def coverage(name: str, n: int, draws: int, seed: int = 0) -> dict[str, float]:
    """How often the 95 % interval of each measure holds its mean, over so many lists of STRENGTHS."""
    drawn = np.random.default_rng([seed, n])
    each = [_coverage(name, n, draws // len(STRENGTHS), strength, drawn) for strength in STRENGTHS]
    return {key: float(np.mean([found[key] for found in each])) for key in each[0]}


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
    found["change of mrr"] = _share_within(mean_interval(moved, first.clusters, FEWEST_RANKS), moved.mean(axis=1))
    return found


def _share_within(interval: np.ndarray, values: np.ndarray) -> float:
    """How many intervals hold the mean of all; nan where a list is too short for any."""
    truth = values.mean()
    held = (interval[:, 0] <= truth) & (truth <= interval[:, 1])
    return float("nan") if np.isnan(interval).any() else float(held.mean())


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
    """Print how often nothing is called something, and how often what is there gets its name."""
    sizes = [f"{n} pairs" if layers == 1 else f"{n} pairs, any of {layers} layers" for n, layers in SIZES]
    print(_row("nothing is there", *sizes), _row(*["---"] * (len(SIZES) + 1)), sep="\n")
    for name in NOTHING:
        said = [said_of_lists(name, n, layers, draws) for n, layers in SIZES]
        print(
            _row(name, *(_percent(any(w not in SAYS_NOTHING for w in words) for words in of_size) for of_size in said))
        )
    for name in BESIDE_THEMSELVES:
        said = [said_beside_themselves(name, n, draws) if layers == 1 and n < 150 else [] for n, layers in SIZES]
        print(_row(name, *(_percent(word not in SAYS_NOTHING for word in words) for words in said)))
    for name in ("nothing changed", "topics moved at random"):
        said = [said_of_changes(name, n, draws) if layers == 1 else [] for n, layers in SIZES]
        print(_row(name, *(_percent(word not in SAYS_NOTHING for word in words) for words in said)))

    measures = coverage("plain", INTERVAL_SIZES[0], 5)
    print("", _row("95 % intervals", *measures), _row(*["---"] * (len(measures) + 1)), sep="\n")
    for name in INTERVALS:
        for n in INTERVAL_SIZES:
            covered = coverage(name, n, COVERAGE_DRAWS * draws)
            print(_row(f"{name}, {n} pairs", *(_or_dash(share) for share in covered.values())))

    print("", _row("150 pairs each", "must be noticed", "is"), _row("---", "---", "---"), sep="\n")
    for name, (_, must) in BOTH_LISTS.items():
        is_so = _percent(codes == must for codes in noticed_of_lists(name, 150, draws))
        print(_row(name, ", ".join(must) or "nothing", is_so))
    for name, must in (("hubs", True), ("noise", False), ("aligned", False)):
        is_so = _percent(found == must for found in hubs_noticed(name, 150, draws))
        print(_row(name, "hub" if must else "no hub", is_so))

    print("", _row("truth, 150 pairs", "must be called", "is"), _row("---", "---", "---"), sep="\n")
    for name, (_, must) in LISTS.items():
        print(_row(name, must, _percent(words == [must] for words in said_of_lists(name, 150, 1, draws))))
    for name, (_, must) in CHANGES.items():
        print(_row(name, must, _percent(word == must for word in said_of_changes(name, 150, draws))))


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
