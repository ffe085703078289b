"""Lazy imports: submodules as attributes of a package, each imported on first access.

Importing PyTorch, transformers and PEFT takes about ten seconds and would delay the first page load.
"""

import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

# PyTorch, transformers and PEFT import each other: two threads importing at once can see half-initialised modules.
_importing = threading.RLock()


def submodules(package: str) -> Callable[[str], ModuleType]:
    """A `__getattr__` for a package that imports its submodules on demand, one thread at a time.

    The function that it returns raises AttributeError where there is no such module.
    """

    def module_of(name: str) -> ModuleType:
        try:
            with _importing:
                return import_module(f".{name}", package)
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise AttributeError(f"{package} has no module {name}.") from None

    return module_of
