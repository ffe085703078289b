"""One fine-tune at work: its data, its LoRA in the model, its checks, its history, and what comes out of it."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from peft import LoraConfig
from torch import Tensor
from torch.nn.functional import normalize

from tli_core.encoding.lens import Lens
from tli_core.encoding.pooled_states import layer_states
from tli_core.encoding.pooling import EncodedWord
from tli_core.encoding.readouts import DEFAULT_READOUT, readout
from tli_core.encoding.tokens import encode_in
from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.pairs import WordPair, pair_digest, translation_table
from tli_core.measures.retrieval import best_rank
from tli_core.measures.trained_list import TRAINED_ON, digests
from tli_core.models.adapter_config import block_of
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import TrainingPairs, batches
from tli_core.training.config import OUTPUT, TrainingConfig, total_steps
from tli_core.training.early_stopping import best_step, checks_since_best, harms_text, parted
from tli_core.training.history import HeldOutCheck, TrainingStep
from tli_core.training.optimizer_step import PendingLoss, RunWeights
from tli_core.training.own_text import KeptTexts, text_loss, write_texts
from tli_core.training.resume import RunState, default_generator, random_states, restore_random

MAX_STEPS = 20_000
CHECKS = 25
"""How often held-out retrieval is measured in a run at most: enough for a curve, few enough to cost little."""


@dataclass(frozen=True)
class TrainedAdapter:
    """The end of a run: LoRA weights as PEFT saves them, their config, and how they came about."""

    lora: LoraConfig
    state: dict[str, Tensor]
    record: dict[str, Any]


@dataclass(frozen=True)
class RunPlan:
    """A run as it is asked for.

    control are held-out pairs, measured now and then at the trained layer and never trained on. stop is asked before
    every step; once it says True the run ends early and keeps what it has learned. keep is given the run's state at
    every check and where it is stopped, to go on from later. resume is a saved state of the same run to go on from; its
    earlier steps are not told again. languages is the key of the pair of languages.
    """

    pairs: Sequence[WordPair]
    config: TrainingConfig
    control: Sequence[WordPair] = ()
    stop: Callable[[], bool] = lambda: False
    keep: Callable[[RunState], None] | None = None
    resume: RunState | None = None
    languages: str = DEFAULT


def blocks_read(config: TrainingConfig, blocks: int, whole: bool = True) -> int:
    """How many blocks, from the first, the loss reads in a model of that many.

    Args:
        whole: whether these are all its blocks, so that the last one is its output.

    Raises:
        ValueError: the model has no such layer.
    """
    if config.layer == OUTPUT and not whole:
        text = N_(
            "Only the first {blocks} blocks are loaded, so the loss cannot read the output: give a layer from 1 to "
            "{blocks}."
        )
        raise ValueError(translate(text, blocks=blocks))
    if config.layer == OUTPUT:
        return blocks
    if config.layer > blocks:
        text = N_("Layer {layer} is beyond this model, whose output is layer {blocks}: choose 1 to {blocks}.")
        raise ValueError(translate(text, layer=config.layer, blocks=blocks))
    return config.layer


def layer_to_train(loaded: LoadedModel, config: TrainingConfig) -> int:
    """The layer that a run's loss reads, by its number.

    Raises:
        ValueError: the model has no such layer, or not all blocks before it are kept in memory.
    """
    layer = blocks_read(config, loaded.blocks, loaded.whole)
    if layer > loaded.resident_blocks:
        text = N_(
            "The loss at layer {layer} reads {layer} blocks, but only the first {kept} are kept in memory: choose "
            "a lower layer, or load the model in fewer bits."
        )
        raise ValueError(translate(text, layer=layer, kept=loaded.resident_blocks))
    return layer


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


def run_bytes(loaded: LoadedModel, config: TrainingConfig) -> int:
    """Bytes that a run keeps on the disk at most: its LoRA in float32, its moments, its best step, and the adapter."""
    layer = blocks_read(config, loaded.blocks, loaded.whole)
    sizes = [
        sum(shape)
        for name, shape in loaded.layout.linear.items()
        if name.endswith(config.targets) and (block_of(name) or 0) < layer
    ]
    copies = 4 + (1 if config.patience else 0)
    return 4 * config.rank * sum(sizes) * copies


class TrainingRun:
    """A run that is on a model, from its first check to its adapter; `close` takes it off."""

    def __init__(self, loaded: LoadedModel, plan: RunPlan, alone: bool):
        """Put a run on a model.

        Args:
            alone: whether no other run goes beside it; if one does, dropout draws from a generator of its own on a CPU.

        Raises:
            ValueError: see `loop.train_adapter`.
        """
        config = plan.config
        self.plan = plan
        self.layer = layer_to_train(loaded, config)
        self._loaded = loaded
        self._pairs, self._choosing = parted(plan.pairs, config, plan.languages)
        own_texts = write_texts(loaded, self._pairs, config.seed) if config.keep or config.in_text else None
        self.data = TrainingPairs.of(loaded, self._pairs, config, own_texts)
        self.steps = total_steps(config, len(self._pairs))
        if self.steps > MAX_STEPS:
            text = N_("{n} steps are more than {most}: use fewer epochs or larger batches.")
            raise ValueError(translate(text, n=self.steps, most=MAX_STEPS))
        if plan.resume and plan.resume.history[-1].steps != self.steps:
            text = N_("The saved state is of a run of {saved} steps, but this one has {steps}.")
            raise ValueError(translate(text, saved=plan.resume.history[-1].steps, steps=self.steps))

        # The order of batches, LoRA's first values and its dropout follow from the seed alone.
        self._lora = lora_config(config, self.layer)
        with loaded.held():  # or whoever draws meanwhile would have a part in it
            torch.manual_seed(config.seed)
            self._key = loaded.new_adapter(self._lora)
            self._draws = default_generator(loaded.device)
            own = not alone and loaded.device.type != "cuda"
            if own:
                self._draws = torch.Generator().set_state(self._draws.get_state())
        try:
            kept = KeptTexts(loaded, own_texts, self.layer) if own_texts and config.keep else None
            self._held_back = own_texts.held_back if own_texts and config.keep else ()
            self._base_loss = _text_loss(loaded, None, self._held_back)
            self.weights = RunWeights(loaded, self._key, config, self.steps, self._draws if own else None, kept)
            self.history: list[TrainingStep] = []
            self._best: dict[str, Tensor] = {}
            if plan.resume:
                self.history += plan.resume.history
                self._best = plan.resume.best
                self.weights.restore(plan.resume.lora, plan.resume.optimizer)
                restore_random(plan.resume.random, self._draws)
            else:
                self.history.append(TrainingStep(0, self.steps, 0, None, 0.0, 0.0, *self._checks()))
        except BaseException:
            self.close()
            raise
        self._began = time.perf_counter() - self.history[-1].seconds
        self._check_every = -(-self.steps // CHECKS)
        self._launched: deque[tuple[int, int, PendingLoss]] = deque()

    def close(self) -> None:
        """Take the run off the model; the base is as it was."""
        self._loaded.drop(self._key)

    def order(self) -> Iterator[tuple[int, list[int]]]:
        """The batches that are still to come: epoch, and indices of pairs."""
        return islice(batches(len(self.data), self.plan.config), self.weights.taken, None)

    def launched(self, epoch: int, loss: PendingLoss, ahead: int) -> Iterator[TrainingStep]:
        """Take note of a step that was launched; those that have ended, all but the last `ahead` of them.

        Raises:
            ValueError: a loss that is no number.
        """
        number = self.weights.taken
        self._launched.append((number, epoch, loss))
        if number % self._check_every and number != self.steps:
            yield from self._finished(ahead)
            return
        yield from self._finished(0, *self._checks())
        if self.plan.config.patience and best_step(self.history) is self.history[-1]:
            self._best = self.weights.lora()
        if self.plan.keep:
            self.plan.keep(self._state())

    @property
    def is_over(self) -> bool:
        """Whether its steps are taken, or early stopping has seen enough."""
        patience = self.plan.config.patience
        waited = (
            patience and self.history[-1].step == self.weights.taken and checks_since_best(self.history) >= patience
        )
        return self.weights.taken == self.steps or bool(waited)

    def end(self) -> Iterator[TrainingStep | TrainedAdapter]:
        """The steps that have not been told yet, and the adapter.

        Raises:
            ValueError: a loss that is no number.
        """
        yield from self._finished(0)
        if self.plan.keep:
            self.plan.keep(self._state())
        weights = self._best or self.weights.lora()
        named = {f"base_model.model.{name}": tensor for name, tensor in weights.items()}
        record = _record(self._loaded, self.plan, self._pairs, self._choosing, self.history)
        yield TrainedAdapter(self._lora, named, record)

    def _finished(self, pending: int, *checked: HeldOutCheck | float | None) -> Iterator[TrainingStep]:
        while len(self._launched) > pending:
            number, epoch, loss = self._launched.popleft()
            last: Any = checked if not self._launched else ()
            seconds = time.perf_counter() - self._began
            found = loss.wait()
            if not math.isfinite(found):
                text = N_(
                    "The loss is no number at step {step}: the run has gone astray. Try a lower learning rate or a "
                    "higher temperature."
                )
                raise ValueError(translate(text, step=number))
            rate = self.weights.rates[number - 1]
            self.history.append(TrainingStep(number, self.steps, epoch, found, rate, seconds, *last))
            yield self.history[-1]

    def _checks(self) -> tuple[HeldOutCheck | None, HeldOutCheck | None, float | None]:
        held_out, chosen_by = (
            _held_out(self._loaded, self._key, of, self.layer, self.plan.config)
            for of in (self.plan.control, self._choosing)
        )
        if not self._held_back:
            return held_out, chosen_by, None
        grown = math.exp(_text_loss(self._loaded, self._key, self._held_back) - self._base_loss)
        return held_out, chosen_by, grown

    def _state(self) -> RunState:
        drawn = random_states(self._draws)
        return RunState(tuple(self.history), self.weights.lora(), self.weights.moments(), drawn, self._best)


def checked_by(config: TrainingConfig) -> str:
    """The readout of a run's checks: the one that it trains on, unless that has BOS in it, which makes words alike."""
    return DEFAULT_READOUT if config.readout == "all" else config.readout


def _text_loss(loaded: LoadedModel, key: str | None, texts: Sequence[EncodedWord]) -> float:
    """The mean loss a token of texts under an adapter, nan where there are none."""
    if not texts:
        return math.nan
    with loaded.using(key) as model:
        return text_loss(model, texts)


@torch.inference_mode()
def _held_out(
    loaded: LoadedModel, key: str, control: Sequence[WordPair], layer: int, config: TrainingConfig
) -> HeldOutCheck | None:
    """Pairs that are not trained on, at the trained layer, read as `checked_by` says; None of fewer than two.

    P@1 is from source to target.
    """
    if len(control) < 2:
        return None
    by = readout(checked_by(config))
    words = encode_in(loaded.tokenizer, [pair.source for pair in control] + [pair.target for pair in control], by)
    with loaded.using(key) as model:
        source, target = normalize(layer_states(model, words, layer, by.pooling), dim=-1).cpu().chunk(2)
    cosines = (source @ target.T).numpy()  # (n, n)
    right = translation_table(control, [pair.target for pair in control])
    return HeldOutCheck(
        matched=float(cosines.diagonal().mean()),
        mismatched=float(cosines[~right].mean()),
        p_at_1=float((best_rank(cosines, right) == 1).mean()),
    )


def _record(
    loaded: LoadedModel,
    plan: RunPlan,
    pairs: Sequence[WordPair],
    choosing: Sequence[WordPair],
    history: Sequence[TrainingStep],
) -> dict[str, Any]:
    """What tli.json says: the base, the settings, the data's size, the step that was kept, and the curves.

    Args:
        pairs: those trained on; choosing: those that chose the step.
    """
    config, lens = plan.config, Lens(plan.languages, plan.config.readout)
    checks = [(step.step, step.check) for step in history if step.check]
    texts = [{"step": step.step, "perplexity_grown": round(step.own_text, 5)} for step in history if step.own_text]
    best = best_step(history)
    return {
        "schema": 1,
        "base": loaded.provenance(None, len(pairs), config.seed, **asdict(lens)).as_dict(),
        "config": asdict(config),
        "blocks_trained": blocks_read(config, loaded.blocks),
        "pairs": len(pairs),
        TRAINED_ON: digests(plan.pairs),
        "control_pairs": len(plan.control),
        "steps": history[-1].step,
        "steps_planned": history[-1].steps,
        **({"kept_step": best.step, "step_chosen_on": [pair_digest(pair) for pair in choosing]} if best else {}),
        **({"text_harmed": True} if best and harms_text(best) else {}),
        "seconds": round(history[-1].seconds, 2),
        "losses": [round(step.loss, 5) for step in history if step.loss is not None],
        "held_out": [{"step": step, **{k: round(v, 5) for k, v in asdict(check).items()}} for step, check in checks],
        **({"own_text": texts} if texts else {}),
    }
