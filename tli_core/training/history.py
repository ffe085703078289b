"""The log of a fine-tune: one record per step. Imports no PyTorch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class HeldOutCheck:
    """How the held-out pairs stand at the trained layer, words pooled: the curve that tells learning from collapse."""

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
    """One optimiser step; `check` is there at the start (step 0, no loss yet), now and then, and at the end."""

    step: int
    steps: int
    epoch: int
    loss: float | None
    learning_rate: float
    seconds: float
    check: HeldOutCheck | None = None


def best_step(history: Sequence[TrainingStep]) -> TrainingStep | None:
    """The first of the best checks after training began; None where there is none."""
    checked = [(step.check.score, step) for step in history if step.check and step.step]
    return max(checked, key=lambda found: found[0], default=(0.0, None))[1]
