"""Which tensors a task needs; find and fetch only those, trusting the shards' own headers over the index."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import init_empty_weights
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from tli_core.i18n import N_, translate
from tli_core.models import architecture
from tli_core.models.architecture import FAMILIES, FULL, SLIDING, WRAPPERS, family_of, stored_names
from tli_core.models.model_files import HubFiles, LocalFiles, Progress, header, model_files

INDEX = "model.safetensors.index.json"
FLOATS = ("F16", "BF16", "F32", "F64")


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's tensors are: `places` maps each to its shard and its name there; `commit` pins what was fetched.

    head_from is the sibling that the output head comes from, or None where it is the model's own.
    """

    source: str
    commit: str | None
    config: PretrainedConfig
    places: Mapping[str, tuple[Path, str]]
    head_from: str | None = None

    @property
    def has_head(self) -> bool:
        """Whether there is an output head: a tensor of its own, or the embeddings where the two are tied."""
        return head_tensor(self.config) in self.places or self.config.tie_word_embeddings


def head_tensor(config: PretrainedConfig) -> str:
    """The name of the output head's tensor."""
    return f"{family_of(config).head}.weight"


def embeddings_tensor(config: PretrainedConfig) -> str:
    """The name of the embeddings' tensor."""
    return f"{family_of(config).embeddings}.weight"


def needed_tensors(config: PretrainedConfig, blocks: int | None) -> tuple[str, ...]:
    """Names of the tensors for the first `blocks` blocks, or for the whole model with its head (None).

    The first blocks need no final norm and no head: their last layer is read before either.
    """
    count = config.num_hidden_layers if blocks is None else blocks
    with init_empty_weights():
        one = AutoModelForCausalLM.from_config(with_blocks(config, 1))
    family = family_of(config)
    first = f"{family.blocks}.0."
    inside = [name.removeprefix(first) for name in one.state_dict() if name.startswith(first)]
    names = [embeddings_tensor(config), *(f"{family.blocks}.{i}.{name}" for i in range(count) for name in inside)]
    return (*names, f"{family.final_norm}.weight") if blocks is None else tuple(names)


def read_config(source: str, revision: str | None = None) -> PretrainedConfig:
    """The config of a folder or Hub id; of a Hub repository nothing else is fetched.

    Raises:
        ValueError: there is none, or it is of another kind of model.
    """
    return _read_config(model_files(source, revision, lambda done, total: None))


def open_checkpoint(
    source: str,
    blocks: int | None = None,
    revision: str | None = None,
    progress: Progress = lambda done, total: None,
    head_from: str | None = None,
) -> Checkpoint:
    """Find, and for a Hub id fetch, just the shards that hold the tensors a task needs.

    Args:
        source: a folder, or a Hub id, which may end in @revision. HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE
            are respected, and shards go into the ordinary cache, where a later full load finds them.
        blocks: the first blocks only; None for the whole model and its head.
        revision: a branch, tag or commit of the Hub repository.
        head_from: a sibling that the output head is taken from where the checkpoint itself has none; of its shards
            only the one with the head is fetched.

    Raises:
        ValueError: the checkpoint is missing, damaged or of another shape; one sentence says what and how to mend it.
    """
    files = model_files(source, revision, progress)
    config = _read_config(files)
    if blocks is not None and not 1 <= blocks <= config.num_hidden_layers:
        last = config.num_hidden_layers
        text = N_("Layer {blocks} is beyond {source}, whose output is layer {last}: choose 1 to {last}.")
        raise ValueError(translate(text, blocks=blocks, source=source, last=last))
    wanted = needed_tensors(config, blocks)
    head = head_tensor(config) if blocks is None else None
    places = _place(files, wanted, head)
    borrowed = head_from if head and not config.tie_word_embeddings and head not in places else None
    if borrowed:
        places |= _place(model_files(borrowed, None, progress), (), head)
        if head not in places:
            text = N_("{head_from} has no {head} either: name another sibling, or go on without answers.")
            raise ValueError(translate(text, head_from=head_from, head=head))
    missing = [name for name in wanted if name not in places]
    if (
        missing
        and not files.shards()
        and (pickles := [n for n in files.names() if n.endswith((".bin", ".pt", ".pth"))])
    ):
        text = N_(
            "{source} has its weights in {pickle} only, a pickle, which can run code: save it as safetensors first."
        )
        raise ValueError(translate(text, source=source, pickle=pickles[0]))
    if missing:
        text = N_(
            "{source} lacks {n} of the {needed} tensors needed, such as {name}: fetch it again, or choose another "
            "revision."
        )
        raise ValueError(translate(text, source=source, n=len(missing), needed=len(wanted), name=missing[0]))
    return Checkpoint(source, files.commit, config, places, borrowed)


@dataclass(frozen=True)
class Weights:
    """Size of a load: bytes of the shards it needs, bytes of those already in the cache, and number of parameters.

    in_blocks counts those parameters that are the blocks' matrices, which can be kept in fewer bits.
    """

    download: int
    cached: int
    parameters: int
    in_blocks: int


def load_size(source: str, blocks: int | None = None, revision: str | None = None) -> Weights:
    """How much a load would fetch and hold, from the config, the index and file sizes; no shard is fetched.

    Args:
        blocks: as in `open_checkpoint`.

    Raises:
        ValueError: there is no such model, or the Hub cannot be asked.
    """
    files = model_files(source, revision, lambda done, total: None)
    config = _read_config(files)
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(with_blocks(config, blocks))
    # A tied head is the embeddings over again.
    if blocks is not None or config.tie_word_embeddings:
        architecture.remove_head(model)
    index, sizes = _read_index(files), files.sizes()
    wanted = needed_tensors(config, blocks)
    # Without an index, or for the head that an index may forget, every shard may be needed.
    spelt = {spelling for name in wanted for spelling in stored_names(name)}
    shards = {shard for name, shard in index.items() if name in spelt} if index and blocks is not None else set(sizes)
    here = sum(sizes[shard] for shard in shards if shard in sizes and files.is_here(shard))
    in_blocks = sum(p.numel() for p in architecture.blocks(model).parameters() if p.dim() == 2)
    parameters = sum(p.numel() for p in model.parameters())
    return Weights(sum(sizes.get(shard, 0) for shard in shards), here, parameters, in_blocks)


def with_blocks(config: PretrainedConfig, blocks: int | None) -> PretrainedConfig:
    """The config as it is, or for its first blocks only; nothing else of it changes."""
    if blocks is None:
        return config
    values = config.to_dict()
    count = config.num_hidden_layers
    # Some families list the kind of every block.
    kinds = [name for name in ("layer_types", "mlp_layer_types") if len(values.get(name) or ()) == count]
    cut = {name: values[name][:blocks] for name in kinds}
    return type(config).from_dict({**values, **cut, "num_hidden_layers": blocks})


def _read_config(files: LocalFiles | HubFiles) -> PretrainedConfig:
    path = files.get("config.json")
    if path is None:
        text = N_("{source} has no config.json: it is not a model in the Hugging Face layout.")
        raise ValueError(translate(text, source=files.source))
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise ValueError(translate("it is no JSON object"))
        _check_plain(files.source, given)
        config = AutoConfig.from_pretrained(path.parent, trust_remote_code=False)
        if given.get("model_type") in WRAPPERS:  # pictures are left aside
            config = config.get_text_config()
        # transformers takes some configs for another family than they name.
        _check_family(files.source, str(config.model_type))
        # What a model is built from: an unknown kind of rotary table, say, shows only here.
        with init_empty_weights():
            AutoModelForCausalLM.from_config(with_blocks(config, 1), trust_remote_code=False)
    except _NotPlain as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # transformers raises whatever a value that it did not expect leads to
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        text = N_("The config of {source} cannot be used: {reason}.")
        raise ValueError(translate(text, source=files.source, reason=reason.rstrip("."))) from error
    return config


class _NotPlain(Exception):
    """A checkpoint that is more, or other, than the weights of a family that is known here."""


def _check_plain(source: str, given: dict[str, Any]) -> None:
    """Refuse a config of a model that this project would not compute as it was made.

    Raises:
        _NotPlain: it brings code of its own, is of another family, or its weights are quantised.
    """
    if given.get("auto_map"):
        text = N_("{source} brings code of its own (auto_map), which is never run here: choose a model without.")
        raise _NotPlain(translate(text, source=source))
    kind = str(given.get("model_type"))
    if kind in WRAPPERS and isinstance(given.get("text_config"), dict):
        _check_plain(source, {**given["text_config"], "model_type": WRAPPERS[kind]})
        given = {key: value for key, value in given.items() if key.endswith("_config")}
        kind = WRAPPERS[kind]
    _check_family(source, kind)
    if given.get("use_bidirectional_attention"):
        text = N_("{source} reads a text in both directions (use_bidirectional_attention), which is not computed here.")
        raise _NotPlain(translate(text, source=source))
    computed = {FULL, SLIDING} if FAMILIES[kind].windows else {FULL}
    kinds = {str(kind) for kind in given.get("layer_types") or ()} - computed
    if kinds:
        text = N_("{source} has blocks of a kind ({kinds}) that is not computed here.")
        raise _NotPlain(translate(text, source=source, kinds=", ".join(sorted(kinds))[:80]))
    quantised = given.get("quantization_config") or given.get("compression_config")
    if quantised:
        kind = quantised.get("quant_method", "unknown") if isinstance(quantised, dict) else "unknown"
        text = N_(
            "{source} is stored quantised ({kind}), and its numbers mean nothing without what undoes that: choose the "
            "same model in bf16 or float32. It can be loaded in 8 or 4 bits from there."
        )
        raise _NotPlain(translate(text, source=source, kind=str(kind)[:40]))


def _check_family(source: str, kind: str) -> None:
    if kind not in FAMILIES:
        text = N_("{source} is a {kind} model: only models of these families can be used here: {known}.")
        raise _NotPlain(translate(text, source=source, kind=kind[:40], known=", ".join(FAMILIES)))


def _place(files: LocalFiles | HubFiles, wanted: tuple[str, ...], head: str | None) -> dict[str, tuple[Path, str]]:
    """Where each wanted tensor really is, and its name there; and the head where one of that name is wanted.

    The index says where to look first; the shards' headers decide.
    """
    names = (*wanted, head) if head else wanted
    index = _read_index(files)
    places: dict[str, tuple[Path, str]] = {}
    looked: set[str] = set()
    spelt = {spelling: name for name in names for spelling in stored_names(name)}

    def look(shard: str) -> None:
        looked.add(shard)
        path = files.get(shard)
        if path is None:
            raise ValueError(
                translate("{source} lacks its shard {shard}: fetch it again.", source=files.source, shard=shard)
            )
        held = header(path)
        for spelling, name in spelt.items():
            if spelling not in held or name in places:
                continue
            if held[spelling].dtype not in FLOATS:
                text = N_(
                    "{source} stores {tensor} as {dtype}, which is quantised: choose the same model in bf16 or float32."
                )
                raise ValueError(translate(text, source=files.source, tensor=name, dtype=held[spelling].dtype))
            places[name] = path, spelling

    for shard in dict.fromkeys(index[spelling] for spelling in spelt if spelling in index):
        look(shard)
    # What the index leaves out or misplaces may be in a shard that it does not name for it.
    for shard in files.shards():
        lacking = tuple(spelling for spelling, name in spelt.items() if name not in places)
        if not lacking:
            break
        if shard not in looked and files.may_hold(shard, lacking):
            look(shard)
    return places


def _read_index(files: LocalFiles | HubFiles) -> dict[str, str]:
    path = files.get(INDEX)
    if path is None:
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        text = N_("The index of {source} cannot be read ({error}): fetch it again.")
        raise ValueError(translate(text, source=files.source, error=error)) from error
    inside = {name: shard for name, shard in index.items() if "/" not in shard and shard.endswith(".safetensors")}
    if len(inside) != len(index):
        text = N_("The index of {source} names files that are not safetensors shards of its own.")
        raise ValueError(translate(text, source=files.source))
    return inside
