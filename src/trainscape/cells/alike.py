"""Schedules of a study that come to the same: equal factors at every step, whatever their labels.

Schedules that follow the validation loss are left out: their rates are known after training alone.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from trainscape import datasets, schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.errors import UserError
from trainscape.schedules import Clock, Schedule
from trainscape.schedules.constant import Constant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.cells.cell import Cell

    Run = tuple[str, int]  # a workload and a batch size

PROBES = 16  # steps at which two schedules are compared first, before all are


def refuse_twins(grid: Iterable[Cell]) -> None:
    """Refuse schedules that come to the same in every run of the study.

    Raises:
        UserError: names the schedules.
    """
    runs = _by_run(grid)
    for labels, where in _alike(runs).items():
        if len(labels) > 1 and len(where) == len(runs):
            raise UserError(
                f"grid.schedule: {_listed(labels)} give the same rate at every step of every run; "
                "keep one of them, or choose a longer budget or other durations"
            )


def notes(grid: Iterable[Cell]) -> dict[str, list[str]]:
    """Sentences by workload on schedules that come to the same, or are constant, in some runs.

    Args:
        grid: the study's cells.
    """
    found: dict[str, list[str]] = {}
    for labels, runs in _alike(_by_run(grid)).items():
        sizes: dict[str, list[int]] = {}
        for workload, batch_size in runs:
            sizes.setdefault(workload, []).append(batch_size)
        several = len(labels) > 1
        same = "give the same rate at every step" if several else "keeps the rate constant"
        for workload, where in sizes.items():
            at = "batch size " + ", ".join(map(str, where))
            found.setdefault(workload, []).append(f"At {at}, {_listed(labels)} {same}.")
    return found


def _alike(runs: Mapping[Run, Mapping[str, Cell]]) -> dict[tuple[str, ...], list[Run]]:
    """The labels of schedules with equal factors, and the runs in which they have them.

    A label that stands alone is that of a schedule which is constant, though it is called another.
    """
    found: dict[tuple[str, ...], list[Run]] = {}
    for run, cells in runs.items():
        for labels in _equal(cells, _clock(next(iter(cells.values())))):
            found.setdefault(labels, []).append(run)
    return found


def _clock(cell: Cell) -> Clock:
    size = datasets.registry.get(workloads.registry.get(cell.workload).dataset).train
    plan = Plan.of(cell.spec(), size)
    return Clock(plan.epoch, plan.total)


def _listed(labels: tuple[str, ...]) -> str:
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if labels[1:] else labels)


def _by_run(grid: Iterable[Cell]) -> dict[Run, dict[str, Cell]]:
    """A cell of each schedule, by its label, of each run."""
    runs: dict[Run, dict[str, Cell]] = {}
    for cell in grid:
        runs.setdefault((cell.workload, cell.batch_size), {}).setdefault(cell.schedule.label, cell)
    return runs


def _equal(cells: Mapping[str, Cell], clock: Clock) -> list[tuple[str, ...]]:
    """The labels that share their factors over a run; of constant rates also a single label."""
    groups: list[tuple[Schedule, list[str]]] = []
    for label, cell in cells.items():
        schedule = schedules.registry.make(cell.schedule.spec())
        if schedule.reacts:
            continue
        for other, labels in groups:
            if _same(schedule, other, clock):
                labels.append(label)
                break
        else:
            groups.append((schedule, [label]))
    flat = Constant()
    return [
        tuple(labels)
        for one, labels in groups
        if len(labels) > 1 or (one != flat and _same(one, flat, clock))
    ]


def _same(one: Schedule, other: Schedule, clock: Clock) -> bool:
    """Whether two schedules have the same factor at every step of a run."""
    total = clock.total
    probes = (min(1, total - 1), total - 1, *range(0, total, -(-total // PROBES)))
    return all(one.factor(k, clock) == other.factor(k, clock) for k in chain(probes, range(total)))
