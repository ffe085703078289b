"""How close right and wrong pairs are at every layer."""

import argparse
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_adapter,
    add_model,
    block_progress,
    load,
    print_progress,
    print_result,
    read_list,
    seed_argument,
)
from tli_core.reports.notices import worded


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_adapter(command, required=False)
    command.add_argument("--pairs", type=Path, help="a list of pairs; without it, the shipped control list")
    command.add_argument("--pooling", choices=("words", "all", "last"), default="words")
    command.add_argument("--seed", type=seed_argument, default=0)
    command.add_argument("--out", type=Path, help="write every number as JSON here")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the table of layers, and write JSON where asked."""
    pairs = read_list(arguments.pairs, "control")
    loaded, adapter = load(arguments)

    print_progress(f"Measuring {len(pairs)} pairs at {loaded.blocks + 1} layers …")
    result = core.measures.alignment.measure(
        loaded, pairs.pairs, adapter, arguments.pooling, arguments.seed, block_progress()
    )
    notes = [worded(warning) for warning in result.warnings]
    if result.few:
        notes.append(
            f"{len(pairs)} pairs are few: ranks within the list mean little below {core.measures.result.FEW_PAIRS}."
        )
    for note in notes:
        print_progress(f"Note: {note}")
    print_result(core.reports.tables.alignment_table(result))
    print_result(
        f"{len(pairs)} pairs, pool {result.pool_size}, chance {result.chance:.4f}; pooling {arguments.pooling}"
    )
    print_result(core.reports.messages.tokens_sentence(result))
    if arguments.out and core.distributed.is_main():
        report = core.reports.json_csv.alignment_json(result)
        report["warnings"] = [*notes, *pairs.warnings]
        core.reports.json_csv.write_json(report, arguments.out)
