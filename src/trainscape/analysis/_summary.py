"""Trials -> one row per cell."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from trainscape.results.tables import AXES, Row, frame, key, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

MEANS = ("val_metric", "test_metric", "train_loss")
COLUMNS = (
    *AXES,
    "seeds",
    "status",
    "diverged",
    "failed",
    *(f"{name}_{moment}" for name in MEANS for moment in ("mean", "std")),
    "generalisation_gap",
    "steps_to_target",
    "reached",
    "digest",
)


def summary(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, in grid order (``results/summary.csv``).

    ``status`` is ``oom`` or ``diverged`` as soon as one seed is; means and standard deviations
    (n − 1) are given only when every seed came to its end, a deviation only from two seeds on.
    ``failed`` counts the seeds that came to their end no better than chance, null where the
    workload does not say what that is.
    ``generalisation_gap`` is the mean over seeds of final test loss − final ``fit_loss``.
    ``steps_to_target`` is the median over seeds, a seed that never reached counting as later than
    all, and null when half or more never did; ``reached`` counts those that did.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
    """
    return frame([_cell(rows) for rows in grouped(records(trials), AXES)], COLUMNS)


def grouped(rows: Iterable[Row], keys: Sequence[str]) -> list[list[Row]]:
    """The rows in groups of equal ``keys``, both in order of first appearance."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row, keys), []).append(row)
    return list(groups.values())


def _cell(rows: list[Row]) -> Row:
    first = rows[0]
    statuses = [row["status"] for row in rows]
    validated = first["target"] is not None
    gaps = [_minus(row["test_loss"], row["fit_loss"]) for row in rows]
    means = {
        f"{name}_{key}": value
        for name in MEANS
        for key, value in zip(("mean", "std"), _moments([row[name] for row in rows]), strict=True)
    }
    return {
        **{axis: first[axis] for axis in AXES},
        "seeds": len(rows),
        "status": next((s for s in ("oom", "diverged") if s in statuses), "ok"),
        "diverged": statuses.count("diverged"),
        "failed": None if first["failed"] is None else sum(row["failed"] for row in rows),
        **means,
        "generalisation_gap": _moments(gaps)[0],
        "steps_to_target": _median([row["steps_to_target"] for row in rows]),
        "reached": sum(row["steps_to_target"] is not None for row in rows) if validated else None,
        "digest": first["digest"],
    }


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _moments(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation; ``statistics`` rounds once, whatever the platform's sums do."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None, None
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


def _median(values: Sequence[int | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    if 2 * len(known) <= len(values):
        return None
    # The middle of all seeds, the censored ones last: it is known, since more than half are.
    ranks = ((len(values) - 1) // 2, len(values) // 2)
    return statistics.fmean(known[rank] for rank in ranks)
