"""Serve the page: how close are Swahili and English inside a language model, and what does fine-tuning change?

python app.py [--model lugha-mini] [--model lugha-llama] [--port 7860] [--runs runs] [--hosted] [--mcp]
"""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ui.page import build, launch
from ui.server.gpu import ZERO_GPU
from ui.server.hosting import hosting
from ui.server.jobs import Jobs
from ui.server.private_login import VARIABLE, private_login
from ui.server.visitors import Models

OFFERED = ("lugha-mini", "lugha-llama")


def parser() -> argparse.ArgumentParser:
    """The arguments; each has a variable LUGHA_… of its name as its default, as none reach a Space."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--model", action="append", help=f"a base to offer; repeat for several (default: {', '.join(OFFERED)})"
    )
    made.add_argument("--port", type=int, help="the port to serve on (default: 7860 or the next free one)")
    made.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that keeps fine-tunes")
    made.add_argument(
        "--hosted",
        action="store_true",
        help="serve strangers: limits on runs, no folder of this machine, and not its login to the Hub (by itself on a "
        "Space, or where GRADIO_SERVER_NAME lets other machines in)",
    )
    made.add_argument("--mcp", action="store_true", help="serve MCP clients, too (pip install 'gradio[mcp]')")
    return made


def settings(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for: by the arguments, else by the variables, else as on a Space or on one's own machine."""
    given = {
        name.removeprefix("LUGHA_").lower(): value for name, value in os.environ.items() if name.startswith("LUGHA_")
    }
    made = parser()
    known = {action.dest for action in made._actions}
    try:
        made.set_defaults(**{name: _from_variable(name, value) for name, value in given.items() if name in known})
    except ValueError as error:
        made.error(f"LUGHA_{error}")
    if "mcp" not in given:
        # There the extra is installed anyway.
        made.set_defaults(mcp="SPACE_ID" in os.environ and find_spec("mcp") is not None and VARIABLE not in os.environ)
    made.set_defaults(model=None)  # else what is given would be added to what the variable says
    asked = made.parse_args(arguments)
    asked.model = asked.model or (_from_variable("model", given["model"]) if "model" in given else list(OFFERED))
    if asked.mcp and find_spec("mcp") is None:
        made.error("--mcp needs one package more: pip install 'gradio[mcp]'")
    if asked.mcp and os.environ.get(VARIABLE):
        # Gradio lists the tools to everybody, and lets nobody use them.
        made.error(f"--mcp serves nobody where {VARIABLE} closes the page: leave out one of them")
    return asked


def _from_variable(name: str, value: str) -> object:
    """A variable's value as its argument has it."""
    if name == "model":
        return [model.strip() for model in value.split(",") if model.strip()]
    if name == "port":
        if not value.isdecimal():
            raise ValueError(f"PORT must be a number, got {value!r}")
        return int(value)
    return Path(value) if name == "runs" else value.strip().lower() in ("1", "true", "yes", "on")


def main(given: Sequence[str] | None = None) -> int:
    """Build the page and serve it until it is ended."""
    arguments = settings(given)
    try:
        login = private_login()
    except ValueError as error:
        parser().error(str(error))
    models = Models(tuple(arguments.model))
    if ZERO_GPU:
        models.load_for_zero_gpu()
    demo = build(models, Jobs(models, arguments.runs, hosting(arguments.hosted)))
    launch(demo, arguments.port, mcp=arguments.mcp, login=login)
    # PyTorch and the first model are loaded once the page can be opened, so that nobody waits for a blank one.
    models.warm()
    demo.block_thread()
    return 0
