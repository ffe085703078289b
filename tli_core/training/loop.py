"""Targeted Lexical Injection: a contrastive loss on word pairs, and LoRA on the blocks that the loss reads."""

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
from tli_core.models.adapter_config import block_of
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import TrainingPairs, batches
from tli_core.training.config import OUTPUT, TrainingConfig, total_steps
from tli_core.training.early_stopping import best_step, checks_since_best, harms_text, parted
from tli_core.training.history import HeldOutCheck, TrainingStep
from tli_core.training.optimizer_step import PendingLoss, Steps
from tli_core.training.own_text import KeptTexts, text_loss, write_texts
from tli_core.training.resume import RunState, random_states, restore_random

MAX_STEPS = 20_000
CHECKS = 25
"""How often held-out retrieval is measured in a run at most: enough for a curve, few enough to cost little."""


@dataclass(frozen=True)
class TrainedAdapter:
    """The end of a run: LoRA weights as PEFT saves them, their config, and how they came about."""

    lora: LoraConfig
    state: dict[str, Tensor]
    record: dict[str, Any]


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


def train_adapter(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    config: TrainingConfig,
    control: Sequence[WordPair] = (),
    stop: Callable[[], bool] = lambda: False,
    keep: Callable[[RunState], None] | None = None,
    resume: RunState | None = None,
    languages: str = DEFAULT,
) -> Iterator[TrainingStep | TrainedAdapter]:
    """Fine-tune a LoRA on pairs, step by step; the last item is the trained adapter.

    The base is never changed: the adapter is on only inside a step, and is taken off the model when the run ends, is
    closed, or fails. Other users of the model go on between two steps.

    Args:
        control: held-out pairs, measured now and then at the trained layer and never trained on.
        stop: asked before every step; once it says True the run ends early and keeps what it has learned. A GPU is
            one step ahead of the last step yielded, and that step is kept, too.
        keep: given the run's state at every check and where it is stopped, to go on from later.
        resume: a saved state of the same run to continue from; its earlier steps are not yielded again.
        languages: the key of the pair of languages.

    Raises:
        ValueError: too few pairs, too many steps, a layer that the model does not have, a state of another run, too
            few pairs for early stopping, or a loss that is NaN.
    """
    layer = layer_to_train(loaded, config)
    pairs, choosing = parted(pairs, config, languages)
    own_texts = write_texts(loaded, pairs, config.seed) if config.keep or config.in_text else None
    data = TrainingPairs.of(loaded, pairs, config, own_texts)
    steps = total_steps(config, len(pairs))
    if steps > MAX_STEPS:
        text = N_("{n} steps are more than {most}: use fewer epochs or larger batches.")
        raise ValueError(translate(text, n=steps, most=MAX_STEPS))
    if resume and resume.history[-1].steps != steps:
        text = N_("The saved state is of a run of {saved} steps, but this one has {steps}.")
        raise ValueError(translate(text, saved=resume.history[-1].steps, steps=steps))

    # The order of batches, LoRA's first values and its dropout follow from the seed alone.
    torch.manual_seed(config.seed)
    lora = lora_config(config, layer)
    key = loaded.new_adapter(lora)
    try:
        kept = KeptTexts(loaded, own_texts, layer) if own_texts and config.keep else None
        held_back = own_texts.held_back if own_texts and config.keep else ()
        base_loss = _text_loss(loaded, None, held_back)

        def checks() -> tuple[HeldOutCheck | None, HeldOutCheck | None, float | None]:
            held_out, chosen_by = (_held_out(loaded, key, of, layer, config) for of in (control, choosing))
            grown = math.exp(_text_loss(loaded, key, held_back) - base_loss) if held_back else None
            return held_out, chosen_by, grown

        run = Steps(loaded, key, config, layer, steps, kept)
        history: list[TrainingStep] = []
        best: dict[str, Tensor] = {}
        if resume:
            history += resume.history
            best = resume.best
            run.restore(resume.lora, resume.optimizer)
            restore_random(resume.random, loaded.device)
        else:
            history.append(TrainingStep(0, steps, 0, None, 0.0, 0.0, *checks()))
            yield history[0]
        began = time.perf_counter() - history[-1].seconds
        check_every = -(-steps // CHECKS)
        launched: deque[tuple[int, int, PendingLoss]] = deque()

        def finished_steps(pending: int, *checked: HeldOutCheck | float | None) -> Iterator[TrainingStep]:
            while len(launched) > pending:
                number, epoch, loss = launched.popleft()
                last: Any = checked if not launched else ()
                seconds = time.perf_counter() - began
                found = loss.wait()
                if not math.isfinite(found):
                    text = N_(
                        "The loss is no number at step {step}: the run has gone astray. Try a lower learning rate or a "
                        "higher temperature."
                    )
                    raise ValueError(translate(text, step=number))
                history.append(TrainingStep(number, steps, epoch, found, run.rates[number - 1], seconds, *last))
                yield history[-1]

        def state() -> RunState:
            return RunState(tuple(history), run.lora(), run.moments(), random_states(loaded.device), best)

        taken = history[-1].step
        order = islice(batches(len(data), config), taken, None)
        # A GPU is still at the last step while the next batch is made ready.
        for number, (epoch, batch) in enumerate(data.ready(order, loaded.device), taken + 1):
            if stop():
                break
            launched.append((number, epoch, run.take(batch)))
            if number % check_every == 0 or number == steps:
                yield from finished_steps(0, *checks())
                if config.patience and best_step(history) is history[-1]:
                    best = run.lora()
                if keep:
                    keep(state())
                if config.patience and checks_since_best(history) >= config.patience:
                    break
            else:
                yield from finished_steps(run.ahead)
        yield from finished_steps(0)
        if keep:
            keep(state())
        weights = best or run.lora()
        named = {f"base_model.model.{name}": tensor for name, tensor in weights.items()}
        yield TrainedAdapter(lora, named, _record(loaded, config, pairs, control, choosing, history, languages))
    finally:
        loaded.drop(key)


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
    config: TrainingConfig,
    pairs: Sequence[WordPair],
    control: Sequence[WordPair],
    choosing: Sequence[WordPair],
    history: Sequence[TrainingStep],
    languages: str,
) -> dict[str, Any]:
    """What tli.json says: the base, the settings, the data's size, the step that was kept, and the curves."""
    checks = [(step.step, step.check) for step in history if step.check]
    texts = [{"step": step.step, "perplexity_grown": round(step.own_text, 5)} for step in history if step.own_text]
    best = best_step(history)
    return {
        "schema": 1,
        "base": loaded.provenance(None, len(pairs), config.seed, **asdict(Lens(languages, config.readout))).as_dict(),
        "config": asdict(config),
        "blocks_trained": blocks_read(config, loaded.blocks),
        "pairs": len(pairs),
        "control_pairs": len(control),
        "steps": history[-1].step,
        "steps_planned": history[-1].steps,
        **({"kept_step": best.step, "step_chosen_on": [pair_digest(pair) for pair in choosing]} if best else {}),
        **({"text_harmed": True} if best and harms_text(best) else {}),
        "seconds": round(history[-1].seconds, 2),
        "losses": [round(step.loss, 5) for step in history if step.loss is not None],
        "held_out": [{"step": step, **{k: round(v, 5) for k, v in asdict(check).items()}} for step, check in checks],
        **({"own_text": texts} if texts else {}),
    }
