"""A measurement as a row of the record."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trainscape.throughput.identity import Measurement

    from .passes import Blocks

NUMBERS = (
    *("step_time_s", "step_low_s", "step_high_s", "iqr_s"),
    *("samples_per_s", "peak_memory_bytes", "noisy", "noisy_because", "load"),
)


class Times(Protocol):
    """pytest-benchmark's statistics of the blocks that count, in seconds of a step."""

    median: float
    iqr: float
    rounds: int


def row(one: Measurement, times: Times, found: Blocks, memory: int) -> dict[str, Any]:
    """The row of a measurement.

    A block's time is divided by its steps, so the spread is that of blocks' means.
    ``step_low_s`` and ``step_high_s`` are the ends of the 95% interval of the median, of the
    ``blocks`` that count; ``passes`` says how many were timed. ``noisy`` is 1 where the time is not
    well known, and ``noisy_because`` says why: ``load``, as too few passes were quiet, ``spread``,
    as the interval is too wide, or both, with a comma. ``load`` is the share of the cores, 0 to 1,
    that others used meanwhile.

    Args:
        one: what was measured.
        times: of the blocks that count.
        found: its blocks, eight at least.
        memory: the bytes that a step takes at its peak.

    Raises:
        ValueError: a number that cannot be one.
    """
    low, high = found.interval or (math.nan, math.nan)
    numbers = {
        "step_time_s": times.median,
        "step_low_s": low,
        "step_high_s": high,
        "iqr_s": times.iqr,
        "blocks": times.rounds,
        "samples_per_s": one.batch_size / times.median if times.median else math.inf,
        "peak_memory_bytes": memory,
    }
    for name, value in numbers.items():
        least = 0 if name == "iqr_s" else math.ulp(0.0)
        if not least <= value < math.inf:
            raise ValueError(f"{one}: {name} is {value}")
    because = found.disturbed
    return {
        **one.key(),
        **numbers,
        "passes": len(found.made),
        "noisy": int(because is not None),
        "noisy_because": because,
        "load": found.load,
    }


def row_of_none(one: Measurement) -> dict[str, Any]:
    """The row of a measurement whose model does not fit the memory: null for every number."""
    return {**one.key(), **dict.fromkeys(NUMBERS), "blocks": 0, "passes": 0}
