"""Records in detail -> a row per test example, and a row per evaluation's noise of gradients."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from trainscape import datasets
from trainscape.cells.outcomes import unpacked
from trainscape.hashing import SHORT
from trainscape.results.tables import frame
from trainscape.workloads import registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from trainscape.results.cell_files import Entry


def examples(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per cell and test example (``results/examples.csv``).

    ``metric`` is the mean over the cell's seeds. A cell has no rows where the outcomes of a seed
    are not known: it did not come to its end, or the metric is no mean over examples.

    Args:
        entries: cells that were recorded in detail.
    """
    rows = []
    for entry in entries:
        dataset = registry.get(entry.cell.workload).dataset
        count = datasets.registry.get(dataset).test
        seeds = [unpacked(trial.outcomes, count) for trial in entry.record.trials]
        if all(seeds):
            means = map(statistics.fmean, zip(*seeds, strict=True))
            name = entry.record.digest[:SHORT]
            rows += [{"digest": name, "example": i, "metric": mean} for i, mean in enumerate(means)]
    return frame(rows, ("digest", "example", "metric"))


def noise(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per trial and evaluation (``results/noise.csv``).

    Of the gradients of single examples of one batch, ``each`` is the mean of their squared norms,
    ``mean`` the squared norm of their mean.

    Args:
        entries: cells that were recorded in detail.
    """
    rows = [
        {
            "digest": entry.record.digest[:SHORT],
            "seed": trial.seed,
            "step": step,
            "each": each,
            "mean": mean,
        }
        for entry in entries
        for trial in entry.record.trials
        for step, (each, mean) in zip(entry.record.steps, trial.noise, strict=False)
    ]
    return frame(rows, ("digest", "seed", "step", "each", "mean"))
