"""What loading a base will take, whether this machine has it, and what is done then: before anything is fetched."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from .checkpoint import Weights, weigh

BYTES_BF16 = 2
HEADROOM = 1.25
"""What a pass needs beside the weights: activations, the head's logits, the allocator's slack."""

FIRST_BLOCKS = 2
"""The published fine-tune reads layer 2, so two blocks are worth having where the whole model is too much."""


@dataclass(frozen=True)
class Machine:
    """Free memory of this machine in bytes: RAM, each GPU's, and the disk that holds the download cache."""

    ram: int
    disk: int
    gpus: tuple[int, ...] = ()

    @classmethod
    def here(cls) -> "Machine":
        """This machine, now."""
        cache = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
        while not cache.exists():
            cache = cache.parent
        gpus = tuple(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count()))
        return cls(psutil.virtual_memory().available, shutil.disk_usage(cache).free, gpus)


@dataclass(frozen=True)
class Plan:
    """How a base is loaded here: `device` and `blocks` are what `load_model` takes, `reason` says why in one sentence.

    fits is False where even the smallest way is too much for this machine.
    """

    device: str
    blocks: int | None
    fits: bool
    weights: Weights
    reason: str

    @property
    def sentence(self) -> str:
        """The download, the memory and the choice, in words."""
        fetched = self.weights.download - self.weights.cached
        download = f"{gigabytes(fetched)} to download" if fetched else "nothing to download"
        have = f" ({gigabytes(self.weights.cached)} are here already)" if fetched and self.weights.cached else ""
        memory = gigabytes(self.weights.parameters * BYTES_BF16)
        return f"{download}{have}, {memory} of memory in bf16. {self.reason}"


def plan(source: str, machine: Machine | None = None) -> Plan:
    """Choose how to load a base: whole on a GPU, whole on the CPU, or its first blocks only.

    Raises:
        ValueError: there is no such model, or its files cannot be asked for.
    """
    machine = machine or Machine.here()
    whole = weigh(source)
    room = HEADROOM * whole.parameters * BYTES_BF16
    missing = whole.download - whole.cached
    if missing > machine.disk:
        return _first_blocks(source, machine, f"The disk has {gigabytes(machine.disk)} free, too little for all of it")
    if machine.gpus and room <= max(machine.gpus):
        best = machine.gpus.index(max(machine.gpus))
        reason = f"It fits the GPU, which has {gigabytes(machine.gpus[best])} free: the whole model goes there."
        return Plan(f"cuda:{best}", None, True, whole, reason)
    if room <= machine.ram:
        gpu = "No GPU here can hold it" if machine.gpus else "There is no GPU"
        reason = f"{gpu}; memory has {gigabytes(machine.ram)} free: the whole model runs on the CPU, slowly."
        return Plan("cpu", None, True, whole, reason)
    return _first_blocks(source, machine, f"Memory has {gigabytes(machine.ram)} free, too little for all of it")


def _first_blocks(source: str, machine: Machine, why: str) -> Plan:
    first = weigh(source, FIRST_BLOCKS)
    room = HEADROOM * first.parameters * BYTES_BF16
    device, free = ("cuda:0", machine.gpus[0]) if machine.gpus and room <= machine.gpus[0] else ("cpu", machine.ram)
    fits = room <= free and first.download - first.cached <= machine.disk
    if fits:
        what = f"only its first {FIRST_BLOCKS} blocks are loaded, which measure and train up to layer {FIRST_BLOCKS}"
        return Plan(device, FIRST_BLOCKS, True, first, f"{why}: {what}, without answers.")
    reason = f"{why}, and for its first {FIRST_BLOCKS} blocks as well: use a machine with more, or lugha-mini."
    return Plan(device, FIRST_BLOCKS, False, first, reason)


def gigabytes(count: float) -> str:
    """Bytes as people read them: 4.9 GB, 22 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
