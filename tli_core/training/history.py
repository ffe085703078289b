"""The log of a fine-tune: one record per step. Imports no PyTorch."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class HeldOutCheck:
    """How pairs that are not trained on stand at the trained layer, words pooled: does the run learn, or collapse?"""

    matched: float
    mismatched: float
    p_at_1: float

    @property
    def score(self) -> tuple[float, float]:
        """What makes one check better than another: more words found, then a wider gap. Never the cosine alone."""
        gap = self.matched - self.mismatched
        return self.p_at_1, gap if math.isfinite(gap) else -math.inf


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step.

    check, of the held-out pairs, is there at the start (step 0, no loss yet), now and then, and at the end; choosing,
    of the pairs that early stopping set aside, beside it. own_text is then by which factor the perplexity of the base's
    own text has grown, where the run keeps that: e to the divergence a token of the base from the adapter.
    """

    step: int
    steps: int
    epoch: int
    loss: float | None
    learning_rate: float
    seconds: float
    check: HeldOutCheck | None = None
    choosing: HeldOutCheck | None = None
    own_text: float | None = None
