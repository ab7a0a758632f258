"""A measurement as a row of the record."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trainscape.throughput.identity import Measurement

    from .rounds import Measured

TIMES = ("step_time_s", "step_low_s", "step_high_s", "iqr_s")
NUMBERS = (*TIMES, "samples_per_s", "peak_memory_bytes", "noisy", "noisy_because", "load")


class Times(Protocol):
    """pytest-benchmark's statistics of a measurement's blocks, in seconds."""

    median: float
    iqr: float
    rounds: int


def row(one: Measurement, times: Times, found: Measured, memory: int) -> dict[str, Any]:
    """The row of a measurement.

    A block's time is divided by its steps, so the spread is that of blocks' means.
    ``step_low_s`` and ``step_high_s`` are the ends of the 95% interval of the median, null for
    fewer than eight blocks. ``noisy`` is 1 where every attempt was disturbed, and
    ``noisy_because`` says how the one that is kept was: ``load``, ``spread``, ``drift``, joined by
    commas. ``load`` is the share of the cores, 0 to 1, that others used meanwhile; null where the
    blocks were too short to tell.

    Args:
        one: what was measured.
        times: of the blocks that are kept.
        found: its attempts.
        memory: the bytes that a step takes at its peak.

    Raises:
        ValueError: a number that cannot be one.
    """
    steps = found.kept.steps
    step = times.median / steps
    ends = found.kept.interval
    numbers = {
        "step_time_s": step,
        **({"step_low_s": ends[0] / steps, "step_high_s": ends[1] / steps} if ends else {}),
        "iqr_s": times.iqr / steps,
        "rounds": times.rounds,
        "samples_per_s": one.batch_size / step if step else math.inf,
        "peak_memory_bytes": memory,
    }
    for name, value in numbers.items():
        low = 0 if name == "iqr_s" else math.ulp(0.0)
        if not low <= value < math.inf:
            raise ValueError(f"{one}: {name} is {value}")
    because = found.kept.disturbed
    return {
        **one.key(),
        **dict.fromkeys(TIMES),
        **numbers,
        "attempts": len(found.attempts),
        "noisy": int(because is not None),
        "noisy_because": because,
        "load": found.kept.load,
    }


def row_of_none(one: Measurement) -> dict[str, Any]:
    """The row of a measurement whose model does not fit the memory: null for every number."""
    return {**one.key(), **dict.fromkeys(NUMBERS), "rounds": 0, "attempts": 0}
