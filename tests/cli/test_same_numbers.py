"""The numbers of `measure`, `train` and `evaluate` stay what they were: saved JSON of code before its rearrangement.

Where a change is meant to move numbers, `python -m tests.cli.test_same_numbers` writes the files anew.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tli_core.cli.main import main
from tli_core.lists.formats import format_pairs
from tli_core.lists.lexicon import shipped

GOLDEN = Path(__file__).parents[1] / "golden"
LEFT_OUT = ("versions", "seconds")
"""What differs from machine to machine, or from release to release."""

NEAR_TIES = {"linear_map": 0.01, "with_bos": 0.01}
"""By how much numbers may differ where cosines lie so close that another CPU's rounding moves a rank: a map fitted on
fewer pairs than dimensions, and words that are nearly all BOS."""


def made(folder: Path) -> dict[str, Any]:
    """What the three subcommands write for a few pairs and lugha-mini."""
    lists = {"train": shipped("train")[:32], "control": shipped("control")[:24]}
    for name, pairs in lists.items():
        (folder / f"{name}.csv").write_text(format_pairs(pairs), encoding="utf-8")
    train, control = str(folder / "train.csv"), str(folder / "control.csv")
    assert main(["measure", "--pairs", control, "--out", str(folder / "measure.json")]) == 0
    settings = ["--preset", "published", "--epochs", "2", "--name", "golden", "--adapters", str(folder)]
    assert main(["train", "--pairs", train, "--control", control, *settings]) == 0
    judged = ["--adapter", "mini-corrected", "--trained", train, "--control", control]
    assert main(["evaluate", *judged, "--out", str(folder / "evaluate.json")]) == 0
    files = {"measure": "measure.json", "train": "golden/tli.json", "evaluate": "evaluate.json"}
    return {name: json.loads((folder / file).read_text(encoding="utf-8")) for name, file in files.items()}


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return made(tmp_path_factory.mktemp("golden"))
    finally:
        torch.set_num_threads(threads)


def differences(before: Any, after: Any, place: str = "", most: float = 1e-6) -> list[str]:
    """Where two JSON values differ: numbers by more than `most` and 1e-4 of their size, everything else at all."""
    if isinstance(before, dict) and isinstance(after, dict):
        if before.keys() != after.keys():
            return [f"{place}: {sorted(before.keys() ^ after.keys())}"]
        return [
            d
            for key in before
            if key not in LEFT_OUT
            for d in differences(before[key], after[key], f"{place}.{key}", NEAR_TIES.get(key, most))
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            d
            for i, pair in enumerate(zip(before, after, strict=True))
            for d in differences(*pair, f"{place}[{i}]", most)
        ]
    if isinstance(before, float) and isinstance(after, float):
        return [] if after == pytest.approx(before, rel=1e-4, abs=most) else [f"{place}: {before} → {after}"]
    if isinstance(before, str) and most in NEAR_TIES.values():
        return []  # a sentence with such numbers in it
    return [] if before == after else [f"{place}: {before} → {after}"]


@pytest.mark.parametrize("name", ["measure", "train", "evaluate"])
def test_numbers_are_what_they_were(now, name):
    before = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert differences(before, now[name]) == []


def test_a_number_that_moved_is_found():
    assert differences({"a": [1.0, 2.0]}, {"a": [1.0, 2.001]}) == [".a[1]: 2.0 → 2.001"]
    assert differences({"a": 1}, {"b": 1}) == [": ['a', 'b']"]
    assert differences({"with_bos": [0.5]}, {"with_bos": [0.509]}) == []
    assert differences({"with_bos": [0.5]}, {"with_bos": [0.52]}) == [".with_bos[0]: 0.5 → 0.52"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name, report in made(Path(folder)).items():
            text = json.dumps(report, ensure_ascii=False, indent=None, separators=(",", ":"))
            (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.exit(0)
