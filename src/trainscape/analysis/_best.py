"""Which cell is best, by validation only, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy.special import stdtrit

from trainscape.results.tables import Row, key, records
from trainscape.workloads import Metric, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

CONFIDENCE = 0.95


def metric(workload: str) -> Metric:
    """What the workload is judged by."""
    return registry.get(workload).metric


def validated(trials: pd.DataFrame) -> bool:
    """Whether there is a validation split, and so any selection and ranking."""
    return bool(trials["target"].notna().any())


def best(rows: Sequence[Row]) -> Row | None:
    """The cell with the best mean validation metric; the first of equals; None if none has one.

    Args:
        rows: summary rows of one workload. Cells with a seed that diverged have no mean and so
            can't be best.
    """
    known = [row for row in rows if row["val_metric_mean"] is not None]
    if not known:
        return None
    sign = 1 if metric(known[0]["workload"]).direction == "max" else -1
    return max(known, key=lambda row: sign * row["val_metric_mean"])


def edge(chosen: Row, rows: Sequence[Row], axis: str = "lr") -> str | None:
    """``lowest`` or ``highest`` if the chosen cell ends its optimizer's axis, else None.

    Beyond the end of an axis a better value may lie: such a best is flagged wherever it is shown.

    Args:
        chosen: a summary row.
        rows: the summary rows that hold the axis; other workloads and optimizers are passed over.
        axis: ``lr`` or ``batch_size``.
    """
    owner = ("workload", "optimizer")
    values = {row[axis] for row in rows if all(row[key] == chosen[key] for key in owner)}
    if len(values) < 2:
        return None
    return {min(values): "lowest", max(values): "highest"}.get(chosen[axis])


def ties(chosen: Row, rows: Sequence[Row], trials: pd.DataFrame) -> list[Row] | None:
    """The other cells of the workload that can't be told from the chosen one; None for one seed.

    Every cell sees the same initial weights and data order under a seed, so cells are compared seed
    by seed: a cell is a tie if the 95% confidence interval (Student's t) of the mean difference in
    validation metric contains zero. No correction is made for the number of cells compared.

    Args:
        chosen: the summary row of the chosen cell.
        rows: summary rows to compare it with; other workloads are passed over.
        trials: the study's trials.
    """
    cells: dict[tuple[object, ...], dict[int, float | None]] = {}
    for row in records(trials[trials["workload"] == chosen["workload"]]):
        cells.setdefault(key(row), {})[row["seed"]] = row["val_metric"]
    own = cells.pop(key(chosen))
    if len(own) < 2:
        return None
    return [row for row in rows if key(row) in cells and _tied(own, cells[key(row)])]


def _tied(own: dict[int, float | None], other: dict[int, float | None]) -> bool:
    differences = [
        a - b for seed, a in own.items() if a is not None and (b := other.get(seed)) is not None
    ]
    n = len(differences)
    if n < len(own):
        return False
    mean = math.fsum(differences) / n
    spread = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1))
    margin = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * spread
    return abs(mean) <= margin / math.sqrt(n)
