"""`lugha-lens`: the page as `lugha-lens app`, and every subcommand of `python -m tli_core`."""

import sys
from collections.abc import Sequence

from tli_core.cli.main import COMMANDS
from tli_core.cli.main import main as run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page, or run one subcommand of the core; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["app"]:
        from ui.serve import main as serve  # Gradio takes seconds to import

        return serve(given[1:])
    if given[:1] in ([], ["-h"], ["--help"]):
        print("usage: lugha-lens {app," + ",".join(COMMANDS) + "} ...\n")
        print("  app        serve the page")
        for name, (_, help) in COMMANDS.items():
            print(f"  {name:<10} {help}")
        return 0 if given else 2
    return run_command(given, "lugha-lens")
