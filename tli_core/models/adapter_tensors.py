"""What the tensors of an adapter's file mean for a base, worked out from their names and shapes before any is read."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from tli_core.i18n import N_, translate
from tli_core.models.adapter_config import AdapterConfig, BaseLayout, block_of, ends
from tli_core.models.checkpoint import FLOATS
from tli_core.models.model_files import StoredTensor, header

MAX_TABLE_BYTES = 8_000_000
"""Of an adapter's table of tensors; one for every matrix of a model of 80 blocks takes a tenth of it."""

_PREFIX = "base_model.model."

_LORA_PARTS = (
    "lora_A.weight", "lora_B.weight", "lora_B.bias", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector",
)  # fmt: skip
_TOKENS = "trainable_tokens_delta"
_ADAPTERS_NAME = re.compile(
    r"(\.(?:lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|modules_to_save|trainable_tokens_delta))\.default(?=\.|$)"
)
"""Where the state of a whole model, saved by hand, has the adapter's own name."""


@dataclass(frozen=True)
class NamedTensor(StoredTensor):
    """A stored tensor, and its name as the file has it."""

    raw: str


MOST_SHOWN = 100
"""Letters of a name or a shape in a message."""


def shown(given: object) -> str:
    """A name or a shape from a stranger's file as a message repeats it: on one line, and not for ever."""
    return ascii(given)[:MOST_SHOWN].strip("'")


def tensor_names(file: Path, adapter: str) -> dict[str, NamedTensor]:
    """The tensors of a file by their names in a model, without PEFT's prefix and the adapter's name.

    Raises:
        ValueError: the file is damaged, or two tensors have one name.
    """
    found: dict[str, NamedTensor] = {}
    for raw, stored in header(file, MAX_TABLE_BYTES).items():
        name = _ADAPTERS_NAME.sub(r"\1", raw.removeprefix(_PREFIX)).replace(".modules_to_save.", ".")
        name = re.sub(r"lora_magnitude_vector\.weight$", "lora_magnitude_vector", name)
        name = re.sub(r"token_adapter\.trainable_tokens_delta$", "trainable_tokens_delta", name)
        if name in found:
            text = N_("{name} holds {tensor} twice, under two names: save the adapter again.")
            raise ValueError(translate(text, name=adapter, tensor=shown(name)))
        found[name] = NamedTensor(stored.shape, stored.dtype, raw)
    return found


@dataclass(frozen=True)
class TensorPlan:
    """What an adapter's tensors mean for a base, worked out from names and shapes alone."""

    adapter: str
    base: str
    layout: BaseLayout
    config: AdapterConfig
    names: Mapping[str, NamedTensor]

    def lora_modules(self) -> dict[str, dict[str, str]]:
        """The LoRA of each module, part -> name in the file, all shapes checked.

        Raises:
            ValueError: a part is missing, undeclared, or of another shape.
        """
        found: dict[str, dict[str, str]] = {}
        for name, stored in self.names.items():
            for part in _LORA_PARTS:
                if name.endswith(f".{part}"):
                    found.setdefault(name.removesuffix(f".{part}"), {})[part] = stored.raw
        if not found:
            text = N_("{name} holds no LoRA tensors, so there is nothing to add to {base}: save the adapter again.")
            raise ValueError(translate(text, name=self.adapter, base=self.base))
        self._check_blocks(found)
        declared = self.config.targets(self.layout)
        if missing := sorted(declared - set(found)):
            self._refuse_fit(len(missing), f"{missing[0]}.lora_A.weight")
        for module in found:
            if module not in self.layout.linear and module not in self.layout.embedding:
                self._refuse_fit(1, f"{module}.lora_A.weight")
            if module not in declared:
                text = N_(
                    "{name} holds LoRA for {module}, which its target_modules does not name: save the adapter again."
                )
                raise ValueError(translate(text, name=self.adapter, module=module[:120]))
        return {module: self._checked_module(module, parts) for module, parts in sorted(found.items())}

    def _check_blocks(self, modules: Iterable[str]) -> None:
        for block in (number for number in map(block_of, modules) if number is not None):
            if block >= self.layout.blocks:
                raise ValueError(
                    translate(
                        N_("{name} changes block {block}, but {base} has {blocks}: it is for another base.")
                        if self.layout.whole
                        else N_(
                            "{name} changes block {block}, but only {blocks} blocks of {base} are loaded: load all."
                        ),
                        name=self.adapter,
                        block=block,
                        base=self.base,
                        blocks=self.layout.blocks,
                    )
                )

    def _refuse_fit(self, count: int, tensor: str) -> None:
        raise ValueError(
            translate(
                "{name} does not fit {base}: tensors that do not match or are missing: {n}, such as {tensor}. Choose "
                "the base it was made for, or save the adapter again.",
                name=self.adapter,
                base=self.base,
                n=count,
                tensor=shown(tensor),
            )
        )

    def _checked_module(self, module: str, parts: dict[str, str]) -> dict[str, str]:
        """A module's LoRA under the names of a matrix's parts, `lora_A.weight` also for an embedding."""
        of_embedding = module in self.layout.embedding
        a, b = ("lora_embedding_A", "lora_embedding_B") if of_embedding else ("lora_A.weight", "lora_B.weight")
        wanted = [a, b]
        wanted += ["lora_magnitude_vector"] if self.config.use_dora else []
        if self.config.lora_bias and of_embedding:
            text = N_("{name}: lora_bias is set, which LoRA on embeddings has no place for: train without it.")
            raise ValueError(translate(text, name=self.adapter))
        wanted += ["lora_B.bias"] if self.config.lora_bias else []
        for part in {*wanted} ^ {*parts}:
            if part in wanted:
                self._refuse_fit(1, f"{module}.{part}")
            text = N_("{name} holds {tensor}, which its adapter_config.json does not declare: save the adapter again.")
            raise ValueError(translate(text, name=self.adapter, tensor=shown(f"{module}.{part}")))
        shape_a = self.names[f"{module}.{a}"].shape
        rank = shape_a[0] if len(shape_a) == 2 else 0
        declared = self.config.rank(module)
        if rank and rank != declared:
            text = N_(
                "{name}: {module} has LoRA of rank {rank}, but adapter_config.json says {declared}: save it again."
            )
            raise ValueError(translate(text, name=self.adapter, module=module, rank=rank, declared=declared))
        if of_embedding:
            tokens, d = self.layout.embedding[module]
            shapes = {a: (rank, tokens), b: (d, rank), "lora_magnitude_vector": (d,)}
        else:
            out, width = self.layout.linear[module]
            shapes = {a: (rank, width), b: (out, rank), "lora_magnitude_vector": (out,), "lora_B.bias": (out,)}
            if len(shape_a) == 2 and shape_a[1] != width and 0 not in shape_a:
                raise ValueError(
                    translate(
                        "{name} is for a model of width {width}, but {base} has {hidden}: choose the base it was made "
                        "for.",
                        name=self.adapter,
                        width=shape_a[1],
                        base=self.base,
                        hidden=width,
                    )
                )
        for part in wanted:
            self._check_shape(f"{module}.{part}", shapes[part])
        return {
            {"lora_embedding_A": "lora_A.weight", "lora_embedding_B": "lora_B.weight"}.get(p, p): parts[p]
            for p in wanted
        }

    def _check_shape(self, name: str, wanted: tuple[int, ...]) -> None:
        stored = self.names[name]
        if stored.dtype not in FLOATS:
            text = N_(
                "{name}: {tensor} is stored as {dtype}, not as a float: save the adapter again in bf16 or float32."
            )
            raise ValueError(translate(text, name=self.adapter, tensor=shown(stored.raw), dtype=stored.dtype[:20]))
        if 0 in stored.shape:
            text = N_(
                "{name}: {tensor} is empty. DeepSpeed ZeRO-3 or FSDP saved it without gathering its parts: gather them "
                "and save it again."
            )
            raise ValueError(translate(text, name=self.adapter, tensor=shown(stored.raw)))
        if stored.shape != wanted:
            text = N_("{name}: {tensor} has shape {shape}, but {base} needs {wanted}: choose the base it was made for.")
            raise ValueError(
                translate(
                    text,
                    name=self.adapter,
                    tensor=shown(stored.raw),
                    shape=shown(stored.shape),
                    base=self.base,
                    wanted=wanted,
                )
            )

    def replacements(self, lora: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """What else the file holds, module -> name in the file: copies of the base's own weights, weights that
        replace them, and rows of tokens.

        Raises:
            ValueError: it holds anything else, or a declared module is missing.
        """
        copies: dict[str, str] = {}
        replaced: dict[str, str] = {}
        rows: dict[str, str] = {}
        saved = self._saved_modules()
        if both := sorted(saved & {*lora}):
            text = N_("{name}: {module} is in modules_to_save and carries LoRA, too: it can have one of them.")
            raise ValueError(translate(text, name=self.adapter, module=both[0]))
        for name, stored in self.names.items():
            if name.endswith(tuple(f".{part}" for part in _LORA_PARTS)):
                continue
            if name.endswith(f".{_TOKENS}"):
                module = name.removesuffix(f".{_TOKENS}")
                if self._beyond_loaded(module):
                    continue
                self._check_rows(module, name)
                rows[module] = stored.raw
                continue
            module = name.removesuffix(".weight").removesuffix(".base_layer")
            if self._beyond_loaded(module):
                continue
            if module in copies or module in replaced:
                text = N_("{name} holds {tensor} twice, under two names: save the adapter again.")
                raise ValueError(translate(text, name=self.adapter, tensor=f"{module}.weight"))
            vocabulary = module in (self.layout.input_embedding, self.layout.head)
            if name == f"{module}.weight" and module in saved:
                self._check_saved(module, name)
                replaced[module] = stored.raw
            elif vocabulary and name != module and self._is_copy(module, name):
                copies[module] = stored.raw
            elif name == f"{module}.weight" and vocabulary and module not in lora:
                # PEFT saves a resized vocabulary by itself.
                self._check_saved(module, name)
                replaced[module] = stored.raw
            else:
                text = N_(
                    "{name} holds {tensor}, which is no tensor of its LoRA: an adapter may not rewrite its base. Save "
                    "the adapter alone, with save_pretrained."
                )
                raise ValueError(translate(text, name=self.adapter, tensor=shown(stored.raw)))
        for module in sorted(saved - {*replaced}):
            text = N_(
                "{name}: modules_to_save names {module}, but its weight is not in the file: save the adapter again."
            )
            raise ValueError(translate(text, name=self.adapter, module=module))
        self._check_all_rows(rows)
        if (
            self.layout.tied
            and self.layout.whole
            and self.layout.input_embedding in rows
            and self.layout.head not in rows
        ):
            rows[self.layout.head] = rows[self.layout.input_embedding]
        self._check_no_conflict(lora, replaced, rows)
        return copies, replaced, rows

    def _check_no_conflict(self, lora: Mapping[str, object], *others: Mapping[str, object]) -> None:
        """Raise ValueError if an embedding or the head is changed in two ways at once: the order would be undefined."""
        vocabulary = {self.layout.input_embedding, self.layout.head}
        changed = [vocabulary & {*way} for way in (lora, *others)]
        if self.layout.tied and self.config.ensure_weight_tying and any(changed):
            text = N_(
                "{name}: ensure_weight_tying is set, which would have the head of {base} follow its embeddings. Train "
                "without it, or merge the adapter into a copy of the base."
            )
            raise ValueError(translate(text, name=self.adapter, base=self.base))
        for first, second in combinations(changed, 2):
            if both := sorted(first & second):
                text = N_("{name} changes {module} in two ways at once: train it with one of them.")
                raise ValueError(translate(text, name=self.adapter, module=both[0]))

    def _saved_modules(self) -> set[str]:
        """The base's modules that modules_to_save names, by their ends, as PEFT finds them."""
        layout = self.layout
        may = {*layout.norm, layout.input_embedding, *([layout.head] if layout.whole else [])}
        absent = () if layout.whole else (layout.head, "model.norm")
        found = set()
        for key in self.config.modules_to_save:
            named = {name for name in layout.names if name.endswith(key)}
            known = any(ends(name, key, dot=True) for name in (*named, *absent))
            if not known or not named <= may:
                text = N_(
                    "{name}: modules_to_save names {module}, but only embed_tokens, lm_head and norms can be kept with "
                    "an adapter here. Train LoRA on it instead."
                )
                raise ValueError(translate(text, name=self.adapter, module=min(named - may, default=key)[:60]))
            found |= named
        return found

    def _beyond_loaded(self, module: str) -> bool:
        """Whether a module lies behind the blocks of a base of which the first alone are loaded."""
        layout = self.layout
        behind = module in (layout.head, layout.final_norm) or (block_of(f"{module}.") or 0) >= layout.blocks
        return not layout.whole and behind

    def _is_copy(self, module: str, name: str) -> bool:
        return self.names[name].shape == self._weight_shape(module)

    def _weight_shape(self, module: str) -> tuple[int, ...]:
        layout = self.layout
        return {**layout.linear, **layout.embedding, **layout.norm}[module]

    def _check_saved(self, module: str, name: str) -> None:
        shape, wanted = self.names[name].shape, self._weight_shape(module)
        vocabulary = module in (self.layout.input_embedding, self.layout.head)
        if vocabulary and len(shape) == 2 and shape[1] == wanted[1]:
            if shape[0] < wanted[0] and 0 not in shape:
                text = N_(
                    "{name}: {tensor} has {rows} tokens, but {base} has {tokens}: its vocabulary was cut, and words "
                    "would fall outside it."
                )
                raise ValueError(
                    translate(
                        text,
                        name=self.adapter,
                        tensor=shown(self.names[name].raw),
                        rows=shape[0],
                        base=self.base,
                        tokens=wanted[0],
                    )
                )
            wanted = (max(shape[0], 1), wanted[1])
        self._check_shape(name, wanted)

    def _check_rows(self, module: str, name: str) -> None:
        layout, tokens = self.layout, self.config.tokens_of(module, self.layout)
        if module not in (layout.input_embedding, layout.head) or not tokens:
            text = N_("{name} holds {tensor}, which its adapter_config.json does not declare: save the adapter again.")
            raise ValueError(translate(text, name=self.adapter, tensor=shown(name)))
        self._check_shape(name, (len(tokens), layout.embedding[layout.input_embedding][1]))

    def _check_all_rows(self, rows: Mapping[str, str]) -> None:
        layout = self.layout
        meant = [name for name in (layout.input_embedding, layout.head)
                 for key in self.config.trainable_token_indices if ends(name, key, dot=True)]  # fmt: skip
        if len(meant) > len(set(meant)):
            text = N_("{name}: trainable_token_indices names {module} twice: name it once.")
            raise ValueError(translate(text, name=self.adapter, module=meant[0]))
        for key, tokens in self.config.trainable_token_indices.items():
            named = [name for name in (layout.input_embedding, layout.head) if ends(name, key, dot=True)]
            tied_head = named == [layout.head] and layout.tied
            if tokens and (not named or (named[0] not in rows and not tied_head and not self._beyond_loaded(named[0]))):
                text = N_(
                    "{name}: trainable_token_indices names {module}, but its rows are not in the file: save the "
                    "adapter again."
                )
                raise ValueError(translate(text, name=self.adapter, module=key[:60]))
