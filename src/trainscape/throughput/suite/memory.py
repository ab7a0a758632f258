"""The most memory that tensors take in a training step.

On both devices it is what PyTorch's allocator hands out at the peak: weights, gradients, the
optimizer's state, activations and one batch. The interpreter, libraries, the dataset and what
kernels take elsewhere are not in it. The peak of the process's resident memory would count them
all, and needs a fresh process each time (2 s, and for a small model nothing but noise).
"""

from __future__ import annotations

import gc
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.profiler import ProfilerActivity, profile

if TYPE_CHECKING:
    from collections.abc import Callable


def peak(work: Callable[[], object], device: torch.device) -> int:
    """The bytes that ``work`` has allocated at its peak, above what was allocated before."""
    gc.disable()  # else a free of what is gone already lowers the count in the middle of the work
    try:
        return _peak_cuda(work, device) if device.type == "cuda" else _peak_cpu(work)
    finally:
        gc.enable()


def _peak_cuda(work: Callable[[], object], device: torch.device) -> int:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _peak_cpu(work: Callable[[], object]) -> int:
    """The CPU allocator keeps no count; the profiler is told each of its calls (5 ms)."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(file))
        events = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    calls = [event for event in events if event["name"] == "[memory]"]
    if not calls:
        return 0
    held = [call["args"]["Total Allocated"] for call in sorted(calls, key=lambda call: call["ts"])]
    before = held[0] - min(calls, key=lambda call: call["ts"])["args"]["Bytes"]
    return int(max(held) - before)
