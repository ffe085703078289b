"""Results as words, tables, figures, files and pages. Nothing here measures."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
