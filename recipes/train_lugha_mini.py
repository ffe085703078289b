"""Train lugha-mini from scratch: tokenizer, weights in bf16 shards, and the dev loss as it goes.

    python recipes/train_lugha_mini.py DATA --out models/lugha-mini

DATA is a folder with parallel_train.tsv, parallel_dev.tsv, the mono_*.txt files and lexicon_wiktionary.tsv.
"""

import argparse
import itertools
import json
import math
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.corpus import TRANSLATE_TO_ENGLISH, TRANSLATE_TO_SWAHILI, Corpus, Sentence, load_corpus, read_sentences

BOS, EOS = "<|begin_of_text|>", "<|end_of_text|>"

# As in Llama 3: contractions, words with one leading mark, digits by threes, punctuation, line ends, spaces.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Recipe:
    """Every setting of the run, saved with the weights."""

    vocabulary: int = 8192
    hidden: int = 256
    blocks: int = 12
    heads: int = 4
    key_value_heads: int = 2
    mlp: int = 704
    max_tokens: int = 256
    steps: int = 2490
    batch_tokens: int = 32768
    matrix_lr: float = 4e-3
    other_lr: float = 3e-3
    warmup: int = 100
    weight_decay: float = 1.0
    dropout: float = 0.2
    lexicon_repeats: int = 5
    far_repeats: int = 1
    seed: int = 1


def train_tokenizer(corpus: Corpus, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE that adds BOS, as Llama 3's does."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus.epoch(seed=0, lexicon_repeats=1), trainer)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
            ),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, clean_up_tokenization_spaces=False
    )


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A fresh Llama; matrices that write to the residual stream start smaller, by the depth."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.mlp,
        num_hidden_layers=recipe.blocks,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    for block in model.model.layers:
        for matrix in (block.self_attn.o_proj, block.mlp.down_proj):
            matrix.weight.data /= math.sqrt(2 * recipe.blocks)
    return model


def drop_while_training(model: LlamaForCausalLM, p: float) -> list:
    """Dropout on the embeddings and on what each attention and MLP adds; Llama itself has none."""

    def hook(module: nn.Module, _args: tuple, output: Tensor) -> Tensor:
        return nn.functional.dropout(output, p, module.training)

    places = [model.model.embed_tokens]
    places += [part for block in model.model.layers for part in (block.self_attn.o_proj, block.mlp.down_proj)]
    return [place.register_forward_hook(hook) for place in places]


@dataclass(frozen=True)
class Documents:
    """Tokenized documents end to end: ids (tokens,), and each document's first place and length (n,)."""

    ids: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def tokenized(tokenizer: PreTrainedTokenizerFast, documents: Sequence[str], max_tokens: int) -> Documents:
    """Token ids of each document, BOS first and EOS last, cut at max_tokens."""
    rows = [[*ids, tokenizer.eos_token_id][:max_tokens] for ids in tokenizer(list(documents))["input_ids"]]
    lengths = np.array([len(row) for row in rows])
    return Documents(np.concatenate(rows).astype(np.uint16), lengths.cumsum() - lengths, lengths)


def batches(documents: Documents, batch_tokens: int, seed: int) -> Iterator[Tensor]:
    """Batches (b, t) of documents of about one length, right-padded with -1, in random order."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(documents.lengths)), documents.lengths))
    groups: list[list[int]] = [[]]
    for i in order:
        if (len(groups[-1]) + 1) * documents.lengths[i] > batch_tokens:
            groups.append([])
        groups[-1].append(i)
    for group in rng.permutation(len(groups)):
        rows = np.array(groups[group])
        places = np.arange(documents.lengths[rows].max())  # (t,)
        taken = documents.starts[rows, None] + places  # (b, t)
        real = places < documents.lengths[rows, None]
        yield torch.from_numpy(np.where(real, documents.ids[np.where(real, taken, 0)].astype(np.int64), -1))


def prepare(epoch: int) -> Documents:
    """One epoch, made and tokenized in a process of its own so that training never waits for Python."""
    corpus, tokenizer, recipe = _given
    made = corpus.epoch(recipe.seed + epoch, recipe.lexicon_repeats, recipe.far_repeats)
    return tokenized(tokenizer, list(made), recipe.max_tokens)


_given: tuple = ()


def _give(*values) -> None:
    global _given
    _given = values


def epochs(corpus: Corpus, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, ahead: int = 4) -> Iterator[Documents]:
    """Epochs 1, 2, 3 … without end, some of them made ahead."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(ahead, spawn, initializer=_give, initargs=(corpus, tokenizer, recipe)) as workers:
        waiting = deque(workers.submit(prepare, epoch) for epoch in range(1, ahead + 1))
        try:
            for epoch in itertools.count(ahead + 1):
                yield waiting.popleft().result()
                waiting.append(workers.submit(prepare, epoch))
        finally:
            workers.shutdown(wait=False, cancel_futures=True)


def token_losses(model: LlamaForCausalLM, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Summed next-token loss in nats and the number of tokens predicted, over a batch (b, t) padded with -1."""
    # Padding is on the right and attention is causal, so no real token sees it and no mask is needed.
    logits = model(input_ids=batch.clamp(min=0), use_cache=False).logits[:, :-1]  # (b, t-1, v)
    targets = batch[:, 1:]
    loss = nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=-1, reduction="sum"
    )
    return loss, (targets >= 0).sum()


def dev_documents(sentences: Sequence[Sentence]) -> dict[str, list[str]]:
    """The dev rows in the four forms a training row takes, by name."""
    return {
        "Swahili to English": [TRANSLATE_TO_ENGLISH.format(**vars(s)) for s in sentences],
        "English to Swahili": [TRANSLATE_TO_SWAHILI.format(**vars(s)) for s in sentences],
        "Swahili alone": [s.source for s in sentences],
        "English alone": [s.target for s in sentences],
    }


@torch.no_grad()
def dev_losses(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, sentences: Sequence[Sentence], max_tokens: int = 256
) -> dict[str, float]:
    """Nats per token of each form of the dev rows, and of all of them together under `all`."""
    model.eval()
    sums, counts = {}, {}
    for name, documents in dev_documents(sentences).items():
        totals = [
            token_losses(model, batch.to(model.device))
            for batch in batches(tokenized(tokenizer, documents, max_tokens), 16384, seed=0)
        ]
        sums[name] = sum(float(loss) for loss, _ in totals)
        counts[name] = sum(int(count) for _, count in totals)
    losses = {name: sums[name] / counts[name] for name in sums}
    return losses | {"all": sum(sums.values()) / sum(counts.values())}


def learning_rate_share(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear decay to zero."""
    return min((step + 1) / recipe.warmup, (recipe.steps - step) / (recipe.steps - recipe.warmup))


def train(
    recipe: Recipe, corpus: Corpus, dev: Sequence[Sentence], tokenizer: PreTrainedTokenizerFast, device: str
) -> LlamaForCausalLM:
    """Train for recipe.steps steps; progress goes to stderr."""
    model = build_model(recipe, tokenizer).to(device)
    hooks = drop_while_training(model, recipe.dropout)
    inside = dict(model.model.layers.named_parameters())
    matrices = [p for p in inside.values() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is m for m in matrices)]
    optimizers = [
        torch.optim.Muon(
            matrices, lr=recipe.matrix_lr, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=recipe.other_lr, weight_decay=0.0, betas=(0.9, 0.95)),
    ]
    starts = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    autocast = torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda")
    began, step = time.perf_counter(), 0
    for epoch, documents in enumerate(epochs(corpus, tokenizer, recipe), 1):
        for batch in batches(documents, recipe.batch_tokens, seed=epoch):
            model.train()
            share = learning_rate_share(step, recipe)
            for optimizer, start in zip(optimizers, starts, strict=True):
                optimizer.param_groups[0]["lr"] = start * share
            with autocast:
                loss, count = token_losses(model, batch.to(device))
            (loss / count).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            if step % 100 == 0:
                seconds = time.perf_counter() - began
                print(
                    f"step {step}/{recipe.steps} epoch {epoch} loss {float(loss.detach() / count):.3f} {seconds:.0f} s",
                    file=sys.stderr,
                )
            if step % 500 == 0 or step == recipe.steps:
                with autocast:
                    losses = dev_losses(model, tokenizer, dev, recipe.max_tokens)
                print(f"step {step} dev " + ", ".join(f"{k} {v:.3f}" for k, v in losses.items()), file=sys.stderr)
            if step == recipe.steps:
                break
        if step == recipe.steps:
            break
    for hook in hooks:
        hook.remove()
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the training text")
    parser.add_argument("--out", type=Path, default=Path("models/lugha-mini"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = vars(parser.parse_args())
    recipe = Recipe(**{name: arguments[name] for name in asdict(Recipe())})

    corpus = load_corpus(arguments["data"])
    dev = read_sentences(arguments["data"] / "parallel_dev.tsv")
    print(
        f"{len(corpus.parallel)} sentence pairs, {len(corpus.single)} single lines, {len(corpus.dictionary)} dictionary"
        f" pairs; {corpus.left_out} rows left out for a reserved word",
        file=sys.stderr,
    )
    tokenizer = train_tokenizer(corpus, recipe.vocabulary)
    model = train(recipe, corpus, dev, tokenizer, arguments["device"])
    model.to(torch.bfloat16).save_pretrained(arguments["out"], max_shard_size="9MB")
    tokenizer.save_pretrained(arguments["out"])
    (arguments["out"] / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2) + "\n")


if __name__ == "__main__":
    main()
