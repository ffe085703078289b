"""The settings to start from, the published, the corrected and the gentle one, and presets in YAML files."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from tli_core.i18n import N_, translate
from tli_core.training.config import OUTPUT, SETTINGS, TrainingConfig

PRESETS = {
    # arXiv 2506.15415 and its code: layer 2, BOS averaged in, hardest negative of a batch of 8.
    "published": TrainingConfig(
        preset="published",
        layer=2,
        readout="all",
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
        layer=OUTPUT,
        readout="spaced",
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

# The corrected preset, held to what the base says: words also inside text, and text as the base has it.
PRESETS["gentle"] = replace(PRESETS["corrected"], preset="gentle", learning_rate=2e-3, keep=10.0, in_text=0.5)

MAX_PRESET_BYTES = 20_000


def configured(preset: str, **changes: Any) -> TrainingConfig:
    """A preset with some settings changed, each given as a widget, YAML or the command line has it.

    Raises:
        ValueError: there is no such preset, or a value is of another type or out of range.
    """
    if preset not in PRESETS:
        text = N_("There is no preset {preset!r}: choose {choices}.")
        raise ValueError(translate(text, preset=preset, choices=" or ".join(PRESETS)))
    return replace(PRESETS[preset], **{name: SETTINGS[name].parse(value) for name, value in changes.items()})


def changed_settings(config: TrainingConfig) -> dict[str, Any]:
    """The settings in which a configuration differs from the preset that it started from."""
    start = asdict(PRESETS[config.preset])
    return {name: value for name, value in asdict(config).items() if value != start[name]}


def preset_text(config: TrainingConfig) -> str:
    """A configuration as YAML: the preset that it started from, and every setting."""
    values = {**asdict(config), "targets": list(config.targets)}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_preset(path: str | Path) -> TrainingConfig:
    """A configuration from YAML: `preset` names the one to start from (corrected by default), other keys change it.

    Raises:
        ValueError: no such file, no YAML, an unknown key, or a value that it cannot have; the message says which.
    """
    path = Path(path)
    if not path.is_file():
        text = N_("There is no preset at {path}: give {choices}, or a YAML file.")
        raise ValueError(translate(text, path=path, choices=", ".join(PRESETS)))
    if path.stat().st_size > MAX_PRESET_BYTES:
        text = N_("{name} is larger than {most} kB, too large for a preset.")
        raise ValueError(translate(text, name=path.name, most=MAX_PRESET_BYTES // 1000))
    try:
        told = path.read_text(encoding="utf-8")
        given, tree = yaml.safe_load(told), yaml.compose(told, yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else translate(" at line {line}", line=mark.line + 1)
        text = N_("{name} is not YAML{where}: write one setting a line, such as epochs: 8.")
        raise ValueError(translate(text, name=path.name, where=where)) from error
    if not isinstance(given, dict):
        raise ValueError(translate("{name} holds no settings: write one a line, such as epochs: 8.", name=path.name))
    named = [key.value for key, _ in tree.value]  # of a setting that stands twice, YAML would take the last
    if twice := next((name for name in named if named.count(name) > 1), None):
        text = N_("{file}: {name} is there twice; leave one of them out.")
        raise ValueError(translate(text, file=path.name, name=str(twice)[:40]))
    preset = str(given.pop("preset", "corrected"))
    for name in given:
        if name not in SETTINGS:
            text = N_("{file}: there is no setting {name!r}; there are {names}.")
            names = ", ".join(("preset", *SETTINGS))
            raise ValueError(translate(text, file=path.name, name=str(name)[:40], names=names))
    try:
        return configured(preset, **given)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
