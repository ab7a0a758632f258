"""Where a pack runs. No arithmetic: not in the digest, so that moving machines retrains nothing."""

from __future__ import annotations

import ctypes
import sys

import torch

from trainscape.engine import arithmetic
from trainscape.errors import UserError

# glibc's mallopt: keep freed memory instead of giving it back to the system, which hands it out
# again page by page: a third of a small model's step went into that.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT = 1 << 30
CHECK = getattr(torch, "_check_with", None)  # not in every torch
LARGEST = 32 << 20  # bytes: glibc takes no more for the second


def choose(device: str, precision: str = "fp32") -> torch.device:
    """A device, prepared for training.

    Must be called before the process's first matrix product (:mod:`.arithmetic`).

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
    if CHECK is not None:
        torch._check_with = _check  # type: ignore[assignment]
    if on_cpu:
        _keep_memory()
        return torch.device("cpu")
    return torch.device("cuda")


def _keep_memory() -> None:
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has none
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_TOP_PAD, 64 << 20)


def _check(kind: type[Exception], condition: object, message: object) -> None:
    """What torch's checks come to for a plain condition.

    Its own import symbolic shapes, a second a process, to ask whether even True is symbolic.
    """
    if condition is not True and CHECK is not None:
        CHECK(kind, condition, message)
