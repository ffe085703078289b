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


def launched(*program: str) -> subprocess.CompletedProcess:
    """Launch a program twice over; Accelerate's own --cpu would start one process only, whatever it is told."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    options = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*launcher, *options, *program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def as_two(*arguments: str) -> None:
    """Run the command line with `accelerate launch`, in two processes on the CPU."""
    assert "2 processes work together" in launched("-m", "tli_core", *arguments).stderr


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


def test_two_processes_share_the_parts_of_a_long_list(lists, tmp_path):
    """As `measure` does with more than PART pairs, here with parts of five."""
    script = (
        "import json, sys, tli_core.alignment as a; a.PART = 5\n"
        "from tli_core.model import load_model; from tli_core.pairs import read_pairs\n"
        "from tli_core.parallel import is_main, join, processes; from tli_core.placement import Placement\n"
        "join(); r = a.measure(load_model('lugha-mini', Placement('cpu')), read_pairs(sys.argv[1]).pairs)\n"
        "is_main() and print(json.dumps([processes(), len(r.pairs), r.matched.tolist(), r.mexa.tolist()]))\n"
    )
    (tmp_path / "long.py").write_text(script)
    program = [str(tmp_path / "long.py"), lists[0]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    alone = subprocess.run([sys.executable, *program], env=environment, capture_output=True, text=True, timeout=300)
    one, two = (json.loads(done.stdout) for done in (alone, launched(*program)))
    assert one[:2] == [1, 21] and two[:2] == [2, 21]
    for before, after in zip(one[2:], two[2:], strict=True):
        assert after == pytest.approx(before, abs=1e-6)
