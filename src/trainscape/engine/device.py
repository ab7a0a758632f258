"""Where to train: the device, prepared.

No number is made here, so this file is in no digest: moving to another machine retrains nothing.
"""

from __future__ import annotations

import ctypes
import sys

import torch

from trainscape.engine import arithmetic
from trainscape.errors import UserError
from trainscape.hardware import gpu_share

# The parameters of glibc's mallopt by which a process keeps the memory it has freed, instead of
# giving it back to the system, which hands it out again page by page. Without them a run of
# digits-cnn has 1.5 to 2 times as many page faults and takes 3% longer; one of digits-mlp does not.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT = 1 << 30  # bytes
AHEAD = 64 << 20  # bytes that are asked for at a time
LARGEST = 32 << 20  # bytes of one tensor: glibc takes no more for M_MMAP_THRESHOLD
TORCHS_CHECK = getattr(torch, "_check_with", None)  # not in every torch


def choose(device: str, precision: str = "fp32") -> torch.device:
    """A device, prepared for training.

    It must be called before the process's first matrix product (:mod:`.arithmetic`).

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        precision: ``fp32``, ``tf32`` or ``bf16``.

    Raises:
        UserError: CUDA is asked for, or needed, and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: 'cuda' is not available on this machine; choose 'auto' or 'cpu'")
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if on_cpu and precision == "tf32":
        raise UserError("precision: 'tf32' needs a CUDA device; choose 'fp32' or 'bf16'")
    arithmetic.pin(precision == "tf32")
    if TORCHS_CHECK is not None:
        torch._check_with = _check  # type: ignore[assignment]
    if on_cpu:
        _keep_memory()
        return torch.device("cpu")
    share = gpu_share()
    if share is not None and share < 1:  # what is more than that would be taken from neighbours
        torch.cuda.set_per_process_memory_fraction(share)
    return torch.device("cuda")


def _keep_memory() -> None:
    """Have the process keep the memory it has freed, where its C library is glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has none
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_TOP_PAD, AHEAD)


def _check(kind: type[Exception], condition: object, message: object) -> None:
    """Raise ``kind`` unless the condition holds, as torch's own check does.

    Torch's imports sympy to ask whether the condition is symbolic, also of a plain True: 0.6 to
    0.9 s a process until its first step is done.
    """
    if condition is not True and TORCHS_CHECK is not None:
        TORCHS_CHECK(kind, condition, message)
