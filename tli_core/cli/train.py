"""Fine-tune an adapter on pairs."""

import argparse
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import tli_core as core
from tli_core.cli.common import (
    add_languages,
    add_model,
    add_reading,
    import_choices,
    is_first,
    layer_argument,
    load,
    print_progress,
    print_result,
    read_list,
    save_once,
)
from tli_core.encoding.lens import Lens
from tli_core.lists.formats import PairList
from tli_core.lists.leaks import leak_notice
from tli_core.models.registry import OWN_ADAPTERS, check_adapter_name
from tli_core.reports.notices import worded
from tli_core.training.config import SETTINGS, Setting
from tli_core.training.presets import PRESETS, read_preset


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_languages(command)
    add_reading(command)
    command.add_argument("--pairs", type=Path, help="pairs to train on; without it, the shipped training list")
    command.add_argument("--control", type=Path, help="held-out pairs; without it, the shipped control list")
    command.add_argument(
        "--preset", default="corrected", help="corrected, gentle, published, or a YAML file of settings"
    )
    for setting in SETTINGS.values():
        add_setting(command, setting)
    command.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="train from N seeds, side by side, and report the spread"
    )
    command.add_argument(
        "--with-control",
        action="store_true",
        help="also train each run's control beside it: the same on shuffled translations",
    )
    command.add_argument(
        "--pilot", action="store_true", help="pick the layer as published: highest cosine, BOS and all"
    )
    command.add_argument("--dry-run", action="store_true", help="only try a few batches: first loss, time and memory")
    command.add_argument(
        "--name", help="the adapter's name; -seed0 and so on is added for several seeds, -shuffled for a control"
    )
    command.add_argument("--adapters", type=Path, help="the folder to put it in; adapters/ by default")


def add_setting(command: argparse._ActionsContainer, setting: Setting) -> None:
    """A setting's flag; its value stays None where it is not given, and the preset's holds."""
    kinds = {"whole": int, "real": float, "layer": layer_argument}
    settings: dict[str, Any] = {"help": (setting.help or setting.label).replace("%", "%%"), "default": None}
    if setting.kind == "switch":
        settings["action"] = "store_true"
    elif setting.kind == "choices":
        settings |= {"nargs": "+", "metavar": "MATRIX"}
    elif setting.kind == "choice":
        settings["choices"] = setting.choices
    else:
        settings["type"] = kinds[setting.kind]
    command.add_argument(f"--{setting.name.replace('_', '-')}", **settings)


def run(arguments: argparse.Namespace) -> None:
    """Train, save and evaluate one adapter for each seed; or only try a few batches."""

    folder = arguments.adapters or OWN_ADAPTERS
    if not 1 <= arguments.seeds <= 100:
        raise ValueError(f"--seeds must be 1 to 100, got {arguments.seeds}.")
    name = arguments.name or ("dry-run" if arguments.dry_run else None)
    if name is None:
        raise ValueError("--name is missing: how shall the adapter be called?")
    config = training_config(arguments)
    seeds = range(config.seed, config.seed + arguments.seeds)
    names = [name if arguments.seeds == 1 else f"{name}-seed{seed}" for seed in seeds]
    if arguments.with_control and config.shuffled:
        raise ValueError("--with-control and --shuffled: the run would be its own control, so leave one of them out.")
    shuffled_names = [f"{name}-shuffled" for name in names] if arguments.with_control else []
    for wanted in [] if arguments.dry_run else names + shuffled_names:
        if (folder / check_adapter_name(wanted)).exists():
            raise ValueError(f"{folder / wanted} is already there: choose another --name, or remove it first.")
    pairs, control = (
        read_list(path, split, arguments.languages, import_choices(arguments))
        for path, split in ((arguments.pairs, "train"), (arguments.control, "control"))
    )
    if len(control) < 2:
        raise ValueError("The control list needs at least two pairs, as they are compared with each other: add some.")

    if leak := leak_notice(pairs.pairs, control.pairs, arguments.languages):
        print_progress(f"Warning: {worded(leak)}")
    # A pilot needs every layer, so the whole model.
    blocks = core.models.loaded_model.blocks_to_train(arguments.model, config.layer)
    loaded, _ = load(arguments, None if arguments.pilot else blocks)
    if arguments.pilot:
        config = _after_pilot(loaded, pairs, config, arguments.languages)
    if arguments.dry_run:
        tried = core.training.dry_run.dry_run(loaded, pairs.pairs, config, arguments.languages)
        print_result(core.reports.tables.format_table(core.reports.tables.dry_run_rows(tried, config.loss)))
        print_result(core.reports.training_messages.dry_run_sentence(tried, config.loss))
        return
    sources = {
        "pairs_from": arguments.pairs.name if arguments.pairs else "the shipped training list",
        "control_from": arguments.control.name if arguments.control else "the shipped control list",
    }

    seeded = [replace(config, seed=seed) for seed in seeds]
    configs = [*seeded, *(replace(of, shuffled=True) for of in seeded if shuffled_names)]
    evaluated = _train(loaded, pairs, control, dict(zip(names + shuffled_names, configs, strict=True)), folder, sources,
                       arguments.languages)  # fmt: skip
    runs, shuffled = ([evaluated[name] for name in of if name in evaluated] for of in (names, shuffled_names))
    if len(runs) > 1 or shuffled:
        _print_spread("", runs)
    if shuffled:
        _print_spread(" under the shuffled translations", shuffled)
        print_result("What rose under the shuffled translations, too, is no evidence of learning.")


def _print_spread(which: str, runs) -> None:
    """The control list's evaluations over all seeds, and the verdict on each."""
    seeds = f"{len(runs)} seeds" if len(runs) > 1 else "one seed"
    print_result(f"The control list{which}, over {seeds}:")
    spread = core.training.seeds.spread([control_run for _, control_run in runs])
    print_result(core.reports.tables.format_table(core.reports.tables.spread_rows(spread)))
    print_result(f"verdicts: {', '.join(control_run.change.verdict for _, control_run in runs)}")


def training_config(arguments: argparse.Namespace):
    """The preset, by name or from a file, with the settings that were given."""
    preset = arguments.preset
    config = PRESETS[preset] if preset in PRESETS else read_preset(preset)
    given = {name: getattr(arguments, name) for name in SETTINGS if getattr(arguments, name) is not None}
    return replace(config, **{name: SETTINGS[name].parse(value) for name, value in given.items()})


def _after_pilot(loaded, pairs: PairList, config, languages: str):
    """The configuration with the layer that the published pilot picks."""

    pilot = core.measures.pilot.run_pilot(
        loaded,
        pairs.pairs,
        seed=config.seed,
        progress=lambda doing: print_progress(f"Pilot: {doing} …"),
        languages=languages,
    )
    print_progress(core.reports.training_messages.pilot_sentence(pilot))
    return replace(config, layer=pilot.layer)


def _train(
    loaded,
    pairs: PairList,
    control: PairList,
    configs: dict[str, "core.training.config.TrainingConfig"],
    folder: Path,
    sources: dict[str, str],
    languages: str,
):
    """Train adapters side by side, save and evaluate each: of each its evaluations of the trained and control list.

    One that was stopped before its first step is left out.
    """
    names, stopping = list(configs), threading.Event()
    plans = [
        core.training.run.RunPlan(pairs.pairs, of, control.pairs, stopping.is_set, languages=languages)
        for of in configs.values()
    ]
    passes = [[names[number] for number in numbers] for numbers in core.training.loop.passes(plans)]
    if len(passes) < len(names):
        print_progress(f"Side by side: {'; then '.join(', '.join(together) for together in passes)}.")
    saved: dict[str, tuple[core.training.run.TrainedAdapter, Path]] = {}
    astray: list[str] = []
    with _claimed(folder, names), _stopped_by_interrupt(stopping):
        for number, item in core.training.loop.train_together(loaded, plans):
            name = names[number]
            if isinstance(item, ValueError):
                astray.append(f"{name}: {item}" if len(names) > 1 else str(item))
            elif isinstance(item, Exception):
                raise item
            elif isinstance(item, core.training.run.TrainedAdapter):
                if not item.record["steps"]:
                    print_progress(f"{name}: stopped before its first step, so there is nothing to keep.")
                    continue
                if harm := core.reports.training_messages.harm_sentence(item.record):
                    print_progress(f"Warning: {harm}")
                item.record.update(sources)
                saved[name] = item, save_once(item, folder, name)
            elif item.check:
                print_progress((f"{name} | " if len(names) > 1 else "") + _checked(item))
    base = None
    evaluated = {}
    for name in filter(saved.__contains__, names):  # in the order that was asked for
        evaluated[name] = _evaluate(loaded, pairs, control, *saved[name], languages, base)
        base = tuple(item.before for item in evaluated[name])
    if astray:
        kept = f" Saved all the same: {', '.join(saved)}." if saved else ""
        raise ValueError(" ".join(astray) + kept)
    return evaluated


@contextmanager
def _stopped_by_interrupt(stopping: threading.Event) -> Iterator[None]:
    """Have the first Ctrl-C set an event, by which runs end and are kept; a second one ends all at once.

    Of several processes none knows at which step the others stop: there the first one ends all.
    """
    if core.distributed.processes() > 1 or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        stopping.set()
        print_progress("Stopping after this step, and keeping what is learnt. Ctrl-C again ends at once.")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _claimed(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Keep the names of adapters to this process, and those that work with it, while they are trained.

    Raises:
        ValueError: another process is training one of that name, which it would lose at the end.
    """
    with ExitStack() as claims:
        for name in names if is_first() else ():
            folder.mkdir(parents=True, exist_ok=True)
            lock = folder / f".{name}.lock"
            try:
                claims.enter_context(FileLock(lock, timeout=0))
            except Timeout as error:
                raise ValueError(f"{folder / name} is being trained already: choose another --name.") from error
            claims.callback(lock.unlink, missing_ok=True)
        yield


def _checked(step: "core.training.history.TrainingStep") -> str:
    """A step with its check of the held-out pairs, in a line."""
    loss = "   –   " if step.loss is None else f"{step.loss:7.4f}"
    text = "" if step.own_text is None else f" | own text: perplexity × {step.own_text:.2f}"
    assert step.check is not None
    return (
        f"step {step.step}/{step.steps} epoch {step.epoch} loss {loss} | held out: matched {step.check.matched:.3f} "
        f"mismatched {step.check.mismatched:.3f} P@1 {step.check.p_at_1:.3f}{text}"
    )


def _evaluate(
    loaded,
    pairs: PairList,
    control: PairList,
    trained: "core.training.run.TrainedAdapter",
    target: Path,
    languages: str,
    base,
):
    """Evaluate a saved adapter: the evaluations of the trained and the control list.

    Args:
        base: both lists under the base, where they have been measured.
    """
    adapter = loaded.add_adapter(target).key
    print_progress(f"Measuring {'adapter' if base else 'base and adapter'} on both lists …")
    evaluations = core.measures.before_after.evaluate_lists(
        loaded, pairs.pairs, control.pairs, adapter, loaded.last_layer,
        trained.record["config"]["seed"] if base is None else base[0].provenance.seed, lens=Lens(languages), base=base,
    )  # fmt: skip
    if core.distributed.is_main():
        core.reports.model_card.write_card(target, trained.record, evaluations)
    print_result(core.reports.tables.evaluation_table(evaluations))
    for item in evaluations:
        print_result(core.reports.messages.change_sentence(item))
        for warning in item.warnings:
            print_progress(f"Note: {item.name}: {worded(warning)}")
    print_result(f"Saved to {target}")
    loaded.drop(adapter)
    return evaluations
