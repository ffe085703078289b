"""Checkpoints of a fine-tune: a run resumed from one continues exactly as if it had not been interrupted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tli_core.atomic_files import replacing
from tli_core.i18n import N_, translate
from tli_core.training.history import HeldOutCheck, TrainingStep


@dataclass(frozen=True)
class RunState:
    """A run after the last step of its history.

    lora are the weights as PEFT names them, best those of the best check so far (empty without early stopping),
    optimizer AdamW's moments as `parameter.moment`, and random the states of the random number generators.
    """

    history: tuple[TrainingStep, ...]
    lora: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: dict[str, Tensor]
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return self.history[-1].step

    def save(self, path: Path) -> None:
        """Write it into one file, over an earlier state; a reader finds the earlier one or this one, never half."""
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = {"lora": self.lora, "optimizer": self.optimizer, "random": self.random, "best": self.best}
        tensors = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        with replacing(path) as part:
            save_file(tensors, part, metadata={"history": json.dumps([asdict(step) for step in self.history])})

    @classmethod
    def load(cls, path: Path) -> "RunState":
        """Read it again.

        Raises:
            ValueError: there is none, or it is damaged.
        """
        history = read_history(path)
        parts: dict[str, dict[str, Tensor]] = {"lora": {}, "optimizer": {}, "random": {}, "best": {}}
        for name, tensor in load_file(path).items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        return cls(history, **parts)


def read_history(path: Path) -> tuple[TrainingStep, ...]:
    """The steps of a saved run, without its tensors.

    Raises:
        ValueError: there is no such file, or it is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            entries = json.loads(file.metadata()["history"])
        return tuple(
            TrainingStep(**{**entry, **{name: _check(entry.get(name)) for name in ("check", "choosing")}})
            for entry in entries
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        text = N_("The state of this run cannot be read: {error}")
        raise ValueError(translate(text, error=str(error).splitlines()[0])) from error


def _check(entry: Mapping[str, float] | None) -> HeldOutCheck | None:
    return HeldOutCheck(**entry) if entry else None


def keep_history_only(path: Path) -> None:
    """Delete the tensors of a finished run's checkpoint and keep only its history."""
    RunState(read_history(path), {}, {}, {}).save(path)


def default_generator(device: torch.device) -> torch.Generator:
    """The random number generator that PyTorch draws from on a device where none is named."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


def random_states(generator: torch.Generator) -> dict[str, Tensor]:
    """Where the generator that dropout draws from is, by the kind of its device."""
    return {generator.device.type: generator.get_state()}


def restore_random(states: Mapping[str, Tensor], generator: torch.Generator) -> None:
    """Set the generator to where `random_states` found it, if it was on such a device."""
    kind = generator.device.type
    if kind in states:
        generator.set_state(states[kind])
