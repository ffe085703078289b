"""Bootstrap intervals and paired tests. scipy does the tests; the bootstrap is one matrix product for all layers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

RESAMPLES = 2000


def bootstrap_weights(n: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """How often each of n pairs is drawn in each resample: (resamples, n), rows sum to n.

    A statistic that is a sum over pairs is then `weights @ values`, for every layer at once.
    """
    draws = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    flat = draws + n * np.arange(resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def interval_of_mean(values: np.ndarray, seed: int, fewest: int) -> np.ndarray:
    """The 95 % bootstrap interval of the mean over pairs, (layers, n) -> (layers, 2).

    Args:
        fewest: nan where there are fewer pairs than this.
    """
    layers, n = values.shape
    if n < fewest:
        return np.full((layers, 2), np.nan)
    return interval95(bootstrap_weights(n, seed) @ values.T / n)


def highest(values: np.ndarray) -> int:
    """The index of the highest of the values; NaN is never chosen."""
    return int(np.where(np.isfinite(values), values, -np.inf).argmax())


def interval95(samples: np.ndarray) -> np.ndarray:
    """The central 95 % of resampled values: (resamples, …) -> (…, 2)."""
    return np.moveaxis(np.percentile(samples, [2.5, 97.5], axis=0), 0, -1)


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


def above_chance(hits: int, n: int, chance: float, alpha: float = 0.05) -> bool:
    """Whether hits of n is more than chance alone gives (one-sided binomial test)."""
    if n == 0 or chance >= 1:
        return False
    return bool(stats.binomtest(hits, n, chance, alternative="greater").pvalue < alpha)


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


def paired_test(before: ArrayLike, after: ArrayLike, seed: int) -> PairedTest:
    """Compare two values of every pair: paired t, sign-flip permutation, Cohen's d_z and a bootstrap interval.

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
    permuted = stats.permutation_test(
        (now, was),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    low, high = interval95(bootstrap_weights(len(difference), seed) @ difference / len(difference))
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
        p_permutation=float(permuted.pvalue),
        d_z=mean / spread if spread > 0 else float("nan"),
    )
