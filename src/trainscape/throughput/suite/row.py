"""A measurement as a row of the record."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trainscape.throughput.identity import Measurement

NUMBERS = ("step_time_s", "iqr_s", "samples_per_s", "peak_memory_bytes")


class Times(Protocol):
    """pytest-benchmark's statistics of a measurement's blocks, in seconds."""

    median: float
    iqr: float
    rounds: int


def row(one: Measurement, times: Times, steps: int, memory: int) -> dict[str, Any]:
    """The row of a measurement.

    A block's time is divided by its steps, so the spread is that of blocks' means.

    Args:
        one: what was measured.
        times: of its blocks.
        steps: in a block.
        memory: the bytes that a step takes at its peak.

    Raises:
        ValueError: a number that cannot be one.
    """
    step = times.median / steps
    numbers = {
        "step_time_s": step,
        "iqr_s": times.iqr / steps,
        "rounds": times.rounds,
        "samples_per_s": one.batch_size / step if step else math.inf,
        "peak_memory_bytes": memory,
    }
    for name, value in numbers.items():
        low = 0 if name == "iqr_s" else math.ulp(0.0)
        if not low <= value < math.inf:
            raise ValueError(f"{one}: {name} is {value}")
    return {**one.key(), **numbers}


def row_of_none(one: Measurement) -> dict[str, Any]:
    """The row of a measurement whose model does not fit the memory: null for every number."""
    return {**one.key(), **dict.fromkeys(NUMBERS), "rounds": 0}
