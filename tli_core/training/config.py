"""Every setting of a fine-tune, defined once: its type, bounds, default, label and help.

The page's widgets, the command line's flags, YAML presets, the page's API and error messages are all made from these
fields. To add a setting, add a field here and use it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from tli_core.encoding.readouts import TRAINED_ON
from tli_core.i18n import N_, translate
from tli_core.models.architecture import MATRICES

LOSSES = ("triplet", "contrastive")
OUTPUT: Literal["output"] = "output"
"""In place of a layer's number: the last layer, after the final norm."""

Layer = int | Literal["output"]
Kind = Literal["whole", "real", "choice", "choices", "switch", "layer"]

_EXPECTED: dict[Kind, str] = {
    "whole": N_("a whole number"),
    "real": N_("a number"),
    "choice": N_("a word"),
    "choices": N_("a list such as [q_proj, v_proj]"),
    "switch": N_("true or false"),
    "layer": N_("a number or output"),
}


@dataclass(frozen=True)
class Setting:
    """One setting as people meet it.

    label names it on the page and in messages, help explains it there and in --help. least and most are the bounds of
    a number, both included; below is a bound that is not. choices are the words that it may be.
    """

    name: str
    label: str
    kind: Kind
    help: str = ""
    least: float = 0
    most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, value: Any) -> Any:
        """A value from a widget, YAML, JSON or the command line in its own type; bounds are `check`'s.

        Raises:
            ValueError: it is of another type.
        """
        try:
            return self._parsed(value)
        except (TypeError, ValueError, OverflowError):
            text = N_("{name} must be {kind}, got {value!r}.")
            shown = str(value)[:40]
            raise ValueError(
                translate(text, name=self.name, kind=translate(_EXPECTED[self.kind]), value=shown)
            ) from None

    def _parsed(self, value: Any) -> Any:
        if self.kind == "layer":
            return OUTPUT if value in (None, OUTPUT) or str(value).strip().lower() == OUTPUT else _whole(value)
        if self.kind == "whole":
            return _whole(value)
        if self.kind == "real":
            if isinstance(value, bool):
                raise TypeError
            return float(value)  # YAML reads 1e-3 as text
        if self.kind == "switch":
            if not isinstance(value, bool):
                raise TypeError
            return value
        if self.kind == "choices":
            if not isinstance(value, (list, tuple)):
                raise TypeError
            return tuple(map(str, value))
        if not isinstance(value, str):
            raise TypeError
        return value

    def check(self, value: Any) -> None:
        """Refuse a value of its own type that it may not have.

        Raises:
            ValueError: it is not; the message says what is.
        """
        if self.kind in ("choice", "choices"):
            given = (value,) if self.kind == "choice" else value
            if not given or not set(given) <= set(self.choices):
                text = N_("{setting}: choose from {known}; got {value}.")
                shown = ", ".join(map(str, given))[:80] or translate("none")
                raise ValueError(
                    translate(text, setting=translate(self.label), known=", ".join(self.choices), value=shown)
                )
        elif self.kind != "switch" and value != OUTPUT:
            below = self.below is None or value < self.below
            # Written so that NaN fails.
            if not (value >= self.least and below and (self.most is None or value <= self.most)):
                shown = f"{value}"[:40]
                raise ValueError(translate("{setting} must be {bounds}, got {value}.", setting=translate(self.label),
                                     bounds=self.bounds, value=shown))  # fmt: skip

    @property
    def bounds(self) -> str:
        """What a number may be, in words."""
        if self.below is not None:
            return translate("{least:g} to below {below:g}", least=self.least, below=self.below)
        if self.most is not None:
            return translate("{least:g} to {most:g}", least=self.least, most=self.most)
        return translate("{least:g} or more", least=self.least)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    return int(value)


def _setting(label: str, kind: Kind, help: str = "", default: Any = MISSING, **bounds: Any) -> Any:
    """A field of TrainingConfig with what `Setting` says of it; its name is the field's own."""
    metadata = {"label": label, "kind": kind, "help": help, **bounds}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainingConfig:
    """Every setting of a fine-tune; the fields' help says what each means.

    preset names the one of `presets.PRESETS` that it started from.

    Raises:
        ValueError: a value is out of its bounds.
    """

    preset: str
    layer: Layer = _setting(
        N_("Layer the loss reads"),
        "layer",
        N_("A number, or output. Only blocks before it run and carry LoRA."),
        least=1,
    )
    readout: str = _setting(
        N_("Readout"),
        "choice",
        N_("How a word becomes a vector: after a space or alone, by its tokens or its last one; all averages BOS in."),
        choices=TRAINED_ON,
    )
    loss: str = _setting(
        N_("Loss"),
        "choice",
        N_("Triplet: the hardest wrong answer of a batch. Contrastive: all of them, in both directions."),
        choices=LOSSES,
    )
    margin: float = _setting(N_("Margin (triplet)"), "real", most=2)
    temperature: float = _setting(N_("Temperature (contrastive)"), "real", least=0.001, most=10)
    batch_size: int = _setting(
        N_("Batch size"),
        "whole",
        N_("Pairs in a batch, over all processes; wrong answers come from it."),
        least=2,
        most=1024,
    )
    epochs: int = _setting(N_("Epochs"), "whole", least=1, most=1000)
    learning_rate: float = _setting(N_("Learning rate"), "real", least=1e-9, below=1)
    warmup_steps: int = _setting(N_("Warm-up steps"), "whole", most=100_000)
    weight_decay: float = _setting(N_("Weight decay"), "real", below=1)
    rank: int = _setting(N_("LoRA rank"), "whole", least=1, most=256)
    alpha: int = _setting(N_("Alpha"), "whole", N_("LoRA's change is multiplied by alpha / rank."), least=1, most=1024)
    dropout: float = _setting(N_("Dropout"), "real", N_("Of LoRA; 0 makes several processes equal to one."), below=1)
    targets: tuple[str, ...] = _setting(N_("LoRA on"), "choices", choices=MATRICES)
    seed: int = _setting(N_("Seed"), "whole", default=0, below=2**31)
    shuffled: bool = _setting(
        N_("Shuffle the translations (control)"),
        "switch",
        N_("The same run on wrong pairs. If its cosine rises too, the rise means nothing."),
        default=False,
    )
    keep: float = _setting(
        N_("Keep what the model says"),
        "real",
        N_("Weight of staying close to the base on text that it writes itself. 0: free to change."),
        default=0.0,
        most=1000,
    )
    in_text: float = _setting(
        N_("Words inside text"),
        "real",
        N_("Share of the batches in which words stand behind such text instead of alone."),
        default=0.0,
        most=1,
    )
    patience: int = _setting(
        N_("Early stopping: patience"),
        "whole",
        N_(
            "Checks without a better one before it ends; the best step is kept. One training pair in eight is set "
            "aside to choose it by. 0: never."
        ),
        default=0,
        most=100,
    )

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            setting.check(getattr(self, setting.name))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "TrainingConfig":
        """The configuration that a JSON record or a saved job holds.

        Raises:
            ValueError, TypeError: it holds another.
        """
        settings = {name: SETTINGS[name].parse(value) for name, value in record.items() if name in SETTINGS}
        return cls(preset=record["preset"], **settings)


SETTINGS: dict[str, Setting] = {
    found.name: Setting(found.name, **found.metadata) for found in fields(TrainingConfig) if found.metadata
}
"""All settings by name, in the order of TrainingConfig."""


def batch_slices(n: int, batch_size: int) -> list[slice]:
    """Slices of a shuffled epoch; a last batch of one pair has no negative and is left out."""
    starts = range(0, n, batch_size)
    return [slice(start, start + batch_size) for start in starts if min(n, start + batch_size) - start >= 2]


def total_steps(config: TrainingConfig, n: int) -> int:
    """Optimiser steps of a run over n pairs."""
    return config.epochs * len(batch_slices(n, config.batch_size))
