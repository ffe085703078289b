"""Where a model's weights are kept: on one device, spread over GPUs, or offloaded to memory or disk by Accelerate."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import dispatch_model, infer_auto_device_map
from torch import nn
from transformers import PreTrainedModel

DeviceMap = Mapping[str, str | int]
"""Where each part of a model is kept, as Accelerate writes it: module name -> GPU number, `cpu` or `disk`."""


@dataclass(frozen=True)
class Placement:
    """How a model is loaded: `device` is where it computes.

    blocks: the first blocks only; None for the whole model.
    bits: 8 or 4 (NF4) for the blocks' matrices, through bitsandbytes; None for the model's own precision.
    limits: the bytes that weights may take on each device (GPU number or `cpu`), filled in this order, what is left
        staying on disk; None keeps all of them on `device`.
    """

    device: str
    blocks: int | None = None
    bits: int | None = None
    limits: Mapping[int | str, int] | None = None

    @classmethod
    def default(cls, blocks: int | None = None) -> "Placement":
        """On the first GPU if there is one, else on the CPU."""
        return cls("cuda" if torch.cuda.is_available() else "cpu", blocks)


def place_parts(model: PreTrainedModel, dtype: torch.dtype, limits: Mapping[int | str, int]) -> DeviceMap:
    """Fill the devices in order with whole blocks of a model that has no weights yet."""
    model.tie_weights()
    whole = list(model._no_split_modules or ())
    found = infer_auto_device_map(model, max_memory=dict(limits), no_split_module_classes=whole, dtype=dtype)
    return cast(DeviceMap, found)


def home(parts: DeviceMap, tensor: str) -> str | int:
    """Where a tensor of this name is kept."""
    name = tensor
    while name not in parts and name:
        name = name.rpartition(".")[0]
    return parts[name]


def dispatch(
    model: PreTrainedModel, parts: DeviceMap, device: str, dtype: torch.dtype, stored: Mapping[str, tuple[Path, str]]
) -> None:
    """Have every part fetch its weights when it runs, and let them go afterwards; on GPUs they stay.

    Args:
        stored: each tensor's shard and its name there, from which those on disk are read, cast as they are read.
    """
    index = {
        name: {"safetensors_file": str(shard), "weight_name": own, "dtype": str(dtype).removeprefix("torch.")}
        for name, (shard, own) in stored.items()
        if home(parts, name) == "disk"
    }
    # Accelerate takes a name for the device as well, and safetensors, which it hands it to, nothing else.
    main, offloaded = cast(Any, device), cast(Any, index or None)
    dispatch_model(model, dict(parts), main_device=main, offload_index=offloaded, force_hooks=True)


def is_dispatched(model: PreTrainedModel) -> bool:
    """Whether parts of the model are on other devices than the one it computes on."""
    return hasattr(model, "hf_device_map")


def computes_on(module: nn.Module) -> torch.device:
    """The device that a module computes on; its weights may be elsewhere until it runs."""
    device = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
    if device is None:
        return next(module.parameters()).device
    return torch.device("cuda", device) if isinstance(device, int) else torch.device(device)


def input_device(model: PreTrainedModel) -> torch.device:
    """Where a model takes its token ids."""
    return computes_on(model.get_input_embeddings())


def is_offloaded(module: nn.Module) -> bool:
    """Whether a module has weights that are fetched only when it runs."""
    return any(_fetches(inner) for inner in module.modules())


@contextmanager
def resident(module: nn.Module) -> Iterator[None]:
    """Fetch a module's weights once and keep them meanwhile, however often it runs inside."""
    # Accelerate adds its hook, and the forward beneath it, as attributes.
    fetching: list[Any] = [inner for inner in module.modules() if _fetches(inner)]
    forwards = [inner.forward for inner in fetching]
    try:
        for inner in fetching:
            inner._hf_hook.pre_forward(inner)
            inner.forward = inner._old_forward
        yield
    finally:
        for inner, forward in zip(fetching, forwards, strict=True):
            inner.forward = forward
            inner._hf_hook.post_forward(inner, None)


def _fetches(module: nn.Module) -> bool:
    return bool(getattr(getattr(module, "_hf_hook", None), "offload", False))
