"""Throughput records + summary + trials -> seconds. Kept apart from what training alone decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trainscape.analysis._bests import choose, nested
from trainscape.analysis._summary import grouped
from trainscape.results.tables import AXES, Row, frame, key, records
from trainscape.statistics.medians import around_median, coverage, product

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

MEASURED = (
    *("step_time_s", "step_low_s", "step_high_s", "iqr_s"),
    *("samples_per_s", "peak_memory_bytes", "noisy", "noisy_because"),
)
LOADER = {"step_time_s": "loader_step_time_s", "samples_per_s": "loader_samples_per_s"}
STEPS = ("steps_low", "steps_high")
TARGET = ("time_to_target_s", "time_low_s", "time_high_s")
COLUMNS = (*AXES, *MEASURED, *LOADER.values(), *STEPS, *TARGET, "digest")
LEVEL = 0.95
FEWEST = 5  # seeds: of four, even the least and the most leave the median out in 1 of 8 studies
MANY = 0.05  # the share of noisy measurements above which a machine was not quiet

Key = tuple[str, str, int, str]
Ends = tuple[float | None, float | None]


def timings(
    throughput_records: Sequence[Mapping[str, Any]], summary: pd.DataFrame, trials: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Step time and time to target of every cell: ``results/timings.csv`` and ``timings.json``.

    The times are the medians of steps alone, ``loader_…`` of steps with data loading.
    ``time_to_target_s`` = steps to target × median step time. Everything is null where it was not
    measured. In the JSON it is that of the best cell of each workload, optimizer and batch size.

    ``step_low_s`` and ``step_high_s`` are the ends of the step time's 95% interval, ``steps_low``
    and ``steps_high`` those of the median of the steps to target over seeds, both by order
    statistics (:mod:`trainscape.statistics.medians`). ``time_low_s`` and ``time_high_s`` are
    made of both (:func:`trainscape.statistics.medians.product`). Of five seeds no two hold the
    median in 95% of all studies; the interval is then from the least to the most, which do in
    93.75%, and the JSON says so in ``level``: how often the intervals of times to target hold them,
    the least often of several numbers of seeds. With fewer seeds there is none; null is said where
    no cell has one. A seed that never reached the target counts as later than all: an end that
    falls on one is null, which leaves the interval open there.

    Args:
        throughput_records: the measurements on one machine; none if none were made here.
        summary: as :func:`trainscape.analysis.summary` makes it.
        trials: those that the summary is of.

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
    reached = {
        key(own[0]): [row["steps_to_target"] for row in own]
        for own in grouped(records(trials), AXES)
    }
    cells = [{**row, **_times(row, measured, reached[key(row)])} for row in records(summary)]
    return frame(cells, COLUMNS), _tree(throughput_records, cells)


def timed(summary: pd.DataFrame, timings: pd.DataFrame) -> list[Row]:
    """The summary's rows with their times.

    Args:
        summary: a row per cell.
        timings: as :func:`timings` makes it.
    """
    times = {key(row): row for row in records(timings)}
    return [{**times[key(row)], **row} for row in records(summary)]


def _times(
    cell: Row, measured: Mapping[Key, Mapping[str, Any]], reached: Sequence[int | None]
) -> Row:
    timed_as = cell["workload"], cell["optimizer"], cell["batch_size"]
    alone = measured.get((*timed_as, "step"), {})
    loading = measured.get((*timed_as, "loader"), {})
    step, count = alone.get("step_time_s"), cell["steps_to_target"]
    steps: Ends = (None, None) if count is None else _ends(reached)
    target: Sequence[float | None] = (None, None, None)
    if step is not None and count is not None:
        within = alone.get("step_low_s"), alone.get("step_high_s")
        target = step * count, *_total(step, count, within, steps)
    return {
        **{name: alone.get(name) for name in MEASURED},
        **{ours: loading.get(theirs) for theirs, ours in LOADER.items()},
        **dict(zip(STEPS, steps, strict=True)),
        **dict(zip(TARGET, target, strict=True)),
    }


def _level(seeds: int) -> float | None:
    """How often the interval of a median over seeds holds it; None for no interval."""
    return min(LEVEL, coverage(seeds, 1)) if seeds >= FEWEST else None


def _ends(reached: Sequence[int | None]) -> Ends:
    """The interval of the median step; null for an end on a seed that never gets there."""
    level = _level(len(reached))
    found = level and around_median([math.inf if at is None else at for at in reached], level)
    if not found:
        return None, None
    low, high = (None if math.isinf(end) else int(end) for end in found)
    return low, high


def _total(step: float, count: float, within: Ends, steps: Ends) -> Ends:
    """The interval of the time to target."""
    if within[0] is None or within[1] is None or steps[0] is None:
        return None, None
    last = math.inf if steps[1] is None else steps[1]
    low, high = product(step, count, (within[0], within[1]), (steps[0], last))
    return low, high if math.isfinite(high) else None


def _tree(throughput_records: Sequence[Mapping[str, Any]], cells: list[Row]) -> dict[str, Any]:
    """By workload, optimizer and batch size, with the hardware: a time means nothing without."""

    def value(group: list[Row]) -> Row:
        chosen = choose(group)
        to_target = (*STEPS, *TARGET)
        return {
            **{name: group[0][name] for name in (*MEASURED, *LOADER.values())},
            **{name: chosen[name] if chosen else None for name in to_target},
        }

    first = throughput_records[0] if throughput_records else {}
    about = {name: first.get(name) for name in ("fingerprint", "hardware", "load")}
    levels = [level for row in cells if (level := _level(row["seeds"]))]
    return {
        **about,
        **_quiet(first),
        "level": min(levels, default=None),
        "timings": nested(cells, value),
    }


def _quiet(record: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the machine was quiet while it was measured, and what that rests on.

    It was if others used no more of it than the record allows, and if few measurements are noisy
    after all passes: blocks are disturbed, too, by what no process of this machine does.
    """
    rows = [row for row in record.get("rows", []) if row["blocks"]]
    noisy = sum(row.get("noisy") or 0 for row in rows)
    return {
        "quiet": not record["load"]["too_high"] and noisy <= MANY * len(rows) if rows else None,
        "measurements": len(rows),
        "noisy": noisy,
    }
