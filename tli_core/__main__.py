"""Command line: measure, train, evaluate, generate. Progress to stderr, a table to stdout, JSON to --out."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .pairs import PairList, read_pairs, shipped


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
        return sub

    measure = command("measure", "how close right and wrong pairs are at every layer")
    measure.add_argument("--adapter", help="an adapter under adapters/, or its folder; none: the base")
    measure.add_argument("--pairs", type=Path, help="a list of pairs; without it, the shipped control list")
    measure.add_argument("--pooling", choices=("words", "all", "last"), default="words")
    measure.add_argument("--seed", type=_seed, default=0)
    measure.add_argument("--out", type=Path, help="write every number as JSON here")

    train = command("train", "fine-tune an adapter on pairs")
    train.add_argument("--pairs", type=Path, help="pairs to train on; without it, the shipped training list")
    train.add_argument("--control", type=Path, help="held-out pairs; without it, the shipped control list")
    train.add_argument("--preset", choices=("corrected", "published"), default="corrected")
    train.add_argument("--layer", type=_layer, help="whose states the loss reads: a number, or output")
    train.add_argument("--shuffled", action="store_true", help="train on wrong translations, as a control")
    train.add_argument("--epochs", type=int)
    train.add_argument("--seed", type=_seed, default=0)
    train.add_argument("--name", required=True, help="the adapter's name")
    train.add_argument("--adapters", type=Path, help="the folder to put it in; adapters/ by default")

    evaluate = command("evaluate", "base against adapter on trained and control pairs")
    evaluate.add_argument("--adapter", required=True)
    evaluate.add_argument("--trained", type=Path, help="without it, the shipped training list")
    evaluate.add_argument("--control", type=Path, help="without it, the shipped control list")
    evaluate.add_argument("--layer", type=_layer, default="output")
    evaluate.add_argument("--seed", type=_seed, default=0)
    evaluate.add_argument("--out", type=Path)

    generate = command("generate", "what the model writes after a prompt")
    generate.add_argument("--adapter")
    generate.add_argument("--prompt", required=True)
    generate.add_argument("--max-new-tokens", type=int, default=40)
    return parser


def _layer(text: str) -> int | str:
    if text == "output":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a layer is a number or 'output', got {text!r}") from None


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to 2147483647, got {text!r}")
    return int(text)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _pairs(path: Path | None, split: str) -> PairList:
    if path is None:
        return PairList(shipped(split))
    pairs = read_pairs(path)
    for warning in pairs.warnings:
        _say(f"{path.name}: {warning}")
    return pairs


def _loaded(arguments: argparse.Namespace, blocks: int | None = None):
    part = f"the first {blocks} blocks of " if blocks else ""
    _say(f"Loading {part}{arguments.model} …")
    # Imported here so that --help and a bad argument answer at once.
    from .model import find_adapter, load_model

    adapter = find_adapter(arguments.adapter) if getattr(arguments, "adapter", None) else None
    loaded = load_model(arguments.model, blocks=blocks, progress=_fetching())
    return loaded, loaded.add_adapter(adapter).key if adapter else None


def _fetching():
    """A progress report for downloads: a line for every further hundred megabytes."""
    said = 0

    def report(done: int, total: int) -> None:
        nonlocal said
        if done // 100_000_000 != said:
            said = done // 100_000_000
            _say(f"Fetched {done / 1e9:.1f} of {total / 1e9:.1f} GB of this file …")

    return report


def _measure(arguments: argparse.Namespace) -> None:
    pairs = _pairs(arguments.pairs, "control")
    loaded, adapter = _loaded(arguments)
    from .alignment import FEW_PAIRS, measure
    from .reports import alignment_json, alignment_table, write_json

    _say(f"Measuring {len(pairs)} pairs at {loaded.blocks + 1} layers …")
    result = measure(loaded, pairs.pairs, adapter, arguments.pooling, arguments.seed)
    notes = list(result.warnings)
    if not result.own_band:
        notes.append(f"{len(pairs)} pairs are few: ranks within the list mean little below {FEW_PAIRS}.")
    for note in notes:
        _say(f"Note: {note}")
    print(alignment_table(result))
    print(f"{len(pairs)} pairs, pool {result.pool_size}, chance {result.chance:.4f}; pooling {arguments.pooling}")
    if arguments.out:
        report = alignment_json(result)
        report["warnings"] = [*notes, *pairs.warnings]
        write_json(report, arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    from .model import ADAPTERS, blocks_to_train, check_adapter_name
    from .training import TrainedAdapter, configured, train_adapter

    folder = arguments.adapters or ADAPTERS
    if (folder / check_adapter_name(arguments.name)).exists():
        raise ValueError(f"{folder / arguments.name} is already there: choose another --name, or remove it first.")
    pairs, control = _pairs(arguments.pairs, "train"), _pairs(arguments.control, "control")
    if len(control) < 2:
        raise ValueError("The control list needs at least two pairs, as they are compared with each other: add some.")
    changes = {"seed": arguments.seed, "shuffled": arguments.shuffled}
    if arguments.epochs is not None:
        changes["epochs"] = arguments.epochs
    if arguments.layer is not None:
        changes["layer"] = None if arguments.layer == "output" else arguments.layer
    config = configured(arguments.preset, **changes)
    loaded, _ = _loaded(arguments, blocks_to_train(arguments.model, config.layer))
    from .evaluation import evaluate
    from .reports import evaluation_table, save_adapter, write_card

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
    trained.record["pairs_from"] = arguments.pairs.name if arguments.pairs else "the shipped training list"
    trained.record["control_from"] = arguments.control.name if arguments.control else "the shipped control list"
    target = save_adapter(trained, folder, arguments.name)
    adapter = loaded.add_adapter(target).key
    _say("Measuring base and adapter on both lists …")
    layer = "output" if loaded.whole else loaded.blocks
    evaluations = [
        evaluate(loaded, name, measured.pairs, adapter, layer, arguments.seed)
        for name, measured in (("trained", pairs), ("control", control))
    ]
    write_card(target, trained.record, evaluations)
    print(evaluation_table(evaluations))
    print(f"Saved to {target}")


def _evaluate(arguments: argparse.Namespace) -> None:
    trained, control = _pairs(arguments.trained, "train"), _pairs(arguments.control, "control")
    loaded, adapter = _loaded(arguments)
    from .evaluation import evaluate
    from .reports import evaluation_json, evaluation_table, write_json
    from .sentences import change_sentence

    evaluations = []
    for name, pairs in (("trained", trained), ("control", control)):
        _say(f"Measuring {len(pairs)} {name} pairs, base and adapter …")
        evaluations.append(evaluate(loaded, name, pairs.pairs, adapter, arguments.layer, arguments.seed))
    print(evaluation_table(evaluations))
    for item in evaluations:
        print(change_sentence(item))
    if arguments.out:
        write_json(evaluation_json(evaluations), arguments.out)


def _generate(arguments: argparse.Namespace) -> None:
    from .generation import MAX_NEW_TOKENS, continuations

    if not 1 <= arguments.max_new_tokens <= MAX_NEW_TOKENS:
        raise ValueError(f"--max-new-tokens must be 1 to {MAX_NEW_TOKENS}, got {arguments.max_new_tokens}.")
    loaded, adapter = _loaded(arguments)
    with loaded.using(adapter) as model:
        (answer,) = continuations(model, loaded.tokenizer, [arguments.prompt], arguments.max_new_tokens)
    print(answer)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr when it was asked for wrongly."""
    arguments = _parser().parse_args(argv)
    run = {"measure": _measure, "train": _train, "evaluate": _evaluate, "generate": _generate}[arguments.command]
    try:
        run(arguments)
    except (ValueError, OSError) as error:
        _say(f"python -m tli_core {arguments.command}: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
