"""Ranks of right translations among all candidates, and what is counted from them.

Every function takes the cosines of one layer, c_ij = cos(S_i, E_j) for n source words and their candidates.
"""

import numpy as np
import torch

from tli_core.measures.result import Retrieval

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


def mexa(cosines: np.ndarray) -> float:
    """Share of pairs whose own cosine beats every other in its row and column of (n, n) (Kargaran et al. 2024)."""
    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    diagonal = cosines.diagonal()
    return float(((diagonal > others.max(axis=1)) & (diagonal > others.max(axis=0))).mean())


def best_rank(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Rank, from 1, of each row's best right candidate: scores and right are (q, c).

    Ties count against: a wrong candidate level with the right one comes first, so equal vectors retrieve nothing. A
    score that is NaN finds nothing: a right candidate of that kind comes last, a wrong one comes first.
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


def retrieval_of(rank: np.ndarray, by_csls: np.ndarray) -> Retrieval:
    """Shares and means of ranks by cosine (layers, n), beside the P@1 by CSLS (layers,)."""
    return Retrieval(
        rank=rank,
        p_at_1=(rank == 1).mean(axis=1),
        p_at_5=(rank <= 5).mean(axis=1),
        mrr=(1 / rank).mean(axis=1),
        csls_p_at_1=by_csls,
    )
