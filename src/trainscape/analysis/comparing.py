"""Two tables of trials -> what changed between them, cell by cell and on the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from trainscape.analysis.changes import (
    METRIC,
    Cell,
    Change,
    Comparison,
    Identity,
    Row,
    Shift,
    Trials,
    name,
)
from trainscape.results.tables import AXES
from trainscape.statistics import changes
from trainscape.statistics.scores import Scale, scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trainscape.workloads import Metric

    Floats = NDArray[np.float64]

NUMBERS = ("val_loss", "val_metric", "test_loss", "test_metric", "train_loss", "steps_to_target")
DIGITS = 12  # of a metric's value: a mean over examples is rounded otherwise on other hardware


def compare(
    before: Trials, after: Trials, metric: Metric, examples: int, margin: float, table: str
) -> Comparison:
    """Compare two versions of one workload's cells.

    Args:
        before: the trials of the one version.
        after: of the other; at least one cell is in either.
        metric: the workload's.
        examples: how many the test split has.
        margin: what counts as no change in practice, in the metric's unit.
        table: ``trials`` or ``confirm``.
    """
    common = [cell for cell in after.cells if _trained(before, cell) and _trained(after, cell)]
    seeds, paired = _seeds(before, after, common)
    identity = _identity(before, after, common)
    first, second = _values(before, common, seeds[0]), _values(after, common, seeds[1])
    every = np.concatenate([first, second], axis=1)
    axis = scale(metric.unit, metric.direction, every, examples)
    first, second = changes.filled(first, second, axis.sign)
    equal = np.array([_equal(before, after, cell) for cell in common], bool)
    found = _cells(common, first, second, equal, axis, margin, paired)
    told = {change.cell: change for change in found}
    rows = [told.get(cell) or _lone(before, after, cell) for cell in after.cells]
    rows += [_lone(before, after, cell) for cell in before.cells if cell not in after.cells]
    for number, row in enumerate(rows):
        if row.cell in told and row.change == 0 and _whole(before, after, row.cell):
            rows[number] = Change(row.cell, "same bytes", 0.0)
    sides = (before, seeds[0]), (after, seeds[1])
    rows = [_with_means(row, *sides, common=row.cell in told) for row in rows]
    workload = next(iter((*after.cells, *before.cells)))[0]
    shifts = _shifts(common, first, second, axis, margin, paired) if common else []
    about = (workload, table, metric.name, metric.unit, metric.direction, margin)
    return Comparison(*about, identity, seeds, paired, rows, shifts)


def _trained(trials: Trials, cell: Cell) -> bool:
    """Whether a version has the cell, and it did not run out of memory."""
    rows = trials.cells.get(cell, {})
    return bool(rows) and not all(row.get("status") == "oom" for row in rows.values())


def _lone(before: Trials, after: Trials, cell: Cell) -> Change:
    """What is said of a cell that one version has no values of, or both have none."""
    was, is_now = _trained(before, cell), _trained(after, cell)
    if was == is_now and cell in before.cells and cell in after.cells:
        return Change(cell, "same")  # it ran out of memory in both
    if was == is_now:
        return Change(cell, "new" if cell in after.cells else "gone")
    return Change(cell, "new" if is_now else "gone")


def _with_means(
    row: Change,
    before: tuple[Trials, Sequence[int]],
    after: tuple[Trials, Sequence[int]],
    *,
    common: bool,
) -> Change:
    """A cell's change with what it is in either version."""
    one, other = (
        _mean(side.cells.get(row.cell, {}), seeds if common else None)
        for side, seeds in (before, after)
    )
    return replace(row, before=one, after=other)


def _mean(rows: dict[int, Row], seeds: Sequence[int] | None) -> float | None:
    """The mean of the metric over these seeds, or all; None if a trial has no value."""
    values = [float(rows[seed][METRIC] or "nan") for seed in (rows if seeds is None else seeds)]
    return _known(float(np.mean(values))) if values else None


def _seeds(
    before: Trials, after: Trials, cells: Sequence[Cell]
) -> tuple[tuple[list[int], list[int]], bool]:
    """The seeds that cells are compared by, and whether they are the same in both versions.

    Those that both have are taken where they are half of either's at least; all of them otherwise.
    """
    one, other = (
        sorted(set.intersection(*(set(side.cells[cell]) for cell in cells))) if cells else []
        for side in (before, after)
    )
    shared = sorted({*one} & {*other})
    paired = bool(shared) and len(shared) >= min(len(one), len(other)) / 2
    return ((shared, shared) if paired else (one, other)), paired


def _values(trials: Trials, cells: Sequence[Cell], seeds: Sequence[int]) -> Floats:
    """The metric's values, (cells, seeds); NaN where a trial came to no end."""
    rows = [[float(trials.cells[c][seed][METRIC] or "nan") for seed in seeds] for c in cells]
    values = np.array(rows, np.float64).reshape(len(cells), len(seeds))
    return np.asarray(np.round(values, DIGITS))


def _shared(before: Trials, after: Trials, cell: Cell) -> list[tuple[int, Row, Row]]:
    """Seed and both rows of each trial that both versions have."""
    ours, theirs = before.cells[cell], after.cells[cell]
    return [(seed, row, theirs[seed]) for seed, row in ours.items() if seed in theirs]


def _equal(before: Trials, after: Trials, cell: Cell) -> bool:
    """Whether the trials that both have have the same numbers, and there are any."""
    rows = _shared(before, after, cell)
    return bool(rows) and all(_numbers(one) == _numbers(other) for _, one, other in rows)


def _whole(before: Trials, after: Trials, cell: Cell) -> bool:
    """Whether both versions have the same rows of a cell, byte for byte."""
    return before.cells[cell] == after.cells[cell]


def _numbers(row: Row) -> list[str | None]:
    return [row.get(name) for name in ("status", *NUMBERS)]


def _identity(before: Trials, after: Trials, cells: Sequence[Cell]) -> Identity:
    """What both versions have in common, byte for byte."""
    trials = [(cell, *rest) for cell in cells for rest in _shared(before, after, cell)]
    largest, where = None, ""
    for cell, seed, one, other in trials:
        if one[METRIC] and other[METRIC]:
            moved = abs(round(float(other[METRIC]) - float(one[METRIC]), DIGITS))
            if moved > (largest or 0.0):
                largest, where = moved, f"{name(cell)}, seed {seed}"
    return Identity(
        len(cells),
        len(trials),
        sum(one == other for _, _, one, other in trials),
        sum(_numbers(one) == _numbers(other) for _, _, one, other in trials),
        sum(_digests(before, cell) != _digests(after, cell) for cell in cells),
        (_backends(before), _backends(after)),
        largest,
        where,
    )


def _digests(trials: Trials, cell: Cell) -> set[str]:
    return {row.get("digest", "") for row in trials.cells[cell].values()}


def _backends(trials: Trials) -> list[str]:
    rows = (row for own in trials.cells.values() for row in own.values())
    return sorted({row.get("backend", "") for row in rows} - {""})


def _cells(
    cells: Sequence[Cell],
    first: Floats,
    second: Floats,
    equal: NDArray[np.bool_],
    axis: Scale,
    margin: float,
    paired: bool,
) -> list[Change]:
    """The verdict on each cell that both versions have; equal numbers need no statistics."""
    rows = [Change(cell, "same", 0.0) for cell in cells]
    others = [index for index, alike in enumerate(equal) if not alike]
    if others and min(first.shape[1], second.shape[1]) > 0:
        found = changes.cells(first[others], second[others], axis, margin, paired=paired)
        for place, index in enumerate(others):
            rows[index] = Change(
                cells[index],
                found.verdict[place],
                float(found.change[place]),
                _known(found.low[place]),
                _known(found.high[place]),
                float(found.p[place]),
            )
    return rows


def _shifts(
    cells: Sequence[Cell],
    first: Floats,
    second: Floats,
    axis: Scale,
    margin: float,
    paired: bool,
) -> list[Shift]:
    """The mean shift of all cells, and of each value of each axis that has several."""
    pools = [("", "", np.ones(len(cells), bool))]
    for place, title in list(enumerate(AXES))[1:]:
        own = [cell[place] for cell in cells]
        values = dict.fromkeys(own)
        ordered = sorted(values) if title in ("batch_size", "lr") else list(values)
        if len(values) > 1:
            pools += [(title, f"{v:g}" if title == "lr" else str(v), _are(own, v)) for v in ordered]
    members = [own for _, _, own in pools[1:]]
    found = changes.pools(first, second, axis, margin, members, paired=paired)
    return [
        Shift(
            title,
            value,
            int(own.sum()),
            found.verdict[i],
            float(found.change[i]),
            _known(found.low[i]),
            _known(found.high[i]),
            float(found.level[i]),
        )
        for i, (title, value, own) in enumerate(pools)
    ]


def _are(own: Sequence[object], value: object) -> NDArray[np.bool_]:
    return np.array([mine == value for mine in own], bool)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
