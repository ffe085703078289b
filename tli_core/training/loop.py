"""Targeted Lexical Injection: a contrastive loss on word pairs, and LoRA on the blocks that the loss reads.

A run goes alone, or several side by side: a step on a small batch waits for the base's weights, so the steps of other
seeds, and of the shuffled control, cost little more in the same pass.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from tli_core.distributed import processes
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.pairs import WordPair
from tli_core.models.loaded_model import LoadedModel
from tli_core.training.batches import ready_together
from tli_core.training.config import TrainingConfig
from tli_core.training.history import TrainingStep
from tli_core.training.optimizer_step import Steps
from tli_core.training.resume import RunState
from tli_core.training.run import RunPlan, TrainedAdapter, TrainingRun

WORDS_IN_A_PASS = 384
"""The most words in a step of runs that go side by side: with more a step waits for arithmetic, and on two CPU cores it
took up to a twelfth longer than one run after the other."""


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
    closed, or fails. Other users of the model go on between two steps. A GPU is some steps ahead of the last one
    yielded where the run is stopped, and those are kept, too.

    Args:
        control, stop, keep, resume, languages: as in `RunPlan`.

    Raises:
        ValueError: too few pairs, too many steps, a layer that the model does not have, a state of another run, too
            few pairs for early stopping, or a loss that is NaN.
    """
    plan = RunPlan(pairs, config, control, stop, keep, resume, languages)
    with closing(train_together(loaded, [plan])) as items:  # at once, and not when its memory is looked through
        for _, item in items:
            if isinstance(item, Exception):
                raise item
            yield item


def train_together(
    loaded: LoadedModel, plans: Sequence[RunPlan]
) -> Generator[tuple[int, TrainingStep | TrainedAdapter | Exception], None, None]:
    """Runs as `train_adapter` does them, as many side by side as `passes` says.

    Each comes out as it would alone, up to rounding: it has an order of batches, first values, an optimiser and, on a
    CPU, draws of dropout that follow from its own seed.

    Returns:
        the number of a run, and what comes next of it. Why one came to nothing is its last item, a ValueError as of
        `train_adapter` or what its own `stop` or `keep` raised, and the others go on.
    """
    for together in passes(plans):
        with ExitStack() as leaving:
            at_work: dict[int, TrainingRun] = {}
            for number in together:
                try:
                    at_work[number] = TrainingRun(loaded, plans[number], alone=len(together) == 1)
                except ValueError as error:
                    yield number, error
                    continue
                leaving.callback(at_work[number].close)
            for number, run in at_work.items():
                if not run.plan.resume:
                    yield number, run.history[0]
            while at_work:
                yield from _until_one_ends(loaded, at_work)


def passes(plans: Sequence[RunPlan]) -> list[list[int]]:
    """Which runs go side by side, by their numbers: those that differ in seeds and translations alone, few words each.

    They must have come equally far. A run that keeps the base's own text goes alone, as do the runs that several
    processes share.
    """
    found: list[list[int]] = []
    for number, plan in enumerate(plans):
        words = 2 * min(plan.config.batch_size, len(plan.pairs)) * (len(found[-1]) + 1 if found else 1)
        together = processes() == 1 and not plan.config.keep and words <= WORDS_IN_A_PASS
        if found and together and _are_alike(plans[found[-1][0]], plan):
            found[-1].append(number)
        else:
            found.append([number])
    return found


def _are_alike(one: RunPlan, other: RunPlan) -> bool:
    steps = [plan.resume.step if plan.resume else 0 for plan in (one, other)]
    settings = replace(other.config, seed=one.config.seed, shuffled=one.config.shuffled)
    lists = [(tuple(plan.pairs), plan.languages) for plan in (one, other)]
    return settings == one.config and steps[0] == steps[1] and lists[0] == lists[1]


def _until_one_ends(
    loaded: LoadedModel, at_work: dict[int, TrainingRun]
) -> Iterator[tuple[int, TrainingStep | TrainedAdapter | Exception]]:
    """Take steps of all runs until some end, tell of these to their last item, and leave them out of `at_work`."""
    runs = list(at_work.values())
    steps = Steps(loaded, runs[0].plan.config, runs[0].layer, [run.weights for run in runs])
    ended: dict[int, Exception | None] = {}

    # A GPU is still at the last steps while the next batches are made ready.
    for epochs, batch in ready_together([(run.data, run.order()) for run in runs], loaded.device):
        for number, run in at_work.items():
            try:
                if run.plan.stop():
                    ended[number] = None
            except Exception as error:  # a caller's own, which is told and leaves the others alone
                ended[number] = error
        if ended:
            break
        for (number, run), epoch, loss in zip(at_work.items(), epochs, steps.take(batch), strict=True):
            try:
                for step in run.launched(epoch, loss, steps.ahead):
                    yield number, step
            except Exception as error:  # no number, or a caller's own of keeping its state
                ended[number] = error
                continue
            if run.is_over:
                ended[number] = None
        if ended:
            break
    else:
        ended = {number: None for number, run in at_work.items() if run.is_over}  # resumed where nothing was left
    for number, error in ended.items():
        run = at_work.pop(number)
        try:
            if error is not None:
                raise error
            for item in run.end():
                yield number, item
        except Exception as error:
            yield number, error
