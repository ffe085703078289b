"""arXiv 2506.15415 from its pilot to its probes, each step beside its control and the corrected way."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tli_core.encoding.lens import Lens
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.before_after import Evaluation, compare_lists
from tli_core.measures.pilot import Pilot, run_pilot
from tli_core.measures.projection import Projection, project
from tli_core.measures.result import LayerAlignment
from tli_core.measures.translation import ProbeAnswer, probe
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.registry import source_of
from tli_core.notices import Notice, notice
from tli_core.studies import published
from tli_core.training.batches import shuffled_translations
from tli_core.training.config import TrainingConfig
from tli_core.training.loop import train_together
from tli_core.training.presets import PRESETS
from tli_core.training.run import RunPlan, TrainedAdapter, layer_to_train

PUBLISHED, CORRECTED = "as-published", "corrected"
"""The runs that are no control, by the names of their adapters."""

FEWEST = 3
"""Fewer points make no picture."""

AT_LAYER, AT_OUTPUT = "layer", "output"
READOUTS = {AT_LAYER: "words", AT_OUTPUT: "spaced"}
"""How words are read at the layer that the published loss reads (as published, without BOS), and at the output."""


@dataclass(frozen=True)
class StudyRun:
    """One fine-tune of the study: its tli.json, and both lists before and after it.

    evaluations are of the trained and the control list, AT_LAYER and AT_OUTPUT.
    """

    name: str
    record: Mapping[str, Any]
    evaluations: Mapping[str, tuple[Evaluation, Evaluation]]


@dataclass(frozen=True)
class Reproduction:
    """Everything that the study found, in the order of the paper.

    spaces are t-SNE pictures of the control list, AT_LAYER and AT_OUTPUT, with the names of the models in them. probes
    are by the name of a run, and empty where the model has no head. same_lists: whether both lists are the published.
    Until the study ends there are fewer runs, and neither spaces nor probes.
    """

    pilot: Pilot
    runs: tuple[StudyRun, ...]
    spaces: Mapping[str, tuple[tuple[str, ...], Projection]]
    probes: Mapping[str, tuple[ProbeAnswer, ...]]
    same_lists: bool

    @property
    def same_model(self) -> bool:
        """Whether the model is the published one."""
        return source_of(self.pilot.words.provenance.model) == source_of(published.MODEL)

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is wrong with the model or the lists, each said once: of the pilot, then with the model and list."""
        of_lists = [
            notice("of_list", list=", ".join(filter(None, (model, item.name))), notice=warning)
            for run in self.runs
            for items in run.evaluations.values()
            for item in items
            for model, warnings in (
                ("", item.warnings),
                ("base", item.before.warnings),
                (run.name, item.after.warnings),
            )
            for warning in warnings
        ]
        return tuple(dict.fromkeys((*self.pilot.with_bos.warnings, *self.pilot.words.warnings, *of_lists)))


def planned_runs(layer: int, seed: int) -> dict[str, TrainingConfig]:
    """The fine-tunes of the study by their names: the published and the corrected way, each with its control."""
    ways = {PUBLISHED: replace(PRESETS["published"], layer=layer), CORRECTED: PRESETS["corrected"]}
    return {
        f"{name}{'-shuffled' if shuffled else ''}": replace(config, seed=seed, shuffled=shuffled)
        for name, config in ways.items()
        for shuffled in (False, True)
    }


def shipped_lists(languages: str = DEFAULT) -> tuple[tuple[WordPair, ...], tuple[WordPair, ...]]:
    """As many shipped pairs as the published lists have, drawn from all that ship; all of them where there are fewer.

    Raises:
        ValueError: fewer than FEWEST pairs of a list ship.
    """
    drawn = random.Random(0)
    found = []
    for split, size in (("train", published.TRAINED.pairs), ("control", published.CONTROL.pairs)):
        pairs = shipped(split, languages)
        if len(pairs) < FEWEST:
            raise ValueError(f"Too few pairs of {languages} ship: give --pairs and --control.")
        found.append(tuple(drawn.sample(pairs, min(size, len(pairs)))))
    return found[0], found[1]


def check_lists(trained: Sequence[WordPair], control: Sequence[WordPair]) -> None:
    """Refuse lists that the study cannot be done with.

    Raises:
        ValueError: fewer than FEWEST different pairs in one, or translations that cannot be shuffled.
    """
    for name, pairs in (("pairs to train on", trained), ("control pairs", control)):
        if (n := len(set(pairs))) < FEWEST:
            raise ValueError(f"There are {n} different {name}: give {FEWEST} or more.")
    shuffled_translations(trained, 0)


def reproduce(
    loaded: LoadedModel,
    trained: Sequence[WordPair],
    control: Sequence[WordPair],
    save: Callable[[TrainedAdapter, str], Path],
    keep: Callable[[Reproduction], None] = lambda so_far: None,
    seed: int = 0,
    languages: str = DEFAULT,
    same_lists: bool = False,
    progress: Callable[[str], None] = lambda doing: None,
) -> Reproduction:
    """Run the study. The model is left as it was.

    Args:
        save: writes an adapter of a name and returns its folder.
        keep: given the study so far after every fine-tune, as it takes long.
        progress: called with a short description of what is being done.

    Raises:
        ValueError: fewer than FEWEST pairs in a list, translations that cannot be shuffled, or a model that is not
            whole, or of which too few blocks are in memory to train on.
    """
    # What cannot be done is said before anything is.
    check_lists(trained, control)
    if not loaded.whole:
        text = "The study reads every layer, but only the first {n} blocks are loaded: it takes the whole model."
        raise ValueError(text.format(n=loaded.blocks))
    for config in planned_runs(1, seed).values():
        layer_to_train(loaded, config)
    pilot = run_pilot(loaded, trained, None, seed, lambda doing: progress(f"Pilot: {doing}"), languages)
    lists = (trained, control)
    lenses = {place: Lens(languages, readout) for place, readout in READOUTS.items()}
    layers = {AT_LAYER: pilot.layer, AT_OUTPUT: loaded.last_layer}

    def measured(key: str | None) -> dict[str, tuple[LayerAlignment, LayerAlignment]]:
        first, second = ([measure(loaded, of, key, lens, seed) for lens in lenses.values()] for of in lists)
        return dict(zip(lenses, zip(first, second, strict=True), strict=True))

    progress("Measuring the base")
    before = measured(None)
    runs, keys = [], {}
    try:
        planned = planned_runs(pilot.layer, seed)
        for name, adapter in _trained(loaded, trained, planned, languages, progress):
            keys[name] = loaded.add_adapter(save(adapter, name)).key
            progress(f"{name}: measuring")
            after = measured(keys[name])
            evaluations = {
                place: compare_lists(
                    before[place][0], after[place][0], before[place][1], after[place][1], layers[place], seed
                )
                for place in lenses
            }
            runs.append(StudyRun(name, adapter.record, evaluations))
            keep(Reproduction(pilot, tuple(runs), {}, {}, same_lists))
        progress("Pictures")
        shown = {AT_LAYER: (PUBLISHED, f"{PUBLISHED}-shuffled"), AT_OUTPUT: (PUBLISHED, CORRECTED)}
        spaces = {
            place: (
                ("base", *names),
                project(loaded, control, [None, *(keys[name] for name in names)], layers[place], "t-SNE", lens, seed),
            )
            for (place, names), lens in zip(shown.items(), lenses.values(), strict=True)
        }
        probes: dict[str, tuple[ProbeAnswer, ...]] = {}
        for name in (PUBLISHED, CORRECTED) if loaded.can_generate else ():
            progress(f"{name}: probes")
            probes[name] = probe(loaded, control, keys[name], languages)
    finally:
        for key in keys.values():
            loaded.drop(key)
    return Reproduction(pilot, tuple(runs), spaces, probes, same_lists)


def _trained(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    planned: Mapping[str, TrainingConfig],
    languages: str,
    progress: Callable[[str], None],
) -> Iterator[tuple[str, TrainedAdapter]]:
    """The names of runs and their adapters, a way side by side with its control; every quarter of a run is told."""
    names = list(planned)
    told = dict.fromkeys(names, -1)
    plans = [RunPlan(pairs, of, languages=languages) for of in planned.values()]
    with closing(train_together(loaded, plans)) as items:
        for number, item in items:
            name = names[number]
            if isinstance(item, Exception):
                raise item
            if isinstance(item, TrainedAdapter):
                yield name, item
            elif 4 * item.step // item.steps > told[name]:
                told[name] = 4 * item.step // item.steps
                progress(f"{name}: step {item.step} of {item.steps}")
