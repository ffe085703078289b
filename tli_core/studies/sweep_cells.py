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
from tli_core.measures.significance import FEWEST_RANKS, change_interval, flipped_p_values, highest, mean_interval
from tli_core.measures.verdicts import LEAST_CHANGE, LEVEL, RankChange, look_alikes_apart, ranks_verdict
from tli_core.notices import Notice
from tli_core.studies.sweep_runs import ONLY_LAYER, Outcome, Plan, SweepFolder
from tli_core.training.config import TrainingConfig

AS_SHUFFLED = "no more than shuffled"
"""The verdict where words rank better, but no more so than in the shuffled runs."""

RUNS_FAILED = "runs failed"
"""The verdict where a run gave nothing: what is left of its seeds would be those that went well."""

IMPROVED = ("improved", "improved one way")


@dataclass(frozen=True)
class OverShuffled:
    """How far the mean reciprocal rank moved in the shuffled runs, and how much further in the runs themselves.

    Where shuffled runs made ranks worse, further is counted from the base: to be better than harm is no gain. p is of
    the sign-flip test of further, corrected for all cells and both directions.
    """

    shuffled: float
    further: float
    p: float


@dataclass(frozen=True)
class Cell:
    """One choice of settings over its seeds.

    ranks are of the mean over seeds, p values corrected for all cells. seeds counts the runs that ended well; failed
    says why others did not. ended_early: `is_futile` said so of the first seed.
    """

    config: TrainingConfig
    seeds: int
    ended_early: bool
    failed: tuple[str, ...]
    ranks: Mapping[str, RankChange]
    over_shuffled: Mapping[str, OverShuffled]
    matched: float
    mismatched: float
    shuffled_matched: float
    shuffled_mismatched: float
    verdicts: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class Picked:
    """The best cell, picked on one half of the pairs and read on the other, both ways round.

    cells are the numbers of the two that were picked, one by each half; moved is what the mean reciprocal rank gained
    on the pairs that did not pick.
    """

    cells: tuple[int, int]
    moved: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Sweep:
    """A whole sweep: the held-out pairs at the output of the base, every choice of settings, and what picking is worth.

    picked is None where fewer than two cells have runs that all went well. warnings say what is wrong with the lists or
    the model.
    """

    base: LayerAlignment
    plan: Plan
    cells: tuple[Cell, ...]
    picked: Picked | None
    warnings: tuple[Notice, ...] = ()


def is_futile(first: Outcome, groups: np.ndarray) -> bool:
    """Whether a first seed shows no gain that matters: its 95 % interval over words reaches none in either direction.

    The interval is of words, not of seeds: another seed may do better, and that risk is taken to save its time.
    """
    if first.failed:
        return False
    return bool((mean_interval(first.moved, groups, FEWEST_RANKS)[:, 1] < LEAST_CHANGE).all())


def read_sweep(base: LayerAlignment, plan: Plan, folder: SweepFolder, warnings: tuple[Notice, ...] = ()) -> Sweep:
    """Every cell's verdict, from the outcomes in a folder, all tests corrected for all cells."""
    read = [_CellOutcomes(plan, cell, folder, len(base.pairs)) for cell in range(len(plan.cells))]
    n = len(base.pairs)
    plain, groups = ~base.look_alike, base.clusters
    moved = np.stack([of.mean("moved", n) for of in read])  # (cells, 2, n)
    hits = np.stack([of.mean("hit", n) for of in read])
    hits -= np.stack([base.retrieval[way].hit[ONLY_LAYER] for way in DIRECTIONS])
    shuffled = np.stack([of.mean("moved", n, shuffled=True) for of in read])
    over = moved - np.where(shuffled.mean(axis=2, keepdims=True) > 0, shuffled, 0)
    p, p_over = (_corrected(values, groups) for values in (moved, over))  # (cells, 2)
    p_plain = _corrected(moved[:, :, plain], groups[plain])
    p_alike = np.minimum(1, [look_alikes_apart(of, base) * 2 * len(moved) for of in moved])  # (cells, 2)
    was = base.p_values[ALL][ONLY_LAYER] <= LEVEL  # (2,)
    cells = []
    for number, of in enumerate(read):
        intervals = [change_interval(values[number], groups) for values in (moved, hits)]
        ranks = {
            way: RankChange(
                float(moved[number, i].mean()), _pair(intervals[0][i]), float(p[number, i]),
                float(hits[number, i].mean()), _pair(intervals[1][i]),
                float(moved[number, i, plain].mean()) if plain.any() else float("nan"), float(p_plain[number, i]),
                float(p_alike[number, i]),
            )
            for i, way in enumerate(DIRECTIONS)
        }  # fmt: skip
        means = shuffled[number].mean(axis=1), over[number].mean(axis=1), p_over[number]  # (2,) each
        further = {way: OverShuffled(*map(float, of_way)) for way, *of_way in zip(DIRECTIONS, *means, strict=True)}
        cells.append(of.cell(ranks, further, was))
    well = np.flatnonzero([bool(of.right) and not of.failed for of in read])
    picked = _picked(moved[well].mean(axis=1), groups, well) if len(well) > 1 else None
    return Sweep(base, plan, tuple(cells), picked, (*warnings, *base.warnings))


class _CellOutcomes:
    """The outcomes of one cell's runs, right and shuffled, that ended well."""

    def __init__(self, plan: Plan, cell: int, folder: SweepFolder, n: int) -> None:
        self.config, self.planned = plan.cells[cell], plan.seeds
        runs = [[folder.outcome(run, n) for run in plan.runs_of(cell, number)] for number in range(plan.seeds)]
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

    def cell(self, ranks: Mapping[str, RankChange], over: Mapping[str, OverShuffled], was: np.ndarray) -> Cell:
        """The cell with its verdict."""
        matched, mismatched, shuffled_matched, shuffled_mismatched = (
            float(np.mean([getattr(one, name) for one in of])) if of else float("nan")
            for of in (self.right, self.shuffled)
            for name in ("matched", "mismatched")
        )
        verdict = RUNS_FAILED
        if self.right and not self.failed:
            verdict = ranks_verdict(ranks, was, self.found, matched, mismatched)
            if verdict in IMPROVED:
                verdict = beside_shuffled(verdict, ranks, over, self.found)
        return Cell(
            self.config, len(self.right), self.begun < self.planned, self.failed, ranks, over, matched, mismatched,
            shuffled_matched, shuffled_mismatched, tuple(one.verdict for one in self.right), verdict,
        )  # fmt: skip


def beside_shuffled(
    verdict: str, ranks: Mapping[str, RankChange], over: Mapping[str, OverShuffled], found: np.ndarray
) -> str:
    """What is left of an improvement beside the shuffled runs: a direction counts that passes every test itself."""

    def sure(moved: float, p: float) -> bool:
        return p <= LEVEL and moved >= LEAST_CHANGE

    better = [way for way, there in zip(ranks, found, strict=True) if there and sure(ranks[way].mrr, ranks[way].p)]
    further = [way for way in better if sure(over[way].further, over[way].p)]
    if not further:
        return AS_SHUFFLED
    if not any(sure(ranks[way].mrr_beyond_spelling, ranks[way].p_beyond_spelling) for way in further):
        return "no clear change"
    return verdict if further == better else "improved one way"


def _picked(moved: np.ndarray, groups: np.ndarray, cells: np.ndarray) -> Picked:
    """What the best of several cells is worth on pairs that did not pick it.

    Args:
        moved: (k, n), changes of reciprocal rank in the k cells of these numbers.
    """
    order = np.random.default_rng(0).permutation(np.unique(groups))
    half = np.isin(groups, order[: len(order) // 2])  # (n,), whole groups
    first, second = (highest(moved[:, of].mean(axis=1)) for of in (half, ~half))
    read = np.where(half, moved[second], moved[first])  # (n,)
    ci95 = _pair(change_interval(read[None], groups)[0])
    return Picked((int(cells[first]), int(cells[second])), float(read.mean()), ci95)


def _corrected(moved: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """p values of changes of (cells, 2, n), corrected for all cells and both directions: (cells, 2)."""
    return flipped_p_values(moved.reshape(-1, moved.shape[-1]), groups, 0).reshape(moved.shape[:2])


def _pair(interval: np.ndarray) -> tuple[float, float]:
    return float(interval[0]), float(interval[1])
