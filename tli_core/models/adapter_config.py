"""adapter_config.json → the fields that decide what a LoRA does, each checked; PEFT never sees the file.

Strings in it are compared with names, never used as patterns, and numbers are bounded before anything is allocated.
"""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.models.architecture import BLOCK_NUMBER
from tli_core.models.registry import MAX_CONFIG_BYTES

CONFIG = "adapter_config.json"
ALL_LINEAR = ("all-linear",)
"""What target_modules holds where it means every matrix but the head."""

_MOST_RANK = 4096
_MOST_ALPHA = 1_000_000
_MOST_ENTRIES = 20_000
_NAME = re.compile(r"[A-Za-z0-9_.]{1,300}")

_REWRITES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Beginnings of init_lora_weights that take a part out of the base's own matrices; the LoRA then fits what is left."""

_PLAIN_INITS = (None, True, False, "gaussian", "eva", "orthogonal", "mica")

_UNSUPPORTED = (
    "alora_invocation_tokens", "arrow_config", "kasa_config", "layer_replication", "megatron_config",
    "monteclora_config", "target_parameters", "use_bdlora", "use_qalora", "velora_config",
)  # fmt: skip
"""Fields of PEFT's LoRA that make it another method than LoRA on matrices and embeddings."""

_HARMLESS = (
    "auto_mapping", "base_model_name_or_path", "corda_config", "eva_config", "inference_mode", "loftq_config",
    "lora_ga_config", "megatron_core", "peft_version", "qalora_group_size", "revision", "runtime_config", "task_type",
)  # fmt: skip
"""Fields that say how it was made or by what, and change nothing once its tensors are there."""


@dataclass(frozen=True)
class BaseLayout:
    """What an adapter may change in a base, by the names of a model without adapters.

    linear maps to (out, in), embedding to (tokens, d), norm to (d,). tied: the output head is the embeddings.
    whole: the final norm and the head are loaded, not just the first blocks. names are those of all modules.
    """

    linear: Mapping[str, tuple[int, int]]
    embedding: Mapping[str, tuple[int, int]]
    norm: Mapping[str, tuple[int]]
    input_embedding: str
    head: str
    final_norm: str
    blocks: int
    tied: bool
    whole: bool
    names: frozenset[str] = frozenset()


def block_of(name: str) -> int | None:
    """The number of the block that a module or tensor of this name is in."""
    found = BLOCK_NUMBER.search(name)
    return int(found.group(1)) if found else None


@dataclass(frozen=True)
class AdapterConfig:
    """The fields of adapter_config.json that decide what a LoRA does, checked one by one."""

    r: int
    lora_alpha: float
    target_modules: tuple[str, ...]
    exclude_modules: tuple[str, ...]
    layers_to_transform: tuple[int, ...] | None
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    modules_to_save: tuple[str, ...]
    trainable_token_indices: Mapping[str, tuple[int, ...]]
    use_rslora: bool
    use_dora: bool
    lora_bias: bool
    ensure_weight_tying: bool

    def rank(self, module: str) -> int:
        """The declared rank of a module."""
        return next((rank for key, rank in self.rank_pattern.items() if _names(key, module)), self.r)

    def alpha(self, module: str) -> float:
        """The declared alpha of a module."""
        return next((alpha for key, alpha in self.alpha_pattern.items() if _names(key, module)), self.lora_alpha)

    def tokens_of(self, module: str, layout: BaseLayout) -> tuple[int, ...]:
        """The tokens whose rows of an embedding or the head were trained."""
        for key, tokens in self.trainable_token_indices.items():
            if ends(module, key, dot=True):
                return tokens
        # A tied head has the embeddings' rows.
        return self.tokens_of(layout.input_embedding, layout) if module == layout.head and layout.tied else ()

    def targets(self, layout: BaseLayout) -> set[str]:
        """The modules that carry LoRA by the config."""
        candidates = {**layout.linear, **layout.embedding}
        if self.target_modules == ALL_LINEAR:
            found = set(layout.linear) - {layout.head}
        else:
            found = {
                name
                for name in candidates
                if name in self.target_modules
                or (any(ends(name, key, dot=True) for key in self.target_modules) and self._in_layers(name))
            }
        return {name for name in found if not any(ends(name, key, dot=True) for key in self.exclude_modules)}

    def _in_layers(self, module: str) -> bool:
        return self.layers_to_transform is None or block_of(module) in self.layers_to_transform


def ends(name: str, key: str, dot: bool = False) -> bool:
    """Whether a module's name is this or ends with it, after a dot where PEFT asks for one."""
    return name == key or name.endswith(f".{key}" if dot else key)


def _is_name(key: str) -> bool:
    return _NAME.fullmatch(key.removeprefix("^")) is not None


def _names(key: str, module: str) -> bool:
    """Whether a key of rank_pattern or alpha_pattern means a module, as PEFT reads it: a dot stands for any letter."""
    # Letter by letter: thousands of keys would each be compiled anew for every module.
    whole, key = key.startswith("^"), key.removeprefix("^")
    start = len(module) - len(key)
    if start < 0 or (start and (whole or module[start - 1] != ".")):
        return False
    return all(one in (".", other) for one, other in zip(key, module[start:], strict=True))


def read_adapter_config(path: Path) -> AdapterConfig:
    """The config of an adapter's folder, every field checked.

    Raises:
        ValueError: there is none, it is no LoRA, or a field is missing, of another kind, or asks for something else
            than LoRA; the message names the field.
    """
    given = _config_object(path)
    if given.get("peft_type") != "LORA":
        if "peft_type" not in given:
            text = N_(
                "{name}/adapter_config.json has no peft_type: PEFT did not save it. Convert it to a PEFT LoRA with the "
                "tool that made it."
            )
            raise ValueError(translate(text, name=path.name))
        text = N_("{name} is a {kind} adapter: only LoRA adapters can be used here.")
        raise ValueError(translate(text, name=path.name, kind=ascii(given["peft_type"])[:40].strip("'")))
    return _Fields(path.name, given).config()


LONGEST_PATH = 100
"""Letters of a path in a message."""


def is_readable(file: Path) -> bool:
    """Whether this is a file that can be read to its end: no pipe, no device, and nothing that is kept from us."""
    try:
        return file.is_file() and os.access(file, os.R_OK)
    except OSError:
        return False


def _config_object(path: Path) -> dict[str, Any]:
    file = path / CONFIG
    if not is_readable(file):
        shown = f"{path}"[-LONGEST_PATH:]
        raise ValueError(translate("{path} has no adapter_config.json: point to a folder that PEFT saved.", path=shown))
    found = read_json_object(file, MAX_CONFIG_BYTES)
    if found is None:
        text = N_("{name}/adapter_config.json is no JSON object, or is cut short: save the adapter again.")
        raise ValueError(translate(text, name=path.name))
    return found


def read_json_object(file: Path, most: int) -> dict[str, Any] | None:
    """A JSON object from a file that may be hostile; None where it is missing, damaged or over `most` bytes."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)  # NaN and Infinity are no JSON

    if not is_readable(file):
        return None
    try:
        if file.stat().st_size > most:
            return None
        found = json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
        # Escapes can make strings that no text can hold: half of a surrogate pair.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _Fields:
    """The fields of a config as they were given, read one by one."""

    def __init__(self, adapter: str, given: Mapping[str, Any]):
        self._adapter = adapter
        self._given = given

    def config(self) -> AdapterConfig:
        self._check_method()
        return AdapterConfig(
            r=self._whole("r", 1, _MOST_RANK),
            lora_alpha=self._real("lora_alpha", self._given.get("lora_alpha", 8)),
            target_modules=self._targets(),
            exclude_modules=self._modules("exclude_modules"),
            layers_to_transform=self._layers(),
            rank_pattern=self._pattern("rank_pattern", lambda key, value: self._whole_value(key, value, 1, _MOST_RANK)),
            alpha_pattern=self._pattern("alpha_pattern", self._real),
            modules_to_save=self._modules("modules_to_save"),
            trainable_token_indices=self._tokens(),
            use_rslora=self._flag("use_rslora"),
            use_dora=self._flag("use_dora"),
            lora_bias=self._flag("lora_bias"),
            ensure_weight_tying=self._flag("ensure_weight_tying"),
        )

    def _check_method(self) -> None:
        """Pass where the config is of plain LoRA on an untouched base."""
        init = self._given.get("init_lora_weights")
        if isinstance(init, str) and init.lower().startswith(_REWRITES_BASE):
            text = N_(
                "{name}: init_lora_weights is {value}, which takes a part out of the base's own matrices. Convert it "
                "to plain LoRA: save it again with path_initial_model_for_weight_conversion."
            )
            raise ValueError(translate(text, name=self._adapter, value=init[:40]))
        if not (init is None or isinstance(init, (bool, str))) or init not in _PLAIN_INITS:
            raise self._wrong("init_lora_weights", init, N_("true, false, or a name that PEFT knows"))
        for name in _UNSUPPORTED:
            # Not merely what counts as true: PEFT takes an empty object for the method with its defaults.
            if self._given.get(name) not in (None, False):
                text = N_(
                    "{name}: {field} is set, which is more than LoRA on matrices and embeddings. Train or convert it "
                    "to plain LoRA."
                )
                raise ValueError(translate(text, name=self._adapter, field=name))
        if self._flag("lora_bias") and self._flag("use_dora"):
            raise self._wrong("lora_bias", True, N_("false where use_dora is true"))
        bias = self._given.get("bias", "none")
        if bias not in ("none", "all", "lora_only"):
            raise self._wrong("bias", bias, N_("none, all or lora_only"))
        self._flag("fan_in_fan_out")
        dropout = self._given.get("lora_dropout", 0)
        if not _is_number(dropout) or not 0 <= dropout <= 1:
            raise self._wrong("lora_dropout", dropout, N_("a number from 0 to {most}"), most=1)
        known = {*AdapterConfig.__dataclass_fields__, *_UNSUPPORTED, *_HARMLESS, "peft_type", "init_lora_weights"}
        known |= {"bias", "fan_in_fan_out", "lora_dropout", "layers_pattern"}
        for name, value in self._given.items():
            if name not in known and value:
                text = N_(
                    "{name}: {field} in its adapter_config.json is not known here, so what it does cannot be told. "
                    "Set it to null if it changes nothing."
                )
                raise ValueError(translate(text, name=self._adapter, field=ascii(name)[1:61].rstrip("'")))

    def _wrong(self, field: str, value: object, kind: str, **bounds: int) -> ValueError:
        text = N_("{name}: {field} in its adapter_config.json must be {kind}, got {value}.")
        kind = translate(kind, **bounds)
        return ValueError(
            translate(
                text, name=self._adapter, field=ascii(field)[1:61].rstrip("'"), kind=kind, value=ascii(value)[:60]
            )
        )

    def _flag(self, name: str) -> bool:
        value = self._given.get(name)
        if not (value is None or isinstance(value, bool)):
            raise self._wrong(name, value, N_("true or false"))
        return bool(value)

    def _whole(self, name: str, least: int, most: int) -> int:
        return self._whole_value(name, self._given.get(name), least, most)

    def _whole_value(self, name: str, value: Any, least: int, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name, value, N_("a whole number from {least} to {most}"), least=least, most=most)
        return value

    def _real(self, name: str, value: Any) -> float:
        if not _is_number(value) or not 0 <= value <= _MOST_ALPHA:
            raise self._wrong(name, value, N_("a number from 0 to {most}"), most=_MOST_ALPHA)
        return value

    def _modules(self, name: str) -> tuple[str, ...]:
        """A list of module names; a single string would be a pattern."""
        value = self._given.get(name)
        if value is None or value == "":
            return ()
        if isinstance(value, str):
            text = N_(
                "{name}: {field} is a pattern, and patterns from outside are not evaluated. Write the modules' names "
                "as a list instead, such as {example}."
            )
            raise ValueError(translate(text, name=self._adapter, field=name, example='["q_proj", "v_proj"]'))
        good = isinstance(value, list) and len(value) <= _MOST_ENTRIES
        if not good or not all(isinstance(entry, str) and _NAME.fullmatch(entry) for entry in value):
            raise self._wrong(name, value, N_("a list of module names"))
        return tuple(value)

    def _targets(self) -> tuple[str, ...]:
        given = self._given.get("target_modules")
        if isinstance(given, str) and given.lower() in ALL_LINEAR:
            if self._layers() is not None:
                raise self._wrong(
                    "target_modules", given, N_("a list of module names where layers_to_transform is set")
                )
            return ALL_LINEAR
        targets = self._modules("target_modules")
        if not targets:
            raise self._wrong("target_modules", given, N_("a list of module names"))
        return targets

    def _layers(self) -> tuple[int, ...] | None:
        value = self._given.get("layers_to_transform")
        pattern = self._given.get("layers_pattern")
        if pattern not in (None, "", "layers", [], ["layers"]):
            raise self._wrong("layers_pattern", pattern, N_("layers or null"))
        if value is None:
            return None
        numbers = value if isinstance(value, list) else [value]
        if len(numbers) > _MOST_ENTRIES:
            raise self._wrong("layers_to_transform", "…", N_("a list of block numbers"))
        if not numbers:
            return None
        return tuple(self._whole_value("layers_to_transform", number, 0, 10_000) for number in numbers)

    def _pattern(self, name: str, check: Callable[[str, Any], Any]) -> dict[str, Any]:
        value = self._given.get(name) or {}
        if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
            raise self._wrong(name, value, N_("an object of module names and numbers"))
        for key in value:
            if not _is_name(key):
                text = N_(
                    "{name}: {field} has the pattern {key}, and patterns from outside are not evaluated. Write the "
                    "modules' names instead."
                )
                raise ValueError(translate(text, name=self._adapter, field=name, key=ascii(key)[:60]))
        return {key: check(f"{name}.{key}", number) for key, number in value.items()}

    def _tokens(self) -> dict[str, tuple[int, ...]]:
        value = self._given.get("trainable_token_indices")
        if value is None:
            return {}
        by_module = {"embed_tokens": value} if isinstance(value, list) else value
        if not isinstance(by_module, dict):
            raise self._wrong("trainable_token_indices", value, N_("a list of token numbers"))
        found = {}
        for key, tokens in by_module.items():
            name = f"trainable_token_indices.{key}"
            if not isinstance(tokens, list) or len(tokens) > _MOST_ENTRIES:
                raise self._wrong(name, tokens, N_("a list of token numbers"))
            if not _NAME.fullmatch(key):
                raise self._wrong("trainable_token_indices", key, N_("an object of module names and token numbers"))
            found[key] = tuple(self._whole_value(name, token, 0, 10_000_000) for token in tokens)
            if len(set(found[key])) != len(tokens):
                raise self._wrong(name, tokens, N_("a list of token numbers, each once"))
        return found


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
