"""What the published work takes from its pilot to its probes, step by step, each fine-tune beside its control.

    python benchmarks/whole_study.py [--shape lugha-llama]

Without a shape it is done with lugha-mini; with one, on random bf16 weights of that exact shape, under lugha-mini's
tokenizer and on as many pairs as were published: the time is that of the real model, the figures mean nothing.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.random_models import SHAPES, random_model
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.reports.model_card import save_adapter
from tli_core.reports.tables import format_table
from tli_core.studies.reproduction import reproduce, shipped_lists


def main() -> None:
    """Do the study once and print when each step began."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, help="an exact shape with random weights, in place of lugha-mini")
    shape = parser.parse_args().shape
    loaded = load_model("lugha-mini")
    if shape:
        model = random_model(SHAPES[shape], torch.bfloat16, str(loaded.device))
        loaded = LoadedModel(model, loaded.tokenizer, f"random {shape}", None)
    trained, control = shipped_lists()
    rows, began = [("step", "began after")], time.perf_counter()

    def told(doing: str) -> None:
        if ": step " not in doing or ": step 0 of" in doing:
            rows.append((doing, f"{time.perf_counter() - began:.1f} s"))

    with tempfile.TemporaryDirectory() as folder:
        reproduce(loaded, trained, control, lambda made, name: save_adapter(made, Path(folder), name), progress=told)
    rows.append(("all of it", f"{time.perf_counter() - began:.1f} s"))
    print(format_table(rows))
    if loaded.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
        print(f"{torch.cuda.get_device_name()}, {peak:.1f} GiB at peak")


if __name__ == "__main__":
    main()
