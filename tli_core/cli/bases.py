"""The bases that are known beforehand, and what to know of each."""

import argparse

from tli_core.cli.common import print_result
from tli_core.lists.language_pair import language
from tli_core.models.known_bases import known_bases


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    command.add_argument("--language", metavar="CODE", help="only those that were made for this language, such as ha")


def run(arguments: argparse.Namespace) -> None:
    """Print them, one paragraph each."""
    code: str | None = arguments.language
    chosen = [base for base in known_bases() if code is None or code in base.languages]
    if code is not None and not chosen:
        raise ValueError(f"No base is known that was made for {language(code).name}: give a Hub id.")
    for base in chosen:
        title = f"{base.name} ({base.id})" if base.name else base.id
        parent = f", continued from {base.parent}" if base.parent else ""
        print_result(f"{title}: {base.size}, {base.family}{parent}; licence {base.licence or 'see its card'}")
        if base.languages:
            print_result(f"    {', '.join(language(code).name for code in base.languages)}")
        if base.traps:
            print_result(f"    Mind: {base.traps}.")
