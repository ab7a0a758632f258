"""Learning-rate range tests -> one row each: what it suggests, beside the grid's own best rate."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from trainscape.analysis._best import best
from trainscape.analysis._range_curve import range_curve
from trainscape.analysis._summary import grouped
from trainscape.analysis._trials import axes
from trainscape.hashing import SHORT
from trainscape.results.tables import Row, frame, key, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from trainscape.results.cell_files import Entry

NEAR = 3.0  # a suggestion within this factor of the grid's best is near
TEST = ("workload", "optimizer", "batch_size")  # what names a range test
COLUMNS = (
    *TEST,
    "seeds",
    "status",
    "diverged",
    "minimum_lr",
    "end_lr",
    "suggestion",
    "best_lr",
    "schedule",
    "factor",
    "digest",
)


def range_tests(entries: Iterable[Entry], summary: pd.DataFrame) -> pd.DataFrame:
    """One row per range test, in grid order (``results/range.csv``).

    ``minimum_lr`` is the rate of the least smoothed loss, ``end_lr`` that of the curve's end.
    ``best_lr`` and ``schedule`` are those of the grid's best cell by validation with the same
    workload, optimizer and batch size, over all schedules; ``factor`` is suggestion / best_lr.

    Args:
        entries: the study's range tests.
        summary: a row per cell of the grid.
    """
    cells = {key(group[0], TEST): group for group in grouped(records(summary), TEST)}
    rows = [_row(entry, cells.get(key(axes(entry.cell), TEST), [])) for entry in entries]
    return frame(rows, COLUMNS)


def range_metrics(tests: pd.DataFrame) -> dict[str, Any]:
    """What commits are compared by, by workload (``results/range.json``).

    Args:
        tests: as :func:`range_tests` makes it.
    """
    tree = {}
    for rows in grouped(records(tests), TEST[:1]):
        suggestions: dict[str, dict[str, float | None]] = {}
        for row in rows:
            own = suggestions.setdefault(row["optimizer"], {})
            own[str(row["batch_size"])] = row["suggestion"]
        tree[rows[0]["workload"]] = {**agreement(rows), "suggestion": suggestions}
    return tree


def agreement(tests: Sequence[Row]) -> dict[str, Any]:
    """How well the suggestions agree with the grid's best rates.

    ``median_factor`` says how far they are off, upwards or downwards; ``near`` which share of the
    tests ``compared`` is within a factor of 3: one without a suggestion is not near. Both are
    null where nothing is ranked.

    Args:
        tests: rows of :func:`range_tests`.
    """
    ranked = [row for row in tests if row["best_lr"] is not None]
    factors = [row["factor"] for row in ranked if row["factor"] is not None]
    off = [max(factor, 1 / factor) for factor in factors]
    return {
        "median_factor": statistics.median(off) if off else None,
        "near": sum(factor <= NEAR for factor in off) / len(ranked) if ranked else None,
        "compared": len(ranked),
    }


def _row(entry: Entry, cells: Sequence[Row]) -> Row:
    trials, curve, chosen = entry.record.trials, range_curve(entry), best(cells)
    statuses = [trial.status for trial in trials]
    lowest, suggested = curve.minimum, curve.suggestion()
    return {
        **axes(entry.cell),
        "seeds": len(trials),
        "status": next((s for s in ("oom", "diverged") if s in statuses), "ok"),
        "diverged": statuses.count("diverged"),
        "minimum_lr": None if lowest is None else curve.rates[lowest],
        "end_lr": curve.rates[-1] if curve.rates else None,
        "suggestion": suggested,
        "best_lr": chosen["lr"] if chosen else None,
        "schedule": chosen["schedule"] if chosen else None,
        "factor": suggested / chosen["lr"] if suggested and chosen else None,
        "digest": entry.record.digest[:SHORT],
    }
