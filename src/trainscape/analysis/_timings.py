"""Throughput records + summary -> seconds. Kept apart from what training alone decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis._bests import choose, nested
from trainscape.results.tables import AXES, Row, frame, key, records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

MEASURED = ("step_time_s", "iqr_s", "samples_per_s", "peak_memory_bytes")
LOADER = {"step_time_s": "loader_step_time_s", "samples_per_s": "loader_samples_per_s"}
COLUMNS = (*AXES, *MEASURED, *LOADER.values(), "time_to_target_s", "digest")

Key = tuple[str, str, int, str]


def timings(
    throughput_records: Sequence[Mapping[str, Any]], summary: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Step time and time to target of every cell: ``results/timings.csv`` and ``timings.json``.

    The times are the medians of steps alone, ``loader_…`` of steps with data loading.
    ``time_to_target_s`` = steps to target × median step time. Everything is null where it was not
    measured. In the JSON it is that of the best cell of each workload, optimizer and batch size.

    Args:
        throughput_records: the measurements on one machine; none if none were made here.
        summary: as :func:`trainscape.analysis.summary` makes it.

    Raises:
        ValueError: the records are of different hardware: their times do not mix.
    """
    if len({record["fingerprint"] for record in throughput_records}) > 1:
        raise ValueError("throughput records of different hardware do not mix")
    measured = {
        (row["workload"], row["optimizer"], row["batch_size"], row["mode"]): row
        for record in throughput_records
        for row in record["rows"]
    }
    cells = records(summary)
    table = frame([{**row, **_times(row, measured)} for row in cells], COLUMNS)
    return table, _tree(throughput_records, cells, measured)


def timed(summary: pd.DataFrame, timings: pd.DataFrame) -> list[Row]:
    """The summary's rows with their times.

    Args:
        summary: a row per cell.
        timings: as :func:`timings` makes it.
    """
    times = {key(row): row for row in records(timings)}
    return [{**times[key(row)], **row} for row in records(summary)]


def _times(cell: Row, measured: Mapping[Key, Mapping[str, Any]]) -> Row:
    timed_as = cell["workload"], cell["optimizer"], cell["batch_size"]
    alone = measured.get((*timed_as, "step"), {})
    loading = measured.get((*timed_as, "loader"), {})
    step, count = alone.get("step_time_s"), cell["steps_to_target"]
    return {
        **{name: alone.get(name) for name in MEASURED},
        **{ours: loading.get(theirs) for theirs, ours in LOADER.items()},
        "time_to_target_s": None if step is None or count is None else step * count,
    }


def _tree(
    throughput_records: Sequence[Mapping[str, Any]],
    cells: list[Row],
    measured: Mapping[Key, Mapping[str, Any]],
) -> dict[str, Any]:
    """By workload, optimizer and batch size, with the hardware: a time means nothing without."""

    def value(group: list[Row]) -> Row:
        chosen = choose(group)
        target = _times(chosen, measured)["time_to_target_s"] if chosen else None
        return {**_times(group[0], measured), "time_to_target_s": target}

    first = throughput_records[0] if throughput_records else {}
    about = {name: first.get(name) for name in ("fingerprint", "hardware", "load")}
    return {**about, "timings": nested(cells, value)}
