"""Base models and their adapters: what is known by name, files, loading, and where weights are kept."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
