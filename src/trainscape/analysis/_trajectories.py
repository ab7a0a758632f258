"""Cell records -> what a trial went through between its start and its end, in long form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets, schedules
from trainscape.analysis._summary import grouped
from trainscape.analysis._trials import axes
from trainscape.cells.budget import Plan
from trainscape.results.tables import AXES, Row, Values, frame, records
from trainscape.schedules import Clock
from trainscape.workloads import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from trainscape.cells.cell import TrialRecord
    from trainscape.results.cell_files import Entry

TRACES = (*AXES, "seed", "step", "train_loss")


def traces(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per recorded training loss of every trial: that of ``step``, counted from 1.

    Args:
        entries: the study's cells in grid order, trained with ``trace_every`` above 0.
    """
    rows = (dict(zip(TRACES, row, strict=True)) for entry in entries for row in losses(entry))
    return frame(rows, TRACES)


def losses(entry: Entry) -> Iterator[Values]:
    """The rows of a cell, as values of :data:`TRACES`."""
    named, every = tuple(axes(entry.cell).values()), entry.cell.trace_every
    for trial in entry.record.trials:
        for index, loss in enumerate(trial.trace):
            yield (*named, trial.seed, 1 + index * every, loss)


def paths(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per point of every trial's way through its parameters (``results/paths.csv``).

    Parameters w0, w1, … after ``step`` steps, from 0; ``rate`` is the learning rate of the step to
    come, ``loss`` the test loss at these parameters, null before the first step.

    Args:
        entries: the study's cells in grid order; those of workloads that keep no path have no row.
    """
    rows = [row for entry in entries for trial in entry.record.trials for row in _way(entry, trial)]
    return frame(rows, (*AXES, "seed", "step", "rate", "loss", *_parameters(rows)))


def decay(paths: pd.DataFrame) -> pd.DataFrame:
    """A descent step by step as TensorFlow's tutorials print it: rate, loss and parameters.

    One row per evaluation of every cell's first seed. ``step`` counts from 0; ``rate``, ``loss``
    and w0, w1, … are those *after* the step.

    Args:
        paths: as :func:`paths` makes it.
    """
    rows = [
        {**row, "step": row["step"] - 1}
        for own in grouped(records(paths), AXES)
        for row in own
        if row["seed"] == own[0]["seed"] and row["step"]
    ]
    return frame(rows, [name for name in paths.columns if name != "seed"])


def _way(entry: Entry, trial: TrialRecord) -> Iterator[Row]:
    cell, steps = entry.cell, (0, *entry.record.steps)
    if not trial.path:
        return
    plan = Plan.of(cell.spec(), datasets.registry.get(registry.get(cell.workload).dataset).train)
    clock = Clock(plan.epoch, plan.total)
    schedule = schedules.registry.make(cell.schedule.spec())
    losses = (None, *trial.test_loss)
    for step, point, loss in zip(steps, trial.path, losses, strict=False):
        rate = cell.lr * schedule.factor(step, clock)
        yield {**axes(cell), "seed": trial.seed, "step": step, "rate": rate, "loss": loss} | {
            f"w{i}": value for i, value in enumerate(point)
        }


def _parameters(rows: list[Row]) -> list[str]:
    """The names of the parameters in any of the rows."""
    return sorted({key for row in rows for key in row if key[1:].isdigit()})
