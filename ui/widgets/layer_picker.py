"""The layer picker's choices, known without loading a model that is on this machine."""

from tli_core.i18n import N_, translate
from ui.server.visitors import Models

OUTPUT = "output"
LAYER_HELP = N_("Where in the model words are looked at: 0 is before the first block, output after the last.")


def layer_choices(models: Models, model: str, *first: tuple[str, str]) -> list[tuple[str, str]]:
    """(label, value) of `first`, the output, and every block from the last to the embeddings."""
    try:
        names = models.layer_names(model)
    except ValueError:
        # The Hub cannot be reached just now; loading the model will say so, and the output is always there.
        names = (N_("embeddings"), OUTPUT)
    last = len(names) - 1
    whole = names[-1] == OUTPUT
    top = (
        (translate("output, after the last block"), OUTPUT)
        if whole
        else (translate("layer {number}", number=last), str(last))
    )
    inner = [(translate("layer {number}", number=i), str(i)) for i in range(last - 1, 0, -1)]
    return [*first, top, *inner, (translate("layer 0, before the first block"), "0")]


def last_layer(models: Models, model: str) -> str:
    """The value of the last layer there is: the output, or the last block that is loaded."""
    return next(value for _, value in layer_choices(models, model))


def chosen_layer(value: str) -> int | str:
    """What the picker's value means to the core: a number, or a word such as `output`."""
    if not value.isascii() or not (value.isdecimal() or value.isalpha()) or len(value) > 9:
        raise ValueError(translate("The layer is a number or 'output', got {value!r}.", value=value[:20]))
    return int(value) if value.isdecimal() else value
