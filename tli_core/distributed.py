"""Several processes at one task, each on its own device: `accelerate launch -m tli_core train …`.

A contrastive loss compares every pair of a batch with every other, so each process embeds its part of the batch, all
parts are gathered, and each computes the loss of the whole batch. A process's gradient then is that of its own part;
their sum is the gradient that one process would have had.
"""

import atexit
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn


def join() -> str | None:
    """Join the processes that a launcher has started, if any; returns this one's device, or None where it is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None
    first = not dist.is_initialized()
    device = str(PartialState(cpu=not torch.cuda.is_available()).device)
    if first:
        # A thread of the group that wakes while Python shuts down aborts the whole process.
        atexit.register(dist.destroy_process_group)
    return device


def processes() -> int:
    """How many processes work together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this is the main process, the only one that writes files and prints."""
    return processes() == 1 or dist.get_rank() == 0


def wait() -> None:
    """Barrier: wait until every process gets here, for example after the main one has written a file."""
    if processes() > 1:
        dist.barrier()


def own_part(items: Sequence) -> Sequence:
    """This process's contiguous part of a list; the sizes of the parts differ by at most one."""
    if processes() == 1:
        return items
    begin, end = _bounds(len(items))[dist.get_rank()]
    return items[begin:end]


def gather_tensor(part: Tensor, total: int) -> Tensor:
    """All processes' parts in order: (own n, …) -> (total, …). The gradient flows through this process's own part."""
    if processes() == 1:
        return part
    bounds = _bounds(total)
    longest = max(end - begin for begin, end in bounds)
    sent = part.detach().new_zeros(longest, *part.shape[1:])
    sent[: len(part)] = part.detach()
    received = sent.new_empty(len(bounds) * longest, *part.shape[1:])
    dist.all_gather_into_tensor(received, sent)
    parts = [rows[: end - begin] for rows, (begin, end) in zip(received.split(longest), bounds, strict=True)]
    parts[dist.get_rank()] = part
    return torch.cat(parts)


def gather_objects(part: list) -> list:
    """All processes' items in order: what each holds of a list that `own_part` shared out."""
    if processes() == 1:
        return part
    parts: list = [None] * processes()
    dist.all_gather_object(parts, part)
    return [item for items in parts for item in items]


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up every process's gradients, in place; a process whose part was empty adds nothing."""
    if processes() == 1:
        return
    gradients = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        gradients.append(parameter.grad)
    # As one message: a small one takes as long as a large one.
    together = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(together)
    for gradient, summed in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))


def _bounds(total: int) -> list[tuple[int, int]]:
    count = processes()
    edges = [total * i // count for i in range(count + 1)]
    return list(pairwise(edges))
