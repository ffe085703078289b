"""Modules of a package as its attributes, each imported when it is first asked for.

PyTorch, transformers and PEFT take ten seconds to import, which a page that has just been opened has not.
"""

import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

# PyTorch, transformers and PEFT import each other on the way: two threads that begin at once find each other's halves.
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
