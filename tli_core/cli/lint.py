"""What is wrong with a list of pairs, and the list with every fix made."""

import argparse
from pathlib import Path

from tli_core.cli.common import read_list
from tli_core.lists.formats import format_pairs
from tli_core.lists.lint import apply, lint


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    command.add_argument("--pairs", type=Path, required=True)
    command.add_argument("--trained", type=Path, help="the list that is trained on; words in both are leaks")
    command.add_argument("--fix", type=Path, metavar="FILE", help="write the list with every fix made here")


def run(arguments: argparse.Namespace) -> None:
    """Print what is wrong, and write the mended list where asked."""

    pairs = read_list(arguments.pairs, "train")
    trained = read_list(arguments.trained, "train").pairs if arguments.trained else ()
    findings = lint(pairs.pairs, trained)
    for finding in findings:
        advice = f" Fix: {finding.fix}." if finding.fix else ""
        print(f"{finding.kind}: {finding.message}{advice}")
    print(f"{len(findings)} findings in {len(pairs)} pairs, {sum(bool(f.fix) for f in findings)} with a fix")
    if arguments.fix:
        if arguments.fix.exists():
            raise ValueError(f"{arguments.fix} is already there: give another file.")
        arguments.fix.write_text(format_pairs(apply(pairs.pairs, findings)) + "\n", encoding="utf-8")
