"""Names and numbers of a model's layers."""

from collections.abc import Sequence

from tli_core.i18n import N_, translate

PICK = "pick"
"""In place of a layer: the one where the trained list's gap grew most."""


def layer_names(blocks: int, whole: bool = True) -> tuple[str, ...]:
    """Names of the blocks + 1 layers: `embeddings`, `block 1` …, `output` (the last block after the final norm).

    Where only a model's first blocks are loaded, the last layer is a block like the others, and there is no output.
    """
    return (N_("embeddings"), *(f"block {i}" for i in range(1, blocks)), "output" if whole else f"block {blocks}")


def layer_words(name: str) -> str:
    """A layer's name as it stands in a sentence; the last layer is the output, unless only first blocks are loaded."""
    if name.startswith("block "):
        return translate("block {number}", number=name.removeprefix("block "))
    return translate("the output") if name == "output" else translate("the embeddings")


def layer_index(names: Sequence[str], layer: int | str) -> int:
    """The index of a layer given as a number or `output`, among the names of a model's layers.

    Raises:
        ValueError: there is no such layer.
    """
    last = len(names) - 1
    if layer == "output" and names[-1] != "output":
        raise ValueError(
            translate(
                "Only the first {last} blocks are loaded, so there is no output: give a layer from 0 to {last}.",
                last=last,
            )
        )
    index = last if layer == "output" else int(layer)
    if not 0 <= index <= last:
        text = N_("There is no layer {layer}: this model has layers 0 to {last}, and 'output'.")
        raise ValueError(translate(text, layer=layer, last=last))
    return index
