"""Build a model and read its tensors one by one, each cast and put where it is to be kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from tli_core.i18n import N_, translate
from tli_core.models import architecture
from tli_core.models.checkpoint import Checkpoint, embeddings_tensor, head_tensor, with_blocks
from tli_core.models.placement import Placement, dispatch, home, place_parts
from tli_core.models.quantization import parameter, replace_matrices


def read_model(checkpoint: Checkpoint, dtype: torch.dtype, placement: Placement) -> PreTrainedModel:
    """Build the model and read it tensor by tensor, cast as it is read, so that two copies are never held.

    With `placement.blocks`, only the first blocks are there; the final norm and head are replaced by nothing, so the
    last layer is the last block's own output. Without a head the model measures and trains but cannot generate. What
    stays on disk is not read at all until it runs.

    Raises:
        ValueError: a tensor has another shape than the config says, its shard is damaged, or bitsandbytes is lacking.
    """
    with init_empty_weights(include_buffers=False):
        config = _as_stored(with_blocks(checkpoint.config, placement.blocks), checkpoint)
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    if placement.blocks is not None:
        architecture.remove_final_norm(model)
    if placement.blocks is not None or not checkpoint.has_head:
        architecture.remove_head(model)
    if placement.bits:
        replace_matrices(model, placement.bits, dtype)
    parts = {"": placement.device} if placement.limits is None else place_parts(model, dtype, placement.limits)
    shapes = {name: tensor.shape for name, tensor in model.named_parameters(remove_duplicate=False)}
    stored = {name: place for name, place in checkpoint.places.items() if name in shapes}
    head = head_tensor(config)
    tied = head in shapes and config.tie_word_embeddings
    if tied:
        stored[head] = stored[embeddings_tensor(config)]
    # A tied head is the embeddings over again.
    own = {name: place for name, place in stored.items() if not (tied and name == head)}
    kept = {name: place for name, place in own.items() if home(parts, name) != "disk"}
    for name, tensor in _tensors(kept):
        if tensor.shape != shapes[name]:
            text = N_(
                "{name} in {source} has shape {shape}, but the config says {expected}: the two are of different models."
            )
            raise ValueError(
                translate(
                    text, name=name, source=checkpoint.source, shape=tuple(tensor.shape), expected=tuple(shapes[name])
                )
            )
        path, _, leaf = name.rpartition(".")
        module = model.get_submodule(path)
        setattr(module, leaf, parameter(module, tensor, dtype, home(parts, name)))
        del tensor
    if tied:
        architecture.head(model).weight = architecture.embeddings(model).weight
    if placement.limits is None:
        model.to(placement.device)
    else:
        dispatch(model, parts, placement.device, dtype, stored)
    return model.eval()


def _as_stored(config: PretrainedConfig, checkpoint: Checkpoint) -> PretrainedConfig:
    """The config, untied where the checkpoint has a head that is not the embeddings, as transformers does."""
    names = head_tensor(config), embeddings_tensor(config)
    if not config.tie_word_embeddings or names[0] not in checkpoint.places:
        return config
    head, embeddings = (tensor for _, tensor in _tensors({name: checkpoint.places[name] for name in names}))
    if head.shape == embeddings.shape and torch.equal(head, embeddings):
        return config
    return type(config).from_dict({**config.to_dict(), "tie_word_embeddings": False})


def _tensors(places: Mapping[str, tuple[Path, str]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of these names, shard by shard, one in memory at a time.

    Args:
        places: the shard of each, and its name there.
    """
    shards: dict[Path, list[tuple[str, str]]] = {}
    for name, (shard, stored) in places.items():
        shards.setdefault(shard, []).append((name, stored))
    for shard, names in shards.items():
        try:
            for name, stored in names:
                # Opened anew for each tensor: pages of the file that were read count as resident until it is closed.
                with safe_open(shard, framework="pt") as opened:
                    yield name, opened.get_tensor(stored)
        except SafetensorError as error:
            text = N_("{name} is damaged ({error}): delete it and fetch it again.")
            raise ValueError(translate(text, name=shard.name, error=error)) from error
