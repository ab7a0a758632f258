"""Which article figures a study has, from its parameters alone. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.errors import UserError
from trainscape.figures.names import TIMED, Figure, _distinct, facets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.study import Study

TABLES = ("lr-scaling", "decay", "batch-table")  # a CSV, beside the picture or instead of it


def article_figures(
    kinds: Sequence[str],
    workloads: Sequence[str],
    optimizers: Sequence[str],
    schedules: Sequence[str],
) -> list[Figure]:
    """The pictures that ``kinds`` stand for, workload by workload.

    Raises:
        UserError: two would share a file.
    """
    found: list[Figure] = []
    for workload in workloads:
        for kind in kinds:
            if kind == "loss-by-batch":
                found += facets(kind, workload, optimizers, schedules)
            elif kind in ("trace", "path"):
                found += [Figure(workload, kind, schedule=label) for label in schedules]
            elif kind == "decay":
                found += [Figure(workload, kind, label) for label in optimizers]
            elif kind == "lr-scaling":
                found.append(Figure(workload, kind))
    return _distinct(found)


def article_tables(kinds: Sequence[str], workloads: Sequence[str], *, times: bool) -> list[str]:
    """The tables that ``kinds`` stand for, below the figures' folder.

    Args:
        kinds: the figures that the study asks for.
        workloads: their names.
        times: whether to list those that hold seconds, or those that don't.
    """
    wanted = [kind for kind in kinds if kind in TABLES and (kind in TIMED) == times]
    return [table_path(workload, kind) for workload in workloads for kind in wanted]


def table_path(workload: str, kind: str) -> str:
    """Where a workload's table lies below the figures' folder."""
    return f"{workload}/{kind}/{kind}.csv"


def check_figures(study: Study) -> None:
    """Refuse figures for which the study records nothing.

    Raises:
        UserError: names the figure and the key that it needs.
    """
    if "trace" in study.figures and not study.trace_every:
        raise UserError("figures: 'trace' needs training losses; set trace_every above 0")
    if "batch-table" in study.figures and not study.throughput.enabled:
        raise UserError("figures: 'batch-table' needs step times; set throughput.enabled to true")
    for kind in {"path", "decay"} & set(study.figures):
        for name in study.workloads:
            if not workloads.registry.get(name).path:
                raise UserError(
                    f"figures: {kind!r} needs workloads that keep their path; remove it or "
                    f"{name!r}, or choose from {', '.join(_kept())}"
                )


def _kept() -> list[str]:
    """The workloads that record their parameters."""
    return [name for name in workloads.registry.names() if workloads.registry.get(name).path]
