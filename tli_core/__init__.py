"""Measure and train cross-lingual alignment between two languages inside a language model."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
