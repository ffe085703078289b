"""Targeted Lexical Injection: settings, losses, batches, and the loop."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
