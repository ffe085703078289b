"""What the model writes after a prompt."""

import argparse

import tli_core as core
from tli_core.cli.common import add_adapter, add_model, load
from tli_core.lists.prompts import MAX_NEW_TOKENS


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command)
    add_adapter(command, required=False)
    command.add_argument("--prompt", required=True)
    command.add_argument("--max-new-tokens", type=int, default=40)


def run(arguments: argparse.Namespace) -> None:
    """Print what the model writes."""

    if not 1 <= arguments.max_new_tokens <= MAX_NEW_TOKENS:
        raise ValueError(f"--max-new-tokens must be 1 to {MAX_NEW_TOKENS}, got {arguments.max_new_tokens}.")
    loaded, adapter = load(arguments)
    with loaded.using(adapter) as model:
        (answer,) = core.measures.generation.continuations(
            model, loaded.tokenizer, [arguments.prompt], arguments.max_new_tokens
        )
    print(answer)
