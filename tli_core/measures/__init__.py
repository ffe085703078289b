"""What vectors and answers say: alignment with its controls, tests, and comparisons of base and adapter."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
