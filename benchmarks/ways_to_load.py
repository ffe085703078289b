"""Every way to load a model that a GPU can or cannot hold, on one random checkpoint of Lugha-Llama's width.

    python benchmarks/ways_to_load.py [--blocks N]

The checkpoint is written to a temporary folder in float32, as Lugha-Llama's is, with N of its 32 blocks. Each way loads
it, scans the shipped training list at every layer, and is compared with the model that is whole on the GPU.
Offloaded weights must cross to the GPU once a scan: the floor is their bytes over the speed of a page-locked copy.
"""

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.gpu_time import median_seconds
from benchmarks.published_vs_ours import GIB
from benchmarks.random_models import LLAMA, random_model
from tli_core.encoding.pair_states import embed_pairs
from tli_core.lists.lexicon import shipped
from tli_core.models.checkpoint import load_size
from tli_core.models.load_plan import weights_bytes
from tli_core.models.loaded_model import load_model
from tli_core.models.placement import Placement
from tli_core.models.quantization import can_quantise
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.tables import format_table

OUTSIDE = 3 * GIB
"""Room on the GPU for the embeddings, the head and a block or two."""


def write_checkpoint(folder: Path, blocks: int) -> None:
    """A random model in float32 shards of at most 5 GB, with lugha-mini's tokenizer."""
    model = random_model(LLAMA | {"num_hidden_layers": blocks}, torch.float32, "cuda")
    model.save_pretrained(folder, max_shard_size="5GB")
    AutoTokenizer.from_pretrained(KNOWN_MODELS["lugha-mini"]).save_pretrained(folder)


def tried(folder: Path, placement: Placement) -> tuple[float, float, float, torch.Tensor]:
    """Seconds to load, seconds of the third scan, bytes at peak of the fullest GPU, and the cosines (layers, n)."""
    gc.collect()
    torch.cuda.empty_cache()
    for gpu in range(torch.cuda.device_count()):
        torch.cuda.reset_peak_memory_stats(gpu)
    began = time.perf_counter()
    loaded = load_model(str(folder), placement)
    loading = time.perf_counter() - began
    pairs = shipped("train")[:686]
    for _ in range(3):
        began = time.perf_counter()
        states = embed_pairs(loaded, pairs, None, "words")
        scanning = time.perf_counter() - began
    sides = states.source[:, states.source_index], states.target[:, states.target_index]
    cosines = torch.nn.functional.cosine_similarity(*sides, dim=-1)
    peak = max(torch.cuda.max_memory_allocated(gpu) for gpu in range(torch.cuda.device_count()))
    return loading, scanning, peak, cosines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=16)
    blocks = parser.parse_args().blocks
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder, blocks)
        size = weights_bytes(load_size(str(folder)))
        ways = {
            "whole on the GPU": Placement("cuda:0"),
            "blocks offloaded to memory": Placement("cuda:0", limits={0: OUTSIDE, "cpu": 100 * GIB}),
            "blocks offloaded to disk": Placement("cuda:0", limits={0: OUTSIDE, "cpu": 0}),
        }
        gpus = torch.cuda.device_count()
        if gpus > 1:
            share = int(size / gpus + OUTSIDE)
            ways[f"spread over {gpus} GPUs"] = Placement("cuda:0", limits=dict.fromkeys(range(gpus), share))
        if can_quantise():
            ways |= {"8-bit": Placement("cuda:0", bits=8), "4-bit NF4": Placement("cuda:0", bits=4)}
        rows, whole = [["way", "load", "scan of 686 pairs", "GPU at peak", "cosines differ by"]], None
        for way, placement in ways.items():
            loading, scanning, peak, cosines = tried(folder, placement)
            whole = cosines if whole is None else whole
            apart = float((cosines - whole).abs().max())
            rows.append([way, f"{loading:.1f} s", f"{scanning:.2f} s", f"{peak / GIB:.1f} GiB", f"{apart:.0e}"])
    print(format_table(rows))
    locked = torch.empty(GIB, dtype=torch.uint8, pin_memory=True)
    there = torch.empty_like(locked, device="cuda")
    rate = GIB / median_seconds(lambda: there.copy_(locked, non_blocking=True))
    print(f"floor: {size / 1e9:.1f} GB in bf16, less {OUTSIDE / 1e9:.1f} GB that stay, at {rate / 1e9:.0f} GB/s")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {blocks} of 32 blocks")


if __name__ == "__main__":
    main()
