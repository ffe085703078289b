"""The app as ZeroGPU runs it, with the spaces package's own workers, and a CPU where the lent GPU would be.

Not a test: `test_zero_gpu` starts it. What a worker has in memory when a visitor's work is over goes to the file that
the first argument names.
"""

import os
import sys

# Where spaces finds no PyTorch it leaves "cuda" alone; all else of it is as on ZeroGPU.
sys.modules["torch"] = None
import spaces  # noqa: E402

del sys.modules["torch"]

import tli_core.models.loaded_model  # noqa: E402
import ui.page  # noqa: E402
import ui.serve  # noqa: E402
from ui.server.visitors import Models  # noqa: E402

log = sys.argv.pop(1)
forget = Models.forget_adapters


def forget_and_tell(self: Models) -> None:
    forget(self)
    left = sum(len(loaded.adapters) for loaded in self._loaded.values())
    with open(log, "a") as file:
        file.write(f"{os.getpid()} {left}\n")


Models.forget_adapters = forget_and_tell
Models.on_lent_gpu = lambda self, name: True  # the bundled model stands for a large one
tli_core.models.loaded_model.LoadedModel.to = lambda self, device: None
assert spaces.config.Config.zero_gpu
ui.serve.main()
