"""The backend: the arithmetic that decides a record's last bits, by the name that cells state.

The one place that says what a machine's last bits depend on. The name does not decide them yet:
two CPUs with AVX-512 of different makers differ, since MKL takes other kernels on each.
"""

from __future__ import annotations

import torch


def name(device: torch.device, width: int | None = None) -> str:
    """``cpu-avx512``, ``cuda-sm90-w512``, …

    Args:
        device: where trials are trained.
        width: how many trials every pack holds, where their last bits depend on that.
    """
    if device.type == "cuda":
        arithmetic = "cuda-sm{}{}".format(*torch.cuda.get_device_capability(device))
    else:
        arithmetic = f"cpu-{torch.backends.cpu.get_cpu_capability().lower()}"
    return arithmetic if width is None else f"{arithmetic}-w{width}"
