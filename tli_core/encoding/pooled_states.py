"""Words → tokens → pooled hidden states per layer. The only place in the project that pools."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.packing import Pack, pack_words
from tli_core.encoding.readouts import EncodedWord, all_weights
from tli_core.models.kernels.arithmetic import threads_for
from tli_core.models.kernels.llama_block import in_few_kernels, run_block, turn_at
from tli_core.models.placement import input_device, is_offloaded, resident
from tli_core.models.tokenizer import prefix_of

MAX_BATCH_TOKENS = 8192
"""Tokens in one forward pass: enough to fill two CPU cores or a GPU, little enough to stay in megabytes."""


@dataclass(frozen=True)
class PooledStates:
    """Words' pooled vectors at every layer, and how much of each is not the word itself.

    vectors is (layers, n, d) in float32 on the CPU. anchor_share is (layers, n): the part of the vector's squared norm
    that the special tokens (BOS) bring in, ⟨their part, vector⟩ / ⟨vector, vector⟩; the words' tokens bring the rest.
    first_piece (layers,) tells how long a word's first piece is beside its other pieces: the mean norm of the one over
    that of the others, nan where no word has two. Far above 1 it is an attention sink, not a part of the word.
    """

    vectors: Tensor
    anchor_share: Tensor
    first_piece: Tensor

    def __post_init__(self) -> None:
        if self.first_piece.shape != self.vectors.shape[:1]:
            raise ValueError(f"Ratios {tuple(self.first_piece.shape)} do not fit {tuple(self.vectors.shape)}.")
        if self.anchor_share.shape != self.vectors.shape[:2]:
            raise ValueError(f"Shares {tuple(self.anchor_share.shape)} do not fit {tuple(self.vectors.shape)}.")


def block_count(model: PreTrainedModel) -> int:
    """How many transformer blocks are in memory; the model has one layer more."""
    return len(model.base_model.layers)


def encode(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[EncodedWord]:
    """Tokenise each word alone, with a prefix token in front: the tokenizer's own, or as `prefix_of` says.

    Raises:
        ValueError: a word gives no token of its own; the message names it.
    """
    batch = tokenizer(list(words), return_special_tokens_mask=True, split_special_tokens=True)
    prefix = prefix_of(tokenizer)
    ids_before, special_before = ((prefix.id,), (True,)) if prefix.added else ((), ())
    encoded = [
        EncodedWord((*ids_before, *ids), (*special_before, *map(bool, special)))
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


def visit_layers(
    model: PreTrainedModel,
    packs: Sequence[Pack],
    visit: Callable[[int, int, Tensor], None],
    upto: int | None = None,
    tell: Callable[[int, int], None] = lambda done, blocks: None,
) -> None:
    """Run the blocks on packs of words and call visit(layer, i, hidden) with hidden (r, t, d) of pack i.

    Layers are numbered as in `measures`: 0 the token embeddings, i the output of block i before the final norm, and
    the last one the last block after the final norm. Nothing is kept: the visitor pools and lets go. All packs go
    through a block before any goes through the next, so that a block's weights are fetched once where they are
    offloaded. With upto=k the pass ends right after block k. Gradients flow where they are on.

    Args:
        tell: told (blocks done, blocks in all).

    Raises:
        ValueError: there is no layer `upto`.
    """
    decoder = model.base_model
    blocks = block_count(model)
    last = blocks if upto is None else upto
    if not 0 <= last <= blocks:
        raise ValueError(f"There is no layer {last}: this model has layers 0 to {blocks}.")
    hidden = [decoder.embed_tokens(pack.ids) for pack in packs]
    for i in range(len(packs)):
        visit(0, i, hidden[i])
    run = _block_runner(model, packs)
    for layer, block in enumerate(decoder.layers[:last], 1):
        with resident(block):
            for i in range(len(packs)):
                hidden[i] = run(block, hidden[i], i)
                visit(layer, i, decoder.norm(hidden[i]) if layer == blocks else hidden[i])
        tell(layer, last)


def _block_runner(model: PreTrainedModel, packs: Sequence[Pack]) -> Callable[[nn.Module, Tensor, int], Tensor]:
    """What runs a block on the hidden states of pack i."""
    masks = [pack.additive_mask(model.dtype) for pack in packs]
    rotary = model.base_model.rotary_emb
    if in_few_kernels(model):
        turns = [turn_at(rotary, pack.positions, model.dtype) for pack in packs]
        return lambda block, hidden, i: run_block(block, hidden, turns[i], masks[i])
    turns = [rotary(mask, position_ids=pack.positions) for mask, pack in zip(masks, packs, strict=True)]
    return lambda block, hidden, i: block(
        hidden, attention_mask=masks[i], position_embeddings=turns[i], use_cache=False
    )  # fmt: skip


def pooled_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    words: Sequence[str],
    pooling: str = "words",
    upto: int | None = None,
    tell: Callable[[int, int], None] = lambda done, blocks: None,
) -> PooledStates:
    """Each word's vector at every layer under one pooling, as `states_by_pooling`."""
    return states_by_pooling(model, tokenizer, words, (pooling,), upto, tell)[pooling]


@torch.inference_mode()
def states_by_pooling(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    words: Sequence[str],
    poolings: Sequence[str],
    upto: int | None = None,
    tell: Callable[[int, int], None] = lambda done, blocks: None,
) -> dict[str, PooledStates]:
    """Each word's vector at every layer under each pooling, pooled inside one forward pass.

    Args:
        poolings: some of POOLINGS.
        upto: stop after this layer; None runs all.
        tell: told (blocks done, blocks in all), over all words.

    Returns:
        layers = blocks + 1, or upto + 1.

    Raises:
        ValueError: an unknown pooling or layer, or a word without tokens.
    """
    encoded = encode(tokenizer, words) if words else []
    layers = (block_count(model) if upto is None else upto) + 1
    device = input_device(model)
    # Page-locked and on a stream of their own, so that a GPU computes while its vectors are on their way.
    on_gpu = device.type == "cuda"
    size = (layers, len(words), model.config.hidden_size)
    norms: list[list[Tensor]] = [[] for _ in range(layers)]  # sums of norms, of first pieces and of the others: (2,)
    found = {
        pooling: PooledStates(
            torch.empty(*size, pin_memory=on_gpu),  # (layers, n, d)
            torch.zeros(*size[:2], pin_memory=on_gpu),  # (layers, n)
            torch.full((layers,), torch.nan),
        )
        for pooling in poolings
    }
    sending: dict[torch.device, torch.cuda.Stream] = {}

    def bring(tensor: Tensor, place: Tensor) -> None:
        if not tensor.is_cuda:
            place.copy_(tensor)
            return
        if tensor.device not in sending:
            sending[tensor.device] = torch.cuda.Stream(tensor.device)
        stream = sending[tensor.device]
        stream.wait_stream(torch.cuda.current_stream(tensor.device))
        with torch.cuda.stream(stream):
            place.copy_(tensor, non_blocking=True)
        tensor.record_stream(stream)

    # One layout for all poolings, which differ in their weights alone; the first one's packs are those that run.
    packs = list(zip(*(packed(encoded, pooling) for pooling in poolings), strict=True))
    # Offloaded blocks are fetched once for all words; otherwise a pack at a time takes the least memory.
    groups = [packs] if is_offloaded(model) else [[pack] for pack in packs]
    counts = torch.zeros(2)
    begin = 0
    for number, group in enumerate(groups):
        group = [tuple(pack.to(device) for pack in alike) for alike in group]
        kinds = [_first_and_other_pieces(tuple(zip(alike, poolings, strict=True))) for alike in group]
        edges = [begin, *(begin + end for end in accumulate(len(alike[0].slots) for alike in group))]

        def pool(
            layer: int, i: int, hidden: Tensor, group: list = group, edges: list[int] = edges, kinds: list = kinds
        ) -> None:
            part, hidden = slice(edges[i], edges[i + 1]), hidden.float()
            if kinds[i] is not None:
                if kinds[i].device != hidden.device:
                    kinds[i] = kinds[i].to(hidden.device)
                norms[layer].append(hidden.norm(dim=-1).flatten() @ kinds[i].flatten(0, 1))  # (2,)
            for pooling, pack in zip(poolings, group[i], strict=True):
                pack = pack.to(hidden.device)
                pooled = pack.pool(hidden, pack.weights)  # (b, d)
                bring(pooled, found[pooling].vectors[layer, part])
                if pooling == "all":
                    anchor = (pack.pool(hidden, pack.anchors) * pooled).sum(dim=1) / pooled.square().sum(dim=1)  # (b,)
                    bring(anchor, found[pooling].anchor_share[layer, part])

        def told(done: int, blocks: int, number: int = number) -> None:
            tell(number * blocks + done, len(groups) * blocks)

        with threads_for(sum(alike[0].ids.numel() for alike in group)):
            visit_layers(model, [alike[0] for alike in group], pool, upto, told)
        begin = edges[-1]
        counts += sum((kind.sum(dim=(0, 1)).cpu() for kind in kinds if kind is not None), torch.zeros(2))
    for stream in sending.values():
        stream.synchronize()
    for layer, sums in enumerate(norms):
        if sums:
            of_first, of_others = torch.stack(sums).sum(dim=0).cpu() / counts
            for states in found.values():
                states.first_piece[layer] = of_first / of_others
    return found


def _first_and_other_pieces(packs: Sequence[tuple[Pack, str]]) -> Tensor | None:
    """Which tokens are the first piece of a word that has several, and which its others: (r, t, 2) of ones and zeros.

    Args:
        packs: the same words under several poolings, with those; None comes of one that counts the last piece alone.
    """
    # Special tokens count for the anchors, too; every piece of a word counts unless only the last one does.
    pack = next((pack for pack, pooling in packs if pooling != "last"), None)
    if pack is None:
        return None
    own = (pack.weights > 0) & (pack.anchors == 0)  # (r, k, t)
    own = own & (own.sum(dim=-1, keepdim=True) > 1)
    first = own & (own.cumsum(dim=-1) == 1)
    # A token is of one word only, so the sum over words is its own mark.
    return torch.stack([first.sum(dim=1), (own & ~first).sum(dim=1)], dim=-1).float()


def packed(words: Sequence[EncodedWord], pooling: str) -> list[Pack]:
    """The words in packs, with their pooling weights, the packs in the words' order.

    Raises:
        ValueError: an unknown pooling.
    """
    return list(pack_words(words, all_weights(words, pooling), MAX_BATCH_TOKENS)) if words else []


def layer_states(model: PreTrainedModel, words: Sequence[EncodedWord], layer: int, pooling: str) -> Tensor:
    """Each word's pooled vector at one layer, (n, d) in float32 on the model's device, with its gradient.

    Runs the blocks up to that layer and no further.
    """
    device = input_device(model)
    return torch.cat([pack_states(model, pack.to(device), layer) for pack in packed(words, pooling)])


def pack_states(model: PreTrainedModel, pack: Pack, layer: int) -> Tensor:
    """The pooled vectors of a pack's words at one layer, (n, d), as `layer_states`."""
    found: list[Tensor] = []

    def keep(at: int, _: int, hidden: Tensor) -> None:
        if at == layer:
            own = pack.to(hidden.device)
            found.append(own.pool(hidden.float(), own.weights))

    visit_layers(model, [pack], keep, upto=layer)
    return found[0]
