"""Which figures a study has, from its labels alone. Imports nothing heavy: Snakemake reads this.

The list is made once, by :func:`listed`, and handed on: Snakemake names these files, the figures'
stages draw them, and the report shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RESULT_HEATMAPS = ("test-metric", "steps-to-target", "diverged-share")
# without a validation split nothing is selected: every cell is shown, by its training loss first
UNSELECTED = ("train-loss", "test-metric", "diverged-share", "loss-curves")
TIME_HEATMAP = "time-to-target"
TIMED = (TIME_HEATMAP, "throughput", "batch-table")  # kinds of figures and tables with seconds
MANY = 3  # rates, or batch sizes, that make a curve
TABLES = ("lr-scaling", "decay", "batch-table")  # article kinds with a CSV, beside a picture or not


class Labels(NamedTuple):
    """The workloads, optimizers and schedules, as a study calls them and in its order."""

    workloads: Sequence[str]
    optimizers: Sequence[str]
    schedules: Sequence[str]


class Wanted(NamedTuple):
    """What a study has besides its grid.

    Args:
        validation: whether there is a validation split, and so any ranking.
        throughput: whether step times are measured.
        range_tests: whether there are learning-rate range tests.
        replay: whether searches are simulated on the finished grid.
        search: whether a search chose the cells.
        answers: the kinds of pictures of what was found, as :func:`of_answers` lists them.
        articles: the kinds of further figures and tables that the study asks for.
    """

    validation: bool = True
    throughput: bool = False
    range_tests: bool = False
    replay: bool = False
    search: bool = False
    answers: Sequence[str] = ()
    articles: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """One picture.

    Args:
        workload: the workload's name.
        kind: a heatmap's metric, ``curves``, ``loss-curves``, ``throughput``, ``replay``,
            ``search``, ``range``, a kind of picture of what was found or of article figure.
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

    @property
    def named(self) -> tuple[str, ...]:
        """Which of workload, optimizer and schedule the figure shows one of."""
        return tuple(axis for axis in ("workload", "optimizer", "schedule") if getattr(self, axis))

    @property
    def timed(self) -> bool:
        """Whether it shows seconds, which are measured and not trained."""
        return self.kind in TIMED


class Sorted:
    """Rows that are found by the figures that show them, without a look at each for every figure.

    Args:
        rows: with columns for workload, optimizer and schedule.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows
        self._groups: dict[tuple[str, ...], dict[tuple[str, ...], list[Any]]] = {}

    def of(self, figure: Figure) -> list[Any]:
        """The rows that a figure shows, in their order."""
        named = figure.named
        if named not in self._groups:
            groups = self._groups.setdefault(named, {})
            for row in self.rows:
                groups.setdefault(tuple(row[axis] for axis in named), []).append(row)
        return self._groups[named].get(tuple(getattr(figure, axis) for axis in named), [])


def listed(labels: Labels, wanted: Wanted) -> list[Figure]:
    """Every figure of a study, workload by workload.

    Raises:
        UserError: labels make two figures share a file.
    """
    figures = [figure for w in labels.workloads for figure in _of_workload(w, labels, wanted)]
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


def _of_workload(workload: str, labels: Labels, wanted: Wanted) -> Iterable[Figure]:
    _, optimizers, schedules = labels
    if wanted.validation:
        for kind in RESULT_HEATMAPS:
            yield from _facets(kind, workload, labels)
        yield from (Figure(workload, "curves", optimizer) for optimizer in optimizers)
        yield from [Figure(workload, "replay")] if wanted.replay else []
        yield from [Figure(workload, "search")] if wanted.search else []
    else:
        for kind in UNSELECTED:
            yield from _facets(kind, workload, labels)
    yield from (Figure(workload, kind) for kind in wanted.answers)
    if wanted.range_tests:
        yield from (Figure(workload, "range", optimizer) for optimizer in optimizers)
    for kind in wanted.articles:
        if kind == "loss-by-batch":
            yield from _facets(kind, workload, labels)
        elif kind in ("trace", "path"):
            yield from (Figure(workload, kind, schedule=schedule) for schedule in schedules)
        elif kind == "decay":
            yield from (Figure(workload, kind, optimizer) for optimizer in optimizers)
        elif kind == "lr-scaling" and kind not in wanted.answers:
            yield Figure(workload, kind)
    if wanted.throughput:
        if wanted.validation:  # time to target needs a metric to reach
            yield from _facets(TIME_HEATMAP, workload, labels)
        yield Figure(workload, "throughput")


class Counts(NamedTuple):
    """How many values the axes of a grid have; of rates, the most that an optimizer has."""

    optimizers: int
    batch_sizes: int
    rates: int
    schedules: int


def of_answers(counts: Counts, *, validation: bool, whole: bool) -> list[str]:
    """The kinds of pictures of what was found that a study has.

    Args:
        counts: of its grid.
        validation: whether there is a validation split, and so any choice.
        whole: whether all cells are trained, and not those that a search proposes.
    """
    optimizers, sizes, rates, schedules = counts
    varied = sum(count > 1 for count in (optimizers, sizes, rates, schedules))
    kinds = {
        "optimizers": validation and optimizers > 1,
        "safe-rate": validation and whole and rates >= MANY,
        "lr-scaling": whole and sizes > 1 and rates >= MANY,
        "batch-scaling": validation and whole and sizes >= MANY,
        "importance": varied > 1,
    }
    return [kind for kind, drawn in kinds.items() if drawn]


def _facets(kind: str, workload: str, labels: Labels) -> Iterable[Figure]:
    """One figure for each optimizer and schedule."""
    return (Figure(workload, kind, o, s) for o in labels.optimizers for s in labels.schedules)


def article_tables(kinds: Iterable[str], workloads: Iterable[str], *, timed: bool) -> list[str]:
    """The tables beside the article figures, below the figures' folder.

    Args:
        kinds: what the study asks for.
        workloads: their names.
        timed: whether to list those that hold seconds, or those that don't.
    """
    tables = [kind for kind in kinds if kind in TABLES and (kind in TIMED) == timed]
    return [table_path(workload, kind) for workload in workloads for kind in tables]


def table_path(workload: str, kind: str) -> str:
    """Where a workload's table lies below the figures' folder."""
    return f"{workload}/{kind}/{kind}.csv"
