"""Cell records -> one row per trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis._failed import failed
from trainscape.hashing import SHORT
from trainscape.results.tables import AXES, Row, frame
from trainscape.workloads import Metric, registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from trainscape.cells.cell import Cell, TrialRecord
    from trainscape.results.cell_files import Entry

VALUES = (
    "val_loss",
    "val_metric",
    "test_loss",
    "test_metric",
    "train_loss",
    "fit_loss",
    "fit_metric",
)
COLUMNS = (
    *AXES,
    "seed",
    "status",
    "diverged_at",
    "failed",
    "steps",
    *VALUES,
    "target",
    "steps_to_target",
    "backend",
    "digest",
)


def axes(cell: Cell) -> Row:
    """What names a cell in every table: labels, batch size and peak lr."""
    return {
        "workload": cell.workload,
        "optimizer": cell.optimizer.label,
        "batch_size": cell.batch_size,
        "lr": cell.lr,
        "schedule": cell.schedule.label,
    }


def steps_to_target(
    steps: Sequence[int], values: Sequence[float], metric: Metric, target: float
) -> int | None:
    """The step of the first evaluation whose value is at least as good as ``target``, else None.

    Args:
        steps: the step of every evaluation.
        values: the validation metric at each; may be shorter, where a trial diverged.
        metric: says whether more or less is better.
        target: the value to reach.
    """
    reached = (
        step
        for step, value in zip(steps, values, strict=False)
        if metric.better(value, than=target)
    )
    return next(reached, None)


def trials(entries: Iterable[Entry], targets: Mapping[str, float]) -> pd.DataFrame:
    """One row per trial, in grid order (``results/trials.csv``).

    A value is that of the last evaluation, and null if the trial did not come to its end.
    ``target`` and ``steps_to_target`` are null where there is no validation split to count on.
    ``failed`` is 1 where a trial came to its end and is no better than chance, 0 where not, and
    null where the workload does not say what chance is.

    Args:
        entries: the study's cells in grid order.
        targets: the validation metric to reach, by workload.
    """
    rows = [
        _row(entry, trial, targets[entry.cell.workload])
        for entry in entries
        for trial in entry.record.trials
    ]
    return frame(rows, COLUMNS)


def _row(entry: Entry, trial: TrialRecord, target: float) -> Row:
    record, validated = entry.record, entry.cell.validation > 0
    metric = registry.get(entry.cell.workload).metric
    return {
        **axes(entry.cell),
        "seed": trial.seed,
        "status": trial.status,
        "diverged_at": trial.diverged_at,
        "failed": failed(entry.cell, trial),
        "steps": record.steps[-1] if record.steps else None,
        **{name: _last(trial, name) for name in VALUES},
        "target": target if validated else None,
        "steps_to_target": steps_to_target(record.steps, trial.val_metric, metric, target)
        if validated and trial.status == "ok"  # one that diverges stops counting
        else None,
        "backend": record.backend,
        "digest": record.digest[:SHORT],
    }


def _last(trial: TrialRecord, name: str) -> float | None:
    history: list[float] = getattr(trial, name)
    return history[-1] if trial.status == "ok" and history else None
