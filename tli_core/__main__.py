"""Command line: lint, measure, train, evaluate, generate. Progress to stderr, a table to stdout, JSON to --out."""

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

from tli_core.lists.pairs import PairList, read_pairs, shipped

LOADS = ("auto", "gpu", "gpus", "8-bit", "4-bit", "offload", "cpu", "first-blocks")
"""The names of `fit.WAYS`, written out so that --help need not load PyTorch."""


KNOBS = (
    ("epochs", int, None),
    ("batch-size", int, "pairs in a batch, over all processes together"),
    ("learning-rate", float, None),
    ("warmup-steps", int, None),
    ("weight-decay", float, None),
    ("margin", float, "of the triplet loss"),
    ("temperature", float, "of the contrastive loss"),
    ("rank", int, "of LoRA"),
    ("alpha", int, "of LoRA"),
    ("dropout", float, "of LoRA; 0 makes several processes equal to one"),
    ("seed", int, None),
    ("patience", int, "held-out checks without a better one before the run ends and keeps its best step; 0: never"),
)
"""The numbers of a fine-tune that can be changed."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line, with the way to help."""

    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m tli_core", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    def command(name: str, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--model", default="lugha-mini", help="lugha-mini, lugha-llama, a Hub id or a folder")
        sub.add_argument(
            "--head-from", metavar="MODEL", help="a sibling to take the output head from, if there is none"
        )
        sub.add_argument(
            "--load", choices=LOADS, default="auto", help="how a large model is kept; auto takes what fits this machine"
        )
        return sub

    lint = commands.add_parser(
        "lint", help="what is wrong with a list of pairs", description="What is wrong with a list."
    )
    lint.add_argument("--pairs", type=Path, required=True)
    lint.add_argument("--trained", type=Path, help="the list that is trained on; words in both are leaks")
    lint.add_argument("--fix", type=Path, metavar="FILE", help="write the list with every fix made here")

    measure = command("measure", "how close right and wrong pairs are at every layer")
    _add_adapter(measure, required=False)
    measure.add_argument("--pairs", type=Path, help="a list of pairs; without it, the shipped control list")
    measure.add_argument("--pooling", choices=("words", "all", "last"), default="words")
    measure.add_argument("--seed", type=_seed, default=0)
    measure.add_argument("--out", type=Path, help="write every number as JSON here")

    train = command("train", "fine-tune an adapter on pairs")
    train.add_argument("--pairs", type=Path, help="pairs to train on; without it, the shipped training list")
    train.add_argument("--control", type=Path, help="held-out pairs; without it, the shipped control list")
    train.add_argument("--preset", default="corrected", help="corrected, published, or a YAML file of knobs")
    train.add_argument("--layer", type=_layer, help="whose states the loss reads: a number, or output")
    train.add_argument("--shuffled", action="store_true", default=None, help="train on wrong translations, a control")
    train.add_argument("--pooling", choices=("words", "all", "last"))
    train.add_argument("--loss", choices=("triplet", "contrastive"))
    train.add_argument("--targets", nargs="+", metavar="MATRIX", help="what LoRA is added to, such as q_proj v_proj")
    for knob, kind, help in KNOBS:
        train.add_argument(f"--{knob}", type=kind, help=help)
    train.add_argument("--seeds", type=int, default=1, metavar="N", help="train from N seeds and report the spread")
    train.add_argument("--pilot", action="store_true", help="pick the layer as published: highest cosine, BOS and all")
    train.add_argument("--dry-run", action="store_true", help="only try a few batches: first loss, time and memory")
    train.add_argument("--name", help="the adapter's name; with several seeds, -seed0 and so on is added")
    train.add_argument("--adapters", type=Path, help="the folder to put it in; adapters/ by default")

    evaluate = command("evaluate", "base against adapter on trained and control pairs")
    _add_adapter(evaluate, required=True)
    evaluate.add_argument("--trained", type=Path, help="without it, the shipped training list")
    evaluate.add_argument("--control", type=Path, help="without it, the shipped control list")
    evaluate.add_argument(
        "--layer", type=_layer_or_pick, default="output", help="a number, output, or pick: by the trained list's gap"
    )
    evaluate.add_argument("--answers", action="store_true", help="also what the models write: translations and probes")
    evaluate.add_argument("--seed", type=_seed, default=0)
    evaluate.add_argument("--out", type=Path, help="write every number as JSON here")
    evaluate.add_argument("--report", type=Path, metavar="DIR", help="write an HTML page, JSON, CSV and the card here")

    generate = command("generate", "what the model writes after a prompt")
    _add_adapter(generate, required=False)
    generate.add_argument("--prompt", required=True)
    generate.add_argument("--max-new-tokens", type=int, default=40)
    return parser


def _add_adapter(command: argparse.ArgumentParser, required: bool) -> None:
    base = "" if required else "; none: the base"
    command.add_argument(
        "--adapter", required=required, help=f"an adapter under adapters/, its folder, or its place on the Hub{base}"
    )
    command.add_argument(
        "--same-base", action="store_true", help="the adapter is for this base, whatever its config names"
    )


def _layer(text: str) -> int | str:
    if text == "output":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a layer is a number or 'output', got {text!r}") from None


def _layer_or_pick(text: str) -> int | str:
    return text if text == "pick" else _layer(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to 2147483647, got {text!r}")
    return int(text)


def _say(message: str) -> None:
    if int(os.environ.get("RANK", "0")) == 0:
        print(message, file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """To stdout, once where several processes work together."""
    if int(os.environ.get("RANK", "0")) == 0:
        print(text)


def _pairs(path: Path | None, split: str) -> PairList:
    if path is None:
        return PairList(shipped(split))
    pairs = read_pairs(path)
    for warning in pairs.warnings:
        _say(f"{path.name}: {warning}")
    return pairs


def _loaded(arguments: argparse.Namespace, blocks: int | None = None):
    # Imported here so that --help and a bad argument answer at once.
    from tli_core.distributed import join, processes
    from tli_core.measures.perplexity import health_of
    from tli_core.models.adapter_sources import check_base
    from tli_core.models.load_plan import plan
    from tli_core.models.loaded_model import load_model
    from tli_core.models.placement import Placement
    from tli_core.models.registry import is_small, resolve

    adapter = _adapter_folder(arguments.adapter) if getattr(arguments, "adapter", None) else None
    if adapter:
        check_base(adapter, arguments.model, arguments.same_base)
    device = join()
    if processes() > 1:
        _say(f"{processes()} processes work together.")
    if device is None and blocks is None and (arguments.load != "auto" or not is_small(arguments.model)):
        chosen = plan(resolve(arguments.model), way=arguments.load)
        _say(f"{arguments.model}: {chosen.sentence}")
        if not chosen.fits:
            raise ValueError(f"{arguments.model} does not fit this machine.")
        placement = chosen.placement
    else:
        placement = Placement(device, blocks) if device else Placement.default(blocks)
    part = f"the first {placement.blocks} blocks of " if placement.blocks else ""
    _say(f"Loading {part}{arguments.model} …")
    loaded = load_model(arguments.model, placement, _fetching(), arguments.head_from)
    if (health := health_of(loaded)) and health.noisy:
        _say(f"Warning: {health.sentence}")
    if adapter is None:
        return loaded, None
    added = loaded.add_adapter(adapter)
    if added.idle_sentence:
        _say(f"Note: {added.idle_sentence}")
    return loaded, added.key


def _adapter_folder(name: str) -> Path:
    """The folder of an adapter that is here, or that is fetched from the Hub for as long as this command runs."""
    from tli_core.models.adapter_sources import fetch_adapter
    from tli_core.models.hub_address import is_hub_address
    from tli_core.models.registry import find_adapter

    try:
        return find_adapter(name)
    except ValueError:
        if not is_hub_address(name):
            raise
    into = tempfile.mkdtemp(prefix="lugha-adapter-")
    atexit.register(shutil.rmtree, into, ignore_errors=True)
    _say(f"Fetching {name} from the Hub …")
    return fetch_adapter(name, Path(into))


def _fetching():
    """A progress report for downloads: a line for every further hundred megabytes."""
    said = 0

    def report(done: int, total: int) -> None:
        nonlocal said
        if done // 100_000_000 != said:
            said = done // 100_000_000
            _say(f"Fetched {done / 1e9:.1f} of {total / 1e9:.1f} GB of this file …")

    return report


def _counting():
    """A progress report for a scan: a line every few seconds, none where it takes less."""
    said = time.monotonic()

    def report(done: int, blocks: int) -> None:
        nonlocal said
        if time.monotonic() - said > 5:
            said = time.monotonic()
            _say(f"{done} of {blocks} blocks …")

    return report


def _lint(arguments: argparse.Namespace) -> None:
    from tli_core.lists.lint import apply, lint
    from tli_core.lists.pairs import format_pairs

    pairs = _pairs(arguments.pairs, "train")
    trained = _pairs(arguments.trained, "train").pairs if arguments.trained else ()
    findings = lint(pairs.pairs, trained)
    for finding in findings:
        advice = f" Fix: {finding.fix}." if finding.fix else ""
        print(f"{finding.kind}: {finding.message}{advice}")
    print(f"{len(findings)} findings in {len(pairs)} pairs, {sum(bool(f.fix) for f in findings)} with a fix")
    if arguments.fix:
        if arguments.fix.exists():
            raise ValueError(f"{arguments.fix} is already there: give another file.")
        arguments.fix.write_text(format_pairs(apply(pairs.pairs, findings)) + "\n", encoding="utf-8")


def _measure(arguments: argparse.Namespace) -> None:
    pairs = _pairs(arguments.pairs, "control")
    loaded, adapter = _loaded(arguments)
    from tli_core.distributed import is_main
    from tli_core.measures.alignment import measure
    from tli_core.measures.result import FEW_PAIRS
    from tli_core.reports.json_csv import alignment_json, write_json
    from tli_core.reports.tables import alignment_table

    _say(f"Measuring {len(pairs)} pairs at {loaded.blocks + 1} layers …")
    result = measure(loaded, pairs.pairs, adapter, arguments.pooling, arguments.seed, _counting())
    notes = list(map(str, result.warnings))
    if result.few:
        notes.append(f"{len(pairs)} pairs are few: ranks within the list mean little below {FEW_PAIRS}.")
    for note in notes:
        _say(f"Note: {note}")
    _print(alignment_table(result))
    _print(f"{len(pairs)} pairs, pool {result.pool_size}, chance {result.chance:.4f}; pooling {arguments.pooling}")
    if arguments.out and is_main():
        report = alignment_json(result)
        report["warnings"] = [*notes, *pairs.warnings]
        write_json(report, arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    from tli_core.models.loaded_model import blocks_to_train
    from tli_core.models.registry import ADAPTERS, check_adapter_name

    folder = arguments.adapters or ADAPTERS
    if not 1 <= arguments.seeds <= 100:
        raise ValueError(f"--seeds must be 1 to 100, got {arguments.seeds}.")
    if arguments.name is None and not arguments.dry_run:
        raise ValueError("--name is missing: how shall the adapter be called?")
    config = _config(arguments)
    seeds = range(config.seed, config.seed + arguments.seeds)
    names = [arguments.name if arguments.seeds == 1 else f"{arguments.name}-seed{seed}" for seed in seeds]
    for name in [] if arguments.dry_run else names:
        if (folder / check_adapter_name(name)).exists():
            raise ValueError(f"{folder / name} is already there: choose another --name, or remove it first.")
    pairs, control = _pairs(arguments.pairs, "train"), _pairs(arguments.control, "control")
    if len(control) < 2:
        raise ValueError("The control list needs at least two pairs, as they are compared with each other: add some.")
    from tli_core.lists.lint import leak_message

    if leak := leak_message(pairs.pairs, control.pairs):
        _say(f"Warning: {leak}")
    # A pilot needs every layer, so the whole model.
    loaded, _ = _loaded(arguments, None if arguments.pilot else blocks_to_train(arguments.model, config.layer))
    if arguments.pilot:
        config = _after_pilot(loaded, pairs, config)
    if arguments.dry_run:
        from tli_core.reports.messages import dry_run_sentence
        from tli_core.reports.tables import dry_run_rows, format_table
        from tli_core.training.dry_run import dry_run

        tried = dry_run(loaded, pairs.pairs, config)
        _print(format_table(dry_run_rows(tried, config.loss)))
        _print(dry_run_sentence(tried, config.loss))
        return
    sources = {
        "pairs_from": arguments.pairs.name if arguments.pairs else "the shipped training list",
        "control_from": arguments.control.name if arguments.control else "the shipped control list",
    }
    runs = [
        _train_one(loaded, pairs, control, replace(config, seed=seed), folder, name, sources)
        for seed, name in zip(seeds, names, strict=True)
    ]
    if len(runs) > 1:
        from tli_core.reports.tables import format_table, spread_rows
        from tli_core.training.seeds import spread

        _print(f"The control list over {len(runs)} seeds:")
        _print(format_table(spread_rows(spread([control_run for _, control_run in runs]))))
        _print(f"verdicts: {', '.join(control_run.change.verdict for _, control_run in runs)}")


def _config(arguments: argparse.Namespace):
    """The preset, by name or from a file, with the knobs that were given."""
    from tli_core.training.config import PRESETS, read_preset

    config = PRESETS[arguments.preset] if arguments.preset in PRESETS else read_preset(arguments.preset)
    knobs = ("shuffled", "pooling", "loss", "targets", *(knob.replace("-", "_") for knob, _, _ in KNOBS))
    changes = {knob: getattr(arguments, knob) for knob in knobs if getattr(arguments, knob) is not None}
    if arguments.layer is not None:
        changes["layer"] = None if arguments.layer == "output" else arguments.layer
    if "targets" in changes:
        changes["targets"] = tuple(changes["targets"])
    return replace(config, **changes)


def _after_pilot(loaded, pairs: PairList, config):
    """The configuration with the layer that the published pilot picks."""
    from tli_core.measures.pilot import run_pilot
    from tli_core.reports.messages import pilot_sentence

    pilot = run_pilot(loaded, pairs.pairs, seed=config.seed, tell=lambda doing: _say(f"Pilot: {doing} …"))
    _say(pilot_sentence(pilot))
    return replace(config, layer=pilot.layer)


def _train_one(loaded, pairs: PairList, control: PairList, config, folder: Path, name: str, sources: dict[str, str]):
    """Train, save and evaluate one adapter: the evaluations of the trained and the control list."""
    from tli_core.distributed import is_main, wait
    from tli_core.measures.before_after import evaluate_lists
    from tli_core.reports.model_card import save_adapter, write_card
    from tli_core.reports.tables import evaluation_table
    from tli_core.training.loop import TrainedAdapter, train_adapter

    trained: TrainedAdapter | None = None
    for item in train_adapter(loaded, pairs.pairs, config, control.pairs):
        if isinstance(item, TrainedAdapter):
            trained = item
        elif item.check:
            loss = "   –   " if item.loss is None else f"{item.loss:7.4f}"
            _say(
                f"step {item.step}/{item.steps} epoch {item.epoch} loss {loss} | held out: "
                f"matched {item.check.matched:.3f} mismatched {item.check.mismatched:.3f} P@1 {item.check.p_at_1:.3f}"
            )
    trained.record.update(sources)
    target = save_adapter(trained, folder, name) if is_main() else folder / name
    wait()
    adapter = loaded.add_adapter(target).key
    _say("Measuring base and adapter on both lists …")
    evaluations = evaluate_lists(loaded, pairs.pairs, control.pairs, adapter, loaded.last_layer, config.seed)
    if is_main():
        write_card(target, trained.record, evaluations)
    _print(evaluation_table(evaluations))
    _print(f"Saved to {target}")
    loaded.drop(adapter)
    return evaluations


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.report and arguments.report.exists():
        raise ValueError(f"{arguments.report} is already there: give the report a folder of its own.")
    trained, control = _pairs(arguments.trained, "train"), _pairs(arguments.control, "control")
    loaded, adapter = _loaded(arguments)
    from tli_core.measures.before_after import evaluate_lists, report_of, with_answers
    from tli_core.reports.json_csv import evaluation_json, write_json
    from tli_core.reports.messages import change_sentence
    from tli_core.reports.tables import evaluation_table, format_table, output_rows

    if arguments.answers and not loaded.can_generate:
        raise ValueError(f"{arguments.model} has no output head here, so it writes nothing: leave --answers out.")

    def tell(doing: str) -> None:
        _say(f"Measuring {doing} …")

    evaluations = evaluate_lists(
        loaded, trained.pairs, control.pairs, adapter, arguments.layer, arguments.seed, tell
    )  # fmt: skip
    report = report_of(loaded, evaluations)
    if arguments.answers:
        report = with_answers(loaded, report, adapter, tell)
    print(evaluation_table(evaluations))
    for item in evaluations:
        print(change_sentence(item))
    if report.outputs:
        print(format_table(output_rows(*report.outputs)))
    for warning in report.warnings:
        _say(f"Note: {warning}")
    if arguments.out:
        write_json(evaluation_json(report), arguments.out)
    if arguments.report:
        # Plotly is needed here only, and the machines that train may lack it.
        from tli_core.reports.html import write_report

        print(f"Report: {write_report(report, arguments.report, loaded.adapters[adapter].record)}")


def _generate(arguments: argparse.Namespace) -> None:
    from tli_core.lists.prompts import MAX_NEW_TOKENS
    from tli_core.measures.generation import continuations

    if not 1 <= arguments.max_new_tokens <= MAX_NEW_TOKENS:
        raise ValueError(f"--max-new-tokens must be 1 to {MAX_NEW_TOKENS}, got {arguments.max_new_tokens}.")
    loaded, adapter = _loaded(arguments)
    with loaded.using(adapter) as model:
        (answer,) = continuations(model, loaded.tokenizer, [arguments.prompt], arguments.max_new_tokens)
    print(answer)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr when it was asked for wrongly."""
    arguments = _parser().parse_args(argv)
    commands = {"lint": _lint, "measure": _measure, "train": _train, "evaluate": _evaluate, "generate": _generate}
    run = commands[arguments.command]
    try:
        run(arguments)
    except (ValueError, OSError) as error:
        _say(f"python -m tli_core {arguments.command}: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
