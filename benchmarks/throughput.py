"""Pairs a second on a list of 100,000, on one GPU or several: training, and vectors at every layer.

    python benchmarks/throughput.py
    accelerate launch --num_processes 2 benchmarks/throughput.py
    python benchmarks/throughput.py --model lugha-mini --pairs 2000      on a CPU

The list is made of the shipped words, each pair numbered so that all are distinct; it is read from its file as a user's
list is. Without --model it is Lugha-Llama's exact shape with random weights in bf16, of which training takes the first
two blocks. Vectors are made part by part, as `measure` does with a long list, each process its own parts.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.published_vs_ours import GIB
from benchmarks.random_models import LLAMA, first_blocks, random_model
from tli_core.distributed import is_main, join, own_part, processes, wait
from tli_core.encoding.pair_states import embed_pairs
from tli_core.lists.formats import read_pairs
from tli_core.lists.lexicon import shipped
from tli_core.measures.alignment import PART
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.tables import format_table
from tli_core.training.loop import train_adapter
from tli_core.training.presets import PRESETS
from tli_core.training.run import TrainedAdapter

CONFIG = replace(PRESETS["corrected"], layer=2, epochs=1)


def write_list(path: Path, count: int) -> None:
    """A list of so many distinct pairs, one a line."""
    words = shipped("train")
    lines = (f"{words[i % len(words)].source} {i}, {words[i % len(words)].target} {i}" for i in range(count))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def train_seconds(loaded: LoadedModel, pairs: tuple) -> float:
    """An epoch over the list, in batches of 128 shared by all processes."""
    wait()
    began = time.perf_counter()
    for item in train_adapter(loaded, pairs, CONFIG):
        if isinstance(item, TrainedAdapter):
            wait()
            return time.perf_counter() - began


def scan_seconds(loaded: LoadedModel, pairs: tuple) -> float:
    """Every word's vector at every layer, each process its own parts of the list; the vectors are let go."""
    parts = [pairs[i : i + PART] for i in range(0, len(pairs), PART)]
    wait()
    began = time.perf_counter()
    for part in own_part(parts):
        embed_pairs(loaded, part, None, "words", alone=True)
    wait()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--model", choices=KNOWN_MODELS)
    arguments = parser.parse_args()
    device = join() or ("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "pairs.csv"
        write_list(listed, arguments.pairs)
        began = time.perf_counter()
        pairs = read_pairs(listed).pairs
        read = time.perf_counter() - began
    if arguments.model:
        whole = to_train = load_model(arguments.model, Placement(device))
    else:
        tokenizer = AutoTokenizer.from_pretrained(KNOWN_MODELS["lugha-mini"])
        model = first_blocks(random_model(LLAMA, torch.bfloat16, device), CONFIG.layer)
        to_train = LoadedModel(model, tokenizer, "random", None)
    rows = [["work", "seconds", "pairs a second", "all processes"]]
    rows.append(["reading the list", f"{read:.1f}", f"{len(pairs) / read:,.0f}", ""])
    _peak()
    # A first short run sets up what is set up once.
    train_seconds(to_train, pairs[:1000])
    seconds = train_seconds(to_train, pairs)
    rows.append(["an epoch at layer 2, batch 128", f"{seconds:.1f}", f"{len(pairs) / seconds:,.0f}", _peak()])
    if not arguments.model:
        del to_train, model
        whole = LoadedModel(random_model(LLAMA, torch.bfloat16, device), tokenizer, "random", None)
    scan_seconds(whole, pairs[: PART * processes()])
    seconds = scan_seconds(whole, pairs)
    rows.append([f"vectors at {whole.blocks + 1} layers", f"{seconds:.1f}", f"{len(pairs) / seconds:,.0f}", _peak()])
    if is_main():
        print(format_table(rows))
        card = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"
        print(f"{processes()} × {card}, torch {torch.__version__}")


def _peak() -> str:
    if not torch.cuda.is_available():
        return ""
    peak = torch.cuda.max_memory_allocated() / GIB
    torch.cuda.reset_peak_memory_stats()
    return f"{peak:.1f} GiB on each GPU"


if __name__ == "__main__":
    main()
