"""Every layer of a word list in one batched pass, against one word and one layer at a time as the published pilot does.

    python benchmarks/all_layers.py [--pairs 686] [--published 10]

Both ways run in this process on lugha-mini, and must agree; the published way is timed on a few pairs and scaled up.
"""

import argparse
import platform
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.encoding.lens import Lens
from tli_core.encoding.pair_states import embed_pairs
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import align
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.reports.tables import format_table

ROUNDS = 5
ALONE = asdict(Lens(readout="words"))


@torch.inference_mode()
def published(loaded: LoadedModel, pairs: list[WordPair]) -> torch.Tensor:
    """Mean cosine of right pairs at every layer, words pooled: a whole forward pass for each word and each layer."""
    means = []
    with loaded.using(None) as model:
        for layer in range(loaded.blocks + 1):
            cosines = []
            for pair in pairs:
                sides = []
                for word in pair[:2]:
                    ids = loaded.tokenizer(word, return_tensors="pt")["input_ids"].to(model.device)  # (1, t)
                    hidden = model(ids, output_hidden_states=True).hidden_states[layer][0]  # (t, d)
                    sides.append(hidden[1:].mean(dim=0))  # BOS left out
                cosines.append(torch.nn.functional.cosine_similarity(*sides, dim=0))
            means.append(torch.stack(cosines).mean())
    return torch.stack(means).cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=686)
    parser.add_argument("--published", type=int, default=10, help="pairs to time the published way on")
    arguments = parser.parse_args()
    loaded, pairs = load_model("lugha-mini"), list(shipped("train")[: arguments.pairs])
    reference = embed_pairs(loaded, shipped("pool"), None, "words")
    passes, measures = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        states = embed_pairs(loaded, pairs, None, "words")
        embedded = time.perf_counter()
        align(states, reference, loaded.provenance(None, len(pairs), 0, **ALONE))
        passes.append(embedded - began)
        measures.append(time.perf_counter() - embedded)
    few = pairs[: arguments.published]
    began = time.perf_counter()
    theirs = published(loaded, few)
    slow = (time.perf_counter() - began) / len(few) * len(pairs)
    ours = align(
        embed_pairs(loaded, few, None, "words"),
        reference,
        loaded.provenance(None, len(few), 0, **ALONE),
    )
    apart = float((theirs - torch.from_numpy(ours.matched)).abs().max())
    assert apart < 1e-4, f"The two ways differ by {apart}."
    forward, measure = statistics.median(passes), statistics.median(measures)
    rows = [
        (f"{len(pairs)} pairs, {loaded.blocks + 1} layers", "seconds", "ratio"),
        ("one word and one layer at a time (scaled up)", f"{slow:.1f}", f"{slow / (forward + measure):.0f} ×"),
        ("one batched pass, pooled inside", f"{forward:.2f}", ""),
        ("every measure with its control", f"{measure:.2f}", ""),
        ("both", f"{forward + measure:.2f}", "1 ×"),
    ]
    print(format_table(rows))
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {platform.machine()}"
    print(f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}; largest difference {apart:.1e}")


if __name__ == "__main__":
    main()
