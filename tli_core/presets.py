"""Every knob of a fine-tune, and the two settings that start from: the published one and the corrected one."""

from dataclasses import dataclass, replace
from typing import Any

from .pooling import POOLINGS

LOSSES = ("triplet", "contrastive")


@dataclass(frozen=True)
class TrainingConfig:
    """Every knob of a fine-tune.

    layer: whose states the loss reads; None is the output. Only blocks before it run and carry LoRA.
    pooling: how a word's tokens become its vector, see `pooling.POOLINGS`.
    loss: `triplet` (margin, hardest in-batch negative) or `contrastive` (symmetric InfoNCE at a temperature).
    """

    preset: str
    layer: int | None
    pooling: str
    loss: str
    margin: float
    temperature: float
    batch_size: int
    epochs: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    rank: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]
    seed: int = 0
    shuffled: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.pooling in POOLINGS, f"pooling must be one of {', '.join(POOLINGS)}, got {self.pooling!r}"),
            (self.loss in LOSSES, f"loss must be one of {', '.join(LOSSES)}, got {self.loss!r}"),
            (
                self.batch_size >= 2,
                f"batch size must be at least 2, as negatives come from the batch; got {self.batch_size}",
            ),
            (1 <= self.epochs <= 1000, f"epochs must be 1 to 1000, got {self.epochs}"),
            (0 < self.learning_rate < 1, f"learning rate must be between 0 and 1, got {self.learning_rate}"),
            (1 <= self.rank <= 256, f"rank must be 1 to 256, got {self.rank}"),
            (0 < self.temperature <= 10, f"temperature must be above 0 and at most 10, got {self.temperature}"),
            (0 <= self.margin <= 2, f"margin must be 0 to 2, got {self.margin}"),
            (0 <= self.dropout < 1, f"dropout must be at least 0 and below 1, got {self.dropout}"),
            (
                self.layer is None or self.layer >= 1,
                f"layer must be 1 or more, as layer 0 has no block; got {self.layer}",
            ),
        )
        for good, sentence in checks:
            if not good:
                raise ValueError(f"{sentence[0].upper()}{sentence[1:]}.")


PRESETS = {
    # arXiv 2506.15415 and its code: layer 2, BOS averaged in, hardest negative of a batch of 8.
    "published": TrainingConfig(
        preset="published",
        layer=2,
        pooling="all",
        loss="triplet",
        margin=0.4,
        temperature=1.0,
        batch_size=8,
        epochs=5,
        learning_rate=2e-4,
        warmup_steps=50,
        weight_decay=0.01,
        rank=16,
        alpha=32,
        dropout=0.05,
        targets=("q_proj", "v_proj"),
    ),
    # Words only, every other pair of a large batch as a negative in both directions, read where the model answers.
    "corrected": TrainingConfig(
        preset="corrected",
        layer=None,
        pooling="words",
        loss="contrastive",
        margin=0.0,
        temperature=0.05,
        batch_size=128,
        epochs=8,
        learning_rate=1e-3,
        warmup_steps=10,
        weight_decay=0.01,
        rank=16,
        alpha=32,
        dropout=0.05,
        targets=("q_proj", "v_proj"),
    ),
}


def configured(preset: str, **changes: Any) -> TrainingConfig:
    """A preset with some knobs changed.

    Raises:
        ValueError: there is no such preset, or a value is out of range.
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no preset {preset!r}: choose {' or '.join(PRESETS)}.")
    return replace(PRESETS[preset], **changes)
