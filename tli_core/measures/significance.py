"""Intervals and paired tests of values over pairs that come in groups, as pairs that share a word do."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

FLIPS = 4999
"""Sign flips of a test, where there are too many to try all."""

ALL_SIGNS = 12
"""Up to so many groups all ways are tried."""

FEWEST = 5
"""Below this many pairs nothing is judged, and no interval is drawn."""


FEWEST_RANKS = 12
"""Below this many groups a change of ranks has no interval: most pairs do not move at all, and with seven groups an
interval of 95 % held the truth in 79 % of lists (`tests/truths.py`)."""

FAR = 0.1
"""A group whose mean reciprocal rank moves by so much has moved. Where fewer than FEWEST have, a change has no
interval: of sixty pairs of which three move, 95 % intervals held the truth in 87 % of lists."""

POWER = 0.8
"""A list is long enough where what it should show is shown in so many of such lists."""

LEAST_FREEDOM = 4
"""An interval has at least so many degrees of freedom. Where one topic is large, its mean moves estimate and error
alike, and Bell & McCaffrey's fewer made 95 % intervals that held the truth in 97 to 100 % of lists."""


def mean_interval(values: np.ndarray, groups: np.ndarray, fewest: int = FEWEST) -> np.ndarray:
    """The 95 % interval of means over pairs that come in groups, (layers, n) -> (layers, 2).

    Student's t with a variance between groups; groups that differ in size are worth fewer degrees of freedom.

    Args:
        groups: (n,), the group of each pair; nan where there are fewer than `fewest`.
    """
    error, freedom, worth = _standard_error(values, groups)
    if worth < fewest - 1e-9:
        return np.full((len(values), 2), np.nan)
    half = stats.t.ppf(0.975, np.maximum(freedom, LEAST_FREEDOM)) * error
    return np.stack([values.mean(axis=1) - half, values.mean(axis=1) + half], axis=1)


def change_interval(moved: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The 95 % interval of mean changes of ranks, or of hits, over pairs that come in groups: (k, n) -> (k, 2).

    That of `mean_interval`; nan where there are fewer than FEWEST_RANKS groups, or fewer than FEWEST moved by FAR.

    Args:
        groups: as in `mean_interval`.
    """
    return np.where(_enough_moved(moved, groups)[:, None], mean_interval(moved, groups, FEWEST_RANKS), np.nan)


def _enough_moved(moved: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Whether FEWEST groups or more moved by FAR, (k, n) -> (k,): of fewer nobody can tell how changes scatter."""
    _, index = np.unique(groups, return_inverse=True)
    # The changes of one group are one: who gains what another of the group loses has not moved it.
    sums = np.stack([np.bincount(index, of) for of in moved]) / np.bincount(index)  # (k, groups)
    return (np.abs(sums) >= FAR).sum(axis=1) >= FEWEST


def share_interval(hits: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The 95 % interval of means of values from 0 to 1, such as hits, over pairs in groups: (layers, n) -> (layers, 2).

    Wilson's, for as many pairs as would scatter like these if they were independent (the effective sample size of Korn
    & Graubard 1998; Dean & Pagano 2015 try it with Wilson's interval). Where nothing scatters, nobody can tell how much
    alike the pairs of a group are, and they are taken to share half of their variance.

    Args:
        groups: as in `mean_interval`.
    """
    error, freedom, worth = _standard_error(hits.astype(np.float64), groups)
    if worth < FEWEST - 1e-9:
        return np.full((len(hits), 2), np.nan)
    share = hits.mean(axis=1)
    spread = share * (1 - share)
    # The scatter of all such values is what is seen of it about the mean, and the mean's own.
    every = len(groups)
    unknown = np.full(len(hits), 1 / (0.5 / every + 0.5 / worth))
    n = np.divide(spread + error**2, error**2, out=unknown, where=error > 0)
    quantile = stats.t.ppf(0.975, np.maximum(freedom, LEAST_FREEDOM))
    # How much hits and misses scatter is known from their share, and of other values nearly so: only what groups add to
    # it is estimated.
    quantile = quantile * stats.norm.ppf(0.975) / stats.t.ppf(0.975, every - 1)
    z2 = quantile**2
    centre, half = (share + z2 / (2 * n)) / (1 + z2 / n), np.sqrt(z2 * (spread / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return np.clip(np.stack([centre - half, centre + half], axis=1), 0, 1)  # rounding leaves −1e-17


class _StandardError(NamedTuple):
    """Of means over pairs in groups: error and its degrees of freedom, (layers,) each, and how many groups of one size
    they are worth."""

    error: np.ndarray
    freedom: np.ndarray
    worth: float


def _standard_error(values: np.ndarray, groups: np.ndarray) -> _StandardError:
    """The standard error of means over pairs in groups: (layers, n) -> `_StandardError`.

    A group that makes up much of the mean pulls it towards itself, and is given more weight for that (CR2). Degrees of
    freedom are those of Bell & McCaffrey (2002) as Imbens & Kolesár (2016) take them: for pairs of a group that are as
    much alike as they are found to be, at each layer.
    """
    numbered, index, size = np.unique(groups, return_inverse=True, return_counts=True)
    share = size / len(groups)  # (groups,)
    if len(numbered) < 2:
        unknown = np.full(len(values), np.nan)
        return _StandardError(unknown, unknown, 1.0)
    member = np.zeros((len(groups), len(numbered)))
    member[np.arange(len(groups)), index] = 1
    apart = values - values.mean(axis=1, keepdims=True)  # (layers, n)
    sums = apart @ member  # (layers, groups)
    error = np.sqrt((sums**2 / (1 - share)).sum(axis=1)) / len(groups)
    alike = _likeness_within(apart, sums, size)[:, None]
    freedom = _degrees_of_freedom(share, alike + (1 - alike) / size)
    return _StandardError(error, freedom, float(1 / (share**2).sum()))


def _likeness_within(apart: np.ndarray, sums: np.ndarray, size: np.ndarray) -> np.ndarray:
    """How much alike the values of a group are, from 0 to 1: the intraclass correlation, by analysis of variance.

    Args:
        apart: (layers, n), the values less their mean; sums (layers, groups) those of each group, size (groups,) pairs.
    """
    n, count = apart.shape[1], len(size)
    if n == count:
        return np.zeros(len(apart))
    between = (sums**2 / size).sum(axis=1)
    within = ((apart**2).sum(axis=1) - between) / (n - count)
    typical = (n - (size**2).sum() / n) / (count - 1)
    shared = np.maximum((between / (count - 1) - within) / typical, 0)
    whole = shared + within
    return np.clip(np.divide(shared, whole, out=np.zeros(len(apart)), where=whole > 0), 0, 1)


def _degrees_of_freedom(share: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """tr(M)² / tr(M²), where error² is a quadratic form of the groups' means, and M its matrix: (layers,).

    M = A C V Cᵀ A with V the means' variances, C = 1 − 1·shareᵀ and A² = share² / (1 − share), diagonal V and A.

    Args:
        share: (groups,), of the pairs; variance (layers, groups), of each group's mean but for a common factor.
    """
    weight = share**2 / (1 - share)  # (groups,)
    own = share * variance  # (layers, groups)
    mean = (share * own).sum(axis=1, keepdims=True)  # (layers, 1)
    trace = (weight * (variance + mean - 2 * own)).sum(axis=1)
    diagonal = (weight**2 * variance * (variance + 2 * (mean - 2 * own))).sum(axis=1)
    all_of, first, second = weight.sum(), (weight * own).sum(axis=1), (weight * own**2).sum(axis=1)
    mean = mean[:, 0]
    others = (mean * all_of) ** 2 + 2 * all_of * second - 4 * mean * all_of * first + 2 * first**2
    return trace**2 / (diagonal + others)


def pairs_needed(moved: np.ndarray, groups: np.ndarray, change: float, level: float) -> float:
    """How many pairs like these show a mean change at a two-sided level in four lists of five.

    By the normal approximation: the change must be so many standard errors as the level's and the power's quantile.
    nan where `change_interval` gives no interval either.

    Args:
        moved: (k, n), changes of each pair; the one that scatters most decides.
        groups: as in `mean_interval`, so that pairs of one group tell less than as many others.
    """
    error, _, worth = _standard_error(moved, groups)
    error, most = float(error.max()), int(error.argmax())
    if worth < FEWEST_RANKS - 1e-9 or not _enough_moved(moved, groups)[most]:
        return float("nan")
    quantiles = stats.norm.isf(level / 2) + stats.norm.ppf(POWER)
    return float(np.ceil(moved.shape[1] * (quantiles * error / change) ** 2))


def highest(values: np.ndarray) -> int:
    """The index of the highest of the values; NaN is never chosen."""
    return int(np.where(np.isfinite(values), values, -np.inf).argmax())


def holm(p_values: np.ndarray) -> np.ndarray:
    """p values adjusted for being several, so that any below 0.05 still is one (Holm 1979): (k,) -> (k,).

    What is nan stays so, and has no part in the others' correction. scipy has no Holm, and that of statsmodels 0.14
    has Python collect garbage at every call, which made an evaluation on the page a second longer.
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known])]
    steps = (len(order) - np.arange(len(order))) * p_values[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def flipped_p_values(moved: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Two-sided p values of paired changes, corrected for being several: (tests, n) -> (tests,).

    Had nothing changed, before and after might be exchanged: so the signs of all changes of a group are flipped
    together, the same in every test, and the largest of the standardised sums is compared (Westfall & Young 1993).

    Args:
        groups: (n,), the group of each pair; pairs of one group share words, or a topic.
    """
    numbered, index = np.unique(groups, return_inverse=True)
    if not len(numbered):
        return np.ones(len(moved))
    sums = np.zeros((len(moved), len(numbered)))
    np.add.at(sums.T, index, moved.T)  # (tests, groups)
    scale = np.sqrt((sums**2).sum(axis=1, keepdims=True))
    sums = np.divide(sums, scale, out=np.zeros_like(sums), where=scale > 0)
    signs = _signs(len(numbered), seed).astype(np.float64)
    most = np.sort(np.abs(signs @ sums.T).max(axis=1))  # (flips,)
    seen = np.abs(sums.sum(axis=1))
    as_far = len(most) - np.searchsorted(most, seen - 1e-9, side="left")
    drawn = 0 if len(numbered) <= ALL_SIGNS else 1  # the list as it is, where it is not one of the flips
    return (drawn + as_far) / (drawn + len(most))


# A list is tested several times in one evaluation, and drawing takes longest; 10 MB each for 2,000 groups.
@lru_cache(maxsize=4)
def _signs(count: int, seed: int) -> np.ndarray:
    """Every way that the signs of so many groups can fall, or FLIPS of them: (flips, count) of 1 and −1, as int8."""
    if count <= ALL_SIGNS:
        return (1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)).astype(np.int8)
    return 1 - 2 * np.random.default_rng(seed).integers(0, 2, size=(FLIPS, count), dtype=np.int8)


def varies(values: np.ndarray) -> np.ndarray:
    """Whether values over pairs, (n, …), vary by more than rounding does, so that a t-test of them means something."""
    return values.std(axis=0, ddof=1) > 1e-7 * np.abs(values.mean(axis=0))


@dataclass(frozen=True)
class PairedTest:
    """The same pairs before and after: the paper's t-test, and what it leaves out."""

    n: int
    before: float
    after: float
    difference: float
    difference_ci95: tuple[float, float]
    percent: float
    t: float
    p_t: float
    p_permutation: float
    d_z: float


def paired_test(before: ArrayLike, after: ArrayLike, groups: np.ndarray, seed: int) -> PairedTest:
    """Compare two values of every pair: paired t (as published, which takes pairs for independent), Cohen's d_z, and
    with the pairs in their groups a sign-flip permutation test and an interval.

    Raises:
        ValueError: fewer than two pairs, or lists of different lengths.
    """
    was, now = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)  # (n,) each
    if was.shape != now.shape or was.ndim != 1 or len(was) < 2:
        raise ValueError(f"A paired test needs two lists of at least two values, got {was.shape} and {now.shape}.")
    difference = now - was
    spread = float(difference.std(ddof=1))
    if not np.isfinite(difference).all():
        nothing = float("nan")
        return PairedTest(len(difference), float(was.mean()), float(now.mean()), nothing, (nothing, nothing),
                          nothing, nothing, nothing, nothing, nothing)  # fmt: skip
    # A difference that never varies has no t; every other figure still stands.
    t, p_t = stats.ttest_rel(now, was) if varies(difference) else (float("nan"), float("nan"))
    low, high = mean_interval(difference[None], groups)[0]
    mean = float(difference.mean())
    return PairedTest(
        n=len(difference),
        before=float(was.mean()),
        after=float(now.mean()),
        difference=mean,
        difference_ci95=(float(low), float(high)),
        percent=100 * mean / float(was.mean()) if was.mean() else float("nan"),
        t=float(t),
        p_t=float(p_t),
        p_permutation=float(flipped_p_values(difference[None], groups, seed)[0]),
        d_z=mean / spread if spread > 0 else float("nan"),
    )


def two_list_p_value(
    first: np.ndarray, first_groups: np.ndarray, second: np.ndarray, second_groups: np.ndarray
) -> float:
    """Two-sided p value of the difference of two lists' means (Welch's t-test); nan where nothing varies.

    Args:
        first, second: a value of each pair, (n,) and (m,); their groups as in `mean_interval`.
    """
    one, other = _standard_error(first[None], first_groups), _standard_error(second[None], second_groups)
    variance = one.error[0] ** 2 + other.error[0] ** 2
    if min(one.worth, other.worth) < 2 or variance == 0:
        return float("nan")
    freedom = variance**2 / (one.error[0] ** 4 / one.freedom[0] + other.error[0] ** 4 / other.freedom[0])
    return float(2 * stats.t.sf(abs(first.mean() - second.mean()) / np.sqrt(variance), freedom))


def grouped_t_test(moved: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Two-sided p values that means over pairs in groups are 0, (layers, n) -> (layers,); nan where nothing varies."""
    error, freedom, worth = _standard_error(moved, groups)
    sure = (worth > 1) & varies(moved.T) & (error > 0)
    t = np.divide(moved.mean(axis=1), error, out=np.full(len(moved), np.nan), where=sure)
    return 2 * stats.t.sf(np.abs(t), freedom)
