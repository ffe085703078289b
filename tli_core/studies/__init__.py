"""Studies: several fine-tunes and measurements that answer one question together."""

from tli_core._lazy import submodules

__getattr__ = submodules(__name__)
