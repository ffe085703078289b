"""Plan a load before any download: the memory and disk it needs, whether they are free, and how to load the model."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from tli_core.i18n import N_, translate
from tli_core.models.checkpoint import Weights, load_size
from tli_core.models.placement import Placement
from tli_core.models.quantization import BYTES, NAMES, can_quantise

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
    """How a base is loaded here: `placement` is what `load_model` takes, `reason` says why in one sentence.

    fits is False where even the smallest way is too much for this machine.
    """

    placement: Placement
    fits: bool
    weights: Weights
    reason: str

    @property
    def sentence(self) -> str:
        """The download, the memory and the choice, in words."""
        fetched = self.weights.download - self.weights.cached
        if not fetched:
            download = translate("nothing to download")
        elif self.weights.cached:
            download = translate("{size} to download ({have} are here already)",
                           size=gigabytes(fetched), have=gigabytes(self.weights.cached))  # fmt: skip
        else:
            download = translate("{size} to download", size=gigabytes(fetched))
        kept = NAMES[self.placement.bits] if self.placement.bits else "bf16"
        memory = gigabytes(weights_bytes(self.weights, self.placement.bits))
        takes = translate("{download}, {memory} of memory in {kept}.", download=download, memory=memory, kept=kept)
        return f"{takes} {self.reason}"


def weights_bytes(weights: Weights, bits: int | None = None) -> float:
    """The bytes that weights take in bf16, or with the blocks' matrices in 8 or 4 bits."""
    inside = weights.in_blocks * (BYTES[bits] if bits else BYTES_BF16)
    return inside + (weights.parameters - weights.in_blocks) * BYTES_BF16


def plan(source: str, machine: Machine | None = None, way: str = "auto") -> Plan:
    """Choose how to load a base: the first of WAYS that fits the machine, or the way that is asked for.

    Raises:
        ValueError: there is no such model, its files cannot be asked for, or the way asked for does not fit.
    """
    machine = machine or Machine.here()
    whole = load_size(source)
    missing = whole.download - whole.cached
    if missing > machine.disk and way == "auto":
        why = translate("The disk has {free} free, too little for all of it", free=gigabytes(machine.disk))
        return _first_blocks(source, machine, why)
    if way == "first-blocks":
        return _first_blocks(source, machine, translate("As asked"))
    # Without a GPU, a scan would read all of it from the disk, and nobody waits for that unasked.
    unasked = [name for name in WAYS if name != "offload" or machine.gpus]
    for name in unasked if way == "auto" else (way,):
        if chosen := WAYS[name](whole, machine):
            return Plan(chosen[0], True, whole, chosen[1])
    if way != "auto":
        needs = " (and the package bitsandbytes)" if way in ("8-bit", "4-bit") else ""
        text = N_(
            "{source} cannot be loaded {way} here: GPUs have {gpus} free, memory {ram}{needs}; "
            "leave the choice open, or use another machine."
        )
        raise ValueError(
            translate(
                text,
                source=source,
                way=way,
                gpus=", ".join(map(gigabytes, machine.gpus)) or "nothing",
                ram=gigabytes(machine.ram),
                needs=needs,
            )
        )
    why = translate("Memory has {free} free, too little for all of it", free=gigabytes(machine.ram))
    return _first_blocks(source, machine, why)


def _one_gpu(whole: Weights, machine: Machine) -> tuple[Placement, str] | None:
    gpu = _best_gpu(machine, HEADROOM * weights_bytes(whole))
    if gpu is None:
        return None
    free = gigabytes(machine.gpus[gpu])
    return Placement(f"cuda:{gpu}"), translate(
        "It fits the GPU, which has {free} free: the whole model goes there.", free=free
    )


def _several_gpus(whole: Weights, machine: Machine) -> tuple[Placement, str] | None:
    if len(machine.gpus) < 2 or HEADROOM * weights_bytes(whole) > sum(machine.gpus):
        return None
    limits: dict[int | str, int] = {gpu: int(free / HEADROOM) for gpu, free in enumerate(machine.gpus)}
    reason = translate("No GPU holds it alone: it is spread over {n} GPUs.", n=len(machine.gpus))
    return Placement("cuda:0", limits=limits), reason


def _few_bits(bits: int) -> "Way":
    def way(whole: Weights, machine: Machine) -> tuple[Placement, str] | None:
        gpu = _best_gpu(machine, HEADROOM * weights_bytes(whole, bits)) if can_quantise() else None
        if gpu is None:
            return None
        reason = translate(
            "In bf16 it is too much for the GPU, which has {free} free, in {bits} it fits: figures are those of the "
            "{bits} model.",
            free=gigabytes(machine.gpus[gpu]),
            bits=NAMES[bits],
        )
        return Placement(f"cuda:{gpu}", bits=bits), reason

    return way


def _offloaded(whole: Weights, machine: Machine) -> tuple[Placement, str] | None:
    """Blocks beyond the GPU's memory in RAM, and beyond that on disk."""
    gpu = _best_gpu(machine, 0)
    limits: dict[int | str, int] = {} if gpu is None else {gpu: int(machine.gpus[gpu] / HEADROOM)}
    limits["cpu"] = int(machine.ram / HEADROOM)
    free = gigabytes(machine.ram if gpu is None else machine.gpus[gpu])
    reason = translate(
        N_("What does not fit ({free} free) stays in memory, and a scan fetches each block once.")
        if weights_bytes(whole) <= sum(limits.values())
        else N_("What does not fit ({free} free) stays in memory and on disk, and a scan fetches each block once."),
        free=free,
    )
    return Placement("cpu" if gpu is None else f"cuda:{gpu}", limits=limits), reason


def _cpu(whole: Weights, machine: Machine) -> tuple[Placement, str] | None:
    if HEADROOM * weights_bytes(whole) > machine.ram:
        return None
    # With a GPU there is always a faster way, so this one has been asked for.
    why = translate("As asked") if machine.gpus else translate("There is no GPU")
    reason = translate("{why}; memory has {free} free: the whole model runs on the CPU, slowly.",
                 why=why, free=gigabytes(machine.ram))  # fmt: skip
    return Placement("cpu"), reason


Way = Callable[[Weights, Machine], tuple[Placement, str] | None]
WAYS: dict[str, Way] = {
    "gpu": _one_gpu,
    "gpus": _several_gpus,
    "8-bit": _few_bits(8),
    "4-bit": _few_bits(4),
    "offload": _offloaded,
    "cpu": _cpu,
}
"""Ways to load a whole model, the first that fits being chosen; where none does, its first blocks are."""


def _best_gpu(machine: Machine, room: float) -> int | None:
    fitting = [gpu for gpu, free in enumerate(machine.gpus) if room <= free]
    return max(fitting, key=lambda gpu: machine.gpus[gpu], default=None)


def _first_blocks(source: str, machine: Machine, why: str) -> Plan:
    first = load_size(source, FIRST_BLOCKS)
    room = HEADROOM * weights_bytes(first)
    gpu = _best_gpu(machine, room)
    device, free = ("cpu", machine.ram) if gpu is None else (f"cuda:{gpu}", machine.gpus[gpu])
    fits = room <= free and first.download - first.cached <= machine.disk
    if fits:
        reason = translate(
            "{why}: only its first {n} blocks are loaded, which measure and train up to layer {n}, without answers.",
            why=why,
            n=FIRST_BLOCKS,
        )
        return Plan(Placement(device, FIRST_BLOCKS), True, first, reason)
    reason = translate("{why}, and for its first {n} blocks as well: use a machine with more, or lugha-mini.",
                 why=why, n=FIRST_BLOCKS)  # fmt: skip
    return Plan(Placement(device, FIRST_BLOCKS), False, first, reason)


def gigabytes(count: float) -> str:
    """Bytes as people read them: 4.9 GB, 22 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
