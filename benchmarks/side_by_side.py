"""What runs side by side cost beside one run: k seeds with their shuffled controls in one pass, and one after another.

    python benchmarks/side_by_side.py                     on a GPU: Lugha-Llama's exact shape, two blocks, bf16
    python benchmarks/side_by_side.py --model lugha-mini  on a CPU

Printed for each layer and batch size: milliseconds a step of one run, of k runs in one pass, and how often longer that
is than one, and than k of them one after another. Checks are left out; laying batches out is in the time.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tli_core.training.loop
from benchmarks.published_vs_ours import PAIRS, synchronise
from benchmarks.random_models import LLAMA, random_model
from tli_core.lists.lexicon import shipped
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.tables import format_table
from tli_core.training.history import TrainingStep
from tli_core.training.loop import train_together
from tli_core.training.presets import PRESETS
from tli_core.training.run import RunPlan

WARM = {"cuda": 60, "cpu": 3}
"""Steps of a pass that are not timed: by then every shape of batch has its graph on a GPU."""


def step_seconds(loaded: LoadedModel, plans: list[RunPlan], steps: int) -> float:
    """Seconds a step of all runs, in whatever passes they go."""
    seen, warm = 0, WARM[loaded.device.type]
    run = train_together(loaded, plans)
    for number, item in run:
        if number or not isinstance(item, TrainingStep):
            continue
        seen += 1
        if seen == 1 + warm:
            synchronise(loaded.device)
            began = time.perf_counter()
        if seen == 1 + warm + steps:
            synchronise(loaded.device)
            break
    found = (time.perf_counter() - began) / steps
    run.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a base to load in place of random weights")
    parser.add_argument("--layers", type=int, nargs="+", default=[2])
    parser.add_argument("--batches", type=int, nargs="+", default=[8])
    parser.add_argument("--runs", type=int, nargs="+", default=[2, 6])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3, help="take turns so often, and print the medians")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.model:
        loaded = load_model(arguments.model, Placement(device))
    else:
        tokenizer = AutoTokenizer.from_pretrained(KNOWN_MODELS["lugha-mini"])
        shape = LLAMA | {"num_hidden_layers": max(2, *arguments.layers)}
        loaded = LoadedModel(random_model(shape, torch.bfloat16, device), tokenizer, "random", None)
    rows = [("layer", "batch", "runs", "one, ms", "side by side, ms", "× one", "× one after another")]
    pairs = shipped("train")[:PAIRS]
    for layer in arguments.layers:
        for batch in arguments.batches:
            config = replace(PRESETS["published"], layer=layer, batch_size=batch, epochs=100)
            for count in arguments.runs:
                plans = [RunPlan(pairs, replace(config, seed=i // 2, shuffled=bool(i % 2))) for i in range(count)]
                with patch.object(tli_core.training.loop, "WORDS_IN_A_PASS", 10**6):
                    turns = [
                        [step_seconds(loaded, of, arguments.steps) for of in (plans[:1], plans)]
                        for _ in range(arguments.rounds)
                    ]
                one, together = (sorted(turn[i] for turn in turns)[len(turns) // 2] for i in (0, 1))
                rows.append((
                    f"{layer}", f"{batch}", f"{count}", f"{1e3 * one:.2f}", f"{1e3 * together:.2f}",
                    f"{together / one:.2f}", f"{together / one / count:.2f}",
                ))  # fmt: skip
                print(rows[-1], flush=True)
    print(torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} CPU threads")
    print(format_table(rows))


if __name__ == "__main__":
    main()
