"""Simulated searches -> how far from the grid's best each was, cell by cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.analysis._best import best, metric
from trainscape.analysis._summary import grouped
from trainscape.results.tables import Row, frame, records
from trainscape.statistics.medians import rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

BAND = (0.1, 0.9)  # of the runs: what a figure's band spans
ROUNDING = 1e-12  # a difference of two means is not exact
TARGETS = ("error", "margin")
COLUMNS = (
    "workload",
    "method",
    "runs",
    "cells",
    "regret_median",
    "regret_low",
    "regret_high",
    "test_regret_median",
    *(f"within_{target}" for target in TARGETS),
)


@dataclass(frozen=True)
class Replayed:
    """What simulated searches came to.

    Args:
        table: as :func:`replay` makes it.
        margin: how much worse than the grid's best is as good, in units of the metric.
    """

    table: pd.DataFrame
    margin: float


@dataclass(frozen=True)
class Goal:
    """What a search of one workload's grid is after.

    Args:
        best: the summary row of the grid's best cell by validation.
        error: the standard error of its mean validation metric; None with one seed.
        margin: the stated margin, in units of the metric.
        cells: how many cells the grid has.
        within: how many of them are within the error and the margin; None without an error.
    """

    best: Row
    error: float | None
    margin: float
    cells: int
    within: dict[str, int | None]

    def tolerance(self, target: str) -> float | None:
        """The largest regret with which a target is reached."""
        return self.error if target == "error" else self.margin


def goal(rows: Sequence[Row], margin: float) -> Goal | None:
    """The goal of a search among ``rows``, all of one workload; None if none came to its end.

    Args:
        rows: summary rows.
        margin: how much worse than the best is as good, in units of the metric.
    """
    chosen = best(rows)
    if chosen is None:
        return None
    spread = chosen["val_metric_std"]
    error = None if spread is None else spread / math.sqrt(chosen["seeds"])
    within = {
        target: None if size is None else sum(_regret(row, chosen) <= size for row in rows)
        for target, size in zip(TARGETS, (_widened(error), _widened(margin)), strict=True)
    }
    return Goal(chosen, error, margin, len(rows), within)


def replay(
    summary: pd.DataFrame,
    orders: Mapping[tuple[str, str], Sequence[Sequence[int]]],
    margin: float,
) -> pd.DataFrame:
    """A row per workload, method and number of cells trained: ``results/replay/replay.csv``.

    ``regret`` is the best validation metric of the grid less the best found so far (turned round
    for a loss): never negative, and null while no cell came to its end. Its median and the band
    that holds 80% of the runs are quantiles that are values of runs. ``test_regret`` is the
    difference of the test metrics of the same two cells, which may be negative. ``within_error``
    and ``within_margin`` count the runs whose regret is at most one standard error of the grid's
    best, and at most the margin.

    Args:
        summary: a row per cell of the whole grid.
        orders: by workload and method, for each run the places in the workload's rows of the cells
            that it trains, in order. A run that ends early has found all that it could.
        margin: in units of the metric.
    """
    groups = {rows[0]["workload"]: rows for rows in grouped(records(summary), ("workload",))}
    found: list[Row] = []
    for (workload, method), runs in orders.items():
        aim = goal(groups[workload], margin)
        if aim is not None:
            names = {"workload": workload, "method": method, "runs": len(runs)}
            steps = _steps(groups[workload], runs, aim)
            found += [{**names, "cells": n, **step} for n, step in enumerate(steps, start=1)]
    return frame(found, COLUMNS)


def needed(table: pd.DataFrame) -> dict[str, Any]:
    """How many cells each method needs: ``results/replay/replay.json``.

    By workload, method and target: the ``median`` number of cells, ``low`` and ``high``, its 95%
    confidence interval by order statistics, ``most``, the number that nine in ten runs need at
    most, and ``never``, the share of the runs that do not get there within the budget. A number
    that lies beyond the budget is null.

    Args:
        table: as :func:`replay` makes it.
    """
    tree: dict[str, Any] = {}
    for rows in grouped(records(table), ("workload", "method")):
        last = rows[-1]
        found: dict[str, Any] = {"runs": last["runs"], "budget": last["cells"]}
        found["test_regret"] = last["test_regret_median"]
        for target in TARGETS:
            if last[f"within_{target}"] is not None:
                found[target] = _needed(rows, f"within_{target}", last["runs"])
        tree.setdefault(last["workload"], {})[last["method"]] = found
    return tree


def _needed(rows: Sequence[Row], key: str, runs: int) -> Row:
    def until(count: int) -> int | None:
        """After how many cells so many runs are there."""
        return next((row["cells"] for row in rows if row[key] >= count), None)

    at = rank(runs, 0.95)
    return {
        "median": until(-(-runs // 2)),
        "low": until(at) if at else None,
        "high": until(runs + 1 - at) if at else None,
        "most": until(math.ceil(BAND[1] * runs)),
        "never": 1 - rows[-1][key] / runs,
    }


def _steps(rows: Sequence[Row], runs: Sequence[Sequence[int]], aim: Goal) -> list[Row]:
    """The state of all runs after 1, 2, … cells."""
    budget = max(map(len, runs))
    paths = [_path(rows, order, aim.best, budget) for order in runs]
    return [_state([path[n] for path in paths], aim) for n in range(budget)]


def _path(
    rows: Sequence[Row], order: Sequence[int], chosen: Row, budget: int
) -> list[tuple[float, float]]:
    """Regret by validation and by test of the best so far, after each cell; infinite for none."""
    path: list[tuple[float, float]] = []
    least = (math.inf, math.inf)
    for number in order:
        regret = _regret(rows[number], chosen)
        if regret < least[0]:
            least = regret, _regret(rows[number], chosen, "test_metric_mean")
        path.append(least)
    return path + [least] * (budget - len(path))


def _state(runs: Sequence[tuple[float, float]], aim: Goal) -> Row:
    regrets = sorted(regret for regret, _ in runs)
    low, median, high = (_quantile(regrets, share) for share in (BAND[0], 0.5, BAND[1]))
    tests = _quantile(sorted(test for _, test in runs), 0.5)
    counts = {}
    for target in TARGETS:
        size = _widened(aim.tolerance(target))
        counts[f"within_{target}"] = None if size is None else sum(r <= size for r in regrets)
    return {
        "regret_median": median,
        "regret_low": low,
        "regret_high": high,
        "test_regret_median": tests,
        **counts,
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The least value that ``share`` of them do not exceed: always one of them."""
    value = ordered[max(0, math.ceil(share * len(ordered) - ROUNDING) - 1)]
    return value if math.isfinite(value) else None


def _widened(tolerance: float | None) -> float | None:
    return None if tolerance is None else tolerance + ROUNDING


def _regret(row: Row, chosen: Row, key: str = "val_metric_mean") -> float:
    if row[key] is None:
        return math.inf
    sign = 1 if metric(chosen["workload"]).direction == "max" else -1
    return float(sign * (chosen[key] - row[key]))
