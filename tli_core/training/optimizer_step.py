"""One optimiser step: forward to the layer that the loss reads, backward, AdamW. On a GPU as one CUDA graph.

A step on a batch of words is some two hundred kernels that each run for microseconds, so launching them one by one
costs several times their work. A graph launches all of them at once.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial

import torch
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from transformers import PreTrainedModel, get_linear_schedule_with_warmup

from tli_core.distributed import sum_gradients
from tli_core.i18n import translate
from tli_core.models.kernels.side_by_side import Lane
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import AHEAD, Batch
from tli_core.training.config import TrainingConfig
from tli_core.training.own_text import KeptTexts


def learning_rates(config: TrainingConfig, steps: int) -> list[float]:
    """The learning rate of every step: a linear warm-up, then a linear fall towards zero."""
    nothing = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    schedule = get_linear_schedule_with_warmup(nothing, min(config.warmup_steps, steps // 2), steps)
    return [config.learning_rate * schedule.lr_lambdas[0](step) for step in range(steps)]


@dataclass(frozen=True)
class PendingLoss:
    """A step's loss, perhaps still on its way from the device."""

    tensor: Tensor
    done: torch.cuda.Event | None

    def wait(self) -> float:
        """The loss, once it is there."""
        if self.done:
            self.done.synchronize()
        return float(self.tensor)


class RunWeights:
    """What is a run's own in a pass: its LoRA, its optimiser's moments, its dropout's draws, and its steps so far."""

    def __init__(
        self,
        loaded: LoadedModel,
        key: str,
        config: TrainingConfig,
        steps: int,
        generator: torch.Generator | None,
        kept: KeptTexts | None = None,
    ):
        """The part of a run whose LoRA is on the model under a key.

        Args:
            generator: what dropout draws from; None for PyTorch's own.
        """
        self.key = key
        self.generator = generator
        self.kept = kept
        self.rates = learning_rates(config, steps)
        self.taken = 0
        self._loaded = loaded
        with loaded.using(key) as model:
            named = {name: p for name, p in model.named_parameters() if f".{key}." in name}
        self.parameters = {name.replace(f".{key}.", "."): parameter for name, parameter in named.items()}
        self._moments: Callable[[], dict[str, Tensor]] = dict

    def lora(self) -> dict[str, Tensor]:
        """The LoRA weights as PEFT names them, copied to the CPU."""
        with self._loaded.using(self.key) as model:
            state = get_peft_model_state_dict(model, adapter_name=self.key)
            return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def moments(self) -> dict[str, Tensor]:
        """AdamW's moments and step counts as `parameter.moment`, copied to the CPU; nothing before the first step."""
        return self._moments()

    def moments_from(self, read: Callable[[], dict[str, Tensor]]) -> None:
        """Say where the moments are from now on."""
        self._moments = read

    def restore(self, lora: dict[str, Tensor], moments: dict[str, Tensor]) -> None:
        """Go on from weights and moments of the same run.

        Raises:
            ValueError: they are of another, or incomplete.
        """
        own = {f"{name}.{moment}" for name in self.parameters for moment in ("step", "exp_avg", "exp_avg_sq")}
        if (moments and moments.keys() != own) or lora.keys() != self.parameters.keys():
            raise ValueError(translate("The saved state is of another run, or a part of it is missing."))
        with self._loaded.using(self.key) as model:
            set_peft_model_state_dict(model, lora, adapter_name=self.key)
        self._moments = lambda: moments
        self.taken = max((int(value) for name, value in moments.items() if name.endswith(".step")), default=0)


class Steps:
    """Takes the steps of runs that go side by side: equally far, and of different seeds and translations alone."""

    def __init__(self, loaded: LoadedModel, config: TrainingConfig, layer: int, runs: Sequence[RunWeights]):
        self._loaded = loaded
        self._config = config
        self._layer = layer
        self._runs = tuple(runs)
        # How many steps may be launched before the first one's loss is read, so that the GPU never waits for the CPU,
        # not even while it makes as many batches ready.
        self._on_gpu = loaded.device.type == "cuda"
        self.ahead = max(1, AHEAD // config.batch_size) if self._on_gpu else 0
        # One that draws from PyTorch's own generator alone is what PEFT makes of it.
        plain = len(runs) == 1 and runs[0].generator is None
        self._stack = None if plain else loaded.stack([run.key for run in runs])
        self._parameters = self._stack.parameters if self._stack else runs[0].parameters
        parameters = list(self._parameters.values())
        if self._on_gpu:
            # The rate is a number in the GPU's memory, so that a graph finds the present one there.
            self._rate = torch.zeros((), device=loaded.device)
            self._table = torch.tensor(runs[0].rates, device=loaded.device)
            self._optimizer = torch.optim.AdamW(
                parameters, lr=self._rate, weight_decay=config.weight_decay, capturable=True, fused=True
            )
        else:
            self._optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=config.weight_decay)
        self._take_over([run.moments() for run in runs])
        # Weights that are fetched, bitsandbytes' outliers and texts that change are what a graph cannot hold.
        held = self._on_gpu and loaded.plain and runs[0].kept is None
        self._graphs = _Graphs(loaded.device) if held else None

    def take(self, batch: Batch) -> list[PendingLoss]:
        """Update every run's LoRA once, and return each loss before that; a GPU is still at work when this returns."""
        number = self._runs[0].taken
        for run in self._runs:
            run.taken += 1
        if not self._on_gpu:
            self._optimizer.param_groups[0]["lr"] = self._runs[0].rates[number]
            return [PendingLoss(loss, None) for loss in self._step(batch)]
        self._rate.copy_(self._table[number])
        losses = self._graphs.run(self._step, batch) if self._graphs else self._step(batch)
        # Page-locked and with an event of its own: reading it waits for this step, not for those launched after it.
        there = torch.empty(len(losses), pin_memory=True).copy_(losses, non_blocking=True)
        done = torch.cuda.Event()
        done.record()
        return [PendingLoss(loss, done) for loss in there]

    def _take_over(self, moments: Sequence[dict[str, Tensor]]) -> None:
        """Go on from the moments that the runs have so far, and keep theirs from now on."""
        for name in moments[0]:
            parameter, _, moment = name.rpartition(".")
            own = self._parameters[parameter]
            given = [of[name] for of in moments]
            # AdamW changes its moments in place; steps are counted once for all lanes.
            value = torch.stack(given).view_as(own) if given[0].dim() else given[0]
            self._optimizer.state[own][moment] = value.to(own.device, copy=True)
        for lane, run in enumerate(self._runs):
            run.moments_from(partial(self._moments, lane))

    def _moments(self, lane: int) -> dict[str, Tensor]:
        found = {}
        for name, parameter in self._parameters.items():
            for moment, tensor in self._optimizer.state.get(parameter, {}).items():
                own = tensor[lane] if self._stack and tensor.dim() else tensor
                found[f"{name}.{moment}"] = own.detach().cpu().clone()
        return found

    def _step(self, batch: Batch) -> Tensor:
        """One step of every run: their losses, (runs,)."""
        with self._training(batch) as model:
            losses = batch.losses(batch.states(model, self._layer), self._config)  # (runs,)
            first = self._runs[0]
            if first.kept is not None:
                losses = losses + self._config.keep * first.kept.distance(model, first.taken - 1)
            if losses.requires_grad:
                # A run's weights have a part in its own loss alone, so the sum's gradient is each one's.
                # On this thread: cuBLAS keeps 32 MiB for every thread and stream.
                with torch.autograd.set_multithreading_enabled(False):
                    losses.sum().backward()
            sum_gradients(self._parameters.values())
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
        return losses.detach()

    def _training(self, batch: Batch) -> AbstractContextManager[PreTrainedModel]:
        if self._stack is None:
            return self._loaded.using(self._runs[0].key, training=True)
        lanes = [Lane(*shape, run.generator) for run, shape in zip(self._runs, batch.shapes, strict=True)]
        return self._loaded.using_side_by_side(self._stack, lanes)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """The stream that graphs are made on: one for all runs, as cuBLAS keeps 32 MiB for every stream it has seen."""
    return torch.cuda.Stream(device)


class _Graphs:
    """A step's CUDA graphs, one for each shape of batch.

    The first batch of a shape runs as it is, which also sets up what a graph may not: the optimiser's moments, the
    libraries' workspaces. The second is captured, and from then on batches are copied to where the graph reads. A graph
    has the adapter on inside it, whatever is active on the model when it runs.
    """

    def __init__(self, device: torch.device):
        self._stream = _stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._seen: set[tuple] = set()
        self._captured: dict[tuple, tuple[torch.cuda.CUDAGraph, Batch, Tensor]] = {}

    def run(self, step: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        """Take a step, launched one by one or from a graph; its losses."""
        shapes = tuple(tensor.shape for tensor in batch.tensors())
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            if shapes not in self._seen:
                self._seen.add(shapes)
                loss = step(batch)
            else:
                if shapes not in self._captured:
                    self._captured[shapes] = self._capture(step, batch)
                graph, reads, loss = self._captured[shapes]
                assert reads.memory is not None and batch.memory is not None, "a batch on a GPU lies in one piece"
                reads.memory.copy_(batch.memory)
                graph.replay()
                loss = loss.clone()
        current.wait_stream(self._stream)
        return loss

    def _capture(self, step: Callable[[Batch], Tensor], batch: Batch) -> tuple[torch.cuda.CUDAGraph, Batch, Tensor]:
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile, such as for another visitor's answer.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            loss = step(batch)
        return graph, batch, loss
