"""Build a model and read its tensors one by one, each cast and put where it is to be kept."""

from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from tli_core.models.checkpoint import EMBEDDINGS, HEAD, Checkpoint, with_blocks
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
        model.model.norm = nn.Identity()
    if placement.blocks is not None or not checkpoint.has_head:
        model.lm_head = nn.Identity()
    if placement.bits:
        replace_matrices(model, placement.bits, dtype)
    parts = {"": placement.device} if placement.limits is None else place_parts(model, dtype, placement.limits)
    shapes = {name: tensor.shape for name, tensor in model.named_parameters(remove_duplicate=False)}
    stored = {name: (shard, name) for name, shard in checkpoint.places.items() if name in shapes}
    tied = HEAD in shapes and config.tie_word_embeddings
    if tied:
        stored[HEAD] = stored[EMBEDDINGS]
    kept = {name: shard for name, (shard, own) in stored.items() if home(parts, name) != "disk" and name == own}
    for name, tensor in _tensors(kept):
        if tensor.shape != shapes[name]:
            raise ValueError(
                f"{name} in {checkpoint.source} has shape {tuple(tensor.shape)}, but the config says "
                f"{tuple(shapes[name])}: config and weights are of different models."
            )
        path, _, leaf = name.rpartition(".")
        module = model.get_submodule(path)
        setattr(module, leaf, parameter(module, tensor, dtype, home(parts, name)))
        del tensor
    if tied:
        model.lm_head.weight = model.model.embed_tokens.weight
    if placement.limits is None:
        model.to(placement.device)
    else:
        dispatch(model, parts, placement.device, dtype, stored)
    return model.eval()


def _as_stored(config: PretrainedConfig, checkpoint: Checkpoint) -> PretrainedConfig:
    """The config, untied where the checkpoint has a head that is not the embeddings, as transformers does."""
    if not config.tie_word_embeddings or HEAD not in checkpoint.places:
        return config
    head, embeddings = (tensor for _, tensor in _tensors({n: checkpoint.places[n] for n in (HEAD, EMBEDDINGS)}))
    if head.shape == embeddings.shape and torch.equal(head, embeddings):
        return config
    return type(config).from_dict({**config.to_dict(), "tie_word_embeddings": False})


def _tensors(places: dict[str, Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of these names, shard by shard, one in memory at a time."""
    shards: dict[Path, list[str]] = {}
    for name, shard in places.items():
        shards.setdefault(shard, []).append(name)
    for shard, names in shards.items():
        try:
            for name in names:
                # Opened anew for each tensor: pages of the file that were read count as resident until it is closed.
                with safe_open(shard, framework="pt") as opened:
                    yield name, opened.get_tensor(name)
        except SafetensorError as error:
            raise ValueError(f"{shard.name} is damaged ({error}): delete it and fetch it again.") from error
