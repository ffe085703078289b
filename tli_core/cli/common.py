"""What several subcommands share: arguments, lists, model loading, and progress messages, which go to stderr."""

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import tli_core as core
from tli_core.atomic_files import make_place
from tli_core.encoding.lens import VIEWS, Lens
from tli_core.encoding.readouts import DEFAULT_READOUT, READOUTS
from tli_core.lists.formats import ImportChoices, PairList, import_file
from tli_core.lists.formats.decoding import ENCODINGS
from tli_core.lists.formats.separated import SEPARATORS
from tli_core.lists.language_pair import DEFAULT, language_pair, language_pairs
from tli_core.lists.lexicon import shipped
from tli_core.models.hub_address import is_hub_address
from tli_core.models.registry import find_adapter, is_small, resolve
from tli_core.reports.notices import worded

LOADS = ("auto", "gpu", "gpus", "8-bit", "4-bit", "offload", "cpu", "first-blocks")
"""The names of `load_plan.WAYS`, written out so that --help need not load PyTorch."""

LONGEST_NAME = 100
"""Characters of a file's name that a refusal repeats."""


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line and points to --help.

    An option of which one value counts is refused where it is given twice, rather than the first one lost.
    """

    def __init__(self, *given: Any, **named: Any):
        super().__init__(*given, **named)
        self.register("action", None, _Once)
        self.register("action", "store", _Once)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class _Once(argparse.Action):
    """Store the value of an option, or of a place, that may be given once."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        given = namespace.__dict__.setdefault("_given", set())
        if option_string and self.dest in given:
            several = "; name all its values after one" if self.nargs in ("+", "*") else ""
            raise argparse.ArgumentError(self, f"is given twice{several}")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def add_model(command: argparse.ArgumentParser, several: bool = False) -> None:
    """The arguments that choose a base, or several, and how it is loaded."""
    known = "lugha-mini (the default), lugha-llama, a Hub id or a folder"
    if several:
        command.add_argument("--model", action="append", help=f"{known}; give it again for each model to compare")
    else:
        command.add_argument("--model", default="lugha-mini", help=known)
    command.add_argument(
        "--head-from", metavar="MODEL", help="a sibling to take the output head from, if there is none"
    )
    command.add_argument(
        "--load", choices=LOADS, default="auto", help="how a large model is kept; auto takes what fits this machine"
    )


def add_adapter(command: argparse.ArgumentParser, required: bool, several: bool = False) -> None:
    """The arguments that choose an adapter, or several."""
    where = "an adapter under adapters/, its folder, or its place on the Hub"
    if several:
        command.add_argument("--adapter", action="append", help=f"{where}; give it again for each to compare")
    else:
        command.add_argument("--adapter", required=required, help=where if required else f"{where}; none: the base")
    command.add_argument(
        "--same-base", action="store_true", help="the adapter is for this base, whatever its config names"
    )


def add_languages(command: argparse.ArgumentParser) -> None:
    """The argument that says which two languages a list is in."""
    command.add_argument(
        "--languages",
        default=DEFAULT,
        metavar="CODES",
        help=f"the languages of the list, such as fr-en; word lists ship of {', '.join(language_pairs())}",
    )


def add_lens(command: argparse.ArgumentParser) -> None:
    """The arguments that choose how words become vectors."""
    add_languages(command)
    command.add_argument(
        "--readout", choices=READOUTS, help=f"how a word becomes a vector ({DEFAULT_READOUT} by default)"
    )
    command.add_argument("--view", choices=VIEWS, default="raw", help="what is taken away of the vectors before")


def lens(arguments: argparse.Namespace) -> Lens:
    """The lens that was asked for."""
    return Lens(arguments.languages, arguments.readout or DEFAULT_READOUT, arguments.view)


def layer_argument(text: str) -> int | str:
    """A layer's number, or `output`."""
    if text == "output":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a layer is a number or 'output', got {text!r}") from None


def layer_or_pick(text: str) -> int | str:
    """As `layer_argument`, or `pick`."""
    return text if text == "pick" else layer_argument(text)


def seed_argument(text: str) -> int:
    """A seed that every generator takes."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to 2147483647, got {text!r}")
    return int(text)


def is_first() -> bool:
    """Whether this is the main process, as its launcher says, before processes have joined, too."""
    return int(os.environ.get("RANK", "0")) == 0


def print_progress(message: str) -> None:
    """Print a message to stderr, from the main process only."""
    if is_first():
        print(message, file=sys.stderr, flush=True)


def print_result(text: str) -> None:
    """Print to stdout, from the main process only; to nobody where its reader has gone, as `head` does."""
    if not is_first():
        return
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What was asked for as files is written all the same, and Python's own last flush has somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def add_out(command: argparse.ArgumentParser) -> None:
    """The argument that says where every number is written."""
    command.add_argument("--out", type=_new_file, help="write every number as JSON here")


def _new_file(given: str) -> Path:
    """Where a file can be written, found out before anything is measured for it; its folder is made."""
    path = Path(given)
    try:
        make_place(path)
    except OSError as error:
        name = given if len(given) <= LONGEST_NAME else f"{given[:LONGEST_NAME]}…"
        text = f"{name} cannot be written ({error.strerror}): name a file in a folder of yours"
        raise argparse.ArgumentTypeError(text) from error
    return path


def add_reading(command: argparse.ArgumentParser) -> None:
    """The arguments that say how files of pairs are to be read, where that is not found out right."""
    reading = command.add_argument_group("how files of pairs are read (found out and printed; these overrule it)")
    reading.add_argument(
        "--columns",
        metavar="SOURCE,TARGET",
        type=two_columns,
        help="their numbers from 1, or names in the header",
    )
    reading.add_argument("--separator", choices=SEPARATORS, help="what stands between the columns")
    reading.add_argument("--encoding", metavar="NAME", help=f"such as {', '.join(ENCODINGS[:4])}")
    reading.add_argument("--sheet", metavar="NAME", help="the sheet of an Excel file")
    reading.add_argument("--forms-of", metavar="LANGUAGE", help="whose forms of a CLDF table, by id or name")


def two_columns(text: str) -> tuple[str, str]:
    """Two columns with a comma between them."""
    source, comma, target = text.partition(",")
    if not comma or not source.strip() or not target.strip():
        raise argparse.ArgumentTypeError(f"two columns are SOURCE,TARGET, such as 2,3 or Neno,Maana; got {text!r}")
    return source, target


def import_choices(arguments: argparse.Namespace) -> ImportChoices:
    """How the arguments ask for files to be read."""
    return ImportChoices(
        arguments.encoding, arguments.separator, arguments.sheet, arguments.columns, arguments.forms_of
    )


def read_list(
    path: Path | None, split: str, languages: str = DEFAULT, choices: ImportChoices | None = None
) -> PairList:
    """A list from a file, with one line on how it was read and one for each row left out; without a path, a split of
    the shipped lexicon.

    Raises:
        ValueError: no list ships for these languages, or the file must be told apart first.
    """
    if path is None:
        if not (pairs := shipped(split, languages)):
            names = " and ".join(language_pair(languages).names)
            raise ValueError(f"No word list of {names} ships: give a file with pairs of your own.")
        return PairList(pairs)
    found = import_file(path, languages, choices)
    print_progress(f"{path.name}: {found.summary(language_pair(languages))}")
    if found.problem:
        # What is asked for can be given with an argument.
        raise ValueError(f"{path.name}: {found.problem} (--columns, --separator, --encoding and --sheet overrule.)")
    for warning in (*found.remarks, *found.skipped):
        print_progress(f"{path.name}: {warning}")
    return replace(found.listed, warnings=(*found.remarks, *found.listed.warnings))


def load(arguments: argparse.Namespace, blocks: int | None = None):
    """The base that was asked for and the key of its adapter, if one was.

    Args:
        blocks: the first blocks only; None for the whole model.

    Raises:
        ValueError: the model is not available, or does not fit this machine.
    """
    named = getattr(arguments, "adapter", None)
    loaded, keys = load_with(arguments, [named] if named else [], blocks)
    return loaded, keys[0] if keys else None


def load_with(arguments: argparse.Namespace, adapters: Sequence[str], blocks: int | None = None):
    """The base that was asked for, and the keys of adapters by their names, folders or places on the Hub.

    Raises:
        ValueError: as `load`.
    """
    folders = [_adapter_folder(name) for name in adapters]
    for folder in folders:
        try:
            core.models.adapter_sources.check_base(folder, arguments.model, arguments.same_base)
        except ValueError as error:
            raise ValueError(f"{error} (--same-base says so.)") from error
    device = core.distributed.join()
    if core.distributed.processes() > 1:
        print_progress(f"{core.distributed.processes()} processes work together.")
    if device is None and blocks is None and (arguments.load != "auto" or not is_small(arguments.model)):
        chosen = core.models.load_plan.plan(resolve(arguments.model), way=arguments.load)
        print_progress(f"{arguments.model}: {chosen.sentence}")
        if not chosen.fits:
            raise ValueError(f"{arguments.model} does not fit this machine.")
        placement = chosen.placement
    else:
        kind = core.models.placement.Placement
        placement = kind(device, blocks) if device else kind.default(blocks)
    part = f"the first {placement.blocks} blocks of " if placement.blocks else ""
    print_progress(f"Loading {part}{arguments.model} …")
    loaded = core.models.loaded_model.load_model(arguments.model, placement, _download_progress(), arguments.head_from)
    if (health := core.measures.perplexity.health_of(loaded)) and health.noisy:
        print_progress(f"Warning: {worded(health.notice)}")
    keys = []
    for folder in folders:
        added = loaded.add_adapter(folder)
        keys.append(added.key)
        if added.idle_sentence:
            print_progress(f"Note: {added.idle_sentence}")
    return loaded, keys


def save_once(trained: "core.training.run.TrainedAdapter", folder: Path, name: str) -> Path:
    """Write an adapter from the main process, wait for it in the others, and return its folder."""
    if core.distributed.is_main():
        core.reports.model_card.save_adapter(trained, folder, name)
    core.distributed.wait()
    return folder / name


def _adapter_folder(name: str) -> Path:
    """The folder of a local adapter, or of one downloaded from the Hub and deleted when the command exits."""

    try:
        return find_adapter(name)
    except ValueError:
        if not is_hub_address(name):
            raise
    into = tempfile.mkdtemp(prefix="lugha-adapter-")
    atexit.register(shutil.rmtree, into, ignore_errors=True)
    print_progress(f"Fetching {name} from the Hub …")
    return core.models.adapter_sources.fetch_adapter(name, Path(into))


def _download_progress():
    """A progress callback for downloads: prints one line per 100 MB."""
    said = 0

    def report(done: int, total: int) -> None:
        nonlocal said
        if done // 100_000_000 != said:
            said = done // 100_000_000
            print_progress(f"Fetched {done / 1e9:.1f} of {total / 1e9:.1f} GB of this file …")

    return report


def block_progress():
    """A progress callback for a forward pass: prints at most one line every five seconds."""
    said = time.monotonic()

    def report(done: int, blocks: int) -> None:
        nonlocal said
        if time.monotonic() - said > 5:
            said = time.monotonic()
            print_progress(f"{done} of {blocks} blocks …")

    return report
