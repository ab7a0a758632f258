"""Cell records -> what a trial went through between its start and its end, in long form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import schedules
from trainscape.analysis._trials import Entry, axes
from trainscape.cells import grid
from trainscape.results.tables import AXES, Row, frame
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from trainscape.results.cell_files import TrialRecord


def traces(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per recorded training loss of every trial: that of ``step``, counted from 1.

    Args:
        entries: the study's cells in grid order, trained with ``trace_every`` above 0.
    """
    rows = (
        {**axes(entry.cell), "seed": trial.seed, "step": 1 + index * entry.cell.trace_every}
        | {"train_loss": loss}
        for entry in entries
        for trial in entry.record.trials
        for index, loss in enumerate(trial.trace)
    )
    return frame(rows, (*AXES, "seed", "step", "train_loss"))


def paths(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per point of every trial's way: parameters w0, w1, … after ``step`` steps, from 0.

    Args:
        entries: the study's cells in grid order; those of workloads that keep no path have no row.
    """
    rows = [
        {**axes(entry.cell), "seed": trial.seed, "step": step, **_named(point)}
        for entry in entries
        for trial in entry.record.trials
        for step, point in zip((0, *entry.record.steps), trial.path, strict=False)
    ]
    return frame(rows, (*AXES, "seed", "step", *_parameters(rows)))


def decay(entries: Iterable[Entry]) -> pd.DataFrame:
    """A descent step by step as TensorFlow's tutorials print it: rate, loss and parameters.

    One row per evaluation of every cell's first seed. ``step`` counts from 0; ``rate``, ``loss``
    and w0, w1, … are those *after* the step: the rate is that of the step to come, the loss that of
    the new parameters on the test split.

    Args:
        entries: the study's cells in grid order; those of workloads that keep no path have no row.
    """
    rows = [row for entry in entries for row in _decay(entry, entry.record.trials[0])]
    return frame(rows, (*AXES, "step", "rate", "loss", *_parameters(rows)))


def _decay(entry: Entry, trial: TrialRecord) -> Iterator[Row]:
    cell, plan = entry.cell, grid.plan(entry.cell)
    schedule = schedules.registry.make(cell.schedule.spec())
    clock = Clock(plan.epoch, plan.total)
    for done, loss, point in zip(entry.record.steps, trial.test_loss, trial.path[1:], strict=False):
        rate = cell.lr * schedule.factor(done, clock)
        yield {**axes(cell), "step": done - 1, "rate": rate, "loss": loss, **_named(point)}


def _named(point: list[float]) -> Row:
    return {f"w{i}": value for i, value in enumerate(point)}


def _parameters(rows: list[Row]) -> list[str]:
    """The names of the parameters in any of the rows."""
    return sorted({key for row in rows for key in row if key[1:].isdigit()})
