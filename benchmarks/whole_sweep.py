"""How long the whole map takes on Lugha-Llama's exact shape: every layer × two losses × five seeds with their controls.

    python benchmarks/whole_sweep.py               a GPU of 24 GB or more; random weights, bf16
    python benchmarks/whole_sweep.py --layers 2 17 output

A few layers are really swept, training and measuring, and none is ended early; between them the time of a setting is
taken to grow evenly with its layer. Printed: seconds of each, and of all layers, for one GPU.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tli_core.studies.sweep
from benchmarks.published_vs_ours import PAIRS
from benchmarks.random_models import LLAMA, random_model
from tli_core.lists.lexicon import shipped
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.model_card import save_adapter
from tli_core.studies.sweep import sweep
from tli_core.studies.sweep_runs import Plan, SweepFolder
from tli_core.training.presets import PRESETS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", nargs="+", default=["2", "17", "output"])
    parser.add_argument("--losses", nargs="+", default=["triplet"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=LLAMA["num_hidden_layers"])
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(KNOWN_MODELS["lugha-mini"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = LLAMA | {"num_hidden_layers": arguments.blocks}
    loaded = LoadedModel(random_model(shape, torch.bfloat16, device), tokenizer, "random", None)
    layers = [layer if layer == "output" else int(layer) for layer in arguments.layers]
    seconds = []
    for layer in layers:
        config = replace(PRESETS["published"], layer=layer, epochs=arguments.epochs)
        cells = tuple(replace(config, loss=loss, temperature=0.05) for loss in arguments.losses)
        began = time.perf_counter()
        with (
            tempfile.TemporaryDirectory() as folder,
            patch.object(tli_core.studies.sweep, "is_futile", lambda first, groups: False),
        ):
            found = sweep(
                loaded, Plan(cells, arguments.seeds), shipped("train")[:PAIRS], shipped("control"),
                SweepFolder(Path(folder)), save_adapter,
            )  # fmt: skip
        assert all(cell.seeds == arguments.seeds for cell in found.cells), "a run has failed"
        seconds.append((time.perf_counter() - began) / len(cells))
        print(f"layer {layer}: {seconds[-1]:.1f} s for {arguments.seeds} seeds with their controls", flush=True)
    numbers = [arguments.blocks if layer == "output" else layer for layer in layers]
    every = np.interp(np.arange(1, arguments.blocks + 1), numbers, seconds)
    print(torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} CPU threads")
    print(f"all {arguments.blocks} layers, two losses: {2 * every.sum():.0f} s")


if __name__ == "__main__":
    main()
