"""Records -> how many cells were carried over by sampling, and by how many retrained ones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trainscape.results.tables import frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from trainscape.results.cell_files import Entry

COLUMNS = ("workload", "optimizer", "torch", "cells", "retrained")


def carried(entries: Iterable[Entry]) -> pd.DataFrame:
    """A row per workload, optimizer and sample (``results/carried.csv``); none if all are trained.

    ``torch`` is the version that the carried cells were trained with, ``retrained`` how many cells
    were trained again to compare.

    Args:
        entries: all cells, range tests and finalists.
    """
    cells: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for entry in entries:
        about = entry.cell.workload, entry.cell.optimizer.label
        marks = entry.record.carried
        own = ((*about, mark.identity["torch"], tuple(mark.retrained)) for mark in marks)
        cells.update([*dict.fromkeys(own)])  # a cell counts once, and rows keep their order
    rows = [
        {**dict(zip(COLUMNS, key, strict=False)), "cells": count, "retrained": len(key[-1])}
        for key, count in cells.items()
    ]
    return frame(rows, COLUMNS)
