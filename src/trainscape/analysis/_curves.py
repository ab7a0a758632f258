"""Cell records -> learning curves in long form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.analysis._trials import axes
from trainscape.cells.budget import Plan
from trainscape.results.tables import AXES, Row, Values, frame, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from trainscape.results.cell_files import Entry

COLUMNS = (*AXES, "seed", "step", "epoch", "split", "loss", "metric")
# where a trial's record holds each split's losses and metrics; training is scored by its loss alone
HISTORIES = {
    "train": ("train_loss", None),
    "validation": ("val_loss", "val_metric"),
    "test": ("test_loss", "test_metric"),
}


def curves(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per split of every evaluation of every trial, in grid order (``curves.csv``).

    ``epoch`` counts passes over the training split, by examples (validation is not in it). The
    training loss is the mean of the batch losses since the evaluation before; it has no metric. A
    trial that diverged has rows up to its last evaluation before that.

    Args:
        entries: the study's cells in grid order.
    """
    rows = (dict(zip(COLUMNS, row, strict=True)) for entry in entries for row in evaluations(entry))
    return frame(rows, COLUMNS)


def evaluations(entry: Entry) -> Iterator[Values]:
    """The rows of a cell, as values of :data:`COLUMNS`."""
    size = datasets.registry.get(workloads.registry.get(entry.cell.workload).dataset).train
    plan = Plan.of(entry.cell.spec(), size)
    named = tuple(axes(entry.cell).values())
    epochs = [(step, plan.seen(step) / plan.examples) for step in entry.record.steps]
    for trial in entry.record.trials:
        splits = [
            (split, losses, getattr(trial, metric) if metric else [None] * len(losses))
            for split, (loss, metric) in HISTORIES.items()
            if (losses := getattr(trial, loss))
        ]
        for index, (step, epoch) in enumerate(epochs[: len(trial.train_loss)]):
            for split, losses, metrics in splits:
                yield (*named, trial.seed, step, epoch, split, losses[index], metrics[index])


class Histories(Mapping[tuple[object, ...], list[Row]]):
    """The rows of each cell's curves, by :func:`key`, made of the table when they are asked for.

    Args:
        curves: as :func:`curves` makes it, of one split.
    """

    def __init__(self, curves: pd.DataFrame) -> None:
        self._curves = curves
        self._places = curves.groupby(list(AXES), sort=False).indices

    def __getitem__(self, cell: tuple[object, ...]) -> list[Row]:
        return records(self._curves.iloc[self._places[cell]])

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
