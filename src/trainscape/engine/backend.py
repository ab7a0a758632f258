"""What of a machine decides a trial's last bits: the backend that every cell's file names.

Here alone it is decided what it is called, and whether the width of a pack is a part of it. Where
the width decides last bits, every pack of a run is filled up to one width. No number is made here,
so this file is in no digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from trainscape.engine.trial import Trial

COMPILED = "cpu"  # a compiled step's, the same on every CPU
FILLED = 64  # trials of every pack, on a CPU that rounds by the width


def name(device: torch.device, width: int | None = None) -> str:
    """The arithmetic that decides last bits: ``cpu-avx512``, ``cuda-sm90-w512``, …

    Args:
        device: what trains.
        width: trials of every pack, where it decides last bits, too.
    """
    if device.type == "cuda":
        found = "cuda-sm{}{}".format(*torch.cuda.get_device_capability(device))
    else:
        found = f"cpu-{torch.backends.cpu.get_cpu_capability().lower()}"
    return found if width is None else f"{found}-w{width}"


def known_to_round_by_width(device: torch.device) -> bool:
    """Whether a device of this kind rounds by the width of a pack; a CPU is to be asked."""
    return device.type == "cuda"


def rounds_by_width(
    step: Callable[[Sequence[Trial]], Tensor], trials: Sequence[Trial], few: Sequence[Trial]
) -> bool:
    """Whether this machine takes a step of two trials otherwise beside more of them.

    Args:
        step: takes a step of the trials it is given, as one pack; their weights (T, P) after it.
        trials: more than two.
        few: the first two of them, and whatever a pack of two needs beside them.
    """
    return not torch.equal(step(trials)[:2], step(few)[:2])
