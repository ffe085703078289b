"""What each fast path gives a user in seconds: whole fine-tunes, a scan and an evaluation, with it and without it.

    python benchmarks/fast_paths.py                     on a GPU: Lugha-Llama's exact shape, random weights, bf16
    python benchmarks/fast_paths.py --model lugha-mini  on a CPU, where only the tree of glosses differs

Each row switches one path off and leaves the others on, in one process; "all" has all of them. Times are of the second
of two runs, so that neither compiling nor the first allocation is in them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.published_vs_ours import PAIRS, synchronise
from benchmarks.random_models import LLAMA, random_model
from tli_core.encoding.pair_states import embed_pairs
from tli_core.encoding.tokens import encode, length_batches
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import shipped
from tli_core.measures.translation import gloss_log_probabilities
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement, input_device
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.tables import format_table
from tli_core.training.loop import train_adapter
from tli_core.training.presets import PRESETS

EVALUATED = 40
"""Pairs whose glosses are ranked: enough to see the ratio, few enough for the plain way."""


@contextmanager
def without_graphs() -> Iterator[None]:
    """Kernels launched one by one."""
    with patch.object(LoadedModel, "plain", False):
        yield


@contextmanager
def with_all() -> Iterator[None]:
    """Everything as it is."""
    yield


def train(loaded: LoadedModel, preset: str) -> Callable[[], object]:
    """A whole fine-tune with a preset; the corrected one takes the same number of pairs."""
    return lambda: list(train_adapter(loaded, shipped("train")[:PAIRS], replace(PRESETS[preset], dropout=0.0)))


def seconds(run: Callable[[], object], device: torch.device, rounds: int) -> float:
    """The last of several runs."""
    for _ in range(rounds):
        synchronise(device)
        began = time.perf_counter()
        run()
        synchronise(device)
    return time.perf_counter() - began


@torch.inference_mode()
def plain_gloss_scores(model, tokenizer, prompts: list[str], glosses: list[str]) -> Tensor:
    """What `gloss_log_probabilities` gives, one whole text for each prompt and gloss: (n, g)."""
    continuations = tokenizer([f" {gloss}" for gloss in glosses], add_special_tokens=False)["input_ids"]
    starts = [tuple(text.ids) for text in encode(tokenizer, prompts)]
    texts = [(*start, *ids) for start in starts for ids in continuations]
    scores = torch.empty(len(texts))
    device = input_device(model)
    encoded = [type("Text", (), {"ids": text}) for text in texts]
    for group in length_batches(encoded):
        ids = torch.tensor([texts[i] for i in group], device=device)  # (b, t)
        log_p = model(input_ids=ids, use_cache=False).logits[:, :-1].float().log_softmax(dim=-1)
        own = log_p.gather(2, ids[:, 1:, None])[..., 0]  # (b, t - 1)
        for row, i in enumerate(group):
            scores[i] = own[row, -len(continuations[i % len(glosses)]) :].sum()
    return scores.view(len(prompts), len(glosses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a base to load in place of random weights")
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(KNOWN_MODELS["lugha-mini"])
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def fresh() -> LoadedModel:
        if arguments.model:
            return load_model(arguments.model, Placement(device))
        return LoadedModel(random_model(LLAMA, torch.bfloat16, device), tokenizer, "random", None)

    loaded = None
    rows = [["", "published fine-tune, s", "corrected fine-tune, s", "scan of all layers, s"]]
    paths = {"all": with_all,
             "no graphs": without_graphs}  # fmt: skip
    # On a CPU the others are off in any case.
    for name, path in paths.items() if device == "cuda" else ():
        loaded = None  # lets go of the one before
        if device == "cuda":
            torch.cuda.empty_cache()
        with path():
            loaded = fresh()
            runs = (train(loaded, "published"), train(loaded, "corrected"))
            times = [seconds(run, loaded.device, 2) for run in runs]
            times.append(seconds(lambda loaded=loaded: embed_pairs(loaded, shipped("train")[:PAIRS], None, "words"),
                                 loaded.device, 3))  # fmt: skip
        rows.append([name, *(f"{value:.3f}" for value in times)])
        print(rows[-1], flush=True)
    print(format_table([tuple(row) for row in rows]))
    loaded = loaded or fresh()
    pairs = shipped("control")
    prompts = [language_pair().translations[0].fill(*pair[:2]) for pair in pairs[:EVALUATED]]
    glosses = list(dict.fromkeys(pair.target for pair in pairs))
    with loaded.using(None) as model:
        tree = seconds(lambda: gloss_log_probabilities(model, tokenizer, prompts, glosses), loaded.device, 2)
        plain = seconds(lambda: plain_gloss_scores(model, tokenizer, prompts, glosses), loaded.device, 2)
        same = (
            gloss_log_probabilities(model, tokenizer, prompts[:4], glosses)
            - plain_gloss_scores(model, tokenizer, prompts[:4], glosses)
        ).abs().max()  # fmt: skip
    print(f"{len(prompts)} prompts, {len(glosses)} glosses: tree {tree:.3f} s, whole texts {plain:.3f} s; "
          f"log p apart by {float(same):.2g}")  # fmt: skip


if __name__ == "__main__":
    main()
