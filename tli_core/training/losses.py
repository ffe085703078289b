"""The losses, on tensors alone: anchors (Swahili) and positives (English) of a batch of b pairs, each (b, d)."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu, rms_norm

_TINY = 1e-30
"""Keeps a vector of zeros from being divided by zero."""


def triplet_loss(anchors: Tensor, positives: Tensor, margin: float, same: Tensor | None = None) -> Tensor:
    """Mean of `hinges`: (b, d), (b, d) -> (). The published loss."""
    return hinges(anchors, positives, margin, same).mean()


def hinges(anchors: Tensor, positives: Tensor, margin: float, same: Tensor | None = None) -> Tensor:
    """relu(margin + hardest in-batch negative − positive) over cosines: (b, d), (b, d) -> (b,).

    Anchors are Swahili, positives and negatives English.

    Args:
        same: (b, b) boolean, True where positive j is a right translation of anchor i, as its own is; such pairs are
            not used as negatives. By default each anchor has its own alone.
    """
    cosines = _cosines(anchors, positives)  # (b, b)
    matched = cosines.diagonal()  # (b,)
    if same is None:
        same = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    hardest = cosines.masked_fill(same, -torch.inf).max(dim=1).values  # (b,)
    return relu(margin + hardest - matched)


def contrastive_loss(anchors: Tensor, positives: Tensor, temperature: float, same: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE over cosines: (b, d), (b, d) -> ().

    Args:
        same: as in `hinges`.
    """
    cosines = _cosines(anchors, positives) / temperature  # (b, b)
    if same is not None:
        own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
        cosines = cosines.masked_fill(same & ~own, -torch.inf)
    target = torch.arange(len(cosines), device=cosines.device)
    return (cross_entropy(cosines, target) + cross_entropy(cosines.T, target)) / 2


def _cosines(anchors: Tensor, positives: Tensor) -> Tensor:
    """(b, d), (b, d) -> (b, b). By the root mean square, as that norm and its gradient are one kernel each on a GPU."""
    width = anchors.shape[-1]
    anchors, positives = (rms_norm(side, (width,), eps=_TINY) for side in (anchors, positives))
    return anchors @ positives.T / width
