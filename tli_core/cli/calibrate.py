"""What each readout and view finds, for one model, of pairs that must be found and of pairs that must not."""

import argparse
from dataclasses import asdict
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_languages,
    add_model,
    add_out,
    add_reading,
    import_choices,
    load,
    print_progress,
    print_result,
    read_list,
    seed_argument,
)
from tli_core.models.known_bases import surely_known


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_languages(command)
    add_reading(command)
    command.add_argument("--pairs", type=Path, help="the list in question; without it, the shipped control list")
    command.add_argument(
        "--known", type=Path, help="pairs that the model surely knows; without it, the shipped ones of its languages"
    )
    command.add_argument(
        "--known-languages",
        metavar="CODES",
        help="the languages of --known, such as fr-en; without it, what the base is known to know, or en-en: English "
        "words of one meaning",
    )
    command.add_argument("--seed", type=seed_argument, default=0)
    add_out(command)


def run(arguments: argparse.Namespace) -> None:
    """Read all lists in every way, print the table and what it means, and write JSON where asked."""
    pairs = read_list(arguments.pairs, "control", arguments.languages, import_choices(arguments))
    languages = arguments.known_languages or surely_known(arguments.model)
    known = read_list(arguments.known, "control", languages, import_choices(arguments))
    loaded, _ = load(arguments)
    found = core.measures.calibration.calibrate(
        loaded,
        (known.pairs, languages),
        (pairs.pairs, arguments.languages),
        arguments.seed,
        lambda doing: print_progress(f"Reading {doing} …"),
    )
    print_result(core.reports.tables.format_table(core.reports.calibration.calibration_rows(found)))
    print_result(core.reports.calibration.calibration_sentence(found))
    if arguments.out and core.distributed.is_main():
        core.reports.json_csv.write_json({"schema": core.reports.json_csv.SCHEMA, **asdict(found)}, arguments.out)
