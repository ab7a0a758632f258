"""What a batch size costs and brings: time, accuracy, memory, samples a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.results.tables import AXES, Row, frame, key, records

if TYPE_CHECKING:
    import pandas as pd

MEASURED = ("samples_per_s", "peak_memory_bytes")
SCORED = ("test_metric_mean", "test_metric_std", "generalisation_gap", "train_loss_mean")
COLUMNS = (*AXES, "seeds", "status", "steps", "train_time_s", *MEASURED, *SCORED)


def batches(trials: pd.DataFrame, summary: pd.DataFrame, timings: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, in grid order.

    ``train_time_s`` = steps of the run × median step time, without data loading and evaluations.
    ``peak_memory_bytes`` is the most that tensors take in a step. Both are null where nothing was
    measured.

    Args:
        trials: a row per trial.
        summary: a row per cell.
        timings: a row per cell, on one machine.
    """
    steps = {key(row): row["steps"] for row in records(trials)}
    times = {key(row): row for row in records(timings)}
    return frame([_row(row, steps[key(row)], times[key(row)]) for row in records(summary)], COLUMNS)


def _row(cell: Row, steps: int | None, times: Row) -> Row:
    step = times["step_time_s"]
    total = None if step is None or steps is None else steps * step
    return {**times, **cell, "steps": steps, "train_time_s": total}
