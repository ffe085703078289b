"""A fine-tune for the page: the knobs as they arrive, and the run with its measuring, step by step."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.catalogue import check_adapter_name
from tli_core.lint import leaks
from tli_core.pairs import WordPair, parse_pairs, read_pairs, shipped
from tli_core.presets import TrainingConfig, configured
from ui.visitors import Models, OwnAdapter, Visitor

SHIPPED, TYPED, UPLOADED = "the shipped lexicon", "pairs I type", "a file I upload"
MAX_TRAIN_PAIRS = 5000
MAX_SECONDS = 900
MAX_OWN = 12
DRAW_SECONDS = 0.8


@dataclass(frozen=True)
class Knobs:
    """The tab's inputs as they arrive, in the order of the components."""

    model: str
    source: str
    typed: str | None
    uploaded: str | None
    name: str
    preset: str
    shuffled: bool
    epochs: float
    layer: str
    pooling: str
    loss: str
    learning_rate: float
    batch_size: float
    margin: float
    temperature: float
    rank: float
    alpha: float
    dropout: float
    seed: float

    def pairs(self) -> tuple[WordPair, ...]:
        """The pairs to train on.

        Raises:
            ValueError: there are none, or too many.
        """
        if self.source == SHIPPED:
            return shipped("train")
        if self.source == UPLOADED:
            if not self.uploaded:
                raise ValueError("No file has been uploaded: choose one, or train on the shipped lexicon.")
            read = read_pairs(self.uploaded)
        else:
            read = parse_pairs(self.typed or "")
        if len(read) > MAX_TRAIN_PAIRS:
            raise ValueError(f"{len(read)} pairs are more than {MAX_TRAIN_PAIRS}, the most this page trains on.")
        if read.warnings:
            first = read.warnings[0].split(":")[0].lower()
            gr.Warning(f"{len(read.warnings)} entries were left out, the first at {first}.")
        return read.pairs

    def control(self, pairs: Sequence[WordPair]) -> tuple[WordPair, ...]:
        """The shipped control pairs that share no word with the pairs to train on."""
        control = shipped("control")
        leaking = {finding.index for finding in leaks(pairs, control)}
        return tuple(pair for i, pair in enumerate(control) if i not in leaking)

    def config(self) -> TrainingConfig:
        """The run's configuration.

        Raises:
            ValueError: a value is out of range or no number.
        """
        for name, value in vars(self).items():
            if value is None and name not in ("typed", "uploaded"):
                raise ValueError(f"{name.replace('_', ' ').capitalize()} is empty: give it a value.")
        text = str(self.layer).strip().lower()
        if text != "output" and not text.isdecimal():
            raise ValueError(f"The layer is a number or 'output', got {self.layer!r}.")
        return configured(
            self.preset,
            shuffled=bool(self.shuffled),
            epochs=int(self.epochs),
            layer=None if text == "output" else int(text),
            pooling=self.pooling,
            loss=self.loss,
            learning_rate=float(self.learning_rate),
            batch_size=int(self.batch_size),
            margin=float(self.margin),
            temperature=float(self.temperature),
            rank=int(self.rank),
            alpha=int(self.alpha),
            dropout=float(self.dropout),
            seed=int(self.seed),
        )


@dataclass(frozen=True)
class Finished:
    """A run that has ended: its adapter is the visitor's, measured on the control list and on its own pairs."""

    name: str
    model: str
    config: TrainingConfig
    pairs: tuple[WordPair, ...]
    control: tuple[WordPair, ...]
    steps: tuple[core.training.TrainingStep, ...]
    trained: core.training.TrainedAdapter
    evaluations: tuple[core.evaluation.Evaluation, core.evaluation.Evaluation]
    archive: str

    @property
    def early(self) -> str:
        """A remark where the run was stopped before its end, else nothing."""
        return " (stopped early)" if self.trained.record["steps"] < self.trained.record["steps_planned"] else ""


def check_name(visitor: Visitor, model: str, name: str) -> str:
    """A name that a new adapter of this visitor may have.

    Raises:
        ValueError: it cannot name a folder, is taken, or the session is full.
    """
    name = check_adapter_name(name.strip())
    if name in visitor.adapters(model):
        raise ValueError(f"There is already an adapter called {name}: give this one another name.")
    if len(visitor.own) >= MAX_OWN:
        raise ValueError(f"This session already holds {MAX_OWN} adapters: download what you need and reload the page.")
    return name


def train(
    models: Models,
    visitor: Visitor,
    model: str,
    name: str,
    config: TrainingConfig,
    pairs: Sequence[WordPair],
    control: Sequence[WordPair],
    asked: threading.Event,
) -> Iterator[tuple[str, tuple[core.training.TrainingStep, ...]] | Finished]:
    """Train, measure and keep an adapter: (status, steps so far) now and then, and the finished run at the end.

    Raises:
        ValueError: the run was stopped before its first step.
    """
    loaded = models.get(model)
    steps: list[core.training.TrainingStep] = []
    drawn, deadline = 0.0, time.monotonic() + MAX_SECONDS
    trained: core.training.TrainedAdapter | None = None

    def stop() -> bool:
        return asked.is_set() or time.monotonic() > deadline

    with closing(core.training.train_adapter(loaded, pairs, config, control, stop)) as run:
        for item in run:
            if isinstance(item, core.training.TrainedAdapter):
                trained = item
                break
            steps.append(item)
            if time.monotonic() - drawn > DRAW_SECONDS:
                drawn = time.monotonic()
                yield _progress(steps), tuple(steps)
            # Let whoever waits for the model have it between two steps.
            time.sleep(0.001)

    if not trained.record["steps"]:
        raise ValueError("The run was stopped before its first step, so there is nothing to keep.")
    yield "Measuring base and adapter at every layer …", tuple(steps)
    folder = core.cards.save_adapter(trained, Path(tempfile.mkdtemp(prefix="lugha-")), name)
    adapter = loaded.add_adapter(folder)
    visitor.own[name] = OwnAdapter(model, adapter.key, folder, tuple(pairs))
    evaluations = (
        core.evaluation.evaluate(loaded, core.evaluation.CONTROL, control, adapter.key),
        core.evaluation.evaluate(loaded, core.evaluation.TRAINED, pairs, adapter.key),
    )
    core.cards.write_card(folder, trained.record, evaluations)
    archive = shutil.make_archive(str(folder), "zip", folder.parent, name)
    yield Finished(
        name, model, config, tuple(pairs), tuple(control), tuple(steps), trained, evaluations, archive
    )  # fmt: skip


def _progress(steps: list[core.training.TrainingStep]) -> str:
    last = steps[-1]
    left = last.seconds / max(1, last.step) * (last.steps - last.step)
    loss = "" if last.loss is None else f", loss {last.loss:.3f}"
    return f"Step {last.step} of {last.steps}, epoch {last.epoch}{loss}, about {left:.0f} s left."
