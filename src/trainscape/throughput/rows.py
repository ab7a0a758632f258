"""From pytest-benchmark's JSON to a record's rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.throughput.request import Measurement

NUMBERS = ("step_time_s", "iqr_s", "samples_per_s", "peak_memory_bytes")


def rows(
    benchmarks: Iterable[Mapping[str, Any]], wanted: Iterable[Measurement]
) -> list[dict[str, Any]]:
    """One row per wanted measurement, in order.

    A block's time is divided by its steps, so the spread is that of blocks' means. Rows whose
    model did not fit the memory have null for every number and no rounds.

    Args:
        benchmarks: pytest-benchmark's, each with ``extra_info`` (``key``, ``steps`` in a block,
            ``peak_memory_bytes``).
        wanted: what was asked for.

    Raises:
        ValueError: a measurement that was not asked for, or a number that cannot be one.
    """
    found = {_name(mark["extra_info"]["key"]): mark for mark in benchmarks}
    made = []
    for one in wanted:
        mark = found.pop(_name(one.key()), None)
        made.append({**one.key(), **(_numbers(mark, one.batch_size) if mark else _nothing())})
    if found:
        raise ValueError(f"measured without being asked: {', '.join(map(str, found))}")
    return made


def _name(key: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(value for _, value in sorted(key.items()))


def _numbers(mark: Mapping[str, Any], batch_size: int) -> dict[str, Any]:
    info, stats = mark["extra_info"], mark["stats"]
    step = stats["median"] / info["steps"]
    row = {
        "step_time_s": step,
        "iqr_s": stats["iqr"] / info["steps"],
        "rounds": stats["rounds"],
        "samples_per_s": batch_size / step if step else math.inf,
        "peak_memory_bytes": info["peak_memory_bytes"],
    }
    for name, value in row.items():
        low = 0 if name == "iqr_s" else math.ulp(0.0)
        if not low <= value < math.inf:
            raise ValueError(f"{info['key']}: {name} is {value}")
    return row


def _nothing() -> dict[str, Any]:
    return {**dict.fromkeys(NUMBERS), "rounds": 0}
