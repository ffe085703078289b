"""Fine-tune an adapter on pairs."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tli_core as core
from tli_core.cli.common import (
    add_languages,
    add_model,
    add_reading,
    import_choices,
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
    command.add_argument("--preset", default="corrected", help="corrected, published, or a YAML file of settings")
    for setting in SETTINGS.values():
        add_setting(command, setting)
    command.add_argument("--seeds", type=int, default=1, metavar="N", help="train from N seeds and report the spread")
    command.add_argument(
        "--with-control", action="store_true", help="also train each run's control: the same on shuffled translations"
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

    def train_all(config, names: Sequence[str]):
        return [
            _train_one(loaded, pairs, control, replace(config, seed=seed), folder, name, sources, arguments.languages)
            for seed, name in zip(seeds, names, strict=True)
        ]

    runs = train_all(config, names)
    shuffled = train_all(replace(config, shuffled=True), shuffled_names) if shuffled_names else []
    if len(runs) > 1 or shuffled:
        _print_spread("", runs)
    if shuffled:
        _print_spread(" under the shuffled translations", shuffled)
        print_result("Whatever rose under shuffled translations, too, is no evidence of learning.")


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


def _train_one(
    loaded, pairs: PairList, control: PairList, config, folder: Path, name: str, sources: dict[str, str], languages: str
):
    """Train, save and evaluate one adapter: the evaluations of the trained and the control list."""

    trained: core.training.run.TrainedAdapter | None = None
    for item in core.training.loop.train_adapter(loaded, pairs.pairs, config, control.pairs, languages=languages):
        if isinstance(item, core.training.run.TrainedAdapter):
            trained = item
        elif item.check:
            loss = "   –   " if item.loss is None else f"{item.loss:7.4f}"
            text = "" if item.own_text is None else f" | own text: perplexity × {item.own_text:.2f}"
            print_progress(
                f"step {item.step}/{item.steps} epoch {item.epoch} loss {loss} | held out: "
                f"matched {item.check.matched:.3f} mismatched {item.check.mismatched:.3f} P@1 {item.check.p_at_1:.3f}"
                f"{text}"
            )
    assert trained is not None, "a run ends with its adapter"
    if harm := core.reports.training_messages.harm_sentence(trained.record):
        print_progress(f"Warning: {harm}")
    trained.record.update(sources)
    target = save_once(trained, folder, name)
    adapter = loaded.add_adapter(target).key
    print_progress("Measuring base and adapter on both lists …")
    evaluations = core.measures.before_after.evaluate_lists(
        loaded, pairs.pairs, control.pairs, adapter, loaded.last_layer, config.seed, lens=Lens(languages)
    )
    if core.distributed.is_main():
        core.reports.model_card.write_card(target, trained.record, evaluations)
    print_result(core.reports.tables.evaluation_table(evaluations))
    print_result(f"Saved to {target}")
    loaded.drop(adapter)
    return evaluations
