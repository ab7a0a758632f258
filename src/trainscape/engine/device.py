"""Where a pack runs. No arithmetic: not in the digest, so that moving machines retrains nothing."""

from __future__ import annotations

import torch

from trainscape.engine import arithmetic
from trainscape.errors import UserError


def choose(device: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda`` as a device, prepared for training.

    Must be called before the process's first matrix product (:mod:`.arithmetic`).

    Raises:
        UserError: CUDA is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: 'cuda' is not available on this machine; choose 'auto' or 'cpu'")
    arithmetic.pin()
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")


def backend(device: torch.device) -> str:
    """The arithmetic that decides last bits: ``cpu-avx512``, ``cuda-sm90``, …"""
    if device.type == "cuda":
        return "cuda-sm{}{}".format(*torch.cuda.get_device_capability(device))
    return f"cpu-{torch.backends.cpu.get_cpu_capability().lower()}"
