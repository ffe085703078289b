"""Targeted Lexical Injection: a contrastive loss on word pairs, and LoRA on the blocks that the loss reads."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu
from transformers import PreTrainedModel, get_linear_schedule_with_warmup

from .alignment import best_rank
from .embeddings import POOLINGS, encode, layer_states
from .model import LoadedModel
from .packing import EncodedWord
from .pairs import WordPair, listed_translations, normalise, translation_table
from .parallel import gathered, own_part, sum_gradients

LOSSES = ("triplet", "contrastive")
MAX_STEPS = 20_000
CHECKS = 25
"""How often held-out retrieval is measured in a run: enough for a curve, few enough to cost little."""


@dataclass(frozen=True)
class TrainingConfig:
    """Every knob of a fine-tune.

    layer: whose states the loss reads; None is the output. Only blocks before it run and carry LoRA.
    pooling: how a word's tokens become its vector, see `embeddings.POOLINGS`.
    loss: `triplet` (margin, hardest in-batch negative) or `contrastive` (symmetric InfoNCE at a temperature).
    """

    preset: str
    layer: int | None
    pooling: str
    loss: str
    margin: float
    temperature: float
    batch_size: int
    epochs: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    rank: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]
    seed: int = 0
    shuffled: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.pooling in POOLINGS, f"pooling must be one of {', '.join(POOLINGS)}, got {self.pooling!r}"),
            (self.loss in LOSSES, f"loss must be one of {', '.join(LOSSES)}, got {self.loss!r}"),
            (
                self.batch_size >= 2,
                f"batch size must be at least 2, as negatives come from the batch; got {self.batch_size}",
            ),
            (1 <= self.epochs <= 1000, f"epochs must be 1 to 1000, got {self.epochs}"),
            (0 < self.learning_rate < 1, f"learning rate must be between 0 and 1, got {self.learning_rate}"),
            (1 <= self.rank <= 256, f"rank must be 1 to 256, got {self.rank}"),
            (0 < self.temperature <= 10, f"temperature must be above 0 and at most 10, got {self.temperature}"),
            (0 <= self.margin <= 2, f"margin must be 0 to 2, got {self.margin}"),
            (0 <= self.dropout < 1, f"dropout must be at least 0 and below 1, got {self.dropout}"),
            (
                self.layer is None or self.layer >= 1,
                f"layer must be 1 or more, as layer 0 has no block; got {self.layer}",
            ),
        )
        for good, sentence in checks:
            if not good:
                raise ValueError(f"{sentence[0].upper()}{sentence[1:]}.")


PRESETS = {
    # arXiv 2506.15415 and its code: layer 2, BOS averaged in, hardest negative of a batch of 8.
    "published": TrainingConfig(
        preset="published",
        layer=2,
        pooling="all",
        loss="triplet",
        margin=0.4,
        temperature=1.0,
        batch_size=8,
        epochs=5,
        learning_rate=2e-4,
        warmup_steps=50,
        weight_decay=0.01,
        rank=16,
        alpha=32,
        dropout=0.05,
        targets=("q_proj", "v_proj"),
    ),
    # Words only, every other pair of a large batch as a negative in both directions, read where the model answers.
    "corrected": TrainingConfig(
        preset="corrected",
        layer=None,
        pooling="words",
        loss="contrastive",
        margin=0.0,
        temperature=0.05,
        batch_size=128,
        epochs=8,
        learning_rate=1e-3,
        warmup_steps=10,
        weight_decay=0.01,
        rank=16,
        alpha=32,
        dropout=0.05,
        targets=("q_proj", "v_proj"),
    ),
}


@dataclass(frozen=True)
class HeldOutCheck:
    """How the held-out pairs stand at the trained layer, words pooled: the curve that tells learning from collapse."""

    matched: float
    mismatched: float
    p_at_1: float


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step; `check` is there at the start (step 0, no loss yet), now and then, and at the end."""

    step: int
    steps: int
    epoch: int
    loss: float | None
    learning_rate: float
    seconds: float
    check: HeldOutCheck | None = None


@dataclass(frozen=True)
class TrainedAdapter:
    """The end of a run: LoRA weights as PEFT saves them, their config, and how they came about."""

    lora: LoraConfig
    state: dict[str, Tensor]
    record: dict[str, Any]


def triplet_loss(anchors: Tensor, positives: Tensor, margin: float, same: Tensor | None = None) -> Tensor:
    """Mean of `hinges`: (b, d), (b, d) -> (). The published loss."""
    return hinges(anchors, positives, margin, same).mean()


def hinges(anchors: Tensor, positives: Tensor, margin: float, same: Tensor | None = None) -> Tensor:
    """relu(margin + hardest in-batch negative − positive) over cosines: (b, d), (b, d) -> (b,).

    Anchors are Swahili, positives and negatives English.

    Args:
        same: (b, b) boolean, True where positive j is also a right translation of anchor i; such pairs are not used
            as negatives.
    """
    cosines = normalize(anchors, dim=-1) @ normalize(positives, dim=-1).T  # (b, b)
    matched = cosines.diagonal()  # (b,)
    own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    hardest = cosines.masked_fill(own if same is None else own | same, -torch.inf).amax(dim=1)  # (b,)
    return relu(margin + hardest - matched)


def contrastive_loss(anchors: Tensor, positives: Tensor, temperature: float, same: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE over cosines: (b, d), (b, d) -> ().

    Args:
        same: as in `hinges`.
    """
    cosines = normalize(anchors, dim=-1) @ normalize(positives, dim=-1).T / temperature  # (b, b)
    if same is not None:
        own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
        cosines = cosines.masked_fill(same & ~own, -torch.inf)
    target = torch.arange(len(cosines), device=cosines.device)
    return (cross_entropy(cosines, target) + cross_entropy(cosines.T, target)) / 2


def shuffled_translations(pairs: Sequence[WordPair], seed: int) -> tuple[WordPair, ...]:
    """The control: the same words, every Swahili word with the English of another pair.

    Raises:
        ValueError: fewer than two distinct translations, so that nothing can be shuffled.
    """
    if len({pair.english for pair in pairs}) < 2:
        raise ValueError("Shuffling needs at least two different translations: add pairs.")
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    # Each pair takes the English of the next in a random cycle, so that none keeps its own.
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    return tuple(WordPair(pair.swahili, pairs[following[i]].english) for i, pair in enumerate(pairs))


def blocks_read(config: TrainingConfig, blocks: int, whole: bool = True) -> int:
    """How many blocks, from the first, the loss reads in a model of that many.

    Args:
        whole: whether these are all its blocks, so that the last one is its output.

    Raises:
        ValueError: the model has no such layer.
    """
    if config.layer is None and not whole:
        raise ValueError(
            f"Only the first {blocks} blocks are loaded, so the loss cannot read the output: give a layer from 1 to "
            f"{blocks}."
        )
    if config.layer is None:
        return blocks
    if config.layer > blocks:
        raise ValueError(
            f"Layer {config.layer} is beyond this model, whose output is layer {blocks}: choose 1 to {blocks}."
        )
    return config.layer


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs ready to train on: both sides' tokens, and which English strings are right for each Swahili word.

    english_id numbers the distinct English strings; listed[i] are the numbers of those that are right for pair i.
    """

    swahili: tuple[EncodedWord, ...]
    english: tuple[EncodedWord, ...]
    english_id: tuple[int, ...]
    listed: tuple[frozenset[int], ...]

    @classmethod
    def of(cls, loaded: LoadedModel, pairs: Sequence[WordPair], config: TrainingConfig) -> "TrainingPairs":
        """Tokenise the pairs, shuffled first where the config says so.

        Raises:
            ValueError: fewer than two pairs.
        """
        if len(pairs) < 2:
            raise ValueError(
                f"A fine-tune needs at least two pairs, got {len(pairs)}: negatives come from the other pairs."
            )
        pairs = shuffled_translations(pairs, config.seed) if config.shuffled else tuple(pairs)
        numbers: dict[str, int] = {}
        english_id = tuple(numbers.setdefault(normalise(pair.english), len(numbers)) for pair in pairs)
        right = listed_translations(pairs)
        listed = (right[normalise(pair.swahili)] for pair in pairs)
        return cls(
            tuple(encode(loaded.tokenizer, [pair.swahili for pair in pairs])),
            tuple(encode(loaded.tokenizer, [pair.english for pair in pairs])),
            english_id,
            tuple(frozenset(numbers[english] for english in words if english in numbers) for words in listed),
        )

    def __len__(self) -> int:
        return len(self.swahili)

    def same(self, batch: Sequence[int]) -> Tensor:
        """(b, b) boolean: True where the English of pair j is a right translation of pair i's Swahili as well."""
        places: dict[int, list[int]] = {}
        for column, j in enumerate(batch):
            places.setdefault(self.english_id[j], []).append(column)
        table = torch.zeros(len(batch), len(batch), dtype=torch.bool)
        for row, i in enumerate(batch):
            for number in self.listed[i]:
                table[row, places.get(number, [])] = True
        return table

    def states(self, model: PreTrainedModel, batch: Sequence[int], layer: int, pooling: str) -> tuple[Tensor, Tensor]:
        """Anchors and positives of a batch of b pairs: (b, d) each, with their gradient.

        Of several processes each embeds its own part of the batch, and all see the whole.
        """
        part = own_part(batch)
        words = [self.swahili[i] for i in part] + [self.english[i] for i in part]
        # More processes than pairs: this one has nothing to embed.
        nothing = torch.zeros(0, model.config.hidden_size, device=model.device)
        states = layer_states(model, words, layer, pooling) if words else nothing
        anchors, positives = states[: len(part)], states[len(part) :]
        return gathered(anchors, len(batch)), gathered(positives, len(batch))

    def loss(self, model: PreTrainedModel, batch: Sequence[int], layer: int, config: TrainingConfig) -> Tensor:
        """The loss of a batch, ()."""
        return self.loss_of(*self.states(model, batch, layer, config.pooling), batch, config)

    def loss_of(self, anchors: Tensor, positives: Tensor, batch: Sequence[int], config: TrainingConfig) -> Tensor:
        """The loss of a batch whose states are known: (b, d), (b, d) -> ()."""
        same = self.same(batch).to(anchors.device)
        if config.loss == "triplet":
            return triplet_loss(anchors, positives, config.margin, same)
        return contrastive_loss(anchors, positives, config.temperature, same)


def lora_config(config: TrainingConfig, layer: int) -> LoraConfig:
    """LoRA on the blocks before a layer: the only ones that a loss there can reach."""
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        layers_to_transform=list(range(layer)),
        layers_pattern="layers",
        bias="none",
        task_type="CAUSAL_LM",
    )


def total_steps(config: TrainingConfig, n: int) -> int:
    """Optimiser steps of a run over n pairs."""
    return config.epochs * len(_batch_slices(n, config.batch_size))


def train_adapter(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    config: TrainingConfig,
    control: Sequence[WordPair] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[TrainingStep | TrainedAdapter]:
    """Fine-tune a fresh LoRA on pairs, step by step; the last item is the trained adapter.

    The base is never changed: the adapter is on only inside a step, and is taken off the model when the run ends, is
    closed, or fails. Other users of the model go on between two steps.

    Args:
        control: held-out pairs, measured now and then at the trained layer and never trained on.
        stop: asked before every step; once it says True the run ends early and keeps what it has learned.

    Raises:
        ValueError: too few pairs, too many steps, or a layer that the model does not have.
    """
    layer = blocks_read(config, loaded.blocks, loaded.whole)
    data = TrainingPairs.of(loaded, pairs, config)
    steps = total_steps(config, len(pairs))
    if steps > MAX_STEPS:
        raise ValueError(f"{steps} steps are more than {MAX_STEPS}: use fewer epochs or larger batches.")

    # The order of batches, LoRA's first values and its dropout follow from the seed alone.
    torch.manual_seed(config.seed)
    lora = lora_config(config, layer)
    key = loaded.new_adapter(lora)
    began = time.perf_counter()
    history: list[TrainingStep] = []
    try:
        with loaded.using(key) as model:
            parameters = [p for name, p in model.named_parameters() if f".{key}." in name]
        optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
        schedule = get_linear_schedule_with_warmup(optimizer, min(config.warmup_steps, steps // 2), steps)
        check_every = max(1, steps // CHECKS)
        start = TrainingStep(0, steps, 0, None, 0.0, 0.0, _held_out(loaded, key, control, layer))
        history.append(start)
        yield start
        for number, (epoch, batch) in enumerate(batches(len(data), config), 1):
            if stop():
                break
            learning_rate = schedule.get_last_lr()[0]
            with loaded.using(key, training=True) as model:
                loss = data.loss(model, batch, layer, config)
                if loss.requires_grad:
                    loss.backward()
                sum_gradients(parameters)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
            check = _held_out(loaded, key, control, layer) if number % check_every == 0 or number == steps else None
            step = TrainingStep(
                number, steps, epoch, float(loss.detach()), learning_rate, time.perf_counter() - began, check
            )
            history.append(step)
            yield step
        with loaded.using(key) as model:
            state = get_peft_model_state_dict(model, adapter_name=key)
            state = {f"base_model.model.{name}": tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        yield TrainedAdapter(lora, state, _record(loaded, config, pairs, control, history))
    finally:
        loaded.drop(key)


def _batch_slices(n: int, batch_size: int) -> list[slice]:
    """Slices of a shuffled epoch; a last batch of one pair has no negative and is left out."""
    starts = range(0, n, batch_size)
    return [slice(start, start + batch_size) for start in starts if min(n, start + batch_size) - start >= 2]


def batches(n: int, config: TrainingConfig) -> Iterator[tuple[int, list[int]]]:
    """The run's batches in order: (epoch, indices of pairs), shuffled anew each epoch from the seed."""
    shuffler = random.Random(config.seed)
    for epoch in range(1, config.epochs + 1):
        order = list(range(n))
        shuffler.shuffle(order)
        for part in _batch_slices(n, config.batch_size):
            yield epoch, order[part]


@torch.inference_mode()
def _held_out(loaded: LoadedModel, key: str, control: Sequence[WordPair], layer: int) -> HeldOutCheck | None:
    """The held-out pairs at the trained layer: matched, mismatched and P@1 from Swahili to English."""
    if len(control) < 2:
        return None
    words: list[EncodedWord] = encode(loaded.tokenizer, [p.swahili for p in control] + [p.english for p in control])
    with loaded.using(key) as model:
        swahili, english = normalize(layer_states(model, words, layer, "words"), dim=-1).cpu().chunk(2)
    cosines = (swahili @ english.T).numpy()  # (n, n)
    right = translation_table(control, [pair.english for pair in control])
    return HeldOutCheck(
        matched=float(cosines.diagonal().mean()),
        mismatched=float(cosines[~right].mean()),
        p_at_1=float((best_rank(cosines, right) == 1).mean()),
    )


def _record(
    loaded: LoadedModel,
    config: TrainingConfig,
    pairs: Sequence[WordPair],
    control: Sequence[WordPair],
    history: Sequence[TrainingStep],
) -> dict[str, Any]:
    """What tli.json says: the base, the knobs, the data's size, and the curves."""
    checks = [(step.step, step.check) for step in history if step.check]
    return {
        "schema": 1,
        "base": loaded.provenance(None, config.pooling, len(pairs), config.seed).as_dict(),
        "config": asdict(config),
        "blocks_trained": blocks_read(config, loaded.blocks),
        "pairs": len(pairs),
        "control_pairs": len(control),
        "steps": history[-1].step,
        "steps_planned": history[-1].steps,
        "seconds": round(history[-1].seconds, 2),
        "losses": [round(step.loss, 5) for step in history if step.loss is not None],
        "held_out": [{"step": step, **{k: round(v, 5) for k, v in asdict(check).items()}} for step, check in checks],
    }


def configured(preset: str, **changes: Any) -> TrainingConfig:
    """A preset with some knobs changed.

    Raises:
        ValueError: there is no such preset, or a value is out of range.
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no preset {preset!r}: choose {' or '.join(PRESETS)}.")
    return replace(PRESETS[preset], **changes)
