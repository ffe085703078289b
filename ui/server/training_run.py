"""A fine-tune for the page: the settings as they arrive, and the run with its measuring, step by step."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs, read_pairs
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.leaks import leaks_of
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.out_of_memory import memory_sentence
from tli_core.training.config import SETTINGS, TrainingConfig
from tli_core.training.presets import configured
from ui.server.cancel import StopFlag
from ui.server.gpu import on_gpu
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models
from ui.widgets.errors import remark_first

SHIPPED, TYPED, UPLOADED = N_("the shipped lexicon"), N_("pairs I type"), N_("a file I upload")
DRAW_SECONDS = 1.2
SECONDS_A_STEP = 0.1
"""On a lent GPU, held-out checks included; asking for too long costs a visitor's quota, too short ends the run."""

STATE, STOP = "state.safetensors", "stop"
NOTHING_LEARNED = N_("The run was stopped before its first step, so there is nothing to keep.")
DISK_ERROR = N_(
    "The server could not write to its disk. What was learned up to the last check, if there was one, is kept."
)
OUR_ERROR = N_("The run ended with an error of ours; the server's log has it.")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingRequest:
    """What a visitor asks for, as the form gives it: nothing of it is checked yet."""

    model: str
    languages: str
    source: str
    typed: str | None
    uploaded: str | None
    name: str | None
    preset: str
    settings: Mapping[str, Any]

    def pairs(self) -> tuple[WordPair, ...]:
        """The pairs to train on.

        Raises:
            ValueError: there are none.
        """
        if self.source == SHIPPED:
            return shipped_to_train(self.languages)
        if self.source == UPLOADED:
            if not self.uploaded:
                raise ValueError(translate("No file has been uploaded: choose one, or train on the shipped lexicon."))
            read = read_pairs(self.uploaded, self.languages)
        else:
            read = parse_pairs(self.typed or "", self.languages)
        remark_first(read.warnings)
        return read.pairs

    def config(self) -> TrainingConfig:
        """The run's configuration.

        Raises:
            ValueError: a value is out of range or no number.
        """
        for name, value in self.settings.items():
            if value is None:
                raise ValueError(
                    translate("{setting} is empty: give it a value.", setting=translate(SETTINGS[name].label))
                )
        return configured(self.preset, **self.settings)


def shipped_to_train(languages: str) -> tuple[WordPair, ...]:
    """The shipped pairs of two languages to train on.

    Raises:
        ValueError: none ship.
    """
    return _ship(languages, "train", N_("No pairs of {source} and {target} to train on ship here: type yours."))


def _ship(languages: str, split: str, refusal: str) -> tuple[WordPair, ...]:
    pairs = shipped(split, languages)
    if not pairs:
        source, target = map(translate, language_pair(languages).names)
        raise ValueError(translate(refusal, source=source, target=target))
    return pairs


def held_out(pairs: Sequence[WordPair], languages: str = DEFAULT) -> tuple[WordPair, ...]:
    """The shipped control pairs of two languages that share no word with the pairs to train on.

    Raises:
        ValueError: none ship, so that nothing could judge a run.
    """
    text = N_(
        "No control pairs of {source} and {target} ship with this page, so nothing could judge the run: choose other "
        "languages, or train on the command line with --control."
    )
    control = _ship(languages, "control", text)
    leaking = {index for index, _ in leaks_of(pairs, control, languages)}
    return tuple(pair for i, pair in enumerate(control) if i not in leaking)


@dataclass(frozen=True)
class RunRequest:
    """What was asked for: everything that a run follows from.

    of: the id of the run that this one is the shuffled control of, if it is one. languages: the key of the pair's.
    """

    name: str
    model: str
    config: TrainingConfig
    pairs: tuple[WordPair, ...]
    control: tuple[WordPair, ...]
    of: str | None = None
    languages: str = DEFAULT


def control_of(request: RunRequest, run: str, name: str) -> RunRequest:
    """The shuffled control of a run: the same on wrong translations.

    Args:
        run: the run's id.

    Raises:
        ValueError: its translations cannot be shuffled.
    """
    core.training.batches.shuffled_translations(request.pairs, request.config.seed)
    return replace(request, name=name, config=replace(request.config, shuffled=True), of=run)


@dataclass(frozen=True)
class Work:
    """A run to be done, the folder that keeps its state, and the seconds that it may take from its first step on.

    A run that finds a state in its folder goes on from it.
    """

    request: RunRequest
    folder: Path
    seconds: float

    def plan(self) -> core.training.run.RunPlan:
        """The run as it is trained, until a file named STOP is in its folder or its time is over.

        Raises:
            ValueError: its state is damaged.
        """
        state, stop, asked = self.folder / STATE, StopFlag(self.folder / STOP), self.request
        began: list[float] = []

        def is_over() -> bool:
            if not began:
                began.append(time.monotonic())
            return stop.is_set() or time.monotonic() - began[0] > self.seconds

        return core.training.run.RunPlan(
            asked.pairs,
            asked.config,
            asked.control,
            stop=is_over,
            keep=lambda found: found.save(state),
            resume=core.training.resume.RunState.load(state) if state.exists() else None,
            languages=asked.languages,
        )


@dataclass(frozen=True)
class Astray:
    """A run that has come to nothing, or to nothing more, and why; fault: not for what was asked of it."""

    sentence: str
    fault: bool = False


def astray(error: Exception, name: str) -> Astray:
    """What becomes of a run that raises."""
    return Astray(sentence_of(error, name), fault=not isinstance(error, ValueError))


def sentence_of(error: Exception, name: str) -> str:
    """What went wrong with a run, for the visitor; what is not for them to mend is logged."""
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, OSError):
        _LOG.error("The run %s could not be kept: %s", name, error)
        return DISK_ERROR
    told = memory_sentence(error)
    if told is None:
        _LOG.error("The run %s has failed", name, exc_info=error)
    return told or OUR_ERROR


@dataclass(frozen=True)
class Saved:
    """A run whose adapter is on the disk and not measured yet; stopped: somebody or the clock ended it early."""

    folder: Path
    stopped: bool


@dataclass(frozen=True)
class Finished:
    """A run that has ended, by itself or stopped: its adapter, measured on the control list and on its own pairs."""

    request: RunRequest
    folder: Path
    record: dict[str, Any]
    evaluations: tuple[core.measures.before_after.Evaluation, core.measures.before_after.Evaluation]

    @property
    def early(self) -> str:
        """A remark where the run ended before its last step, else nothing."""
        steps, planned = self.record["steps"], self.record["steps_planned"]
        if steps == planned:
            return ""
        if kept := self.record.get("kept_step"):
            return translate(" (ended early, step {step} kept)", step=kept)
        return translate(" (stopped at step {step} of {planned})", step=steps, planned=planned)


def seconds_to_train(models: Models, model: str, works: Sequence[Work]) -> int:
    """For how long runs ask for a GPU: what their steps may take, with loading and measuring."""
    steps = 0
    for request in (work.request for work in works):
        training, _ = core.training.early_stopping.parted(request.pairs, request.config, request.languages)
        steps += core.training.config.total_steps(request.config, len(training))
    return int(min(sum(work.seconds for work in works), 30 + SECONDS_A_STEP * steps))


@on_gpu(seconds_to_train)
def train(
    models: Models, model: str, works: Sequence[Work]
) -> Iterator[tuple[int, tuple[core.training.history.TrainingStep, ...] | str | Saved | Finished | Astray]]:
    """Train runs side by side, and keep and measure their adapters.

    Args:
        works: runs of one base. A file named STOP in a run's folder ends it: it is seen in another process, too.

    Returns:
        the number of a run, and what is new of it: its steps so far now and then, what follows them, and its end.
    """
    loaded, plans = models.get(model), {}
    for number, work in enumerate(works):
        try:
            check_tokens(loaded, work.request.pairs, work.request.control)
            plans[number] = work.plan()
        except ValueError as error:
            yield number, Astray(str(error))
    numbers = list(plans)
    steps = {number: list(plan.resume.history) if plan.resume else [] for number, plan in plans.items()}
    drawn = dict.fromkeys(numbers, 0.0)
    training = core.training.loop.train_together(loaded, list(plans.values()))
    with closing(training):
        for place, item in training:
            number = numbers[place]
            if isinstance(item, Exception):
                yield number, astray(item, works[number].request.name)
            elif isinstance(item, core.training.run.TrainedAdapter):
                yield number, tuple(steps[number])
                yield from ((number, found) for found in _kept(models, item, works[number]))
            else:
                steps[number].append(item)
                if time.monotonic() - drawn[number] > DRAW_SECONDS:
                    drawn[number] = time.monotonic()
                    yield number, tuple(steps[number])
                # Let whoever waits for the model have it between two steps.
                time.sleep(0.001)


def _kept(
    models: Models, trained: core.training.run.TrainedAdapter, work: Work
) -> Iterator[str | Saved | Finished | Astray]:
    """Save a trained adapter, and measure it."""
    if not trained.record["steps"]:
        yield Astray(NOTHING_LEARNED)
        return
    try:
        saved = _save(trained, work)
        yield saved
        yield N_("Measuring base and adapter at every layer …")
        yield measured_run(models, work.request, saved.folder, trained.record)
    except Exception as error:  # an error of one run must not end the other
        yield astray(error, work.request.name)


def _save(trained: core.training.run.TrainedAdapter, work: Work) -> Saved:
    # A folder for every end, so that a resumed run's adapter is never taken for the earlier one.
    ended_at, record = work.folder / f"step-{trained.record['steps']}", trained.record
    shutil.rmtree(ended_at, ignore_errors=True)
    target = core.reports.model_card.save_adapter(trained, ended_at, work.request.name)
    return Saved(target, record["steps"] < record["steps_planned"] and not record.get("kept_step"))


@on_gpu(60)
def measured_run(models: Models, request: RunRequest, target: Path, record: dict[str, Any]) -> Finished:
    """A trained adapter measured against its base on both lists, its card written anew."""
    loaded, key = models.get(request.model), models.adapter_key(request.model, target)
    lens, lists = Lens(request.languages), core.measures.before_after
    control, trained = (
        lists.evaluate(loaded, name, pairs, key, loaded.last_layer, lens=lens)
        for name, pairs in ((lists.CONTROL, request.control), (lists.TRAINED, request.pairs))
    )
    evaluations = (control, trained)
    core.reports.model_card.write_card(target, record, evaluations)
    return Finished(request, target, record, evaluations)


def archive(folder: Path, into: Path) -> str:
    """An adapter's folder as a zip file in another folder, made anew."""
    return shutil.make_archive(str(into / folder.name), "zip", folder.parent, folder.name)


@on_gpu(60)
def pilot_on_server(
    models: Models, model: str, pairs: Sequence[WordPair], seed: int, languages: str
) -> core.measures.pilot.Pilot:
    """The published pilot on a base."""
    loaded = models.get(model)
    check_tokens(loaded, pairs)
    return core.measures.pilot.run_pilot(loaded, pairs, seed=seed, languages=languages)


@on_gpu(60)
def dry_run_on_server(
    models: Models, model: str, pairs: Sequence[WordPair], config: TrainingConfig, languages: str
) -> core.training.dry_run.DryRun:
    """The dry run of a fine-tune."""
    loaded = models.get(model)
    check_tokens(loaded, pairs)
    return core.training.dry_run.dry_run(loaded, pairs, config, languages)
