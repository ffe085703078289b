"""Faster arithmetic for the same functions, each tested against the plain one."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
