"""Models, adapters and saved measurements beside each other: a leaderboard, and a figure for a paper."""

import argparse
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_adapter,
    add_lens,
    add_model,
    add_reading,
    import_choices,
    layer_argument,
    lens,
    load_with,
    print_progress,
    print_result,
    read_list,
    seed_argument,
)
from tli_core.cli.show import read_saved
from tli_core.reports.notices import all_notices, worded

SIZES, FORMATS = ("column", "page", "slide"), ("pdf", "svg", "png")
"""Of `print_figure.SIZES` and `FORMATS`, written out so that --help need not load Matplotlib."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    command.add_argument("files", nargs="*", help="saved measurements: files, or names of those that ship")
    add_model(command, several=True)
    add_adapter(command, required=False, several=True)
    command.add_argument("--pairs", type=Path, help="a list of pairs; without it, the shipped control list")
    add_lens(command)
    add_reading(command)
    command.add_argument(
        "--layer", type=layer_argument, default="output", help="the layer of the leaderboard: a number, or output"
    )
    command.add_argument("--seed", type=seed_argument, default=0)
    command.add_argument("--size", choices=SIZES, default="page", help="how large it is drawn (page by default)")
    command.add_argument("--no-title", action="store_true", help="without the title line, for a paper with a caption")
    command.add_argument("--format", choices=FORMATS, action="append", help="give it again for several; all of them")
    command.add_argument(
        "--out",
        type=Path,
        default=Path("figure"),
        metavar="NAME",
        help="files NAME.pdf, .svg, .png, .csv (the points), .txt (a caption), .bib (what to cite), -leaderboard.csv",
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure and read what was asked for, print where each stands, and write the figure's files."""
    compared = core.reports.charts.distinctly_labelled([*_measured(arguments), *_read(arguments.files)])
    chart = core.reports.charts.comparison_chart([(of.label, of.result) for of in compared], arguments.layer)
    found = core.measures.across_models.standings(compared, arguments.layer, arguments.seed)
    board = core.reports.across_models.leaderboard_rows(found)
    print_result(core.reports.tables.format_table(board))
    for told in core.reports.across_models.standing_sentences(found):
        print_result(told)
    if note := core.reports.across_models.picking_note(found):
        print_progress(f"Note: {note}")
    if core.distributed.is_main():
        out, formats = arguments.out, tuple(arguments.format or FORMATS)
        files = core.reports.print_figure.write_figure(
            chart, out.parent, out.name, arguments.size, formats, board, titled=not arguments.no_title
        )
        print_progress(f"Written: {', '.join(map(str, files))}")


def _read(files: Sequence[str]) -> list["core.measures.across_models.Compared"]:
    if models := [name for name in files if name in core.models.registry.KNOWN_MODELS]:
        raise ValueError(f"{models[0]} is a model, not a saved measurement: give it as --model {models[0]}.")
    found = (read_saved(file).result for file in files)
    return [core.measures.across_models.Compared(of.provenance.label, of) for of in found]


def _measured(arguments: argparse.Namespace) -> list["core.measures.across_models.Compared"]:
    """Each model, and each adapter beside its base; one model in memory at a time."""
    # What is named twice is one.
    models, adapters = (list(dict.fromkeys(of or ())) for of in (arguments.model, arguments.adapter))
    if not models and (adapters or not arguments.files):
        models = ["lugha-mini"]
    if adapters and len(models) > 1:
        raise ValueError("Adapters are for one model: give one --model with --adapter.")
    if not models:
        return []
    pairs = read_list(arguments.pairs, "control", arguments.languages, import_choices(arguments))
    found = []
    for model in models:
        asked = copy(arguments)
        asked.model = model
        loaded, keys = load_with(asked, adapters)
        for key in (None, *keys):
            counted = core.i18n.translate_plural("{n} pair", "{n} pairs", len(pairs))
            print_progress(f"Measuring {counted}, {loaded.adapters[key].name if key else 'base'} …")
            of = core.measures.across_models.measure_compared(
                loaded, pairs.pairs, key, lens=lens(arguments), seed=arguments.seed
            )
            for warning in all_notices(of.result):
                print_progress(f"Note on {of.label}: {worded(warning)}")
            found.append(of)
    return found
