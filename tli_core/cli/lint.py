"""What is wrong with a list of pairs, the list with fixes made, and the list in two parts."""

import argparse
from pathlib import Path

from tli_core.cli.common import add_languages, add_reading, import_choices, read_list
from tli_core.lists.formats import PairList, format_pairs
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lint import WHY, lint, mended
from tli_core.lists.split import split


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    command.add_argument("--pairs", type=Path, required=True)
    command.add_argument("--trained", type=Path, help="the list that is trained on; words in both are leaks")
    add_languages(command)
    command.add_argument("--explain", action="store_true", help="say of each kind of finding why it matters")
    command.add_argument("--fix", type=Path, metavar="FILE", help="write the list with every certain fix made here")
    command.add_argument("--fix-all", type=Path, metavar="FILE", help="the same, with those that want judgement")
    command.add_argument(
        "--split",
        type=Path,
        nargs=2,
        metavar=("TRAIN", "TEST"),
        help="write the list in two parts that share no word in any form",
    )
    command.add_argument("--test-part", type=float, default=0.2, help="the share of the pairs in TEST (0.2 by default)")
    command.add_argument("--seed", type=int, default=0, help="of the chance that divides the list")
    add_reading(command)


def run(arguments: argparse.Namespace) -> None:
    """Print what is wrong, and write the mended list or its two parts where asked."""
    languages, choices = arguments.languages, import_choices(arguments)
    written = [path for path in (arguments.fix, arguments.fix_all, *(arguments.split or ())) if path]
    for path in written:
        if path.exists():
            raise ValueError(f"{path} is already there: give another file.")
    read = read_list(arguments.pairs, "train", languages, choices)
    trained = read_list(arguments.trained, "train", languages).pairs if arguments.trained else ()
    findings = lint(read.pairs, trained, languages=languages)
    for finding in findings:
        how = "Fix" if finding.certain else "Perhaps"
        print(f"{finding.kind}: {finding.message}{f' {how}: {finding.fix}.' if finding.fix else ''}")
    certain = [finding for finding in findings if finding.certain]
    fixes = sum(bool(finding.fix) for finding in findings)
    print(f"{len(findings)} findings in {len(read)} pairs, {fixes} with a fix, {len(certain)} of them certain")
    if arguments.explain:
        for kind in dict.fromkeys(finding.kind for finding in findings):
            print(f"{kind}: {WHY[kind]}")
    for path, accepted in ((arguments.fix, certain), (arguments.fix_all, findings)):
        if path:
            rows = mended(read.pairs, accepted, languages)
            _write(path, PairList(tuple(pair for _, pair in rows), extras=_extras(read, [i for i, _ in rows])))
    if arguments.split:
        parts = split(read.pairs, arguments.test_part, arguments.seed, languages)
        for path, rows in zip(arguments.split, (parts.train, parts.test), strict=True):
            _write(path, PairList(tuple(read.pairs[i] for i in rows), extras=_extras(read, rows)))
        source, target = language_pair(languages).names
        print(
            f"{len(parts.train)} pairs to train on, {len(parts.test)} to test with, which share no {source} and no "
            f"{target} word in any form"
        )


def _extras(read: PairList, rows) -> tuple[dict[str, str], ...]:
    return tuple(read.extras[i] for i in rows) if read.extras else ()


def _write(path: Path, pairs: PairList) -> None:
    path.write_text(format_pairs(pairs.pairs, extras=pairs.extras) + "\n", encoding="utf-8")
