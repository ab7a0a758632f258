"""Which cell is best, by validation only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.workloads import Metric, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from trainscape.results.tables import Row


def metric(workload: str) -> Metric:
    """What the workload is judged by."""
    return registry.get(workload).metric


def validated(trials: pd.DataFrame) -> bool:
    """Whether there is a validation split, and so any selection and ranking."""
    return bool(trials["target"].notna().any())


def best(rows: Sequence[Row]) -> Row | None:
    """The cell with the best mean validation metric; None if none has one.

    Of equals it is the one with the largest batch, which is the cheapest in steps where epochs are
    given, then with the lowest rate, then the first by name: the order of the rows does not count.

    Args:
        rows: summary rows of one workload. Cells with a seed that diverged have no mean and so
            can't be best.
    """
    known = [row for row in rows if row["val_metric_mean"] is not None]
    if not known:
        return None
    sign = -1 if metric(known[0]["workload"]).direction == "max" else 1

    def rank(row: Row) -> tuple[Any, ...]:
        cheap = -row["batch_size"], row["lr"]
        return sign * row["val_metric_mean"], *cheap, row["optimizer"], row["schedule"]

    return min(known, key=rank)


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
