"""Ranks of right translations among all candidates, and what is counted from them.

Every function takes the cosines of one layer, c_ij = cos(S_i, E_j) for n source words and their candidates.
"""

import numpy as np
import torch

CSLS_NEIGHBOURS = 10


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


def beats_wrong(cosines: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a pair's own cosine beats every wrong pair's in its row, and in its column: (n,) each.

    Where both are so, MEXA counts the pair (Kargaran et al. 2024). A pair without any wrong one beats none.

    Args:
        cosines, wrong: (n, n), right pairs on the diagonal; where there is a wrong pair.
    """
    others = np.where(wrong, cosines, -np.inf)
    diagonal = cosines.diagonal()
    there, back = ((diagonal > others.max(axis=way)) & wrong.any(axis=way) for way in (1, 0))
    return there, back


def best_rank(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Rank, from 1, of each row's best right candidate: scores and right are (q, c).

    Ties count against: a wrong candidate level with the right one comes first, so equal vectors retrieve nothing. A
    score that is NaN finds nothing: a right candidate of that kind comes last, a wrong one comes first.
    """
    # Right ones are few: looking them up costs less than a pass over all scores. np.nonzero of a table is slow.
    rows, columns = np.divmod(np.flatnonzero(right), right.shape[1])
    own = scores[rows, columns]
    best = np.full(len(scores), -np.inf, dtype=scores.dtype)
    np.maximum.at(best, rows, np.where(np.isnan(own), -np.inf, own))
    before = ~(scores < best[:, None])
    before[rows, columns] = False
    return 1 + before.sum(axis=1)


def largest_hub(cosines: np.ndarray, right: np.ndarray) -> tuple[float, int]:
    """The largest share of words, in either direction, to which one and the same wrong word is the nearest.

    A word that is nearest together with others is no hub, nor is one that is right.

    Args:
        cosines, right: (a, b), of distinct words, and which translate each other.

    Returns:
        The share, 0 to 1, and the word: its row, or a plus its column.
    """
    shares = np.concatenate([_nearest_of(cosines.T, right.T), _nearest_of(cosines, right)])  # (a + b,)
    return float(shares.max()), int(shares.argmax())


def _nearest_of(cosines: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The share of rows whose only nearest column each column is, wrongly: (q, c), (q, c) -> (c,)."""
    nearest = cosines.argmax(axis=1)  # (q,)
    rows = np.arange(len(cosines))
    alone = (cosines == cosines[rows, nearest][:, None]).sum(axis=1) == 1  # NaN equals nothing
    return np.bincount(nearest[alone & ~right[rows, nearest]], minlength=cosines.shape[1]) / len(cosines)


def nearest(scores: np.ndarray, k: int = CSLS_NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """Each row's k highest values (all of them, where there are fewer) and their columns: (q, c) -> (q, k) each."""
    found = torch.from_numpy(np.ascontiguousarray(scores)).topk(min(k, scores.shape[1]), dim=1)
    return found.values.numpy(), found.indices.numpy()


def csls(cosines: np.ndarray, of_rows: np.ndarray, of_columns: np.ndarray) -> np.ndarray:
    """Cosines corrected for hubs: 2c_ij − the mean of row i's k best − the mean of column j's (Conneau et al. 2018).

    Args:
        of_rows, of_columns: the values that `nearest` finds for cosines (q, c), and for their transpose.
    """
    return 2 * cosines - of_rows.mean(axis=1)[:, None] - of_columns.mean(axis=1)
