"""Measure and train cross-lingual alignment between Swahili and English inside a language model."""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    """A module of the core, imported when it is first asked for: PyTorch and PEFT take ten seconds that a page has not.

    Raises:
        AttributeError: there is no such module.
    """
    try:
        return import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"{__name__} has no module {name}.") from None
