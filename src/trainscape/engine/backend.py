"""What of a machine decides a trial's last bits: the backend that every cell's file names.

No number is made here, so this file is in no digest.
"""

from __future__ import annotations

import torch

from trainscape.hardware import maker

COMPILED = "cpu"  # a compiled step's arithmetic: the same on every CPU


def name(device: torch.device, width: int | None = None) -> str:
    """The arithmetic of torch's own kernels: ``cpu-torch-avx512-intel``, ``cuda-sm90-w512``, …

    On a CPU its libraries choose kernels by the instruction set and by the processor's maker.

    Args:
        device: what trains.
        width: trials of every pack, where it decides last bits, too.
    """
    if device.type == "cuda":
        found = "cuda-sm{}{}".format(*torch.cuda.get_device_capability(device))
    else:
        found = f"cpu-torch-{torch.backends.cpu.get_cpu_capability().lower()}-{maker()}"
    return found if width is None else f"{found}-w{width}"


def fits(backend: str, device: torch.device) -> bool:
    """Whether this device may have made numbers of a backend, packs of any width."""
    own = name(device)
    compiled = backend == COMPILED and device.type == "cpu"
    return compiled or backend == own or backend.startswith(f"{own}-w")
