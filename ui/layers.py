"""The layer picker's choices, known without loading a model that is on this machine."""

from tli_core.embeddings import layer_names
from ui.visitors import Models

OUTPUT = "output"


def layer_choices(models: Models, model: str, *first: tuple[str, str]) -> list[tuple[str, str]]:
    """(label, value) of `first`, the output, and every block from the last to the embeddings."""
    try:
        names = layer_names(models.blocks(model))
    except ValueError:
        # The Hub cannot be reached just now; loading the model will say so, and the output is always there.
        names = ("embeddings", "output")
    blocks = [(f"{i}: {names[i]}", str(i)) for i in range(len(names) - 2, -1, -1)]
    return [*first, ("output: after the last block", OUTPUT), *blocks]
