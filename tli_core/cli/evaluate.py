"""Base against adapter on trained and control pairs."""

import argparse
from pathlib import Path

from tli_core.cli.common import add_adapter, add_model, layer_or_pick, load, print_progress, read_list, seed_argument


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What the subcommand takes."""
    add_model(command)
    add_adapter(command, required=True)
    command.add_argument("--trained", type=Path, help="without it, the shipped training list")
    command.add_argument("--control", type=Path, help="without it, the shipped control list")
    command.add_argument(
        "--layer", type=layer_or_pick, default="output", help="a number, output, or pick: by the trained list's gap"
    )
    command.add_argument("--answers", action="store_true", help="also what the models write: translations and probes")
    command.add_argument("--seed", type=seed_argument, default=0)
    command.add_argument("--out", type=Path, help="write every number as JSON here")
    command.add_argument("--report", type=Path, metavar="DIR", help="write an HTML page, JSON, CSV and the card here")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print the tables, and write JSON and the report where asked."""
    if arguments.report and arguments.report.exists():
        raise ValueError(f"{arguments.report} is already there: give the report a folder of its own.")
    trained, control = read_list(arguments.trained, "train"), read_list(arguments.control, "control")
    loaded, adapter = load(arguments)
    assert adapter is not None, "--adapter is required"
    from tli_core.measures.before_after import evaluate_lists, report_of, with_answers
    from tli_core.reports.json_csv import evaluation_json, write_json
    from tli_core.reports.messages import change_sentence
    from tli_core.reports.notices import worded
    from tli_core.reports.tables import evaluation_table, format_table, output_rows

    if arguments.answers and not loaded.can_generate:
        raise ValueError(f"{arguments.model} has no output head here, so it writes nothing: leave --answers out.")

    def measuring(doing: str) -> None:
        print_progress(f"Measuring {doing} …")

    evaluations = evaluate_lists(
        loaded, trained.pairs, control.pairs, adapter, arguments.layer, arguments.seed, measuring
    )  # fmt: skip
    report = report_of(loaded, evaluations)
    if arguments.answers:
        report = with_answers(loaded, report, adapter, measuring)
    print(evaluation_table(evaluations))
    for item in evaluations:
        print(change_sentence(item))
    if report.outputs:
        print(format_table(output_rows(*report.outputs)))
    for warning in report.warnings:
        print_progress(f"Note: {worded(warning)}")
    if arguments.out:
        write_json(evaluation_json(report), arguments.out)
    if arguments.report:
        # Plotly is needed here only, and the machines that train may lack it.
        from tli_core.reports.html import write_report

        print(f"Report: {write_report(report, arguments.report, loaded.adapters[adapter].record)}")
