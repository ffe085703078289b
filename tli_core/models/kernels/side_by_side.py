"""Several LoRAs of one shape in one pass, each on rows of its own.

A step on few words waits for the base's weights, not for arithmetic, so the rows of other runs cost little more. What
each LoRA computes on its rows is what PEFT computes with it alone: two products, here of all of them at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lane:
    """One adapter's part of a pass: its key, the rows and tokens that its own words fill, and its dropout's draws.

    The rows of a pass are shared out evenly, so a lane may have padding after its own rows and tokens.
    """

    key: str
    rows: int
    tokens: int
    generator: torch.Generator


def switch_on(layers: Iterable[Any], lanes: Sequence[Lane]) -> None:
    """Have PEFT's LoRA layers run these adapters side by side, with dropout, until `switch_off`."""
    for layer in layers:
        layer.set_adapter([lane.key for lane in lanes])  # and no other is trained
        if lanes[0].key in layer.lora_A:
            layer.forward = partial(_forward, layer, lanes)


def switch_off(layers: Iterable[Any]) -> None:
    """Give the layers PEFT's own way back."""
    for layer in layers:
        vars(layer).pop("forward", None)


def _forward(layer: Any, lanes: Sequence[Lane], x: Tensor) -> Tensor:
    """The base's product and each lane's LoRA on its own rows: (lanes · r, t, d) -> (lanes · r, t, out)."""
    keys, count = [lane.key for lane in lanes], len(lanes)
    down = torch.stack([layer.lora_A[key].weight for key in keys])  # (lanes, rank, d)
    up = torch.stack([layer.lora_B[key].weight for key in keys])  # (lanes, out, rank)
    dropped = _dropped(x.to(down.dtype), lanes, getattr(layer.lora_dropout[keys[0]], "p", 0.0))
    change = dropped.reshape(count, -1, x.shape[-1]) @ down.mT @ up.mT  # (lanes, r · t, out)
    out = layer.base_layer(x)
    return (out + change.view_as(out) * layer.scaling[keys[0]]).to(out.dtype)


def _dropped(x: Tensor, lanes: Sequence[Lane], share: float) -> Tensor:
    """Dropout drawn for each lane as it would be for its own rows and tokens alone; padding becomes 0."""
    if not share:
        return x
    kept = torch.zeros_like(x)  # (lanes · r, t, d)
    for part, lane in zip(kept.chunk(len(lanes)), lanes, strict=True):
        own = x.new_empty(lane.rows, lane.tokens, x.shape[-1]).bernoulli_(1 - share, generator=lane.generator)
        part[: lane.rows, : lane.tokens] = own.div_(1 - share)
    return x * kept
