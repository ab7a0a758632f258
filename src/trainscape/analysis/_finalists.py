"""Which cells are worth fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.best import DIGITS, finalists

if TYPE_CHECKING:
    from trainscape.analysis._cells import Cells
    from trainscape.results.tables import Row


def finalists_of(cells: Cells, count: int) -> list[int]:
    """The finalists, the most promising first: places of cells; none where no cell ended well.

    Args:
        cells: of one workload.
        count: how many; more where there are more optimizers than that.
    """
    rows = cells.rows
    names = sorted({row["optimizer"] for row in rows})
    groups = np.array([names.index(row["optimizer"]) for row in rows], dtype=np.int64)
    values, keys = cells.values("val_metric"), [_cost(row) for row in rows]
    return finalists(values, cells.scale(), groups, ~cells.complete, count, keys)


def best_of_optimizers(cells: Cells) -> dict[str, int]:
    """The cell with the best mean validation metric of each optimizer; failed ones are out.

    Of equals it is the one with the fewest steps, then the smallest batch and rate, then by name.
    """
    means = cells.scale().sign * cells.values("val_metric").mean(1)
    found: dict[str, tuple[object, ...]] = {}
    for place, row in enumerate(cells.rows):
        if cells.complete[place]:
            rank = (-round(float(means[place]), DIGITS), *_cost(row), place)
            found[row["optimizer"]] = min(found.get(row["optimizer"], rank), rank)
    return {name: int(str(rank[-1])) for name, rank in found.items()}


def _cost(row: Row) -> tuple[int, int, float, str, str]:
    """What tells cells with equal means apart, the least first; the names leave no tie.

    No digest does: it changes with the source, and with it would the choice.
    """
    names = row["optimizer"], row["schedule"]
    return row["steps"] or 0, row["batch_size"], row["lr"], *names
