"""What a sweep found: of every choice of settings, over its seeds, how held-out words moved at the output.

Every test is corrected for all settings that stand side by side, and the best of them is picked on one half of the
pairs and read on the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tli_core.measures.rank_tests import ALL
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.significance import FEWEST_RANKS, flipped_p_values, highest, mean_interval
from tli_core.measures.verdicts import LEAST_CHANGE, LEVEL, RankChange, ranks_verdict
from tli_core.notices import Notice
from tli_core.studies.sweep_runs import Outcome, Plan, SweepFolder
from tli_core.training.config import TrainingConfig

AS_SHUFFLED = "no more than shuffled"
"""The verdict where words rank better, but no more so than in the shuffled runs."""

IMPROVED = ("improved", "improved one way")


@dataclass(frozen=True)
class Cell:
    """One choice of settings over its seeds.

    ranks are of the mean over seeds, p values corrected for all cells. over_shuffled is by how much the mean reciprocal
    rank moved further than in the shuffled runs, and its p value. seeds counts the runs that ended well; failed says
    why others did not. ended_early: the first seed's interval left no room for a change that matters.
    """

    config: TrainingConfig
    seeds: int
    ended_early: bool
    failed: tuple[str, ...]
    ranks: Mapping[str, RankChange]
    over_shuffled: Mapping[str, tuple[float, float]]
    matched: float
    mismatched: float
    shuffled_matched: float
    shuffled_mismatched: float
    verdicts: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class Picked:
    """The best cell, picked on one half of the pairs and read on the other, both ways round.

    cells are the numbers of the two that were picked, the better half's first; moved is what the mean reciprocal rank
    gained on the pairs that did not pick.
    """

    cells: tuple[int, int]
    moved: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Sweep:
    """A whole sweep: the held-out pairs under the base, every choice of settings, and what picking is worth.

    warnings say what is wrong with the lists or the model.
    """

    base: LayerAlignment
    plan: Plan
    cells: tuple[Cell, ...]
    picked: Picked
    warnings: tuple[Notice, ...] = ()


def is_futile(first: Outcome, groups: np.ndarray) -> bool:
    """Whether a first seed leaves no room for a change that matters: neither direction's 95 % interval reaches it."""
    if first.failed:
        return False
    return bool((mean_interval(first.moved, groups, FEWEST_RANKS)[:, 1] < LEAST_CHANGE).all())


def read_sweep(base: LayerAlignment, plan: Plan, folder: SweepFolder, warnings: tuple[Notice, ...] = ()) -> Sweep:
    """Every cell's verdict, from the outcomes in a folder, all tests corrected for all cells."""
    read = [_CellOutcomes(plan, cell, folder) for cell in range(len(plan.cells))]
    n = len(base.pairs)
    plain, groups, layer = ~base.look_alike, base.clusters, len(base.names) - 1
    moved = np.stack([of.mean("moved", n) for of in read])  # (cells, 2, n)
    hits = np.stack([of.mean("hit", n) for of in read])
    hits -= np.stack([base.retrieval[way].hit[layer] for way in DIRECTIONS])
    over = moved - np.stack([of.mean("moved", n, shuffled=True) for of in read])
    p, p_over = (_corrected(values, groups) for values in (moved, over))  # (cells, 2)
    p_plain = _corrected(moved[:, :, plain], groups[plain])
    was = base.p_values[ALL][layer] <= LEVEL  # (2,)
    cells = []
    for number, of in enumerate(read):
        intervals = [mean_interval(values[number], groups, FEWEST_RANKS) for values in (moved, hits)]
        ranks = {
            way: RankChange(
                float(moved[number, i].mean()), _pair(intervals[0][i]), float(p[number, i]),
                float(hits[number, i].mean()), _pair(intervals[1][i]),
                float(moved[number, i, plain].mean()) if plain.any() else float("nan"), float(p_plain[number, i]),
            )
            for i, way in enumerate(DIRECTIONS)
        }  # fmt: skip
        beyond = {way: (float(over[number, i].mean()), float(p_over[number, i])) for i, way in enumerate(DIRECTIONS)}
        cells.append(of.cell(ranks, beyond, was))
    return Sweep(base, plan, tuple(cells), _picked(moved.mean(axis=1), groups), (*warnings, *base.warnings))


class _CellOutcomes:
    """The outcomes of one cell's runs, right and shuffled, that ended well."""

    def __init__(self, plan: Plan, cell: int, folder: SweepFolder) -> None:
        self.config, self.planned = plan.cells[cell], plan.seeds
        runs = [[folder.outcome(run) for run in plan.runs_of(cell, number)] for number in range(plan.seeds)]
        self.failed = tuple(dict.fromkeys(one.failed for both in runs for one in both if one and one.failed))
        self.begun = sum(right is not None for right, _ in runs)
        well = [(right, other) for right, other in runs if right and other and not right.failed and not other.failed]
        self.right, self.shuffled = [right for right, _ in well], [other for _, other in well]

    def mean(self, name: str, n: int, shuffled: bool = False) -> np.ndarray:
        """A field's mean over seeds; nothing has moved where no run ended well: (2, n)."""
        of = self.shuffled if shuffled else self.right
        return np.mean([getattr(one, name) for one in of], axis=0) if of else np.zeros((2, n))

    @cached_property
    def found(self) -> np.ndarray:
        """In which direction most seeds find right words above chance: (2,)."""
        return np.mean([one.found for one in self.right], axis=0) > 0.5

    def cell(self, ranks: Mapping[str, RankChange], over: Mapping[str, tuple[float, float]], was: np.ndarray) -> Cell:
        """The cell with its verdict."""
        matched, mismatched, shuffled_matched, shuffled_mismatched = (
            float(np.mean([getattr(one, name) for one in of])) if of else float("nan")
            for of in (self.right, self.shuffled)
            for name in ("matched", "mismatched")
        )
        verdict = "no numbers"
        if self.right:
            verdict = ranks_verdict(ranks, was, self.found, matched, mismatched)
            better = [way for way, of in ranks.items() if of.p <= LEVEL and of.mrr >= LEAST_CHANGE]
            beyond = [way for way in better if over[way][0] >= LEAST_CHANGE and over[way][1] <= LEVEL]
            if verdict in IMPROVED and len(beyond) < len(better):
                verdict = "improved one way" if beyond else AS_SHUFFLED
        return Cell(
            self.config, len(self.right), self.begun < self.planned, self.failed, ranks, over, matched, mismatched,
            shuffled_matched, shuffled_mismatched, tuple(one.verdict for one in self.right), verdict,
        )  # fmt: skip


def _picked(moved: np.ndarray, groups: np.ndarray) -> Picked:
    """What the best of several cells is worth on pairs that did not pick it: (cells, n) changes of reciprocal rank."""
    order = np.random.default_rng(0).permutation(np.unique(groups))
    half = np.isin(groups, order[: len(order) // 2])  # (n,), whole groups
    first, second = (highest(moved[:, of].mean(axis=1)) for of in (half, ~half))
    read = np.where(half, moved[second], moved[first])  # (n,)
    return Picked((first, second), float(read.mean()), _pair(mean_interval(read[None], groups, FEWEST_RANKS)[0]))


def _corrected(moved: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """p values of changes of (cells, 2, n), corrected for all cells and both directions: (cells, 2)."""
    return flipped_p_values(moved.reshape(-1, moved.shape[-1]), groups, 0).reshape(moved.shape[:2])


def _pair(interval: np.ndarray) -> tuple[float, float]:
    return float(interval[0]), float(interval[1])
