"""Where does training help? Many settings, each from several seeds beside its shuffled runs, read at the output.

Held-out pairs decide, by the change of their reciprocal ranks at the model's output, whatever layer the loss reads.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tli_core.encoding.lens import Lens
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.leaks import leak_notice
from tli_core.lists.pairs import WordPair, pair_digest
from tli_core.measures.alignment import measure
from tli_core.measures.rank_tests import ALL
from tli_core.measures.result import DIRECTIONS, FEW_PAIRS, LayerAlignment
from tli_core.measures.significance import FEWEST_RANKS
from tli_core.measures.verdicts import LEVEL, change, reciprocal_ranks_of
from tli_core.models.loaded_model import LoadedModel
from tli_core.studies.sweep_cells import Sweep, is_futile, read_sweep
from tli_core.studies.sweep_runs import ONLY_LAYER, Outcome, Plan, PlannedRun, SweepFolder
from tli_core.training.batches import shuffled_translations
from tli_core.training.loop import train_together
from tli_core.training.run import RunPlan, TrainedAdapter, blocks_read, layer_to_train

LOOK_AGAIN = 0.5
"""Seconds until a process that has nothing left to begin looks whether the others' runs have ended."""


def check_plan(plan: Plan, blocks: int) -> None:
    """Refuse settings that no model of so many blocks can be swept with, before one is loaded.

    Raises:
        ValueError: settings that are there twice, or a layer that the model does not have.
    """
    if len(set(plan.cells)) < len(plan.cells):
        raise ValueError("Some settings are there twice: name each layer, loss, readout, rank and place once.")
    for config in plan.cells:
        blocks_read(config, blocks)


def check_sweep(loaded: LoadedModel, plan: Plan, trained: Sequence[WordPair], control: Sequence[WordPair]) -> None:
    """Refuse what cannot be swept, before anything is measured or trained.

    Raises:
        ValueError: a model that is not whole, a layer that it does not have, settings that are there twice, fewer than
            FEW_PAIRS held-out pairs, or translations that cannot be shuffled.
    """
    if not loaded.whole:
        raise ValueError(f"A sweep reads the output, but only {loaded.blocks} blocks are loaded: load the whole model.")
    if (n := len(set(control))) < FEW_PAIRS:
        raise ValueError(f"There are {n} different control pairs: a sweep needs {FEW_PAIRS} or more.")
    check_plan(plan, loaded.blocks)
    shuffled_translations(trained, 0)
    for config in plan.cells:
        layer_to_train(loaded, config)


def sweep(
    loaded: LoadedModel,
    plan: Plan,
    trained: Sequence[WordPair],
    control: Sequence[WordPair],
    folder: SweepFolder,
    save: Callable[[TrainedAdapter, Path, str], Path],
    languages: str = DEFAULT,
    progress: Callable[[int, int, PlannedRun], None] = lambda ended, planned, run: None,
) -> Sweep:
    """Do the runs that nobody has done, and read the whole sweep. The model is left as it was.

    First seeds come first. Other processes with the same plan may fill the folder at the same time.

    Args:
        save: writes an adapter into a folder under a name and returns where; it is gone once it is measured.
        progress: called before each run with how many have ended or need not be done, and how many are planned.

    Raises:
        ValueError: see `check_sweep`; fewer than FEWEST_RANKS groups of held-out pairs; or the folder holds something
            else.
    """
    check_sweep(loaded, plan, trained, control)
    lens = Lens(languages)
    base = measure(loaded, control, None, lens, only=loaded.blocks)
    groups, n = base.clusters, len(base.pairs)
    if (independent := len(np.unique(groups))) < FEWEST_RANKS:
        raise ValueError(
            f"The control pairs fall into {independent} groups that share words or a topic: a sweep needs "
            f"{FEWEST_RANKS} or more, as one group says no more than one pair."
        )
    folder.begin(_identity(base, plan, trained, control))
    cells = range(len(plan.cells))
    first_runs = [plan.runs_of(cell, 0) for cell in cells]
    later_runs = [[run for number in range(1, plan.seeds) for run in plan.runs_of(cell, number)] for cell in cells]
    waiting = [(cell, runs) for runs_of in (first_runs, later_runs) for cell, runs in enumerate(runs_of) if runs]
    planned, ended = sum(len(runs) for _, runs in waiting), 0
    while waiting:
        left = []
        for cell, runs in waiting:
            is_later, first = runs is not first_runs[cell], folder.outcome(first_runs[cell][0], n)
            if is_later and first is None:
                left.append((cell, runs))
                continue
            if not (is_later and first and is_futile(first, groups)):
                with ExitStack() as claims:
                    mine = [run for run in runs if _is_ours(folder, run, n, claims)]
                    for run in mine:
                        progress(ended, planned, run)
                    outcomes = claims.enter_context(closing(_outcomes(loaded, mine, trained, base, save, lens)))
                    for run, outcome in outcomes:
                        folder.keep(run, outcome)
                if any(folder.outcome(run, n) is None for run in runs):  # another process is at them
                    left.append((cell, runs))
                    continue
            ended += len(runs)
        if len(left) == len(waiting):
            time.sleep(LOOK_AGAIN)
        waiting = left
    leak = leak_notice(trained, base.pairs, languages)
    return read_sweep(base, plan, folder, (leak,) if leak else ())


def _is_ours(folder: SweepFolder, run: PlannedRun, n: int, claims: ExitStack) -> bool:
    """Whether a run is still to be done, and by this process."""
    if folder.outcome(run, n) or not claims.enter_context(folder.claimed(run)):
        return False
    return folder.outcome(run, n) is None  # another process may have ended it just before


def _outcomes(
    loaded: LoadedModel,
    runs: Sequence[PlannedRun],
    trained: Sequence[WordPair],
    base: LayerAlignment,
    save: Callable[[TrainedAdapter, Path, str], Path],
    lens: Lens,
) -> Generator[tuple[PlannedRun, Outcome], None, None]:
    """Train runs side by side and measure the held-out pairs under each; one that goes astray is an outcome, too."""
    plans = [RunPlan(trained, run.config, languages=lens.languages) for run in runs]
    with closing(train_together(loaded, plans)) as items:
        for number, item in items:
            if isinstance(item, ValueError):
                yield runs[number], _failed(base, str(item))
            elif isinstance(item, Exception):
                raise item
            elif isinstance(item, TrainedAdapter):
                yield runs[number], _outcome(loaded, item, base, save, lens)


def _outcome(
    loaded: LoadedModel,
    adapter: TrainedAdapter,
    base: LayerAlignment,
    save: Callable[[TrainedAdapter, Path, str], Path],
    lens: Lens,
) -> Outcome:
    """What an adapter does to the held-out pairs; one that no model takes is a failed run."""
    try:
        with TemporaryDirectory() as folder:
            key = loaded.add_adapter(save(adapter, Path(folder), "swept")).key
    except ValueError as error:
        return _failed(base, str(error))
    try:
        after = measure(loaded, base.pairs, key, lens, only=loaded.blocks)
    finally:
        loaded.drop(key)
    compared = change(base, after, ONLY_LAYER)
    if not np.isfinite((compared.matched, compared.mismatched)).all():
        return _failed(base, "Its vectors at the output are not finite.")
    ranks = [[reciprocal_ranks_of(result, way)[ONLY_LAYER] for result in (base, after)] for way in DIRECTIONS]
    return Outcome(
        np.stack([after_ranks - before_ranks for before_ranks, after_ranks in ranks]),
        np.stack([after.retrieval[way].hit[ONLY_LAYER] for way in DIRECTIONS]),
        after.p_values[ALL][ONLY_LAYER] <= LEVEL,
        compared.matched,
        compared.mismatched,
        compared.verdict,
    )  # fmt: skip


def _failed(base: LayerAlignment, why: str) -> Outcome:
    nothing = np.zeros((2, len(base.pairs)))
    return Outcome(nothing, nothing > 0, np.zeros(2, bool), 0.0, 0.0, "no numbers", why)


def _identity(
    base: LayerAlignment, plan: Plan, trained: Sequence[WordPair], control: Sequence[WordPair]
) -> dict[str, Any]:
    """What makes a sweep this one, so that no folder mixes two."""
    return {
        "of": {**asdict(base.provenance), "n": len(base.pairs), "layers": list(base.names)},
        "trained": [pair_digest(pair) for pair in trained],
        "control": [pair_digest(pair) for pair in control],
        "cells": [asdict(config) for config in plan.cells],
        "seeds": plan.seeds,
    }
