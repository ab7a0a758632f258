"""Cells on fresh seeds: the best of a grid train again, on seeds by which nothing was chosen.

The best of hundreds of means is the best partly by luck, and looks better than it is. On other
seeds it has no such luck: what a cell comes to there needs no correction.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection

    from trainscape.cells.cell import Cell
    from trainscape.study import Confirm, Study

FOLDER = "confirm"  # beside ``cells/``
FIRST = 1000  # fresh seeds are counted from here
LEAST = 2  # seeds to choose by: one says nothing of noise
WIDE = 0.2  # of a share: a margin from here on is a slip


def fresh(seeds: Collection[int], wanted: int) -> tuple[int, ...]:
    """The first ``wanted`` numbers from 1000 on that are not among ``seeds``.

    >>> fresh([0, 1, 1001], 3)
    (1000, 1002, 1003)
    """
    return tuple(islice((seed for seed in count(FIRST) if seed not in seeds), wanted))


def again(cell: Cell, confirm: Confirm) -> Cell:
    """A cell of the grid as it is confirmed: on fresh seeds, and recorded in detail."""
    return replace(cell, seeds=fresh(cell.seeds, confirm.seeds), detailed=True)


def check(study: Study) -> None:
    """Refuse a confirmation without anything to choose by, and a margin that makes all equal.

    Raises:
        UserError: names the key.
    """
    if study.confirm and not study.validation:
        raise UserError(
            "confirm: finalists are chosen by validation; set validation above 0, or confirm: false"
        )
    if study.confirm and len(study.seed_list()) < LEAST:
        raise UserError(
            f"confirm: finalists are chosen by {LEAST} seeds at least; set seeds to {LEAST} or "
            "more, or confirm: false"
        )
    metrics = [workloads.registry.get(name, "workloads").metric for name in study.workloads]
    shares = [metric.name for metric in metrics if metric.unit == "fraction"]
    if shares and study.margin >= WIDE:
        raise UserError(
            f"margin: {study.margin:g} is {100 * study.margin:g} points of {shares[0]}; "
            f"did you mean {study.margin / 100:g}?"
        )
