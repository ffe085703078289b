"""Faster arithmetic for the same functions: a fused norm on a GPU, float32 products on CPUs that have none in bf16,
one thread where several would be slower."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel

from tli_core.models.architecture import is_plain_rms_norm

T = TypeVar("T")
R = TypeVar("R")

_FEW_TOKENS = 64
"""Below this many tokens one thread is used: two pairs took the page 125 ms on two threads and 50 ms on one."""

_MOST_AT_ONCE = 4
"""More threads than these wait for Python's lock most of the time."""

_ROWS = 512
"""Rows of a matrix that are cast at a time: few enough to stay in a CPU's cache."""


def choose_kernels(model: PreTrainedModel, device: torch.device) -> None:
    """Replace, in place, what would be slow on this device."""
    if device.type == "cuda":
        fuse_norms(model)
    elif model.dtype == torch.bfloat16 and not multiplies_bf16():
        multiply_in_float32(model)


def restore_kernels(model: PreTrainedModel) -> None:
    """Undo `choose_kernels`, so that what another device needs can be chosen."""
    for module in model.modules():
        if getattr(module.__dict__.get("forward"), "__func__", None) in (_fused_norm, _product):
            del module.forward


def multiplies_bf16() -> bool:
    """Whether this machine's CPU has instructions for products in bf16."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


@contextmanager
def threads_for(tokens: int) -> Iterator[None]:
    """The CPU threads that so many tokens are worth: for few, waking a second one takes longer than the work."""
    if tokens >= _FEW_TOKENS:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_cores(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What a function makes of each item, several at once, each on one of PyTorch's threads.

    Were every product shared out to all cores as well, threads would wait for each other: with sixteen cores a measured
    list took 0.95 s, and 0.5 s like this.
    """
    threads = torch.get_num_threads()
    count = min(_MOST_AT_ONCE, threads, len(items))
    if count < 2:
        return [work(item) for item in items]
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)  # for threads that have not computed yet


def fuse_norms(model: PreTrainedModel) -> None:
    """PyTorch's norm, a launch and a read instead of eight; it rounds to the model's dtype once, not twice."""
    for module in model.modules():
        if is_plain_rms_norm(module):
            _replace_forward(module, _fused_norm)


def multiply_in_float32(model: PreTrainedModel) -> None:
    """Cast each matrix as it is used: without instructions for bf16, a product's gradient takes 400 times as long."""
    for module in model.modules():
        if type(module) is nn.Linear and module.bias is None:
            _replace_forward(module, _product)


def _replace_forward(module: nn.Module, forward) -> None:
    # Accelerate has put a forward of its own around the module's where its weights are fetched first.
    name = "_old_forward" if hasattr(module, "_old_forward") else "forward"
    setattr(module, name, MethodType(forward, module))


def _fused_norm(norm: Any, hidden: Tensor) -> Tensor:
    return rms_norm(hidden, hidden.shape[-1:], norm.weight, norm.variance_epsilon)


def _product(linear: nn.Linear, hidden: Tensor) -> Tensor:
    return _Product.apply(hidden, linear.weight)


class _Product(torch.autograd.Function):
    """x Wᵀ in float32, with the gradient of x only: base weights are never trained."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        columns = _columns(x)  # (in, tokens)
        out = columns.new_empty(len(weight), columns.shape[1])  # (out, tokens)
        for part, rows in zip(out.split(_ROWS), _in_float32(weight), strict=True):
            torch.mm(rows, columns, out=part)
        return out.T.to(x.dtype).reshape(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (weight,) = ctx.saved_tensors
        columns = _columns(gradient)  # (out, tokens)
        into = columns.new_zeros(weight.shape[1], columns.shape[1])  # (in, tokens)
        for part, rows in zip(columns.split(_ROWS), _in_float32(weight), strict=True):
            into.addmm_(rows.T, part)
        return into.T.to(gradient.dtype).reshape(*gradient.shape[:-1], -1), None


def _columns(x: Tensor) -> Tensor:
    """(..., d) -> (d, tokens) in float32: products with the tokens last were up to twice as fast."""
    return x.reshape(-1, x.shape[-1]).float().T.contiguous()


def _in_float32(weight: Tensor) -> Iterator[Tensor]:
    """A matrix some rows at a time, all in the same memory: new memory for each took up to twice as long."""
    memory = torch.empty(min(_ROWS, len(weight)), weight.shape[1])
    for rows in weight.split(_ROWS):
        yield memory[: len(rows)].copy_(rows)
