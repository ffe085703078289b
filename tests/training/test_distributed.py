"""Two processes give what one gives: the same adapter at the same global batch, and the same measurement."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import tli_core.measures.alignment
from tli_core.cli.main import main
from tli_core.lists.formats import read_pairs
from tli_core.measures.alignment import measure
from tli_core.models.loaded_model import load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import ROOT

PART = 5
LAUNCHED = """
import json, sys
from pathlib import Path
import tli_core.measures.alignment
from tli_core.reports import model_card
from tli_core.training import dry_run
from tli_core.measures import before_after
from tli_core.measures import generation
from tli_core.lists import lint
from tli_core.measures import pilot
from tli_core.reports import json_csv
from tli_core.training import seeds
from tli_core.reports import tables
from tli_core.training import loop
from tli_core.cli.main import main
from tli_core.measures.alignment import measure
from tli_core.models.loaded_model import load_model
from tli_core.lists.formats import read_pairs
from tli_core.distributed import is_main
from tli_core.models.placement import Placement

model, pairs, folder, commands = json.loads(sys.argv[1])
for command in commands:
    assert main(command) == 0, command
tli_core.measures.alignment.PART = 5
long = measure(load_model(model, Placement("cpu")), read_pairs(pairs).pairs)
if is_main():
    heavy = {"gradio", "plotly", "umap"}
    Path(folder, "imported.json").write_text(json.dumps(sorted(heavy & set(sys.modules))))
    kept = [len(long.pairs), long.matched.tolist(), long.scores["mexa"].mean(axis=1).tolist()]
    Path(folder, "long.json").write_text(json.dumps(kept))
"""


def commands(model: Path, lists: tuple[str, str], folder: Path) -> list[list[str]]:
    """Both presets trained, and a list measured, into a folder."""
    settings = ["--epochs", "2", "--dropout", "0", "--batch-size", "8", "--adapters", str(folder)]
    train = ["train", "--model", str(model), "--pairs", lists[0], "--control", lists[1], *settings]
    return [
        *([*train, "--preset", preset, "--name", preset] for preset in ("published", "corrected")),
        ["measure", "--model", str(model), "--pairs", lists[0], "--out", str(folder / "measured.json")],
    ]


@pytest.fixture(scope="module")
def lists(tmp_path_factory, pairs) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("lists")
    train, control = folder / "train.csv", folder / "control.csv"
    # 21 pairs in batches of 8: parts of unequal size, and a last batch of five.
    train.write_text("\n".join(f"{p.source}, {p.target}" for p in pairs[:21]))
    control.write_text("\n".join(f"{p.source}, {p.target}" for p in pairs[21:]))
    return str(train), str(control)


@pytest.fixture(scope="module")
def one(tmp_path_factory, tiny_folder, lists) -> Path:
    """What one process gives."""
    folder = tmp_path_factory.mktemp("one")
    for command in commands(tiny_folder, lists, folder):
        assert main(command) == 0
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory, tiny_folder, lists) -> Path:
    """What two processes give together. Accelerate's own --cpu would start only one, whatever it is told."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "both.py").write_text(LAUNCHED)
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    options = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    asked = json.dumps([str(tiny_folder), lists[0], str(folder), commands(tiny_folder, lists, folder)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    program = [*launcher, *options, str(folder / "both.py"), asked]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "2 processes work together" in done.stderr
    return folder


@pytest.mark.parametrize("preset", ["published", "corrected"])
def test_two_processes_train_the_adapter_of_one(one, two, preset):
    ours, theirs = (load_file(folder / preset / "adapter_model.safetensors") for folder in (two, one))
    assert set(ours) == set(theirs)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-6)
    records = [json.loads((folder / preset / "tli.json").read_text()) for folder in (one, two)]
    assert records[0]["losses"] == pytest.approx(records[1]["losses"], abs=2e-5)  # they are rounded


def test_training_and_measuring_bring_in_neither_gradio_nor_plotly(two):
    """Machines that train lack both."""
    assert json.loads((two / "imported.json").read_text()) == []


def test_two_processes_measure_what_one_measures(one, two):
    before, after = (json.loads((folder / "measured.json").read_text()) for folder in (one, two))
    for alone, together in zip(before["layers"], after["layers"], strict=True):
        assert together["matched"] == pytest.approx(alone["matched"], abs=1e-6)
        assert together["verdict"] == alone["verdict"]
    assert len(after["pairs"]) == 21


def test_two_processes_share_the_parts_of_a_long_list(tiny_folder, lists, two, monkeypatch):
    monkeypatch.setattr(tli_core.measures.alignment, "PART", PART)
    alone = measure(load_model(str(tiny_folder), Placement("cpu")), read_pairs(lists[0]).pairs)
    count, matched, mexa = json.loads((two / "long.json").read_text())
    assert count == len(alone.pairs) == 21
    assert matched == pytest.approx(alone.matched.tolist(), abs=1e-6)
    assert mexa == pytest.approx(alone.scores["mexa"].mean(axis=1).tolist(), abs=1e-6)
