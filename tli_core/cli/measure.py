"""How close right and wrong pairs are at every layer, of one model or of several beside each other."""

import argparse
from copy import copy
from pathlib import Path

import tli_core as core
from tli_core.cli.common import (
    add_adapter,
    add_lens,
    add_model,
    add_out,
    add_reading,
    block_progress,
    import_choices,
    lens,
    load,
    print_progress,
    print_result,
    read_list,
    seed_argument,
)
from tli_core.lists.formats import PairList
from tli_core.lists.lexicon import shipped_sentences
from tli_core.reports.notices import all_notices, worded


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(command, several=True)
    add_adapter(command, required=False)
    command.add_argument("--pairs", type=Path, help="a list of pairs; without it, the shipped control list")
    command.add_argument(
        "--sentences",
        action="store_true",
        help="the shipped pairs of sentences instead, weighted by position as in MEXA",
    )
    add_lens(command)
    add_reading(command)
    command.add_argument("--seed", type=seed_argument, default=0)
    add_out(command)
    command.add_argument(
        "--save", type=Path, metavar="DIR", help="keep each model's measurement here, for `show` and the page"
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure each model, one in memory at a time; print the tables, and write and keep what was asked for."""
    pairs = _asked_for(arguments)
    models = arguments.model or ["lugha-mini"]
    if arguments.adapter and len(models) > 1:
        raise ValueError("An adapter is for one model: give one --model with --adapter.")
    measured = []
    for model in models:
        result = _measured(arguments, model, pairs)
        measured.append(core.measures.across_models.Compared(result.provenance.label, result))
        if arguments.save and core.distributed.is_main():
            _keep(arguments, result)
    measured = core.reports.charts.distinctly_labelled(measured)
    results = [(of.label, of.result) for of in measured]
    if len(results) == 1:
        print_result(core.reports.tables.alignment_table(results[0][1]))
        print_result("[]: a 95 % interval; of mismatched, where nine in ten wrong pairs lie.")
    else:
        print_result(core.reports.tables.format_table(core.reports.tables.compared_rows(results)))
        standings = core.measures.across_models.standings(measured, seed=arguments.seed)
        for told in core.reports.across_models.standing_sentences(standings):
            print_result(told)
    counted = core.i18n.translate_plural("{n} pair", "{n} pairs", len(pairs))
    for label, result in results:
        of = f"{label}: " if len(results) > 1 else ""
        print_result(
            f"{of}{counted}, pool {core.reports.tables.either(result.pool_size)}, "
            f"chance {core.reports.tables.either(result.chance, '.4f')}; "
            f"read {result.provenance.readout}, view {arguments.view}"
        )
        if arguments.sentences:
            print_result(of + core.reports.messages.mexa_sentence(result))
        print_result(core.reports.messages.tokens_sentence(result))
    if arguments.out and core.distributed.is_main():
        if len(results) == 1:
            report = core.reports.json_csv.alignment_json(results[0][1])
            report["warnings"] = [*report["warnings"], *pairs.warnings]
        else:
            report = core.reports.json_csv.measurements_json(results, pairs.warnings)
        core.reports.json_csv.write_json(report, arguments.out)


def _asked_for(arguments: argparse.Namespace) -> PairList:
    """The list that was asked for; sentences are read as MEXA reads them, unless another readout was given."""
    if not arguments.sentences:
        return read_list(arguments.pairs, "control", arguments.languages, import_choices(arguments))
    if arguments.pairs:
        raise ValueError("--sentences stands for a list: leave --pairs out, or give it with --readout weighted.")
    arguments.readout = arguments.readout or "weighted"
    if not (sentences := shipped_sentences(arguments.languages)):
        raise ValueError(f"No sentences of {arguments.languages} ship: give --pairs, with --readout weighted.")
    return PairList(sentences)


def _measured(arguments: argparse.Namespace, model: str, pairs: PairList) -> core.LayerAlignment:
    """One model's measurement, with its notices told; the model is let go of when it is done."""
    asked = copy(arguments)
    asked.model = model
    loaded, adapter = load(asked)
    print_progress(
        f"Measuring {core.i18n.translate_plural('{n} pair', '{n} pairs', len(pairs))} at {loaded.blocks + 1} layers …"
    )
    result = core.measures.alignment.measure(
        loaded, pairs.pairs, adapter, lens(arguments), arguments.seed, block_progress()
    )
    for warning in all_notices(result):
        print_progress(f"Note: {worded(warning)}")
    return result


def _keep(arguments: argparse.Namespace, result: core.LayerAlignment) -> None:
    """Write a measurement into the folder that was asked for."""
    of = arguments.pairs.stem if arguments.pairs else "sentences" if arguments.sentences else "control"
    where = result.provenance
    parts = (Path(where.model).name, where.adapter, where.languages, of, where.readout, where.view)
    name = core.models.adapter_sources.folder_name("-".join(filter(None, parts)))
    path = arguments.save / f"{name}{core.reports.saved.ENDING}"
    digest = core.reports.saved.save_measurement(result, path)
    print_progress(f"Kept as {path} (sha256 {digest[:12]}).")
