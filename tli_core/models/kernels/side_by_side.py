"""Several LoRAs of one shape in one pass, each on rows of its own.

A step on few words waits for the base's weights, not for arithmetic, so the rows of other runs cost little more. What
each LoRA computes on its rows is what PEFT computes with it alone: two products, here of all of them at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn

_PARTS = 16


@dataclass(frozen=True)
class Lane:
    """One LoRA's part of a pass: the rows and tokens that its own words fill, and what its dropout draws from.

    The rows of a pass are shared out evenly, so a lane may have padding after its own rows and tokens. Without a
    generator PyTorch's own draws for all lanes at once, which is one kernel on a GPU.
    """

    rows: int
    tokens: int
    generator: torch.Generator | None


class Stack:
    """The LoRAs of some keys in a model, each matrix of theirs one over the other.

    parameters hold them by PEFT's names without the key: (lanes, rank, in) for lora_A, (lanes, out, rank) for lora_B.
    PEFT's own parameters become views of these, so whoever reads one of the LoRAs sees what they learn.
    """

    def __init__(self, layers: Mapping[str, Any], keys: Sequence[str]):
        """Stack the LoRAs of PEFT's layers, by their names in the model."""
        self.parameters: dict[str, nn.Parameter] = {}
        self._layers: list[tuple[Any, nn.Parameter, nn.Parameter, float, float]] = []
        for name, layer in layers.items():
            if keys[0] not in layer.lora_A:
                continue
            for part in ("lora_A", "lora_B"):
                own = [getattr(layer, part)[key].weight for key in keys]
                stacked = nn.Parameter(torch.stack([weight.detach() for weight in own]))
                for weight, lane in zip(own, stacked.detach(), strict=True):
                    weight.data = lane
                self.parameters[f"{name}.{part}.weight"] = stacked
            down, up = (self.parameters[f"{name}.{part}.weight"] for part in ("lora_A", "lora_B"))
            dropout = getattr(layer.lora_dropout[keys[0]], "p", 0.0)
            self._layers.append((layer, down, up, layer.scaling[keys[0]], dropout))

    def switch_on(self, lanes: Sequence[Lane]) -> None:
        """Have PEFT's layers run these LoRAs side by side, with dropout, until `switch_off`."""
        for layer, *parts in self._layers:
            layer.forward = partial(_forward, layer.base_layer, lanes, *parts)

    def switch_off(self) -> None:
        """Give the layers PEFT's own way back."""
        for layer, *_ in self._layers:
            vars(layer).pop("forward", None)


def _forward(
    base: nn.Module, lanes: Sequence[Lane], down: Tensor, up: Tensor, scaling: float, dropout: float, x: Tensor
) -> Tensor:
    """The base's product and each lane's LoRA on its own rows: (lanes · r, t, in) -> (lanes · r, t, out)."""
    rows = _dropped(x.to(down.dtype), lanes, dropout).reshape(len(lanes), -1, x.shape[-1])  # (lanes, r · t, in)
    out = base(x)
    change = _in_parts(rows, down, up) if x.is_cuda else rows @ down.mT @ up.mT  # (lanes, r · t, out)
    return (out + change.reshape(out.shape) * scaling).to(out.dtype)


def _in_parts(rows: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """rows · downᵀ · upᵀ with the long sides cut in parts: (lanes, n, in) -> (lanes, n, out).

    A product of few columns and rows, and as many terms as the model is wide, keeps but a corner of a GPU busy; so do
    the products of the gradients. Parts go side by side.
    """
    lanes, n, wide = rows.shape
    cut, out_cut = gcd(_PARTS, wide), gcd(_PARTS, up.shape[1])
    cut_rows = rows.view(lanes, n, cut, -1).transpose(1, 2)  # (lanes, cut, n, in / cut)
    cut_down = down.view(lanes, -1, cut, wide // cut).permute(0, 2, 3, 1)  # (lanes, cut, in / cut, rank)
    low = (cut_rows @ cut_down).sum(dim=1, keepdim=True)  # (lanes, 1, n, rank)
    cut_up = up.view(lanes, out_cut, -1, up.shape[-1]).mT  # (lanes, out_cut, rank, out / out_cut)
    return (low @ cut_up).transpose(1, 2).flatten(2)  # (lanes, n, out)


def _dropped(x: Tensor, lanes: Sequence[Lane], share: float) -> Tensor:
    """Dropout drawn for each lane as it would be for its own rows and tokens alone; padding becomes 0."""
    if not share or lanes[0].generator is None:
        return nn.functional.dropout(x, share)
    kept = torch.zeros_like(x)  # (lanes · r, t, in)
    for part, lane in zip(kept.chunk(len(lanes)), lanes, strict=True):
        own = x.new_empty(lane.rows, lane.tokens, x.shape[-1]).bernoulli_(1 - share, generator=lane.generator)
        part[: lane.rows, : lane.tokens] = own.div_(1 - share)
    return x * kept
