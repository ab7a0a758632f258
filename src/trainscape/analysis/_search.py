"""What a search trained: its place in the grid, and the best so far, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.analysis._best import best
from trainscape.results.tables import Row, key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNTRAINED = "untrained"


@dataclass(frozen=True)
class Searched:
    """A search that has ended.

    Args:
        method: what proposed the cells.
        seed: of the search.
        grid: the axes of every cell of the study's grid, in its order.
        rounds: by workload, the short digests of the cells that each round proposed.
    """

    method: str
    seed: int
    grid: Sequence[Row]
    rounds: Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Step:
    """The state of a search after one cell.

    Args:
        round: the round that proposed the cell, from 1.
        value: the cell's mean validation metric; None if it did not come to its end.
        best: the best of the cells so far; None while none came to its end.
    """

    round: int
    value: float | None
    best: float | None


def whole(rows: Sequence[Row], searched: Searched | None) -> list[Row]:
    """All cells of the grid, in its order: those without a row have the status ``untrained``.

    Args:
        rows: summary rows, with or without their timings.
        searched: what was searched; None for a study that trains the grid, whose rows are all.
    """
    if searched is None or not rows:
        return list(rows)
    known = {key(row): row for row in rows}
    blank = {**dict.fromkeys(rows[0]), "status": UNTRAINED}
    return [known.get(key(cell), {**blank, **cell}) for cell in searched.grid]


def trained(rows: Sequence[Row]) -> list[Row]:
    """The rows of cells that were trained."""
    return [row for row in rows if row["status"] != UNTRAINED]


def steps(rows: Sequence[Row], rounds: Sequence[Sequence[str]]) -> list[Step]:
    """The search of one workload, cell by cell.

    Args:
        rows: its summary rows.
        rounds: the short digests of the cells that each round proposed.
    """
    known = {row["digest"]: row for row in rows}
    found: list[Step] = []
    leader: Row | None = None
    for number, digests in enumerate(rounds, start=1):
        for row in (known[digest] for digest in digests):
            leader = best([row] if leader is None else [leader, row])
            value = None if leader is None else leader["val_metric_mean"]
            found.append(Step(number, row["val_metric_mean"], value))
    return found
