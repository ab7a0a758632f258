"""Trials that came to their end and learned nothing: no better than a constant prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.special import bdtr, bdtrc

from trainscape import datasets
from trainscape.cells.budget import validation_size
from trainscape.workloads import registry

if TYPE_CHECKING:
    from trainscape.cells.cell import Cell, TrialRecord
    from trainscape.workloads import Metric

RARE = 0.01  # a constant prediction does better than what counts as failed this seldom


def failed(cell: Cell, trial: TrialRecord) -> int | None:
    """Whether a trial ended no better than chance: 1, or 0; null where nobody says what chance is.

    Chance is what the workload states. The final metric is that of the validation split, or of the
    test split where nothing is held out. A trial that diverged, or did not fit, is another matter.

    Args:
        cell: the trial's.
        trial: its record.
    """
    workload = registry.get(cell.workload)
    if workload.chance is None:
        return None
    history = trial.val_metric if cell.validation else trial.test_metric
    if trial.status != "ok" or not history:
        return 0
    data = datasets.registry.get(workload.dataset)
    count = validation_size(data.train, cell.validation) if cell.validation else data.test
    return int(by_chance(history[-1], workload.chance, workload.metric, count))


def by_chance(value: float, chance: float, metric: Metric, count: int) -> bool:
    """Whether a metric is no better than chance beyond what the number of examples explains.

    Of a fraction of examples: whether a constant prediction, right in each example with the
    probability ``chance``, does as well in more than 1 of 100 draws of so many examples (binomial,
    one-sided). Any other metric is compared as it is.

    Args:
        value: the metric.
        chance: the metric of a constant prediction.
        metric: its unit and direction.
        count: of the examples that it is over.
    """
    if metric.unit != "fraction":
        return metric.better(chance, than=value)
    hits = round(value * count)
    if metric.direction == "min":
        return float(bdtr(hits, count, chance)) > RARE
    return hits == 0 or float(bdtrc(hits - 1, count, chance)) > RARE
