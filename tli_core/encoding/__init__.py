"""Words to tokens to hidden states to one vector a word and layer."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
