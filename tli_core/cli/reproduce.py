"""arXiv 2506.15415 in one command: pilot, fine-tune, tables, pictures and probes, each beside its control."""

import argparse
import time
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_languages,
    add_model,
    add_reading,
    import_choices,
    is_first,
    load,
    print_progress,
    print_result,
    read_list,
    save_once,
    seed_argument,
)
from tli_core.lists.leaks import leak_notice
from tli_core.models.registry import is_small, resolve
from tli_core.reports.notices import worded
from tli_core.studies import published


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_languages(command)
    add_reading(command)
    where = f"{published.SOURCE} has the published one, in data/"
    command.add_argument(
        "--pairs", type=Path, help=f"pairs to train on ({where}); without it, as many of those that ship"
    )
    command.add_argument("--control", type=Path, help=f"held-out pairs ({where}); without it, as many that ship")
    command.add_argument("--seed", type=seed_argument, default=0)
    command.add_argument("--dry-run", action="store_true", help="only tell the download, memory and time that it takes")
    command.add_argument("--report", type=Path, metavar="DIR", help="write an HTML page, JSON and the adapters here")


def run(arguments: argparse.Namespace) -> None:
    """Do the study, print its tables and write its report; or only tell what it would take."""
    if not arguments.dry_run and arguments.report is None:
        raise ValueError("--report is missing: in which new folder shall the report and the adapters be?")
    # Of several processes the first makes the folder, so the others may find it there; an empty one is left by a model
    # that could not be loaded.
    if arguments.report and is_first() and _holds_something(arguments.report):
        raise ValueError(f"{arguments.report} is already there: give the report a folder of its own.")
    if (arguments.pairs is None) != (arguments.control is None):
        raise ValueError("Give both --pairs and --control, or neither: a list that ships may hold words of yours.")
    if arguments.load == "first-blocks":
        raise ValueError("The study reads every layer: leave --load first-blocks out.")
    trained, control = _lists(arguments)
    core.studies.reproduction.check_lists(trained, control)
    same_lists = arguments.columns is None and all(
        published.is_published(path, name)
        for path, name in (
            (arguments.pairs, published.TRAINED_LIST),
            (arguments.control, published.CONTROL_LIST),
        )
    )
    if leak := leak_notice(trained, control, arguments.languages):
        print_progress(f"Warning: {worded(leak)}")
    if arguments.dry_run and not is_small(arguments.model):
        chosen = core.models.load_plan.plan(resolve(arguments.model), way=arguments.load)
        print_result(f"{arguments.model}: {chosen.sentence}")
        if chosen.weights.download > chosen.weights.cached:
            print_result("The time is known once the model is here: call this again then.")
            return
    if arguments.report and is_first():
        _make(arguments.report)
    loaded, _ = load(arguments)
    if arguments.dry_run:
        _tell_time(loaded, trained, arguments)
        return
    began = time.monotonic()

    def measuring(doing: str) -> None:
        print_progress(f"{time.monotonic() - began:5.0f} s  {doing} …")

    def keep(so_far: "core.studies.reproduction.Reproduction") -> None:
        if core.distributed.is_main():
            core.reports.reproduction.write_numbers(so_far, arguments.report)

    found = core.studies.reproduction.reproduce(
        loaded,
        trained,
        control,
        lambda adapter, name: save_once(adapter, arguments.report / "adapters", name),
        keep,
        arguments.seed,
        arguments.languages,
        same_lists,
        measuring,
    )
    if not core.distributed.is_main():
        return
    # Written first: what has taken long is not lost to whoever closes the terminal.
    page = core.reports.reproduction_page.write_reproduction(found, arguments.report)
    told, format_table = core.reports.reproduction, core.reports.tables.format_table
    print(format_table(told.pilot_rows(found)))
    for title, rows in told.result_tables(found):
        print(f"\n{title}\n{format_table(rows)}")
    print("", *told.sentences(found), *(f"Note: {note}" for note in told.warning_sentences(found)), sep="\n")
    print(f"Report: {page} ({core.reports.tables.duration(time.monotonic() - began)})")


def _lists(arguments: argparse.Namespace):
    """The pairs to train on and the held-out ones."""
    if arguments.pairs is None:
        found = core.studies.reproduction.shipped_lists(arguments.languages)
        print_progress(
            f"{len(found[0])} and {len(found[1])} of the pairs that ship, not the published lists; those are at "
            f"{published.SOURCE} in data/: --pairs {published.TRAINED_LIST} --control {published.CONTROL_LIST}"
        )
        return found
    return tuple(
        read_list(path, split, arguments.languages, import_choices(arguments)).pairs
        for path, split in ((arguments.pairs, "train"), (arguments.control, "control"))
    )


def _holds_something(path: Path) -> bool:
    """Whether a report there would lie among other things, or over them."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _make(folder: Path) -> None:
    """The folder of the report, made before anything that takes long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"The report's folder {folder} cannot be made: {error.strerror}.") from error


def _tell_time(loaded, pairs, arguments: argparse.Namespace) -> None:
    """The steps, time and memory of every fine-tune, from a few batches each."""
    pilot = core.measures.pilot.run_pilot(loaded, pairs, None, arguments.seed, languages=arguments.languages)
    rows = [("fine-tune", "loss at", "steps", "time", "memory beside the weights")]
    total = 0.0
    for name, config in core.studies.reproduction.planned_runs(pilot.layer, arguments.seed).items():
        tried = core.training.dry_run.dry_run(loaded, pairs, config, arguments.languages)
        total += tried.seconds
        duration, size = core.reports.tables.duration(tried.seconds), tried.training_bytes / 1e6
        rows.append((name, f"{config.layer}", f"{tried.steps}", duration, f"{size:,.0f} MB"))
    print_result(core.reports.tables.format_table(rows))
    print_result(
        f"The pilot picks layer {pilot.layer}. Training takes {core.reports.tables.duration(total)}, measuring "
        "comes on top. To go on, give --report DIR in place of --dry-run."
    )
