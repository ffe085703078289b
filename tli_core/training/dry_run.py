"""Dry run: the first loss, time and memory of a fine-tune, estimated from a few batches without training."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.pairs import WordPair
from tli_core.models import architecture
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import TrainingPairs, batches
from tli_core.training.config import TrainingConfig, total_steps
from tli_core.training.early_stopping import parted
from tli_core.training.losses import hinges
from tli_core.training.own_text import KeptTexts, write_texts
from tli_core.training.run import blocks_read, lora_config

SAMPLED_BATCHES = 12
TIMED_STEPS = 2
OPTIMIZER_COPIES = 4
"""A LoRA weight in training: itself, its gradient, and AdamW's two moments, all float32."""


@dataclass(frozen=True)
class DryRun:
    """What is known of a run before it begins.

    first_loss: mean over a few batches, before any step; `idle_loss` is the loss when all cosines are equal:
        the margin for the triplet loss, ln(batch) for the contrastive one.
    active: share of triplets with a hinge above 0, and so with a gradient; 1 for the contrastive loss.
    hardest_gap: mean cosine of the right pair minus that of its hardest negative.
    gradient: norm of the first gradient over all LoRA weights.
    weights_bytes: the blocks that run; training_bytes: LoRA with its optimiser, and what one step keeps for its
        gradient.
    """

    first_loss: float
    idle_loss: float
    active: float
    hardest_gap: float
    gradient: float
    steps: int
    seconds: float
    weights_bytes: int
    training_bytes: int


def dry_run(loaded: LoadedModel, pairs: Sequence[WordPair], config: TrainingConfig, languages: str = DEFAULT) -> DryRun:
    """Try a few batches of a run and throw everything away; the model stays as it was.

    Raises:
        ValueError: too few pairs, or a layer that the model does not have.
    """
    layer = blocks_read(config, loaded.blocks, loaded.whole)
    training = parted(pairs, config, languages)[0]
    own_texts = write_texts(loaded, training, config.seed) if config.keep or config.in_text else None
    kept = KeptTexts(loaded, own_texts, layer) if own_texts and config.keep else None
    data = TrainingPairs.of(loaded, training, config, own_texts)
    first = islice(batches(len(data), config), SAMPLED_BATCHES)
    sampled = [batch for _, batch in data.ready(first, loaded.device)]
    torch.manual_seed(config.seed)
    key = loaded.new_adapter(lora_config(config, layer))
    try:
        with loaded.using(key) as model:
            weights = sum(_size(p) for block in architecture.blocks(model)[:layer] for p in block.parameters())
            parameters = [p for name, p in model.named_parameters() if f".{key}." in name]
            losses, opened, apart = [], [], []
            with torch.inference_mode():
                for batch in sampled:
                    states = batch.states(model, layer)
                    losses.append(float(batch.losses(states, config)))
                    (anchors, positives), same = states[0], batch.same[0].to(states[0][0].device)
                    matched = cosine_similarity(anchors, positives, dim=-1)  # (b,)
                    # With margin 2 the hinge is never clipped, so this is the cosine of the hardest negative.
                    hardest = hinges(anchors, positives, 2.0, same) - 2.0 + matched  # (b,)
                    apart.append(float((matched - hardest).mean()))
                    if config.loss == "triplet":
                        closed = hinges(anchors, positives, config.margin, same) == 0
                        opened.append(1 - float(closed.float().mean()))
        with loaded.using(key, training=True) as model:
            saved = _SavedTensorBytes(model.parameters())
            seconds, gradient = [], 0.0
            for batch in (sampled * TIMED_STEPS)[:TIMED_STEPS]:
                began = time.perf_counter()
                with torch.autograd.graph.saved_tensors_hooks(saved.count, lambda tensor: tensor):
                    loss = batch.losses(batch.states(model, layer), config).sum()
                    if kept is not None:
                        loss = loss + config.keep * kept.distance(model, 0)
                loss.backward()
                gradient = math.sqrt(sum(float(p.grad.square().sum()) for p in parameters if p.grad is not None))
                for parameter in parameters:
                    parameter.grad = None
                seconds.append(time.perf_counter() - began)
    finally:
        loaded.drop(key)
    steps = total_steps(config, len(data))
    return DryRun(
        first_loss=sum(losses) / len(losses),
        idle_loss=config.margin if config.loss == "triplet" else math.log(min(config.batch_size, len(data))),
        active=sum(opened) / len(opened) if opened else 1.0,
        hardest_gap=sum(apart) / len(apart),
        gradient=gradient,
        steps=steps,
        # The minimum, because the first step includes one-time setup.
        seconds=min(seconds) * steps,
        weights_bytes=weights,
        training_bytes=OPTIMIZER_COPIES * sum(_size(p) for p in parameters) + saved.bytes // TIMED_STEPS,
    )


class _SavedTensorBytes:
    """Counts the bytes that autograd keeps for the backward pass, weights left out and shared storage once."""

    def __init__(self, parameters: Iterable[Tensor]):
        self.bytes = 0
        self._seen = {p.untyped_storage().data_ptr() for p in parameters}

    def count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor


def _size(parameter: Tensor) -> int:
    return parameter.numel() * parameter.element_size()
