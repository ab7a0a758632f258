"""The cells of a study as figures and the report read them. Imports nothing that draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import AXES, Row, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

Labels = tuple[list[str], list[str], list[str]]


def key(row: Row) -> str:
    """What ties the rows of one cell together."""
    return "/".join(str(row[axis]) for axis in AXES)


def labels(cells: Sequence[Row]) -> Labels:
    """The workloads, optimizers and schedules, in the study's order."""
    workloads, optimizers, schedules = (
        list(dict.fromkeys(row[axis] for row in cells))
        for axis in ("workload", "optimizer", "schedule")
    )
    return workloads, optimizers, schedules


def timed(summary: pd.DataFrame, timings: pd.DataFrame) -> list[Row]:
    """The summary's rows with their times."""
    times = {key(row): row for row in records(timings)}
    return [{**times[key(row)], **row} for row in records(summary)]
