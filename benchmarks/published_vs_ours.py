"""The published protocol and ours, side by side in one process on one random model of Lugha-Llama's shape.

    python benchmarks/published_vs_ours.py               exact shape, on a GPU
    python benchmarks/published_vs_ours.py --small       a shape in proportion, on the CPU, in about a minute
    python benchmarks/published_vs_ours.py --two-blocks  five epochs on the exact shape's first two blocks, on the CPU

The published way is written anew from arXiv 2506.15415 and its description: LoRA on every block and every block run,
the loss at layer 2 with BOS averaged in; the pilot one word and one layer at a time, a whole pass for each. Both ways
see the same weights, words and batches, and their results are compared before a time is printed.
"""

import argparse
import platform
import resource
import statistics
import sys
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.alignment import embed_pairs
from tli_core.model import KNOWN_MODELS, LoadedModel
from tli_core.pairs import WordPair, shipped
from tli_core.tables import format_table
from tli_core.training import PRESETS, TrainedAdapter, TrainingStep, batches, train_adapter, triplet_loss

LLAMA = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rope_theta": 500000.0,
}
SMALL = LLAMA | {
    "vocab_size": 16032,
    "hidden_size": 512,
    "intermediate_size": 1792,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
}
PAIRS = 623
CONTROL = 63
PUBLISHED = replace(PRESETS["published"], dropout=0.0)
STEPS = 12
WARM = 3
GIB = 2**30


@dataclass(frozen=True)
class Timed:
    """Seconds, and the peak memory meanwhile in bytes: of the GPU, or resident."""

    seconds: float
    peak: int


def random_model(shape: dict, dtype: torch.dtype, device: str) -> LlamaForCausalLM:
    """The same random weights every time."""
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(LlamaConfig(**shape, bos_token_id=0, pad_token_id=None))
    finally:
        torch.set_default_dtype(default)
    return model.eval().requires_grad_(False)


def padded(tokenizer, words: list[str], device: str) -> tuple[Tensor, Tensor]:
    """Ids and mask of a batch, (n, t) each."""
    rows = [tokenizer(word)["input_ids"] for word in words]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask


def train_published(model: LlamaForCausalLM, tokenizer, pairs: list[WordPair], steps: int) -> tuple[Timed, list[float]]:
    """Steps with LoRA on every block: the median time of one, and the losses."""
    torch.manual_seed(PUBLISHED.seed)
    lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], bias="none")
    wrapped = get_peft_model(model, lora).train()
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=PUBLISHED.learning_rate, weight_decay=PUBLISHED.weight_decay)
    planned = PUBLISHED.epochs * -(-len(pairs) // PUBLISHED.batch_size)
    warmup = min(PUBLISHED.warmup_steps, planned // 2)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: step / warmup if step < warmup else (planned - step) / (planned - warmup)
    )
    reset_peak(model.device)
    seconds, losses = [], []
    for number, (_, batch) in enumerate(batches(len(pairs), PUBLISHED)):
        if number == steps:
            break
        synchronise(model.device)
        began = time.perf_counter()
        words = [pairs[i].swahili for i in batch] + [pairs[i].english for i in batch]
        ids, mask = padded(tokenizer, words, str(model.device))
        hidden = wrapped(ids, attention_mask=mask, output_hidden_states=True).hidden_states[2]  # (2b, t, d)
        summed = (hidden.float() * mask[..., None]).sum(dim=1)  # (2b, d)
        loss = triplet_loss(*(summed / mask.sum(dim=1, keepdim=True)).chunk(2), PUBLISHED.margin)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        synchronise(model.device)
        seconds.append(time.perf_counter() - began)
    peak = peak_memory(model.device)
    wrapped.unload()
    return Timed(statistics.median(seconds[WARM:]), peak), losses


def train_ours(loaded: LoadedModel, pairs: list[WordPair], steps: int | None) -> tuple[Timed, list[float]]:
    """The same steps through the first two blocks only: the median time of one (or of all), and the losses."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reset_peak(device)
    ends, losses = [], []
    began = time.perf_counter()
    for item in train_adapter(loaded, pairs, PUBLISHED):
        if isinstance(item, TrainedAdapter) or (steps is not None and item.step > steps):
            break
        if isinstance(item, TrainingStep) and item.loss is not None:
            losses.append(item.loss)
            ends.append(time.perf_counter())
    if steps is None:
        return Timed(time.perf_counter() - began, peak_memory(device)), losses
    each = [end - start for start, end in pairwise(ends)]
    return Timed(statistics.median(each[WARM:]), peak_memory(device)), losses


@torch.inference_mode()
def scan_published(model: LlamaForCausalLM, tokenizer, pairs: list[WordPair]) -> tuple[Timed, Tensor]:
    """The pilot: a whole pass for each word and layer, BOS averaged in; seconds a pass, and the cosines (layers, n)."""
    layers = model.config.num_hidden_layers  # as published, the last one is not measured
    reset_peak(model.device)
    synchronise(model.device)
    began, passes, rows = time.perf_counter(), 0, []
    for layer in range(layers):
        cosines = []
        for pair in pairs:
            sides = []
            for word in pair[:2]:
                ids, mask = padded(tokenizer, [word], str(model.device))
                hidden = model(ids, attention_mask=mask, output_hidden_states=True).hidden_states[layer]
                sides.append(hidden[0].float().mean(dim=0))
                passes += 1
            cosines.append(torch.nn.functional.cosine_similarity(*sides, dim=0))
        rows.append(torch.stack(cosines))
    synchronise(model.device)
    return Timed((time.perf_counter() - began) / passes, peak_memory(model.device)), torch.stack(rows).cpu()


def scan_ours(loaded: LoadedModel, pairs: list[WordPair], rounds: int = 3) -> tuple[Timed, Tensor]:
    """Every layer of every pair in one batched scan: median seconds, and the cosines (layers, n)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seconds = []
    for _ in range(rounds):
        reset_peak(device)
        synchronise(device)
        began = time.perf_counter()
        states = embed_pairs(loaded, pairs, None, "all")
        synchronise(device)
        seconds.append(time.perf_counter() - began)
    sides = states.swahili[:, states.swahili_index], states.english[:, states.english_index]
    return Timed(statistics.median(seconds), peak_memory(device)), torch.nn.functional.cosine_similarity(*sides, dim=-1)


def side_by_side(shape: dict, dtype: torch.dtype, device: str, tokenizer, sampled: int) -> list[tuple[str, ...]]:
    """Both ways on one model; the rows of the table.

    Raises:
        AssertionError: the two ways disagree.
    """
    loaded = LoadedModel(random_model(shape, dtype, device), tokenizer, "random", None)
    pairs, words = list(shipped("train")[:PAIRS]), list(shipped("train")[: PAIRS + CONTROL])
    tolerance = 1e-4 if dtype == torch.float32 else 0.02

    ours_step, ours_losses = train_ours(loaded, pairs, STEPS)
    ours_scan, ours_cosines = scan_ours(loaded, words)
    del loaded
    model, few = random_model(shape, dtype, device), words[:sampled]
    theirs_pass, theirs_cosines = scan_published(model, tokenizer, few)
    apart = float((ours_cosines[:-1, :sampled] - theirs_cosines).abs().max())
    assert apart < tolerance, f"The two scans differ by {apart}."
    theirs_step, theirs_losses = train_published(model, tokenizer, pairs, STEPS)
    losses_apart = max(abs(a - b) for a, b in zip(ours_losses, theirs_losses, strict=True))
    assert losses_apart < tolerance, f"The two trainings' losses differ by {losses_apart}."

    passes = 2 * len(words) * shape["num_hidden_layers"]
    slow = theirs_pass.seconds * passes
    return [
        ("work", "published", "ours", "ratio"),
        (
            f"training step, batch {PUBLISHED.batch_size}, layer 2",
            f"{1000 * theirs_step.seconds:.1f} ms, {theirs_step.peak / GIB:.2f} GiB",
            f"{1000 * ours_step.seconds:.2f} ms, {ours_step.peak / GIB:.2f} GiB",
            f"{theirs_step.seconds / ours_step.seconds:.1f} ×",
        ),
        (
            f"scan of {2 * len(words)} words, every layer",
            f"{slow:.0f} s ({passes} passes, {2 * sampled * shape['num_hidden_layers']} timed)",
            f"{ours_scan.seconds:.2f} s",
            f"{slow / ours_scan.seconds:.0f} ×",
        ),
        ("largest difference: cosines, losses", f"{apart:.1e}", f"{losses_apart:.1e}", ""),
    ]


def two_blocks(tokenizer) -> list[tuple[str, ...]]:
    """Five epochs of the published fine-tune on the exact shape's first two blocks, bf16, on the CPU."""
    model = random_model(LLAMA | {"num_hidden_layers": 2, "tie_word_embeddings": True}, torch.bfloat16, "cpu")
    loaded = LoadedModel(model, tokenizer, "random", None)
    timed, losses = train_ours(loaded, list(shipped("train")[:PAIRS]), None)
    return [
        ("work", "seconds", "resident at most"),
        (f"{PUBLISHED.epochs} epochs of {PAIRS} pairs", f"{timed.seconds:.0f}", f"{timed.peak / GIB:.2f} GiB"),
        (
            f"{len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}",
            f"{timed.seconds / len(losses):.3f} each",
            "",
        ),
    ]


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: torch.device) -> int:
    """Of the GPU since the last reset; on the CPU, resident since the process began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--two-blocks", action="store_true")
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(KNOWN_MODELS["lugha-mini"])
    if arguments.two_blocks:
        rows = two_blocks(tokenizer)
    elif arguments.small:
        rows = side_by_side(SMALL, torch.float32, "cpu", tokenizer, sampled=2)
    elif torch.cuda.is_available():
        rows = side_by_side(LLAMA, torch.bfloat16, "cuda", tokenizer, sampled=10)
    else:
        parser.error("the exact shape needs a GPU; use --small or --two-blocks here")
    print(format_table(rows))
    where = f"CPU, {platform.machine()}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available() and not (arguments.small or arguments.two_blocks):
        where = torch.cuda.get_device_name()
    print(f"{where}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
