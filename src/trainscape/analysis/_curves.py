"""Cell records -> learning curves in long form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.analysis._trials import VALUES, axes
from trainscape.cells.budget import Plan
from trainscape.results.tables import AXES, Row, frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from trainscape.cells.cell import TrialRecord
    from trainscape.results.cell_files import Entry

HISTORIES = [name for name in VALUES if not name.startswith("fit_")]  # scored once, at the end
COLUMNS = (*AXES, "seed", "step", "epoch", *HISTORIES)


def curves(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per evaluation of every trial, in grid order.

    ``epoch`` counts passes over the training split, by examples (validation is not in it).
    A trial that diverged has rows up to its last evaluation before that.

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
    for index, step in enumerate(entry.record.steps[: len(trial.train_loss)]):
        history = {name: getattr(trial, name) for name in HISTORIES}
        yield {
            **axes(entry.cell),
            "seed": trial.seed,
            "step": step,
            "epoch": plan.seen(step) / plan.examples,
            **{name: values[index] if values else None for name, values in history.items()},
        }
