"""Command line, one module a subcommand. Progress goes to stderr, a table to stdout, JSON to --out."""

from collections.abc import Sequence

from tli_core.cli import bases, calibrate, evaluate, figure, generate, lint, measure, reproduce, show, sweep, train
from tli_core.cli.common import Parser, print_progress
from tli_core.out_of_memory import memory_sentence

INTERRUPTED = 130
"""What a shell expects of a program that was ended by Ctrl-C."""

COMMANDS = {
    "bases": (bases, "the bases that are known beforehand, and what to know of each"),
    "lint": (lint, "what is wrong with a list of pairs"),
    "measure": (measure, "how close right and wrong pairs are at every layer"),
    "show": (show, "saved measurements, beside each other, without their models"),
    "figure": (figure, "models, adapters and saved measurements beside each other, and a figure for a paper"),
    "calibrate": (calibrate, "which readouts find what a model surely knows, and nothing of what it cannot"),
    "train": (train, "fine-tune an adapter on pairs"),
    "evaluate": (evaluate, "base against adapter on trained and control pairs"),
    "reproduce": (reproduce, "arXiv 2506.15415, each step beside its control, and a report"),
    "sweep": (sweep, "where training helps: a map of settings, with seeds and shuffled runs"),
    "generate": (generate, "what the model writes after a prompt"),
}


def parser(program: str = "python -m tli_core") -> Parser:
    """The parser of all subcommands; each is one module with `add_arguments` and `run`."""
    made = Parser(prog=program, description=__doc__)
    subcommands = made.add_subparsers(dest="command", required=True, parser_class=Parser)
    for name, (module, help) in COMMANDS.items():
        module.add_arguments(subcommands.add_parser(name, help=help, description=help))
    return made


def main(arguments: Sequence[str] | None = None, program: str = "python -m tli_core") -> int:
    """Run one subcommand. Returns 0 on success, 2 after a one-line error on stderr, or INTERRUPTED."""
    asked = parser(program).parse_args(arguments)
    module, _ = COMMANDS[asked.command]
    try:
        module.run(asked)
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        told = str(error) if isinstance(error, ValueError | OSError) else memory_sentence(error)
        if told is None:
            raise
        print_progress(f"{program} {asked.command}: {told}")
        return 2
    except KeyboardInterrupt:
        print_progress(f"{program} {asked.command}: stopped; what was not finished is not kept.")
        return INTERRUPTED
    return 0
