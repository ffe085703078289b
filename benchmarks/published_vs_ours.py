"""The published protocol and ours, side by side in one process on one random model of a well-known shape.

    python benchmarks/published_vs_ours.py               in small and in the exact shape, on a GPU
    python benchmarks/published_vs_ours.py --small       a shape in proportion; on a CPU in about a minute
    python benchmarks/published_vs_ours.py --shape qwen-3-8b
    python benchmarks/published_vs_ours.py --tokenizer FOLDER     words in the pieces of another tokenizer
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
from itertools import count, pairwise
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.gpu_time import copy_bandwidth, kernel_seconds, matrix_rate
from benchmarks.random_models import LLAMA, SHAPES, SMALL, first_blocks, random_model
from tli_core.encoding.pair_states import embed_pairs
from tli_core.encoding.tokens import encode
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.models.kernels.arithmetic import multiplies_bf16
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.quantization import can_quantise, replace_matrices
from tli_core.models.quantization import parameter as quantised_parameter
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.tables import format_table
from tli_core.training.batches import batches
from tli_core.training.config import TrainingConfig
from tli_core.training.loop import train_adapter
from tli_core.training.losses import triplet_loss
from tli_core.training.presets import PRESETS
from tli_core.training.run import TrainedAdapter

PAIRS = 623
PUBLISHED = PRESETS["published"]
STILL = replace(PUBLISHED, dropout=0.0)
"""For comparing results: dropout draws other random numbers where other blocks have it, too."""

STEPS = 12
WARM = 3
GRAPHED = 60
"""By then every shape of batch has its graph."""

GIB = 2**30


@dataclass(frozen=True)
class Timed:
    """Seconds, and the peak memory meanwhile in bytes: of the GPU, or resident."""

    seconds: float
    peak: int


@dataclass(frozen=True)
class Trained:
    """A run: what a step took, the losses, and the LoRA weights at its end."""

    step: Timed
    losses: list[float]
    state: dict[str, Tensor]

    def apart(self, other: "Trained") -> tuple[float, float]:
        """Over the steps and blocks that both have: the largest difference of losses, and of weights, relative."""
        losses = max(abs(a - b) for a, b in zip(self.losses, other.losses, strict=False))
        ours = {name: tensor for name, tensor in self.state.items() if name in other.state}
        assert len(ours) == 8, f"The two runs share {len(ours)} LoRA matrices, not 8: {sorted(self.state)}"
        weights = max(float((t - other.state[n]).norm() / other.state[n].norm()) for n, t in ours.items())
        return losses, weights


def padded(tokenizer, words: list[str], device: str) -> tuple[Tensor, Tensor]:
    """Ids and mask of a batch, (n, t) each."""
    rows = [tokenizer(word)["input_ids"] for word in words]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask


def in_nf4(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its blocks in 4 bits, in place: the base that the published run had."""
    weights = dict(model.model.layers.named_parameters())
    dtype, device = model.dtype, str(model.device)
    replace_matrices(model, 4, dtype)
    for name, module in model.model.layers.named_modules():
        if f"{name}.weight" in weights and module.weight.is_meta:
            module.weight = quantised_parameter(module, weights.pop(f"{name}.weight"), dtype, device)
    return model


def train_published(model: PreTrainedModel, tokenizer, pairs: list[WordPair], config: TrainingConfig) -> Trained:
    """A dozen steps with LoRA on every block: the median time of one."""
    torch.manual_seed(PUBLISHED.seed)
    lora = LoraConfig(
        r=16, lora_alpha=32, lora_dropout=config.dropout, target_modules=["q_proj", "v_proj"], bias="none"
    )
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
        if number == STEPS:
            break
        synchronise(model.device)
        began = time.perf_counter()
        words = [pairs[i].source for i in batch] + [pairs[i].target for i in batch]
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
    state = {name: tensor.cpu() for name, tensor in get_peft_model_state_dict(wrapped).items()}
    wrapped.unload()
    return Trained(Timed(statistics.median(seconds[WARM:]), peak), losses, state)


def train_ours(
    loaded: LoadedModel, pairs: list[WordPair], steps: int | None, config: TrainingConfig = PUBLISHED
) -> Trained:
    """The same steps (or the whole run) through the first two blocks: the median time of one, batch and report."""
    reset_peak(loaded.device)
    ends, losses, asked = [], [], count()
    # Asked before every step; on a GPU the losses are told a step later.
    for item in train_adapter(loaded, pairs, config, stop=lambda: next(asked) == steps):
        if isinstance(item, TrainedAdapter):
            each = [end - start for start, end in pairwise(ends)]
            return Trained(
                Timed(statistics.median(each[len(each) // 4 :]), peak_memory(loaded.device)), losses, item.state
            )
        if item.loss is not None:
            losses.append(item.loss)
            ends.append(time.perf_counter())


@torch.inference_mode()
def scan_published(model: PreTrainedModel, tokenizer, pairs: list[WordPair]) -> tuple[Timed, Tensor]:
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


def scan_ours(loaded: LoadedModel, pairs: list[WordPair], rounds: int = 7) -> tuple[Timed, Tensor]:
    """Every layer of every pair in one batched scan: median seconds, extra memory, and the cosines (layers, n).

    After two more, which also set aside page-locked memory for the vectors of this and of the scan before.
    """
    seconds = []
    for _ in range(2 + rounds):
        reset_peak(loaded.device)
        before = peak_memory(loaded.device)
        synchronise(loaded.device)
        began = time.perf_counter()
        states = embed_pairs(loaded, pairs, None, "all")
        seconds.append(time.perf_counter() - began)
    sides = states.source[:, states.source_index], states.target[:, states.target_index]
    cosines = torch.nn.functional.cosine_similarity(*sides, dim=-1)
    return Timed(statistics.median(seconds[2:]), peak_memory(loaded.device) - before), cosines


def side_by_side(
    shape: dict, dtype: torch.dtype, device: str, tokenizer, sampled: int, steps: int | None
) -> list[list[str]]:
    """Both ways on one model; the rows of the table.

    Args:
        sampled: pairs that the published scan is timed on.
        steps: training steps of ours, None for the whole run; the published way takes a dozen.

    Raises:
        AssertionError: the two ways disagree.
    """
    pairs = list(shipped("train")[:PAIRS])
    exact = dtype == torch.float32

    # The same seed gives the same weights, so each way has the machine to itself.
    first = LoadedModel(first_blocks(random_model(shape, dtype, device), 2), tokenizer, "random", None)
    still = train_ours(first, pairs, STEPS, STILL)
    ours = train_ours(first, pairs, steps)
    where = time_of_steps(first, pairs, ours.step) if device == "cuda" else []
    del first
    model = random_model(shape, dtype, device)
    theirs_pass, theirs_cosines = scan_published(model, tokenizer, pairs[:sampled])
    theirs_still, theirs = (train_published(model, tokenizer, pairs, config) for config in (STILL, PUBLISHED))
    loaded = LoadedModel(model, tokenizer, "random", None)
    ours_scan, ours_cosines = scan_ours(loaded, pairs)
    if device == "cuda":
        where += time_of_scan(loaded, pairs, ours_scan)
    cosines_apart = float((ours_cosines[:-1, :sampled] - theirs_cosines).abs().max())
    assert cosines_apart < (1e-4 if exact else 0.02), f"The two scans differ by {cosines_apart}."
    del loaded
    quantised = None
    if device == "cuda" and not exact and can_quantise():
        quantised = train_published(in_nf4(model), tokenizer, pairs, PUBLISHED).step
    losses_apart, weights_apart = still.apart(theirs_still)
    assert losses_apart < (1e-4 if exact else 0.02), f"The two trainings' losses differ by {losses_apart}."
    assert not exact or weights_apart < 1e-3, f"The two trainings' adapters differ by {weights_apart}."

    extra = f", {ours_scan.peak / GIB:.2f} GiB extra" if device == "cuda" else ""
    passes = 2 * len(pairs) * shape["num_hidden_layers"]
    slow = theirs_pass.seconds * passes
    return [
        ["work", "published", "ours", "ratio"],
        [
            f"training step, batch {PUBLISHED.batch_size}, layer 2",
            f"{1000 * theirs.step.seconds:.1f} ms, {theirs.step.peak / GIB:.2f} GiB",
            f"{1000 * ours.step.seconds:.2f} ms, {ours.step.peak / GIB:.2f} GiB",
            f"{theirs.step.seconds / ours.step.seconds:.1f} ×",
        ],
        *(
            [
                [
                    "the same on the NF4 base it had",
                    f"{1000 * quantised.seconds:.1f} ms, {quantised.peak / GIB:.2f} GiB",
                    "",
                    f"{quantised.seconds / ours.step.seconds:.1f} ×",
                ]
            ]
            if quantised
            else []
        ),
        [
            f"scan of {2 * len(pairs)} words, every layer",
            f"{slow:.0f} s ({passes} passes, {2 * sampled * shape['num_hidden_layers']} timed)",
            f"{1000 * ours_scan.seconds:.0f} ms{extra}",
            f"{slow / ours_scan.seconds:.0f} ×",
        ],
        [
            "largest difference",
            f"cosines {cosines_apart:.1e}",
            f"losses {losses_apart:.1e}",
            f"adapters {weights_apart:.1e}",
        ],
        *([*row, "", ""][:4] for row in where),
    ]


def time_of_steps(loaded: LoadedModel, pairs: list[WordPair], step: Timed) -> list[list[str]]:
    """What the GPU does in a training step, and the least that it could take."""
    run = train_adapter(loaded, pairs, PUBLISHED)
    for item in run:
        if item.step == GRAPHED:
            break

    def more() -> None:
        for item in run:
            if item.step == 2 * GRAPHED:
                break

    rows = _time_rows("a training step", kernel_seconds(more), GRAPHED, step.seconds)
    run.close()
    with loaded.using(None) as model:
        weights = sum(p.numel() * p.element_size() for p in model.base_model.layers.parameters())
    rate = copy_bandwidth()
    floor = 2 * weights / rate
    return [
        *rows,
        [f"floor: {2 * weights / 1e9:.2f} GB of weights at {rate / 1e12:.1f} TB/s", f"{1000 * floor:.2f} ms"],
    ]


def time_of_scan(loaded: LoadedModel, pairs: list[WordPair], scan: Timed) -> list[list[str]]:
    """What the GPU does in a scan, and the least that it could take."""
    rows = _time_rows("a scan", kernel_seconds(lambda: embed_pairs(loaded, pairs, None, "all")), 1, scan.seconds)
    words = encode(loaded.tokenizer, sorted({word for pair in pairs for word in pair[:2]}))
    tokens, apart = sum(len(word.ids) - 1 for word in words), sum(len(word.ids) for word in words)
    with loaded.using(None) as model:
        operations = 2 * sum(p.numel() for p in model.base_model.layers.parameters())
    rate = matrix_rate()
    return [
        *rows,
        [f"floor: {tokens} tokens at {rate / 1e12:.0f} TFLOP/s", f"{1000 * tokens * operations / rate:.0f}"],
        [f"the same with a BOS for every word: {apart} tokens", f"{1000 * apart * operations / rate:.0f}"],
    ]


def _time_rows(
    what: str, found: tuple[dict[str, tuple[float, int]], float], count: int, wall: float
) -> list[list[str]]:
    kinds, busy = found
    rows = [[f"where the time of {what} goes", "ms", "kernels"]]
    rows += [[kind, f"{1000 * t / count:.2f}", f"{n / count:.0f}"] for kind, (t, n) in kinds.items()]
    together = sum(t for t, _ in kinds.values()) - busy
    return [
        *rows,
        ["of it side by side with others", f"−{1000 * together / count:.2f}", ""],
        ["no kernel running", f"{1000 * (wall - busy / count):.2f}", ""],
        ["in all", f"{1000 * wall:.2f}", ""],
    ]


def two_blocks(tokenizer) -> list[list[str]]:
    """Five epochs of the published fine-tune on the exact shape's first two blocks, bf16, on the CPU."""
    model = random_model(LLAMA | {"num_hidden_layers": 2, "tie_word_embeddings": True}, torch.bfloat16, "cpu")
    began = time.perf_counter()
    trained = train_ours(LoadedModel(model, tokenizer, "random", None), list(shipped("train")[:PAIRS]), None)
    losses = trained.losses
    return [
        ["work", "seconds", "resident at most"],
        [
            f"{PUBLISHED.epochs} epochs of {PAIRS} pairs",
            f"{time.perf_counter() - began:.0f}",
            f"{trained.step.peak / GIB:.2f} GiB",
        ],
        [f"{len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}", f"{trained.step.seconds:.3f} each", ""],
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
    parser.add_argument("--shape", choices=SHAPES, default="lugha-llama", help="the exact shape, with random weights")
    parser.add_argument("--tokenizer", help="the folder of another one than lugha-mini's; not for the small shape")
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer or KNOWN_MODELS["lugha-mini"])
    if arguments.two_blocks:
        rows = two_blocks(tokenizer)
    elif arguments.small or torch.cuda.is_available():
        device = "cuda" if torch.cuda.is_available() else "cpu"
        few = STEPS if device == "cpu" else None
        small = arguments.small or (arguments.shape == "lugha-llama" and not arguments.tokenizer)
        if small:
            rows = side_by_side(SMALL, torch.float32, device, tokenizer, sampled=2, steps=few)
        if not arguments.small:
            if small:
                print("Shape in small, float32:")
                print(format_table(rows))
            print(f"Exact shape of {arguments.shape}, bf16:")
            rows = side_by_side(SHAPES[arguments.shape], torch.bfloat16, device, tokenizer, sampled=10, steps=None)
    else:
        parser.error("the exact shape needs a GPU; use --small or --two-blocks here")
    print(format_table(rows))
    bf16 = "bf16 instructions" if multiplies_bf16() else "no bf16 instructions"
    where = f"CPU, {platform.machine()}, {bf16}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available() and not arguments.two_blocks:
        where = torch.cuda.get_device_name()
    print(f"{where}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
