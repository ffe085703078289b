"""Run a model's blocks on packs of words, layer by layer, without storing hidden states."""

from collections.abc import Callable, Sequence

from torch import Tensor
from transformers import PreTrainedModel

from tli_core.encoding.packing import Pack
from tli_core.i18n import N_, translate
from tli_core.models import architecture
from tli_core.models.placement import resident


def visit_layers(
    model: PreTrainedModel,
    packs: Sequence[Pack],
    visit: Callable[[int, int, Tensor], None],
    upto: int | None = None,
    progress: Callable[[int, int], None] = lambda done, blocks: None,
) -> None:
    """Run the blocks on packs of words and call visit(layer, i, hidden) with hidden (r, t, d) of pack i.

    Layers are numbered as in `measures`: 0 the token embeddings, i the output of block i before the final norm, and
    the last one the last block after the final norm. Hidden states are not stored: `visit` must pool them. All packs go
    through a block before any goes through the next, so that a block's weights are fetched once where they are
    offloaded. With upto=k the pass ends right after block k. Gradients flow where they are on.

    Args:
        progress: called with (blocks done, total blocks).

    Raises:
        ValueError: there is no layer `upto`.
    """
    blocks = len(architecture.blocks(model))
    last = blocks if upto is None else upto
    if not 0 <= last <= blocks:
        text = N_("There is no layer {last}: this model has layers 0 to {blocks}.")
        raise ValueError(translate(text, last=last, blocks=blocks))
    embed, norm = architecture.embeddings(model), architecture.final_norm(model)
    kinds = architecture.kinds_of_blocks(model)
    windows = architecture.windows(model)
    masks = [{kind: pack.additive_mask(model.dtype, windows[kind]) for kind in dict.fromkeys(kinds)} for pack in packs]
    hidden = [embed(pack.ids) for pack in packs]
    tables = [architecture.rotary_tables(model, of, pack.positions) for of, pack in zip(hidden, packs, strict=True)]
    for i in range(len(packs)):
        visit(0, i, hidden[i])
    for layer, (block, kind) in enumerate(zip(architecture.blocks(model)[:last], kinds, strict=False), 1):
        with resident(block):
            for i in range(len(packs)):
                hidden[i] = block(
                    hidden[i], attention_mask=masks[i][kind], position_embeddings=tables[i][kind], use_cache=False
                )  # (r, t, d)
                visit(layer, i, norm(hidden[i]) if layer == blocks else hidden[i])
        progress(layer, last)
