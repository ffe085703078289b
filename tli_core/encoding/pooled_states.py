"""Words → pooled hidden states per layer. The only place in the project that pools."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.forward import visit_layers
from tli_core.encoding.packing import Pack, pack_words
from tli_core.encoding.pooling import WEIGHTED, EncodedWord, all_weights
from tli_core.encoding.tokens import MAX_BATCH_TOKENS, encode
from tli_core.models import architecture
from tli_core.models.kernels.arithmetic import threads_for
from tli_core.models.placement import input_device, is_offloaded


@dataclass(frozen=True)
class PooledStates:
    """Words' pooled vectors at every layer, and the share of each vector that comes from the prefix token.

    vectors is (layers, n, d) in float32 on the CPU. prefix_share is (layers, n): the part of the vector's squared norm
    that the special tokens (BOS) bring in, ⟨their part, vector⟩ / ⟨vector, vector⟩; the words' tokens bring the rest.
    first_piece (layers,) is the mean norm of a word's first subword divided by the mean norm of
    its other subwords, nan where no word has two. Far above 1 means that the first subword is an attention sink.
    """

    vectors: Tensor
    prefix_share: Tensor
    first_piece: Tensor

    def __post_init__(self) -> None:
        if self.first_piece.shape != self.vectors.shape[:1]:
            raise ValueError(f"Ratios {tuple(self.first_piece.shape)} do not fit {tuple(self.vectors.shape)}.")
        if self.prefix_share.shape != self.vectors.shape[:2]:
            raise ValueError(f"Shares {tuple(self.prefix_share.shape)} do not fit {tuple(self.vectors.shape)}.")


def pooled_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    words: Sequence[str],
    pooling: str = "words",
    upto: int | None = None,
    progress: Callable[[int, int], None] = lambda done, blocks: None,
) -> PooledStates:
    """The vector of each word alone at every layer under one pooling, as `states_by_pooling`."""
    return states_by_pooling(model, encode(tokenizer, words), (pooling,), upto, progress)[pooling]


@torch.inference_mode()
def states_by_pooling(
    model: PreTrainedModel,
    words: Sequence[EncodedWord],
    poolings: Sequence[str],
    upto: int | None = None,
    progress: Callable[[int, int], None] = lambda done, blocks: None,
) -> dict[str, PooledStates]:
    """Each word's vector at every layer under each pooling, pooled inside one forward pass.

    Args:
        poolings: as `pooling_weights` takes them.
        upto: stop after this layer; None runs all.
        progress: called with (blocks done, total blocks), counted over all words.

    Returns:
        layers = blocks + 1, or upto + 1.

    Raises:
        ValueError: an unknown pooling or layer.
    """
    layers = (len(architecture.blocks(model)) if upto is None else upto) + 1
    device = input_device(model)
    # Pinned memory and a separate stream, so that the GPU computes while its vectors are copied to the CPU.
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

    def copy_to_cpu(tensor: Tensor, place: Tensor) -> None:
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
    packs = list(zip(*(packed(words, pooling) for pooling in poolings), strict=True))
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
                copy_to_cpu(pooled, found[pooling].vectors[layer, part])
                if pooling in ("all", WEIGHTED):
                    prefix = (pack.pool(hidden, pack.prefix_weights) * pooled).sum(dim=1) / pooled.square().sum(
                        dim=1
                    )  # (b,)
                    copy_to_cpu(prefix, found[pooling].prefix_share[layer, part])

        def report_progress(done: int, blocks: int, number: int = number) -> None:
            progress(number * blocks + done, len(groups) * blocks)

        with threads_for(sum(alike[0].ids.numel() for alike in group)):
            visit_layers(model, [alike[0] for alike in group], pool, upto, report_progress)
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
    """Of how many words that have several pieces each token is the first one, and of how many another: (r, t, 2).

    Args:
        packs: the same words under several poolings, with those; None comes from one that counts the last piece alone.
    """
    # Special tokens have prefix weights as well; every piece of a word counts unless only the last one does.
    pack = next((pack for pack, pooling in packs if pooling != "last"), None)
    if pack is None:
        return None
    own = (pack.weights > 0) & (pack.prefix_weights == 0)  # (r, k, t)
    several = own.sum(dim=-1) > 1  # (r, k)
    pieces = (own & several[..., None]).sum(dim=1).float()  # (r, t)
    first = torch.zeros_like(pieces).scatter_add_(1, own.int().argmax(dim=-1), several.float())
    return torch.stack([first, pieces - first], dim=-1)


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
