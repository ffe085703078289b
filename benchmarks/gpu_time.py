"""Where a GPU's time goes: its two ceilings, measured, and the time of its kernels by kind."""

from collections.abc import Callable

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "matrix products": ("gemm", "nvjet", "cutlass", "gemv", "splitk", "cublas"),
    "attention": ("fmha", "flash", "attention"),
    "optimiser": ("adam", "multi_tensor"),
    "copies": ("memcpy", "memset"),
}
OTHER = "norms, sums, casts"


def kernel_seconds(run: Callable[[], None]) -> tuple[dict[str, tuple[float, int]], float]:
    """Run once under the profiler.

    Returns:
        the seconds that kernels of each kind took and how many there were, and the seconds in which any ran: less than
        their sum where some ran side by side.
    """
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    found = dict.fromkeys((*KINDS, OTHER), (0.0, 0))
    busy = end = 0.0
    for event in sorted(profiler.events(), key=lambda event: event.time_range.start):
        if event.device_type != DeviceType.CUDA:
            continue
        name, span = event.name.lower(), event.time_range
        kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), OTHER)
        seconds, count = found[kind]
        found[kind] = seconds + (span.end - span.start) / 1e6, count + 1
        busy += max(0.0, span.end - max(end, span.start)) / 1e6
        end = max(end, span.end)
    return {kind: found[kind] for kind in sorted(found, key=lambda kind: -found[kind][0])}, busy


def copy_bandwidth(size: int = 2**32) -> float:
    """Bytes a second, read and written, of a large copy on the GPU."""
    source = torch.randint(0, 256, (size,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * size / median_seconds(lambda: target.copy_(source))


def matrix_rate(n: int = 8192) -> float:
    """Floating-point operations a second of a large bf16 matrix product of random numbers."""
    a, b = (torch.randn(n, n, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / median_seconds(lambda: a @ b)


def median_seconds(run: Callable[[], object], rounds: int = 10, warm: int = 3) -> float:
    """The median time of a piece of GPU work, between two events."""
    times = []
    for number in range(warm + rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        if number >= warm:
            times.append(begin.elapsed_time(end) / 1000)
    return sorted(times)[len(times) // 2]
