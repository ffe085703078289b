"""Where training helps: many settings, each from several seeds beside its shuffled runs, read at the output."""

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_languages,
    add_model,
    add_reading,
    import_choices,
    load,
    print_progress,
    print_result,
    read_list,
)
from tli_core.cli.train import add_setting, training_config
from tli_core.lists.leaks import leak_notice
from tli_core.models.registry import block_count
from tli_core.reports.notices import worded
from tli_core.training.config import LOSSES, OUTPUT, SETTINGS
from tli_core.training.presets import PRESETS

ALL = "all"

OF_LOSS = {"triplet": PRESETS["published"], "contrastive": PRESETS["corrected"]}
"""Where a loss has its margin or temperature from, if neither a flag nor the preset's own loss says."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_languages(command)
    add_reading(command)
    command.add_argument("--report", type=Path, metavar="DIR", required=True, help=(
        "write the map, JSON and every run's outcome here; the same command again goes on, and several at once share "
        "the work, as one for each GPU (CUDA_VISIBLE_DEVICES)"
    ))  # fmt: skip
    command.add_argument("--pairs", type=Path, help="pairs to train on; without it, the shipped training list")
    command.add_argument("--control", type=Path, help="held-out pairs; without it, the shipped control list")
    command.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of each choice of settings (3)")
    command.add_argument("--preset", default="corrected", help="where all other settings come from, as in train")
    swept = command.add_argument_group("settings of which several may be given, each tried with each")
    swept.add_argument("--layer", nargs="+", default=[ALL], metavar="LAYER", help="numbers, output, or all (default)")
    swept.add_argument("--loss", nargs="+", choices=LOSSES, default=list(LOSSES), help="both by default")
    swept.add_argument("--readout", nargs="+", choices=SETTINGS["readout"].choices, help=SETTINGS["readout"].help)
    swept.add_argument("--rank", nargs="+", type=int, help=SETTINGS["rank"].help or SETTINGS["rank"].label)
    swept.add_argument("--targets", nargs="+", metavar="A+B", help="where LoRA sits, as q_proj+v_proj")
    fixed = command.add_argument_group("settings that are the same in all runs")
    for name, setting in SETTINGS.items():
        if name not in (*core.studies.sweep_runs.AXES, "shuffled"):
            add_setting(fixed, setting)


def run(arguments: argparse.Namespace) -> None:
    """Do what nobody has done of the sweep, then print and write its map."""
    if core.distributed.processes() > 1:
        raise ValueError("A sweep is shared out by starting the same command several times, not by torchrun.")
    if not 1 <= arguments.seeds <= 100:
        raise ValueError(f"--seeds must be 1 to 100, got {arguments.seeds}.")
    if arguments.load == "first-blocks":
        raise ValueError("A sweep reads the output: leave --load first-blocks out.")
    for name, loss in (("margin", "triplet"), ("temperature", "contrastive")):
        if getattr(arguments, name) is not None and loss not in arguments.loss:
            raise ValueError(f"--{name} is of the {loss} loss, which is not asked for: leave it out.")
    # What a setting may not be is said before the model is loaded.
    blocks = block_count(arguments.model)
    plan = core.studies.sweep_runs.Plan(_cells(arguments, blocks), arguments.seeds)
    core.studies.sweep.check_plan(plan, blocks)
    trained, control = (
        read_list(path, split, arguments.languages, import_choices(arguments)).pairs
        for path, split in ((arguments.pairs, "train"), (arguments.control, "control"))
    )
    if leak := leak_notice(trained, control, arguments.languages):
        print_progress(f"Warning: {worded(leak)}")
    loaded, _ = load(arguments)
    began = time.monotonic()

    def told(ended: int, planned: int, run: "core.studies.sweep_runs.PlannedRun") -> None:
        what = core.reports.sweep_map.settings_text(plan, run.config)
        shuffled = ", shuffled" if run.config.shuffled else ""
        print_progress(
            f"{time.monotonic() - began:5.0f} s  {ended} of {planned} ended; {what}, seed {run.config.seed}{shuffled} …"
        )

    folder = core.studies.sweep_runs.SweepFolder(arguments.report)
    save = core.reports.model_card.save_adapter
    found = core.studies.sweep.sweep(loaded, plan, trained, control, folder, save, arguments.languages, told)
    # What has taken long is on the disk before anything is drawn.
    core.reports.sweep_map.write_numbers(found, arguments.report)
    print_result(core.reports.tables.format_table(core.reports.sweep_map.short_rows(found)))
    print_result("\n".join(("", *core.reports.sweep_map.sentences(found))))
    page = core.reports.sweep_page.write_sweep(found, arguments.report)
    print_result(f"Map: {page} ({core.reports.tables.duration(time.monotonic() - began)})")


def _cells(arguments: argparse.Namespace, blocks: int):
    """Every choice of settings, layers last.

    Raises:
        ValueError: a value that a setting may not have.
    """
    given = argparse.Namespace(**{**vars(arguments), **dict.fromkeys((*core.studies.sweep_runs.AXES, "shuffled"))})
    base = training_config(given)
    for targets in arguments.targets or ():
        if len(set(targets.split("+"))) < len(targets.split("+")):
            raise ValueError(f"--targets {targets}: a matrix is there twice.")
    layers = [*range(1, blocks), OUTPUT] if ALL in arguments.layer else arguments.layer
    cells = []
    for loss, readout, rank, targets, layer in itertools.product(
        arguments.loss,
        arguments.readout or [base.readout],
        arguments.rank or [base.rank],
        arguments.targets or ["+".join(base.targets)],
        layers,
    ):
        own = base if base.loss == loss else OF_LOSS[loss]
        cells.append(
            replace(
                base,
                layer=SETTINGS["layer"].parse(layer),
                loss=loss,
                readout=readout,
                rank=rank,
                targets=tuple(sorted(targets.split("+"))),
                margin=own.margin if arguments.margin is None else base.margin,
                temperature=own.temperature if arguments.temperature is None else base.temperature,
            )
        )
    return tuple(cells)
