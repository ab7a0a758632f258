"""What is said of two versions of a study: of their cells, their means and their step times.

No stage imports this file, so that what it says of two versions decides no product of either.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from trainscape.errors import UserError
from trainscape.numeric import finite
from trainscape.results.tables import AXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Cell = tuple[str, str, int, float, str]  # what names a cell: see AXES
Row = dict[str, str]  # a line of trials.csv, as text
Said = Literal["same bytes", "same", "better", "worse", "undecided", "new", "gone"]

VERDICTS: tuple[Said, ...] = ("same bytes", "same", "better", "worse", "undecided", "new", "gone")
KINDS: dict[str, tuple[Said, ...]] = {  # of change that a run may be made to fail on
    "worse": ("worse",),
    "better": ("better",),
    "changed": ("worse", "better"),
}
METRIC = "test_metric"  # what is compared


@dataclass(frozen=True)
class Trials:
    """The trials of one workload in one version: a row for each seed of each cell."""

    cells: dict[Cell, dict[int, Row]]

    @property
    def seeds(self) -> list[int]:
        """All seeds, in order."""
        return sorted({seed for rows in self.cells.values() for seed in rows})


@dataclass(frozen=True)
class Identity:
    """What is equal byte for byte, and why not all of it is.

    Args:
        cells: that both versions have.
        trials: of these, under seeds that both have.
        same_bytes: of the trials, those whose rows are equal whole.
        same_numbers: those whose numbers are equal; whether digest and backend are or not.
        other_digests: cells whose digests differ: other values, code, data, seeds or torch.
        backends: of the version before, and of the one after.
        largest: the largest change of a trial's metric, in its unit; None where none changed.
        where: the trial that it is of, such as ``sgd batch 16 lr 0.1 cosine, seed 3``.
    """

    cells: int
    trials: int
    same_bytes: int
    same_numbers: int
    other_digests: int
    backends: tuple[list[str], list[str]]
    largest: float | None = None
    where: str = ""


@dataclass(frozen=True)
class Change:
    """What is said of one cell.

    Args:
        cell: its workload, optimizer, batch size, learning rate and schedule.
        verdict: what happened to it.
        change: of the metric, in its own unit; None where there is nothing to compare.
        low: the lower end of the 95% interval; None where the numbers are equal.
        high: its upper end.
        p: adjusted for the number of cells.
        before: the mean over the seeds that are compared, in the version before; None where a
            trial came to no end. Of a cell that one version alone has, over all its seeds.
        after: likewise, in the version after.
    """

    cell: Cell
    verdict: Said
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class Shift:
    """The mean shift of a pool of cells; ``axis`` and ``value`` are empty for all of them.

    Args:
        axis: ``optimizer``, ``batch_size``, ``lr`` or ``schedule``.
        value: of the axis, as text.
        cells: how many.
        verdict: better, worse, same or undecided.
        change: of the metric, mean over the cells, in its own unit.
        low: the lower end of the interval at the level that decides the verdict; None with fewer
            than two seeds.
        high: its upper end.
        level: the interval's confidence, such as 0.99.
    """

    axis: str
    value: str
    cells: int
    verdict: Said
    change: float
    low: float | None
    high: float | None
    level: float


@dataclass(frozen=True)
class Comparison:
    """Two versions of one workload's cells.

    Args:
        workload: its name.
        table: ``trials`` or ``confirm``.
        metric: the name of what is compared, on the test split.
        unit: the metric's.
        direction: whether more or less of it is better: ``max`` or ``min``.
        margin: what counts as no change in practice, in the metric's unit.
        identity: what is equal byte for byte.
        seeds: of both versions, that cells are compared by.
        paired: whether these are the same.
        cells: what is said of each, in the order of the version after; those that are gone last.
        shifts: of all cells, then of each value of each axis that has several.
    """

    workload: str
    table: str
    metric: str
    unit: str
    direction: str
    margin: float
    identity: Identity
    seeds: tuple[list[int], list[int]]
    paired: bool
    cells: list[Change]
    shifts: list[Shift] = field(default_factory=list)

    @property
    def counts(self) -> dict[Said, int]:
        """How many cells have each verdict."""
        found = Counter(change.verdict for change in self.cells)
        return {verdict: found[verdict] for verdict in VERDICTS}

    def any(self, *verdicts: Said) -> bool:
        """Whether a cell, or a mean shift, has one of these verdicts."""
        said = [*(cell.verdict for cell in self.cells), *(pool.verdict for pool in self.shifts)]
        return any(verdict in verdicts for verdict in said)


@dataclass(frozen=True)
class StepTime:
    """The time of a step of one optimizer and batch size, in seconds, before and after.

    Args:
        name: workload, optimizer and batch size.
        before: median and interquartile range.
        after: likewise.
    """

    name: str
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def moved(self) -> bool:
        """Whether the medians are further apart than both ranges together."""
        return abs(self.after[0] - self.before[0]) > self.before[1] + self.after[1]


@dataclass(frozen=True)
class Diff:
    """All that changed.

    Args:
        before: the title of the one version.
        after: of the other.
        params: changed parameters, a line each.
        comparisons: of each workload, its confirmed cells first.
        lone: workloads that one version alone has, with the version's title.
        times: of steps, where both were measured on the same hardware.
        untimed: why there are none.
        unknown: why parameters are not compared; empty where they are.
        busy: of each version whose step times are not to be trusted, why.
    """

    before: str
    after: str
    params: list[str]
    comparisons: list[Comparison]
    lone: dict[str, str] = field(default_factory=dict)
    times: list[StepTime] = field(default_factory=list)
    untimed: str = ""
    unknown: str = ""
    busy: list[str] = field(default_factory=list)

    def failed(self, kind: str) -> bool:
        """Whether a verdict is ``worse``, ``better``, or either: ``changed``."""
        return any(found.any(*KINDS[kind]) for found in self.comparisons)


def by_workload(rows: Sequence[Mapping[str, str]], source: str) -> dict[str, Trials]:
    """The rows of a table of trials, by workload, cell and seed.

    Args:
        rows: the lines of ``trials.csv`` or ``confirm.csv``, as text.
        source: names the table in messages.

    Raises:
        UserError: it is no table of trials.
    """
    lacking = [name for name in (*AXES, "seed", METRIC) if rows and name not in rows[0]]
    if lacking:
        raise UserError(f"{source}: has no column {lacking[0]!r}: it is no table of trials")
    found: dict[str, Trials] = {}
    for number, row in enumerate(rows, 2):
        try:
            batch, lr, seed = int(row["batch_size"]), float(row["lr"]), int(row["seed"])
            cell = (row["workload"], row["optimizer"], batch, lr, row["schedule"])
            # a line that is too short or too long has fields that are None, or a key that is
            every = None not in (*row, *row.values())
            names = all(str(value).isprintable() for value in row.values())
            whole = every and names and finite(lr) and finite(float(row[METRIC] or 0))
        except (TypeError, ValueError):
            whole = False
        if not whole:
            raise UserError(f"{source}: line {number} is no trial")
        trials = found.setdefault(cell[0], Trials({})).cells.setdefault(cell, {})
        if seed in trials:
            raise UserError(f"{source}: line {number} has a trial again that a line before has")
        trials[seed] = dict(row)
    return found


def name(cell: Cell) -> str:
    """A cell as ``trainscape cells`` names it, without its workload."""
    _, optimizer, batch, lr, schedule = cell
    return f"{optimizer} batch {batch} lr {lr!r} {schedule}"
