"""Base against adapter on trained and control pairs."""

import argparse
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_adapter,
    add_lens,
    add_model,
    add_out,
    add_reading,
    import_choices,
    layer_or_pick,
    lens,
    load,
    print_progress,
    read_list,
    seed_argument,
)
from tli_core.reports.notices import worded


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_adapter(command, required=True)
    command.add_argument(
        "--trained", type=Path, help="what the adapter was trained on; without it, the shipped training list"
    )
    command.add_argument("--control", type=Path, help="without it, the shipped control list")
    command.add_argument(
        "--layer",
        type=layer_or_pick,
        default="output",
        help="a number, output, or pick: where the trained list's ranks gain most",
    )
    add_lens(command)
    add_reading(command)
    command.add_argument("--answers", action="store_true", help="also what the models write: translations and probes")
    command.add_argument("--seed", type=seed_argument, default=0)
    add_out(command)
    command.add_argument("--report", type=Path, metavar="DIR", help="write an HTML page, JSON, CSV and the card here")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print the tables, and write JSON and the report where asked."""
    if arguments.report and arguments.report.exists():
        raise ValueError(f"{arguments.report} is already there: give the report a folder of its own.")
    trained, control = (
        read_list(path, split, arguments.languages, import_choices(arguments))
        for path, split in ((arguments.trained, "train"), (arguments.control, "control"))
    )
    loaded, adapter = load(arguments)
    assert adapter is not None, "--adapter is required"
    if arguments.trained is None:
        trained_list = core.measures.trained_list
        trained_list.shipped_training_list(arguments.adapter, loaded.adapters[adapter].record, arguments.languages)

    if arguments.answers and not loaded.can_generate:
        raise ValueError(f"{arguments.model} has no output head here, so it writes nothing: leave --answers out.")

    def measuring(doing: str) -> None:
        print_progress(f"Measuring {doing} …")

    evaluations = core.measures.before_after.evaluate_lists(
        loaded, trained.pairs, control.pairs, adapter, arguments.layer, arguments.seed, measuring, lens(arguments)
    )  # fmt: skip
    report = core.measures.before_after.report_of(loaded, evaluations, adapter)
    if arguments.answers:
        report = core.measures.before_after.with_answers(loaded, report, adapter, measuring)
    print(core.reports.tables.format_table(core.reports.tables.report_rows(report)))
    for item in evaluations:
        print(core.reports.messages.change_sentence(item))
    beside = core.reports.beside_change
    for told in (beside.context_sentence(report), beside.linear_sentence(report)):
        if told:
            print(told)
    if report.outputs:
        print(core.reports.tables.format_table(core.reports.tables.output_rows(*report.outputs)))
        print(core.reports.written.written_sentence(report))
        print(core.reports.written.prompts_sentence(report.outputs[0].languages))
        print(beside.knowledge_sentence(report))
    for warning in report.warnings:
        print_progress(f"Note: {worded(warning)}")
    if arguments.out:
        core.reports.json_csv.write_json(core.reports.json_csv.evaluation_json(report), arguments.out)
    if arguments.report:
        print(f"Report: {core.reports.html.write_report(report, arguments.report, loaded.adapters[adapter].record)}")
