"""A Llama block in few kernels, for GPUs: what transformers' block does, written for batches of words.

On a few dozen tokens a kernel takes microseconds whatever it does, so a block costs the reading of its weights and the
number of its kernels. Matrices that read the same input are one product here, heads that share keys do so without
copies, and LoRA and the rotation of heads have gradients of their own. On a CPU it would be no faster.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from weakref import WeakKeyDictionary

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu
from transformers import PreTrainedModel
from transformers.activations import SiLUActivation
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaDecoderLayer, LlamaMLP, LlamaRMSNorm

from tli_core.models.placement import is_dispatched

_POSITIONS = 512
"""Positions that a model's turns are worked out for at first."""

_FIXED_ROTARY = ("default", "linear", "llama3", "yarn")
"""Kinds of rotary table that are the same for a text of any length, so that they may be worked out once."""

_PART = 64
"""Columns of a long product that are summed up in one go, so that many of a GPU's processors have a part in it."""


def in_few_kernels(model: PreTrainedModel) -> bool:
    """Whether `run_block` runs the model's blocks: on one GPU, and at their own precision."""
    return (
        model.device.type == "cuda"
        and not is_dispatched(model)
        and getattr(model.base_model.rotary_emb, "rope_type", None) in _FIXED_ROTARY
        and all(map(is_llama_block, model.base_model.layers))
    )


def is_llama_block(block: nn.Module) -> bool:
    """Whether a block is what `run_block` computes: transformers' Llama block itself, at its own precision.

    By exact class: a family that inherits from it may put a norm on the queries, say, which would be passed over.
    """
    if type(block) is not LlamaDecoderLayer:
        return False
    attention, mlp = block.self_attn, block.mlp
    norms = (block.input_layernorm, block.post_attention_layernorm)
    matrices = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj, mlp.gate_proj, mlp.up_proj,
                mlp.down_proj)  # fmt: skip
    return (
        type(attention) is LlamaAttention
        and type(mlp) is LlamaMLP
        and all(type(norm) is LlamaRMSNorm for norm in norms)
        and all(type(_base(matrix)) is nn.Linear for matrix in matrices)
        and type(mlp.act_fn) in (nn.SiLU, SiLUActivation)
        and attention.scaling == attention.head_dim**-0.5
        and not attention.attention_dropout
        and attention.is_causal
    )


def lay_side_by_side(model: PreTrainedModel) -> None:
    """Give matrices that read the same input one memory, of which each is a part; their values stay as they are."""
    for block in model.base_model.layers:
        attention, mlp = block.self_attn, block.mlp
        for modules in ((attention.q_proj, attention.k_proj, attention.v_proj), (mlp.gate_proj, mlp.up_proj)):
            _side_by_side([_base(module) for module in modules])


@dataclass(frozen=True)
class Turn:
    """By how much heads are turned for their positions: cos and sin (…, 1, head size).

    sin has the sign of its half of the head.
    """

    cos: Tensor
    sin: Tensor


def turn_at(rotary: nn.Module, positions: Tensor, dtype: torch.dtype) -> Turn:
    """The turns at positions (r, t), by the model's own rotary embedding, which is asked once for each position.

    Every position must be less than t, as in a pack.
    """
    size = max(_POSITIONS, 1 << (positions.shape[1] - 1).bit_length())
    tables = _TURNS.setdefault(rotary, {})
    kind = positions.device, dtype, size
    if kind not in tables:
        # Memory made in inference mode could not be trained through later.
        with torch.inference_mode(False), torch.no_grad():
            numbers = torch.arange(size, device=positions.device)[None]
            cos, sin = rotary(torch.empty(0, dtype=dtype, device=positions.device), position_ids=numbers)
            first, second = sin[0, :, None].chunk(2, dim=-1)
            # Kept for as long as the model: a CUDA graph may read them.
            tables[kind] = Turn(cos[0, :, None], torch.cat((-first, second), dim=-1))
    return Turn(tables[kind].cos[positions], tables[kind].sin[positions])


_TURNS: WeakKeyDictionary[nn.Module, dict[tuple, Turn]] = WeakKeyDictionary()


def run_block(block: LlamaDecoderLayer, hidden: Tensor, turn: Turn, mask: Tensor) -> Tensor:
    """A block's output with its active adapter, as transformers gives it: (r, t, d) -> (r, t, d).

    Args:
        mask: (r, 1, t, t), added to the scores.
    """
    attention, mlp = block.self_attn, block.mlp
    x = block.input_layernorm(hidden)
    joint = project(x, attention.q_proj, attention.k_proj, attention.v_proj).unflatten(-1, (-1, attention.head_dim))
    kept = attention.k_proj.out_features // attention.head_dim  # heads of keys, and of values
    turned, v = joint.split((joint.shape[2] - kept, kept), dim=2)  # (r, t, heads, head size)
    q, k = _Turned.apply(turned, turn.cos, turn.sin).split((turned.shape[2] - kept, kept), dim=2)
    mixed = scaled_dot_product_attention(
        *(heads.transpose(1, 2) for heads in (q, k, v)), attn_mask=mask, scale=attention.scaling, enable_gqa=True
    )  # (r, heads, t, head size)
    hidden = hidden + project(mixed.transpose(1, 2).flatten(2), attention.o_proj)
    x = block.post_attention_layernorm(hidden)
    return hidden + project(_gated(project(x, mlp.gate_proj, mlp.up_proj, apart=True)), mlp.down_proj)


def project(x: Tensor, *modules: nn.Module, apart: bool = False) -> Tensor:
    """Linear layers that read the same x, with what LoRA adds to them: (r, t, d) -> (r, t, widths of all).

    Args:
        apart: give layers of one width one after another, (layers, r, t, width).
    """
    if not all(_is_plain(module) for module in modules):
        found = [module(x) for module in modules]
        return torch.stack(found) if apart else torch.cat(found, dim=-1)
    weight = _side_by_side([_base(module) for module in modules])  # (widths, d)
    if apart:
        weight = weight.unflatten(0, (len(modules), -1))  # (layers, width, d)
    loras, matrices = [], []
    for layer, module in enumerate(modules):
        for key in _active(module):
            dropout = module.lora_dropout[key]
            rate = dropout.p if isinstance(dropout, nn.Dropout) and dropout.training else 0.0
            loras.append(_Lora(layer, module.scaling[key], rate))
            matrices += [module.lora_A[key].weight, module.lora_B[key].weight]
    widths = tuple(module.out_features for module in modules)
    return _Projected.apply(x.flatten(0, 1), weight, widths, tuple(loras), *matrices).unflatten(-2, x.shape[:2])


@dataclass(frozen=True)
class _Lora:
    """Which of the layers a LoRA adds to, times what, and its dropout."""

    layer: int
    scaling: float
    dropout: float


class _Projected(torch.autograd.Function):
    """x Wᵀ, to which LoRAs add: (n, d) -> (n, widths), or (layers, n, width) with a weight (layers, width, d).

    LoRA is in float32, as PEFT computes it, with two matrices for each in `matrices`. The base has no gradient.
    """

    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, widths: tuple[int, ...], loras: tuple[_Lora, ...], *matrices: Tensor
    ) -> Tensor:
        wide = x.float() if loras else x
        saved, added = [], []
        for number, (lora, a, b) in enumerate(zip(loras, matrices[::2], matrices[1::2], strict=True)):
            with _beside(x.device, number):
                given, kept = torch.native_dropout(wide, lora.dropout, True) if lora.dropout else (wide, None)
                inner = _narrow(given, a.T)  # (n, rank)
                added.append(inner @ b.T)  # (n, width)
                saved += [a, b, given, kept, inner]
        y = x @ weight.T if weight.dim() == 2 else torch.bmm(x.expand(len(weight), *x.shape), weight.mT)
        _join(x.device, len(loras))
        parts = _parts(y, widths)
        for lora, change in zip(loras, added, strict=True):
            parts[lora.layer].add_(change, alpha=lora.scaling)
        ctx.save_for_backward(weight, *saved)
        ctx.widths, ctx.loras = widths, loras
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *saved = ctx.saved_tensors
        parts = _parts(gradient.float(), ctx.widths) if ctx.loras else ()
        of_x, through_loras, of_matrices = None, [], []
        for number, (lora, *tensors) in enumerate(zip(ctx.loras, *(saved[i::5] for i in range(5)), strict=True)):
            a, b, given, kept, inner = tensors
            with _beside(gradient.device, number):
                part = parts[lora.layer]  # (n, width)
                of_inner = _narrow(part, b) * lora.scaling  # (n, rank)
                if ctx.needs_input_grad[0]:
                    back = of_inner @ a  # (n, d)
                    if kept is not None:
                        back = torch.ops.aten.native_dropout_backward(back, kept, 1 / (1 - lora.dropout))
                    through_loras.append(back)
                of_matrices += [of_inner.T @ given, part.T @ (inner * lora.scaling)]
        if ctx.needs_input_grad[0]:
            of_x = gradient @ weight if weight.dim() == 2 else _added(torch.bmm(gradient, weight))
        _join(gradient.device, len(ctx.loras))
        for back in through_loras:
            of_x.add_(back)
        return of_x, None, None, None, *of_matrices


def _parts(y: Tensor, widths: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Each layer's part of what `_Projected` gives, (n, width)."""
    return y.unbind(0) if y.dim() == 3 else y.split(widths, dim=1)


def _added(parts: Tensor) -> Tensor:
    """The sum over the first dimension; of so few, adding takes half as long as a reduction."""
    first, *others = parts
    for part in others:
        first = first + part
    return first


def _narrow(x: Tensor, matrix: Tensor) -> Tensor:
    """x @ matrix for a matrix of few columns: (n, k), (k, rank) -> (n, rank)."""
    if x.shape[1] % _PART or not x.is_cuda:
        return x @ matrix
    parts = x.unflatten(1, (-1, _PART)).transpose(0, 1)  # (k / 64, n, 64)
    return torch.bmm(parts, matrix.unflatten(0, (-1, _PART))).sum(dim=0)


@contextmanager
def _beside(device: torch.device, number: int) -> Iterator[None]:
    """In a CUDA graph, a branch beside what follows until `_join`; kernels launched one by one would gain nothing."""
    if not _branches(device):
        yield
        return
    stream = _stream(device, number)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield


def _join(device: torch.device, count: int) -> None:
    """Go on when the branches numbered up to `count` have ended."""
    if _branches(device):
        for number in range(count):
            torch.cuda.current_stream(device).wait_stream(_stream(device, number))


def _branches(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


@cache
def _stream(device: torch.device, number: int) -> torch.cuda.Stream:
    """The stream that branches of this number are captured on; cuBLAS keeps 32 MiB for every stream it has seen."""
    return torch.cuda.Stream(device)


class _Turned(torch.autograd.Function):
    """Heads turned for their positions: (r, t, heads, head size), with cos and sin of a `Turn`."""

    @staticmethod
    def forward(ctx, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return torch.addcmul(heads * cos, _halves_swapped(heads), sin)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        # Turned back.
        return torch.addcmul(gradient * cos, _halves_swapped(gradient), sin, value=-1), None, None


def _halves_swapped(heads: Tensor) -> Tensor:
    return heads.unflatten(-1, (2, -1)).flip(-2).flatten(-2)


def _gated(both: Tensor) -> Tensor:
    """silu(gate) · up: (2, r, t, m) -> (r, t, m)."""
    if torch.is_grad_enabled():
        return _Gated.apply(both)
    gate, up = both
    return silu(gate, inplace=True).mul_(up)


class _Gated(torch.autograd.Function):
    """As `_gated`, with both gradients written where the product behind them reads them."""

    @staticmethod
    def forward(ctx, both: Tensor) -> Tensor:
        gate, up = both
        opened = silu(gate)
        ctx.save_for_backward(gate, up, opened)
        return opened * up

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gate, up, opened = ctx.saved_tensors
        found = gradient.new_empty(2, *gradient.shape)
        torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=found[0])
        torch.mul(gradient, opened, out=found[1])
        return found


def _base(module: nn.Module) -> nn.Module:
    return module.base_layer if isinstance(module, LoraLinear) else module


def _active(module: nn.Module) -> list[str]:
    """The adapters that are on in a module and change it."""
    if not isinstance(module, LoraLinear) or module.disable_adapters:
        return []
    return [key for key in module.active_adapters if key in module.lora_A]


def _is_plain(module: nn.Module) -> bool:
    """Whether a module is a matrix that is not trained, without bias, with nothing but plain LoRA on it."""
    base, active = _base(module), _active(module)
    if type(base) is not nn.Linear or base.bias is not None or base.weight.requires_grad:
        return False
    return not any(module.lora_variant.get(key) or module.lora_bias.get(key) for key in active)


def _side_by_side(modules: Sequence[nn.Linear]) -> Tensor:
    """The matrices as one, (rows of all, d); where they are not yet in one memory they are moved there."""
    weights = [module.weight for module in modules]
    first, rows = weights[0], [len(weight) for weight in weights]
    begins = (first.data_ptr() + sum(rows[:i]) * first[0].nbytes for i in range(len(rows)))
    if all(weight.data_ptr() == begin for weight, begin in zip(weights, begins, strict=True)) and _shares(weights):
        return first.detach().as_strided((sum(rows), first.shape[1]), first.stride(), first.storage_offset())
    # Memory made in inference mode could not be trained through later.
    with torch.inference_mode(False), torch.no_grad():
        joint = torch.cat(weights)
        for weight, part in zip(weights, joint.split(rows), strict=True):
            weight.data = part
    return joint


def _shares(tensors: Sequence[Tensor]) -> bool:
    return len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == 1
