"""One optimizer's cells laid out along the axes of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainscape.analysis import Cells, Row

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Laid:
    """An optimizer's cells by batch size (B), schedule (H) and rate (R).

    Sizes and rates rise and schedules are in the order of their names, so that the order in which
    a study lists them decides nothing.

    Args:
        cells: the optimizer's.
        rows: of these, what each is.
        index: of these, the place of each in the grid, (C,).
        sizes: the batch sizes.
        schedules: their labels.
        rates: the learning rates.
        places: of the cells among ``cells``, (B, H, R); −1 where there is none.
    """

    cells: Cells
    rows: list[Row]
    index: NDArray[np.int64]
    sizes: list[int]
    schedules: list[str]
    rates: list[float]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, grid: Cells, optimizer: str) -> Laid:
        """The cells of an optimizer, of which there is at least one."""
        index = [i for i, row in enumerate(grid.rows) if row["optimizer"] == optimizer]
        cells = grid.among(index)
        rows = cells.rows
        sizes, schedules, rates = (
            sorted({row[axis] for row in rows}) for axis in ("batch_size", "schedule", "lr")
        )
        places = np.full((len(sizes), len(schedules), len(rates)), -1, dtype=np.int64)
        at = [{value: k for k, value in enumerate(axis)} for axis in (sizes, schedules, rates)]
        for i, row in enumerate(rows):
            places[at[0][row["batch_size"]], at[1][row["schedule"]], at[2][row["lr"]]] = i
        return cls(cells, rows, np.array(index), sizes, schedules, rates, places)

    def values(self, name: str) -> Floats:
        """A column of the trials' table, (B, H, R, S); NaN where a trial has no value."""
        found = self.cells.values(name)[self.places]
        return np.where(self.places[..., None] >= 0, found, np.nan)

    def means(self, name: str) -> Floats:
        """Its mean over seeds, (B, H, R); NaN where one of them has no value."""
        return np.asarray(self.values(name).mean(-1))


def laid(grid: Cells) -> dict[str, Laid]:
    """The cells of every optimizer by its label, in the order of the labels."""
    return {name: Laid.of(grid, name) for name in sorted({row["optimizer"] for row in grid.rows})}
