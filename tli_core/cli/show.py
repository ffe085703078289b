"""Saved measurements, looked at without their models."""

import argparse
from pathlib import Path

import tli_core as core
from tli_core.cli.common import add_out, print_progress, print_result
from tli_core.reports.notices import all_notices, worded


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    command.add_argument("files", nargs="+", help="saved measurements: files, or names of those that ship")
    add_out(command)


def run(arguments: argparse.Namespace) -> None:
    """Print the table of each file, what sets models apart that measured the same pairs, and where each is from."""
    saved = [read_saved(name) for name in arguments.files]
    across = core.measures.across_models
    compared = [across.Compared(of.result.provenance.label, of.result) for of in saved]
    compared = core.reports.charts.distinctly_labelled(compared)
    results = [(of.label, of.result) for of in compared]
    print_result(core.reports.tables.format_table(core.reports.tables.compared_rows(results)))
    for told in core.reports.across_models.standing_sentences(across.standings(compared)):
        print_result(told)
    for of in saved:
        print_result(f"{of.name}: {core.reports.html.provenance_line(of.result.provenance)}; sha256 {of.sha256}")
        for warning in all_notices(of.result):
            print_progress(f"Note on {of.name}: {worded(warning)}")
    if arguments.out:
        core.reports.json_csv.write_json(core.reports.json_csv.measurements_json(results), arguments.out)


def read_saved(name: str) -> "core.reports.saved.SavedMeasurement":
    """A saved measurement by its file, or by the name of one that ships."""
    path = Path(name)
    return core.reports.saved.read_measurement(path) if path.is_file() else core.reports.saved.read_shipped(name)
