"""Two processes give what one gives: the same adapter at the same global batch, and the same measurement."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tli_core.__main__ import main
from tli_core.model import ROOT


def as_one(*arguments: str) -> None:
    assert main(arguments) == 0


def as_two(*arguments: str) -> None:
    """Run the command line as `accelerate launch` does, on two CPU processes."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    options = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "-m", "tli_core"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, *options, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def lists(tmp_path: Path, pairs) -> tuple[str, str]:
    train, control = tmp_path / "train.csv", tmp_path / "control.csv"
    # 21 pairs in batches of 8: parts of unequal size, and a last batch of five.
    train.write_text("\n".join(f"{p.swahili}, {p.english}" for p in pairs[:21]))
    control.write_text("\n".join(f"{p.swahili}, {p.english}" for p in pairs[21:]))
    return str(train), str(control)


@pytest.mark.parametrize("preset", ["published", "corrected"])
def test_two_processes_train_the_adapter_of_one(tiny_folder, lists, tmp_path, preset):
    asked = ["train", "--model", str(tiny_folder), "--pairs", lists[0], "--control", lists[1], "--preset", preset]
    asked += ["--epochs", "2", "--dropout", "0", "--batch-size", "8", "--name", "mine", "--adapters"]
    as_one(*asked, str(tmp_path / "1"))
    as_two(*asked, str(tmp_path / "2"))
    one, two = (load_file(tmp_path / n / "mine" / "adapter_model.safetensors") for n in "12")
    assert set(one) == set(two)
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
    records = [json.loads((tmp_path / n / "mine" / "tli.json").read_text()) for n in "12"]
    assert records[0]["losses"] == pytest.approx(records[1]["losses"], abs=1e-5)


def test_two_processes_measure_what_one_measures(tiny_folder, lists, tmp_path):
    for run, out in ((as_one, "1.json"), (as_two, "2.json")):
        run("measure", "--model", str(tiny_folder), "--pairs", lists[0], "--out", str(tmp_path / out))
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in "12")
    for before, after in zip(one["layers"], two["layers"], strict=True):
        assert after["matched"] == pytest.approx(before["matched"], abs=1e-6)
        assert after["verdict"] == before["verdict"]
    assert len(two["pairs"]) == 21
