"""Which cells are worth fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.best import finalists

if TYPE_CHECKING:
    from trainscape.analysis._cells import Cells


def finalists_of(cells: Cells, count: int) -> list[int]:
    """The finalists, the most promising first: places of cells; none where no cell ended well.

    Args:
        cells: of one workload.
        count: how many; more where there are more optimizers than that.
    """
    rows = cells.rows
    names = sorted({row["optimizer"] for row in rows})
    groups = np.array([names.index(row["optimizer"]) for row in rows], dtype=np.int64)
    keys = [(row["steps"] or 0, row["batch_size"], row["lr"], row["digest"]) for row in rows]
    values = cells.values("val_metric")
    return finalists(values, cells.scale(), groups, ~cells.complete, count, keys)


def first_of_optimizers(cells: Cells) -> dict[str, int]:
    """The most promising cell of each optimizer that has one without a failed trial."""
    found: dict[str, int] = {}
    for place in finalists_of(cells, 0):
        found.setdefault(cells.rows[place]["optimizer"], place)
    return found
