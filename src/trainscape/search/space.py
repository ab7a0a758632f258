"""A grid as a search sees it: four axes, two of them ordered, and a cell at every combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Combination(NamedTuple):
    """What names a cell within its workload: labels and values."""

    optimizer: str
    batch_size: int
    lr: float
    schedule: str


@dataclass(frozen=True)
class Space:
    """The grid of one workload.

    Optimizer and schedule have no order. Batch size and lr are known by their place on the axis,
    which rises; an optimizer with fewer rates than another has each of them at several places.

    Args:
        optimizers: labels.
        schedules: labels.
        batch_sizes: rising.
        lrs: the rates of each optimizer, rising.
        numbers: the number of each cell in the grid, by combination.
    """

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    lrs: Mapping[str, tuple[float, ...]]
    numbers: Mapping[Combination, int]

    @classmethod
    def of(cls, grid: Sequence[Combination]) -> Space:
        """The space of a whole grid, whose order gives the cells their numbers."""
        optimizers = tuple(dict.fromkeys(cell.optimizer for cell in grid))
        rates = {
            name: tuple(sorted({cell.lr for cell in grid if cell.optimizer == name}))
            for name in optimizers
        }
        schedules = tuple(dict.fromkeys(cell.schedule for cell in grid))
        sizes = tuple(sorted({cell.batch_size for cell in grid}))
        numbers = {cell: number for number, cell in enumerate(grid)}
        return cls(optimizers, schedules, sizes, rates, numbers)

    @property
    def places(self) -> int:
        """How many places the axis of rates has: as many as the longest list."""
        return max(map(len, self.lrs.values()))

    def number(self, params: Mapping[str, str | int]) -> int:
        """The number of the cell at a label or a place (from 0) on each axis.

        >>> grid = [Combination("sgd", 16, 0.1, "constant"), Combination("sgd", 16, 1, "constant")]
        >>> where = {"optimizer": "sgd", "batch_size": 0, "lr": 1, "schedule": "constant"}
        >>> Space.of(grid).number(where)
        1
        """
        optimizer = str(params["optimizer"])
        rates = self.lrs[optimizer]
        lr = rates[int(params["lr"]) * len(rates) // self.places]
        size = self.batch_sizes[int(params["batch_size"])]
        return self.numbers[Combination(optimizer, size, lr, str(params["schedule"]))]

    def params(self, number: int) -> dict[str, str | int]:
        """Where the cell with this number is: :meth:`number` turned back."""
        cell = list(self.numbers)[number]
        rates = self.lrs[cell.optimizer]
        # the first of the places that this rate has
        place = -(-rates.index(cell.lr) * self.places // len(rates))
        return {
            "optimizer": cell.optimizer,
            "batch_size": self.batch_sizes.index(cell.batch_size),
            "lr": place,
            "schedule": cell.schedule,
        }
