"""One optimiser step: forward to the layer that the loss reads, backward, AdamW. On a GPU as one CUDA graph.

A step on a batch of words is some three hundred kernels that each run for microseconds, so launching them one by one
costs several times their work. A graph launches all of them at once.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, get_linear_schedule_with_warmup

from .batches import Batch
from .parallel import processes, sum_gradients
from .presets import TrainingConfig


def learning_rates(config: TrainingConfig, steps: int) -> list[float]:
    """The learning rate of every step: a linear warm-up, then a linear fall towards zero."""
    nothing = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    schedule = get_linear_schedule_with_warmup(nothing, min(config.warmup_steps, steps // 2), steps)
    return [config.learning_rate * schedule.lr_lambdas[0](step) for step in range(steps)]


class Steps:
    """The optimiser of a run; `take` moves the LoRA weights by one step and gives the loss before it."""

    def __init__(
        self, model: PreTrainedModel, parameters: Sequence[nn.Parameter], config: TrainingConfig, layer: int, steps: int
    ):
        self.rates = learning_rates(config, steps)
        self._model = model
        self._parameters = tuple(parameters)
        self._config = config
        self._layer = layer
        self._taken = 0
        on_gpu = model.device.type == "cuda"
        # On a GPU the rate is a number in its memory, so that a graph finds the present one there.
        self._rate = torch.zeros((), device=model.device) if on_gpu else 0.0
        self._table = torch.tensor(self.rates, device=model.device) if on_gpu else self.rates
        self._optimizer = torch.optim.AdamW(
            parameters, lr=self._rate, weight_decay=config.weight_decay, capturable=on_gpu, fused=on_gpu or None
        )
        # Gradients are summed over several processes by calls that a graph cannot hold.
        self._graphs = _Graphs(self._step, model.device) if on_gpu and processes() == 1 else None

    def take(self, batch: Batch) -> Tensor:
        """The next step; returns its loss, (), which a GPU may still be working on."""
        rate = self._table[self._taken]
        self._taken += 1
        if isinstance(self._rate, Tensor):
            self._rate.copy_(rate)
        else:
            self._optimizer.param_groups[0]["lr"] = rate
        return self._graphs.run(batch) if self._graphs else self._step(batch)

    def _step(self, batch: Batch) -> Tensor:
        loss = batch.loss(*batch.states(self._model, self._layer), self._config)
        if loss.requires_grad:
            loss.backward()
        sum_gradients(self._parameters)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach()


class _Graphs:
    """A step's CUDA graphs, one for each shape of batch.

    The first batch of a shape runs as it is, which also sets up what a graph may not: the optimiser's moments, the
    libraries' workspaces. The second is captured, and from then on batches are copied to where the graph reads.
    """

    def __init__(self, step, device: torch.device):
        self._step = step
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._seen: set[tuple] = set()
        self._captured: dict[tuple, tuple[torch.cuda.CUDAGraph, Batch, Tensor]] = {}

    def run(self, batch: Batch) -> Tensor:
        shapes = tuple(tensor.shape for tensor in batch.tensors())
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            if shapes not in self._seen:
                self._seen.add(shapes)
                loss = self._step(batch)
            else:
                if shapes not in self._captured:
                    self._captured[shapes] = self._capture(batch)
                graph, reads, loss = self._captured[shapes]
                for place, tensor in zip(reads.tensors(), batch.tensors(), strict=True):
                    place.copy_(tensor)
                graph.replay()
                loss = loss.clone()
        current.wait_stream(self._stream)
        return loss

    def _capture(self, batch: Batch) -> tuple[torch.cuda.CUDAGraph, Batch, Tensor]:
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile, such as for another visitor's answer.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            loss = self._step(batch)
        return graph, batch, loss
