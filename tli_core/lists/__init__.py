"""Word lists: pairs, the shipped lexicon, what is wrong with a list, and prompts made of a pair."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
