"""Cell records -> learning curves in long form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.analysis._trials import axes
from trainscape.cells.budget import Plan
from trainscape.results.tables import AXES, Row, frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from trainscape.cells.cell import TrialRecord
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
    return frame(
        [row for entry in entries for trial in entry.record.trials for row in _rows(entry, trial)],
        COLUMNS,
    )


def _rows(entry: Entry, trial: TrialRecord) -> Iterator[Row]:
    size = datasets.registry.get(workloads.registry.get(entry.cell.workload).dataset).train
    plan = Plan.of(entry.cell.spec(), size)
    histories = {
        split: (getattr(trial, loss), getattr(trial, metric) if metric else [])
        for split, (loss, metric) in HISTORIES.items()
    }
    for index, step in enumerate(entry.record.steps[: len(trial.train_loss)]):
        for split, (losses, metrics) in histories.items():
            if losses:
                yield {
                    **axes(entry.cell),
                    "seed": trial.seed,
                    "step": step,
                    "epoch": plan.seen(step) / plan.examples,
                    "split": split,
                    "loss": losses[index],
                    "metric": metrics[index] if metrics else None,
                }
