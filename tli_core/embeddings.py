"""Words → tokens → pooled hidden states per layer. The only place in the project that pools."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .packing import EncodedWord, Pack, pack_words

POOLINGS = ("words", "all", "last")
"""`words`: mean over tokens that are not special. `all`: over every token, BOS included. `last`: the last one."""

MAX_BATCH_TOKENS = 8192
"""Tokens in one forward pass: enough to fill two CPU cores or a GPU, little enough to stay in megabytes."""


@dataclass(frozen=True)
class PooledStates:
    """Words' pooled vectors at every layer, and how much of each is not the word itself.

    vectors is (layers, n, d) in float32 on the CPU. anchor_share is (layers, n): the part of the vector's squared norm
    that the special tokens (BOS) bring in, ⟨their part, vector⟩ / ⟨vector, vector⟩; the words' tokens bring the rest.
    """

    vectors: Tensor
    anchor_share: Tensor

    def __post_init__(self) -> None:
        if self.anchor_share.shape != self.vectors.shape[:2]:
            raise ValueError(f"Shares {tuple(self.anchor_share.shape)} do not fit {tuple(self.vectors.shape)}.")


def block_count(model: PreTrainedModel) -> int:
    """How many transformer blocks are in memory; the model has one layer more."""
    return len(model.base_model.layers)


def layer_names(blocks: int, whole: bool = True) -> tuple[str, ...]:
    """Names of the blocks + 1 layers: `embeddings`, `block 1` …, `output` (the last block after the final norm).

    Where only a model's first blocks are loaded, the last layer is a block like the others, and there is no output.
    """
    return ("embeddings", *(f"block {i}" for i in range(1, blocks)), "output" if whole else f"block {blocks}")


def layer_index(names: Sequence[str], layer: int | str) -> int:
    """The index of a layer given as a number or `output`, among the names of a model's layers.

    Raises:
        ValueError: there is no such layer.
    """
    last = len(names) - 1
    if layer == "output" and names[-1] != "output":
        raise ValueError(
            f"Only the first {last} blocks are loaded, so there is no output: give a layer from 0 to {last}."
        )
    index = last if layer == "output" else int(layer)
    if not 0 <= index <= last:
        raise ValueError(f"There is no layer {layer}: this model has layers 0 to {last}, and 'output'.")
    return index


def encode(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[EncodedWord]:
    """Tokenise each word alone, BOS first where the tokenizer adds one.

    Raises:
        ValueError: a word gives no token of its own; the message names it.
    """
    batch = tokenizer(list(words), return_special_tokens_mask=True, split_special_tokens=True)
    encoded = [
        EncodedWord(tuple(ids), tuple(map(bool, special)))
        for ids, special in zip(batch["input_ids"], batch["special_tokens_mask"], strict=True)
    ]
    for word, tokens in zip(words, encoded, strict=True):
        if all(tokens.special):
            raise ValueError(f"The tokenizer makes no token of {word!r}: leave it out.")
    return encoded


def subwords(tokenizer: PreTrainedTokenizerBase, word: str) -> tuple[str, ...]:
    """The pieces that the tokenizer makes of a word, as text, special tokens left out."""
    (encoded,) = encode(tokenizer, [word])
    own = [token for token, special in zip(encoded.ids, encoded.special, strict=True) if not special]
    return tuple(tokenizer.decode([token]) for token in own)


def pooling_weights(word: EncodedWord, pooling: str) -> np.ndarray:
    """What each of a word's tokens counts in its vector: (t,), summing to 1.

    Raises:
        ValueError: an unknown pooling.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"There is no pooling {pooling!r}: choose one of {', '.join(POOLINGS)}.")
    counted = np.zeros(len(word.ids), dtype=np.float32)  # (t,)
    if pooling == "words":
        counted[:] = ~np.asarray(word.special)
    elif pooling == "all":
        counted[:] = 1
    else:
        counted[-1] = 1
    return counted / counted.sum()


def padded_ids(words: Sequence[EncodedWord]) -> Tensor:
    """Token ids (n, t), padded on the right with 0.

    Attention is causal, so no real token sees the padding and no mask is needed; pooling gives it weight 0.
    """
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(word.ids) for word in words], batch_first=True)


def length_batches(words: Sequence[EncodedWord], max_tokens: int = MAX_BATCH_TOKENS) -> list[list[int]]:
    """Indices of words in batches of one length, so that nothing is padded.

    Args:
        max_tokens: the most tokens in one batch.
    """
    by_length: dict[int, list[int]] = {}
    for index, word in enumerate(words):
        by_length.setdefault(len(word.ids), []).append(index)
    batches = []
    for length, indices in sorted(by_length.items(), reverse=True):
        size = max(1, max_tokens // length)
        batches += [indices[i : i + size] for i in range(0, len(indices), size)]
    return batches


class _StopForward(Exception):
    """Raised by a hook once the last layer that is wanted has been seen."""


@contextmanager
def _hooks(handles: list):
    try:
        yield
    except _StopForward:
        pass
    finally:
        for handle in handles:
            handle.remove()


def visit_layers(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], visit: Callable[[int, Tensor], None], upto: int | None = None
) -> None:
    """Run the blocks on the decoder's inputs and call visit(layer, hidden) with hidden (b, t, d) as each layer appears.

    Layers are numbered as in `measures`: 0 the token embeddings, i the output of block i before the final norm, and
    the last one the last block after the final norm. Nothing is kept: the visitor pools and lets go.
    With upto=k the pass ends right after block k, so later blocks cost nothing. Gradients flow where they are on.
    """
    decoder = model.base_model
    blocks = block_count(model)
    last = blocks if upto is None else upto
    if not 0 <= last <= blocks:
        raise ValueError(f"There is no layer {last}: this model has layers 0 to {blocks}.")

    def hook(layer: int):
        def seen(_module, _args, output):
            visit(layer, output[0] if isinstance(output, tuple) else output)
            if layer == last:
                raise _StopForward

        return seen

    modules = {0: decoder.embed_tokens, blocks: decoder.norm} | {i: decoder.layers[i - 1] for i in range(1, blocks)}
    handles = [modules[layer].register_forward_hook(hook(layer)) for layer in range(last + 1)]
    with _hooks(handles):
        decoder(**inputs, use_cache=False)


@torch.inference_mode()
def pooled_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    words: Sequence[str],
    pooling: str = "words",
    upto: int | None = None,
) -> PooledStates:
    """Each word's vector at every layer, pooled inside the forward pass.

    Args:
        pooling: one of POOLINGS.
        upto: stop after this layer; None runs all.

    Returns:
        layers = blocks + 1, or upto + 1.

    Raises:
        ValueError: an unknown pooling or layer, or a word without tokens.
    """
    encoded = encode(tokenizer, words) if words else []
    layers = (block_count(model) if upto is None else upto) + 1
    # Page-locked and on a stream of their own, so that a GPU computes while its vectors are on their way.
    on_gpu = model.device.type == "cuda"
    states = torch.empty(layers, len(words), model.config.hidden_size, pin_memory=on_gpu)  # (layers, n, d)
    shares = torch.zeros(layers, len(words), pin_memory=on_gpu)  # (layers, n)
    sending = torch.cuda.Stream(model.device) if on_gpu else None

    def bring(tensor: Tensor, place: Tensor) -> None:
        if sending is None:
            place.copy_(tensor)
            return
        sending.wait_stream(torch.cuda.current_stream(model.device))
        with torch.cuda.stream(sending):
            place.copy_(tensor, non_blocking=True)
        tensor.record_stream(sending)

    begin = 0
    for pack in packed(encoded, pooling, model.device):
        end = begin + len(pack.slots)

        def pool(layer: int, hidden: Tensor, pack: Pack = pack, part: slice = slice(begin, end)) -> None:
            hidden = hidden.float()
            pooled = pack.pool(hidden, pack.weights)  # (b, d)
            bring(pooled, states[layer, part])
            if pooling == "all":
                anchor = (pack.pool(hidden, pack.anchors) * pooled).sum(dim=1) / pooled.square().sum(dim=1)  # (b,)
                bring(anchor, shares[layer, part])

        visit_layers(model, pack.inputs(model.dtype), pool, upto)
        begin = end
    if sending is not None:
        sending.synchronize()
    return PooledStates(states, shares)


def packed(words: Sequence[EncodedWord], pooling: str, device: torch.device) -> Iterator[Pack]:
    """The words in packs on a device, with their pooling weights, the packs in the words' order.

    Raises:
        ValueError: an unknown pooling.
    """
    if not words:
        return iter(())
    return (pack.to(device) for pack in pack_words(words, all_weights(words, pooling), MAX_BATCH_TOKENS))


def all_weights(words: Sequence[EncodedWord], pooling: str) -> list[np.ndarray]:
    """`pooling_weights` of every word; most share a pattern, so each pattern is worked out once.

    Raises:
        ValueError: an unknown pooling.
    """
    known = {word.special: word for word in words}
    weights = {special: pooling_weights(word, pooling) for special, word in known.items()}
    return [weights[word.special] for word in words]


def layer_states(model: PreTrainedModel, words: Sequence[EncodedWord], layer: int, pooling: str) -> Tensor:
    """Each word's pooled vector at one layer, (n, d) in float32 on the model's device, with its gradient.

    Runs the blocks up to that layer and no further.
    """
    return torch.cat([pack_states(model, pack, layer) for pack in packed(words, pooling, model.device)])


def pack_states(model: PreTrainedModel, pack: Pack, layer: int) -> Tensor:
    """The pooled vectors of a pack's words at one layer, (n, d), as `layer_states`."""
    found: list[Tensor] = []

    def keep(at: int, hidden: Tensor) -> None:
        if at == layer:
            found.append(pack.pool(hidden.float(), pack.weights))

    visit_layers(model, pack.inputs(model.dtype), keep, upto=layer)
    return found[0]
