"""Work at a model: here, or on ZeroGPU in the process that has the GPU it lends.

There, every function marked `on_gpu` runs in a worker process of its own, forked from this one and used for one visitor
after another. Arguments and results are pickled on their way, so marked functions stand at the top of their module,
take the server's models first (pickled by reference), and hand adapters over as folders. A small model needs no GPU,
and its visitors' quota is left alone: it runs here. Elsewhere the mark does nothing.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")

if ZERO_GPU:
    # Before PyTorch: it makes "cuda" mean a GPU that is not there yet.
    import spaces


@dataclass(frozen=True)
class _Refused:
    """A sentence for the visitor, on its way out of the worker: spaces keeps only the kind of an exception."""

    sentence: str


def on_gpu(seconds: int | Callable[..., int]) -> Callable[[Callable], Callable]:
    """Mark a function or a generator as work at a model.

    Args:
        seconds: for how long the GPU is asked for, or a function of the same arguments that tells.
    """

    def mark(work: Callable) -> Callable:
        if not ZERO_GPU:
            return work
        return _lent_generator(work, seconds) if inspect.isgeneratorfunction(work) else _lent(work, seconds)

    return mark


def detached() -> Context:
    """The present visitor's context for work that outlives its event: their quota, without the event's own channel."""
    context = copy_context()
    if ZERO_GPU:
        from gradio.context import LocalContext

        context.run(LocalContext.event_id.set, None)
        context.run(LocalContext.progress.set, None)
    return context


def _lent(work: Callable, seconds: int | Callable[..., int]) -> Callable:
    @spaces.GPU(duration=seconds)  # pyright: ignore[reportPossiblyUnboundVariable]
    @functools.wraps(work)
    def in_worker(models, *args):
        try:
            return work(models, *args)
        except ValueError as error:
            return _Refused(str(error))
        finally:
            models.forget_adapters()

    @functools.wraps(work)
    def asked(models, *args):
        if not models.on_lent_gpu(_model_name(work, models, args)):
            return work(models, *args)
        result = in_worker(models, *args)
        if isinstance(result, _Refused):
            raise ValueError(result.sentence)
        return result

    return asked


def _lent_generator(work: Callable, seconds: int | Callable[..., int]) -> Callable:
    @spaces.GPU(duration=seconds)  # pyright: ignore[reportPossiblyUnboundVariable]
    @functools.wraps(work)
    def in_worker(models, *args):
        try:
            yield from work(models, *args)
        except ValueError as error:
            yield _Refused(str(error))
        finally:
            models.forget_adapters()

    @functools.wraps(work)
    def asked(models, *args):
        if not models.on_lent_gpu(_model_name(work, models, args)):
            yield from work(models, *args)
            return
        for item in in_worker(models, *args):
            if isinstance(item, _Refused):
                raise ValueError(item.sentence)
            yield item

    return asked


def _model_name(work: Callable, models, args: tuple) -> str:
    """The base that a work is at: its argument `model`, or what another argument was made for."""
    given = inspect.signature(work).bind(models, *args).arguments
    return given["model"] if "model" in given else next(value.model for value in args if hasattr(value, "model"))
