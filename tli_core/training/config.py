"""Every knob of a fine-tune, the two settings to start from, the published and the corrected one, and their files."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from tli_core.encoding.readouts import POOLINGS
from tli_core.i18n import say
from tli_core.models.architecture import MATRICES

LOSSES = ("triplet", "contrastive")


@dataclass(frozen=True)
class TrainingConfig:
    """Every knob of a fine-tune.

    layer: whose states the loss reads; None is the output. Only blocks before it run and carry LoRA.
    pooling: how a word's tokens become its vector, see `pooling.POOLINGS`.
    loss: `triplet` (margin, hardest in-batch negative) or `contrastive` (symmetric InfoNCE at a temperature).
    patience: held-out checks without a better one after which a run ends and keeps its best step; 0 never ends early.
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
    patience: int = 0

    def __post_init__(self) -> None:
        # What must hold, what is said where it does not, and the value.
        checks = (
            (self.pooling in POOLINGS, "Pooling must be words, all or last, got {value}.", self.pooling),
            (self.loss in LOSSES, "Loss must be triplet or contrastive, got {value}.", self.loss),
            (
                self.batch_size >= 2,
                "Batch size must be at least 2, as negatives come from the batch; got {value}.",
                self.batch_size,
            ),
            (self.batch_size <= 1024, "Batch size must be at most 1024, got {value}.", self.batch_size),
            (1 <= self.epochs <= 1000, "Epochs must be 1 to 1000, got {value}.", self.epochs),
            (1e-9 <= self.learning_rate < 1, "Learning rate must be 1e-9 to below 1, got {value}.", self.learning_rate),
            (1 <= self.rank <= 256, "Rank must be 1 to 256, got {value}.", self.rank),
            (0.001 <= self.temperature <= 10, "Temperature must be 0.001 to 10, got {value}.", self.temperature),
            (0 <= self.margin <= 2, "Margin must be 0 to 2, got {value}.", self.margin),
            (1 <= self.alpha <= 1024, "Alpha must be 1 to 1024, got {value}.", self.alpha),
            (0 <= self.warmup_steps <= 100_000, "Warm-up must be 0 to 100000 steps, got {value}.", self.warmup_steps),
            (
                0 <= self.weight_decay < 1,
                "Weight decay must be at least 0 and below 1, got {value}.",
                self.weight_decay,
            ),
            (0 <= self.seed < 2**31, "Seed must be 0 to 2147483647, got {value}.", self.seed),
            (0 <= self.patience <= 100, "Patience must be 0 to 100 checks, got {value}.", self.patience),
            (bool(self.targets), "Targets must name at least one matrix, such as q_proj; got {value}.", "none"),
            (
                set(self.targets) <= set(MATRICES),
                "Targets must be some of {known}, got {value}.",
                ", ".join(map(str, self.targets)),
            ),
            (0 <= self.dropout < 1, "Dropout must be at least 0 and below 1, got {value}.", self.dropout),
            (
                self.layer is None or self.layer >= 1,
                "Layer must be 1 or more, as layer 0 has no block; got {value}.",
                self.layer,
            ),
        )
        for good, sentence, value in checks:
            if not good:
                raise ValueError(say(sentence, value=value, known=", ".join(MATRICES)))


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


MAX_PRESET_BYTES = 20_000
_WHOLE = ("batch_size", "epochs", "warmup_steps", "rank", "alpha", "seed", "patience")
_REAL = ("margin", "temperature", "learning_rate", "weight_decay", "dropout")


def configured(preset: str, **changes: Any) -> TrainingConfig:
    """A preset with some knobs changed.

    Raises:
        ValueError: there is no such preset, or a value is out of range.
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no preset {preset!r}: choose {' or '.join(PRESETS)}.")
    return replace(PRESETS[preset], **changes)


def changed_knobs(config: TrainingConfig) -> dict[str, Any]:
    """The knobs in which a configuration differs from the preset that it started from."""
    start = asdict(PRESETS[config.preset])
    return {name: value for name, value in asdict(config).items() if value != start[name]}


def preset_text(config: TrainingConfig) -> str:
    """A configuration as YAML: the preset that it started from and every knob, the layer a number or `output`."""
    knobs = {**asdict(config), "layer": config.layer or "output", "targets": list(config.targets)}
    return yaml.safe_dump(knobs, sort_keys=False, allow_unicode=True)


def read_preset(path: str | Path) -> TrainingConfig:
    """A configuration from YAML: `preset` names the one to start from (corrected by default), other keys change knobs.

    Raises:
        ValueError: no such file, no YAML, an unknown knob, or a value that it cannot have; the message says which.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no preset at {path}: give {', '.join(PRESETS)}, or a YAML file.")
    if path.stat().st_size > MAX_PRESET_BYTES:
        text = "{name} is larger than {most} kB, too large for a preset."
        raise ValueError(say(text, name=path.name, most=MAX_PRESET_BYTES // 1000))
    try:
        knobs = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else say(" at line {line}", line=mark.line + 1)
        text = "{name} is not YAML{where}: write one knob a line, such as epochs: 8."
        raise ValueError(say(text, name=path.name, where=where)) from error
    if not isinstance(knobs, dict):
        raise ValueError(say("{name} holds no knobs: write one a line, such as epochs: 8.", name=path.name))
    names = [field.name for field in fields(TrainingConfig)]
    for name in knobs:
        if name not in names:
            text = "{file}: there is no knob {name!r}; there are {names}."
            raise ValueError(say(text, file=path.name, name=str(name)[:40], names=", ".join(names)))
    preset = str(knobs.pop("preset", "corrected"))
    return configured(preset, **{name: _checked_knob(path.name, name, value) for name, value in knobs.items()})


def _checked_knob(file: str, name: str, value: Any) -> Any:
    """A knob's value from YAML in its own type."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if name == "layer" and value in ("output", None):
        return None
    if name in (*_WHOLE, "layer") and whole:
        return value
    if name in _REAL and (whole or isinstance(value, (float, str))):
        try:
            return float(value)  # YAML reads 1e-3 as text
        except ValueError:
            pass
    if name == "shuffled" and isinstance(value, bool):
        return value
    if name in ("pooling", "loss") and isinstance(value, str):
        return value
    if name == "targets" and isinstance(value, list):
        return tuple(value)
    kinds = {"layer": "a number or output", "shuffled": "true or false", "targets": "a list such as [q_proj, v_proj]"}
    kind = kinds.get(name) or ("a whole number" if name in _WHOLE else "a number" if name in _REAL else "a word")
    text = "{file}: {name} must be {kind}, got {value!r}."
    raise ValueError(say(text, file=file, name=name, kind=say(kind), value=str(value)[:40]))


def batch_slices(n: int, batch_size: int) -> list[slice]:
    """Slices of a shuffled epoch; a last batch of one pair has no negative and is left out."""
    starts = range(0, n, batch_size)
    return [slice(start, start + batch_size) for start in starts if min(n, start + batch_size) - start >= 2]


def total_steps(config: TrainingConfig, n: int) -> int:
    """Optimiser steps of a run over n pairs."""
    return config.epochs * len(batch_slices(n, config.batch_size))
