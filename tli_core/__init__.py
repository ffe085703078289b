"""Measure and train cross-lingual alignment between Swahili and English inside a language model."""

import threading
from importlib import import_module
from types import ModuleType

# PyTorch, transformers and PEFT import each other on the way: two threads that begin at once find each other's halves.
_importing = threading.RLock()


def __getattr__(name: str) -> ModuleType:
    """A module of the core, imported when it is first asked for: PyTorch and PEFT take ten seconds that a page has not.

    Raises:
        AttributeError: there is no such module.
    """
    try:
        with _importing:
            return import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"{__name__} has no module {name}.") from None
