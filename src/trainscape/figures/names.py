"""Which figures a study has, from its labels alone. Imports nothing heavy: Snakemake reads this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESULT_HEATMAPS = ("test-metric", "steps-to-target", "diverged-share")
TIME_HEATMAP = "time-to-target"
TIMED = (TIME_HEATMAP, "throughput", "batch-table")  # kinds of figures and tables with seconds


@dataclass(frozen=True)
class Figure:
    """One picture.

    Args:
        workload: the workload's name.
        kind: a heatmap's metric, ``curves``, ``throughput``, ``replay``, ``search`` or
            ``range``.
        optimizer: the optimizer's label; empty where one figure shows all.
        schedule: the schedule's label; empty where one figure shows all.
    """

    workload: str
    kind: str
    optimizer: str = ""
    schedule: str = ""

    @property
    def path(self) -> str:
        """Where the figure lies below the figures' folder."""
        stem = "-".join(label for label in (self.optimizer, self.schedule) if label)
        return f"{self.workload}/{self.kind}/{stem or self.kind}.svg"


def facets(
    kind: str, workload: str, optimizers: Iterable[str], schedules: Sequence[str]
) -> list[Figure]:
    """The heatmaps of one workload and metric: one per optimizer and schedule."""
    return [Figure(workload, kind, o, s) for o in optimizers for s in schedules]


def result_figures(
    workloads: Sequence[str],
    optimizers: Sequence[str],
    schedules: Sequence[str],
    *,
    replay: bool = False,
    search: bool = False,
) -> list[Figure]:
    """The figures that training alone decides; a study without validation split has none."""
    figures = []
    for workload in workloads:
        for kind in RESULT_HEATMAPS:
            figures += facets(kind, workload, optimizers, schedules)
        figures += [Figure(workload, "curves", optimizer) for optimizer in optimizers]
        figures += [Figure(workload, "replay")] if replay else []
        figures += [Figure(workload, "search")] if search else []
    return _distinct(figures)


def range_figures(workloads: Sequence[str], optimizers: Sequence[str]) -> list[Figure]:
    """The figures of the learning-rate range tests: one per optimizer."""
    return [
        Figure(workload, "range", optimizer) for workload in workloads for optimizer in optimizers
    ]


def timing_figures(
    workloads: Sequence[str], optimizers: Sequence[str], schedules: Sequence[str], validation: bool
) -> list[Figure]:
    """The figures that hold seconds; time to target needs a validation split."""
    figures = []
    for workload in workloads:
        if validation:
            figures += facets(TIME_HEATMAP, workload, optimizers, schedules)
        figures.append(Figure(workload, "throughput"))
    return _distinct(figures)


def expected(
    workloads: Sequence[str],
    optimizers: Sequence[str],
    schedules: Sequence[str],
    *,
    validation: bool,
    throughput: bool,
) -> list[str]:
    """The path of every figure of a study, below the figures' folder.

    Args:
        workloads: their names.
        optimizers: their labels.
        schedules: their labels.
        validation: whether there is a validation split.
        throughput: whether the study has timings (measured on this machine or not).

    Raises:
        UserError: two figures would share a file.
    """
    results = result_figures(workloads, optimizers, schedules) if validation else []
    seconds = timing_figures(workloads, optimizers, schedules, validation) if throughput else []
    return [figure.path for figure in (*results, *seconds)]


def _distinct(figures: list[Figure]) -> list[Figure]:
    """Refuse labels that meet in one file name, such as ``a-b`` + ``c`` and ``a`` + ``b-c``."""
    owners: dict[str, Figure] = {}
    for figure in figures:
        other = owners.setdefault(figure.path, figure)
        if other != figure:
            raise UserError(
                f"label: optimizer {figure.optimizer!r} with schedule {figure.schedule!r} and "
                f"optimizer {other.optimizer!r} with schedule {other.schedule!r} share the figure "
                f"{figure.path!r}; rename one"
            )
    return figures
