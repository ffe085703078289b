"""The losses, on tensors alone: anchors (Swahili) and positives (English) of a batch of b pairs, each (b, d)."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu


def triplet_loss(anchors: Tensor, positives: Tensor, margin: float, same: Tensor | None = None) -> Tensor:
    """Mean of `hinges`: (b, d), (b, d) -> (). The published loss."""
    return hinges(anchors, positives, margin, same).mean()


def hinges(anchors: Tensor, positives: Tensor, margin: float, same: Tensor | None = None) -> Tensor:
    """relu(margin + hardest in-batch negative − positive) over cosines: (b, d), (b, d) -> (b,).

    Anchors are Swahili, positives and negatives English.

    Args:
        same: (b, b) boolean, True where positive j is also a right translation of anchor i; such pairs are not used
            as negatives.
    """
    cosines = normalize(anchors, dim=-1) @ normalize(positives, dim=-1).T  # (b, b)
    matched = cosines.diagonal()  # (b,)
    own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    hardest = cosines.masked_fill(own if same is None else own | same, -torch.inf).amax(dim=1)  # (b,)
    return relu(margin + hardest - matched)


def contrastive_loss(anchors: Tensor, positives: Tensor, temperature: float, same: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE over cosines: (b, d), (b, d) -> ().

    Args:
        same: as in `hinges`.
    """
    cosines = normalize(anchors, dim=-1) @ normalize(positives, dim=-1).T / temperature  # (b, b)
    if same is not None:
        own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
        cosines = cosines.masked_fill(same & ~own, -torch.inf)
    target = torch.arange(len(cosines), device=cosines.device)
    return (cross_entropy(cosines, target) + cross_entropy(cosines.T, target)) / 2
