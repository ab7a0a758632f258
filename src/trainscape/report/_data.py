"""All that the page's script knows: one table of cells, seeds and evaluations, and the claims.

It is compact JSON. A column is one list in the order of the cells; a name on an axis is its place
in the axis' list; curves are whole numbers of ``step``, the least that is told apart.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trainscape.analysis import AXES, key, lines, metric, whole
from trainscape.figures.values import points
from trainscape.report._map import of_map
from trainscape.report._table import AXES_OF_CELL, columns, ranked, with_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from trainscape.analysis import Row
    from trainscape.report._page import Page

DIGITS = 5  # of a number in the table: more than is shown anywhere
POINTS = 400_000  # evaluations of a workload that the page holds: of twice as many, every other
FINE = 1e-4  # of a share: a tenth of what is shown of it
COLUMNS = {  # of a cell, by the page's name: the summary's and the timings' columns
    "seeds": "seeds",
    "diverged": "diverged",
    "failed": "failed",
    "val": "val_metric_mean",
    "val_std": "val_metric_std",
    "test": "test_metric_mean",
    "test_std": "test_metric_std",
    "loss": "train_loss_mean",
    "loss_std": "train_loss_std",
    "gap": "generalisation_gap",
    "steps": "steps_to_target",
    "reached": "reached",
    "step_time": "step_time_s",
    "noisy": "noisy",
    "time": "time_to_target_s",
    "time_low": "time_low_s",
    "time_high": "time_high_s",
}
OF_TRIAL = {
    "val": "val_metric",
    "test": "test_metric",
    "loss": "train_loss",
    "to_target": "steps_to_target",
}


def data(page: Page, specs: Mapping[str, Any]) -> str:
    """The page's data as JSON.

    Args:
        page: what the report is written from.
        specs: the live charts by workload and kind.
    """
    rows = with_verdicts(page.cells, page.found)
    workloads = [_workload(name, rows, page) for name in page.labels.workloads]
    tree = {
        "name": page.study["name"],
        "budget": page.study.get("budget"),
        "snippets": page.snippets(),
        "columns": _columns(page),
        "names": COLUMNS,
        "workloads": workloads,
        "specs": specs,
    }
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _columns(page: Page) -> list[dict[str, str]]:
    """The columns of the table of all cells, by the page's names."""
    ours = {theirs: name for name, theirs in COLUMNS.items()}
    return [
        {"key": ours.get(c.key, c.key), "title": c.title, "about": c.about, "kind": c.kind}
        for c in columns(page.cells, page.validated, page.timed)
    ]


def _workload(name: str, rows: Sequence[Row], page: Page) -> dict[str, Any]:
    judged = metric(name)
    own = ranked([row for row in rows if row["workload"] == name])
    grid = [row for row in whole(page.cells, page.searched) if row["workload"] == name]
    axes: dict[str, list[Any]] = {
        "optimizer": list(page.labels.optimizers),
        "schedule": list(page.labels.schedules),
        "batch_size": sorted({row["batch_size"] for row in grid}),
        "lr": sorted({row["lr"] for row in grid}),
    }
    places = {axis: {label: i for i, label in enumerate(found)} for axis, found in axes.items()}
    trials, confirmed = _by_cell(page.trials, name), _by_cell(page.confirmed, name)
    seeds = trials[key(own[0])]["seed"]
    curves = page.curves[page.curves["workload"] == name]
    return {
        "name": name,
        "metric": {"name": judged.name, "unit": judged.unit, "direction": judged.direction},
        "margin": points(page.found[name]["margin"], judged.unit),
        "validated": page.validated,
        "axes": axes,
        "cells": {
            **{axis: [places[axis][row[axis]] for row in own] for axis in AXES_OF_CELL},
            "status": [row["status"] for row in own],
            "verdict": [row["verdict"] for row in own],
            "digest": [row["digest"] for row in own],
            **{
                ours: [_short(row.get(theirs)) for row in own]
                for ours, theirs in COLUMNS.items()
                if any(row.get(theirs) is not None for row in own)
            },
        },
        "trials": {
            ours: [_values(trials, row, theirs) for row in own] for ours, theirs in OF_TRIAL.items()
        },
        "seeds": seeds,  # of every cell, in this order
        "confirmed": {
            row["digest"]: {
                "digest": confirmed[key(row)]["digest"][0],  # a cell of its own, as claims name it
                "seeds": _values(confirmed, row, "seed"),
                **{split: _values(confirmed, row, OF_TRIAL[split]) for split in ("val", "test")},
            }
            for row in own
            if key(row) in confirmed
        },
        "curves": _curves(curves, own, seeds, judged.unit == "fraction" and page.validated),
        "map": of_map(name, own, grid, axes, page),
        "found": page.found[name],
    }


def _by_cell(
    table: pd.DataFrame | None, workload: str
) -> dict[tuple[object, ...], dict[str, list[Any]]]:
    """A table's columns by cell, each in the order of the seeds."""
    if table is None or table.empty:
        return {}
    own = table[table["workload"] == workload]
    names = ["seed", "digest", *OF_TRIAL.values()]
    cells: dict[tuple[object, ...], list[tuple[Any, ...]]] = {}
    for cell, trial in zip(lines(own, AXES), lines(own, names), strict=True):
        cells.setdefault(cell, []).append(trial)
    return {
        cell: {name: [trial[k] for trial in found] for k, name in enumerate(names)}
        for cell, found in cells.items()
    }


def _values(cells: Mapping[Any, Mapping[str, Sequence[Any]]], row: Row, column: str) -> list[Any]:
    found = cells.get(key(row))
    return [] if found is None else [_short(value) for value in found[column]]


def _curves(
    table: pd.DataFrame, rows: Sequence[Row], seeds: Sequence[int], share: bool
) -> dict[str, Any]:
    """What each trial's evaluations came to, and at which steps they were.

    All trials of a batch size are kept at the same steps, those of its longest run. A trial that
    ended before has fewer values, one that came to none has an empty list.

    Args:
        table: rows of curves.csv of one workload and split.
        rows: the cells, in the page's order.
        seeds: of every cell, in the page's order.
        share: whether the values are shares, which are kept in whole numbers.
    """
    column = "metric" if table["metric"].notna().any() else "loss"
    every = max(1, -(-len(table) // POINTS))
    runs: dict[tuple[object, ...], dict[int, float]] = {}  # values by step
    for trial, (step, value) in zip(
        lines(table, [*AXES, "seed"]), lines(table, ["step", column]), strict=True
    ):
        runs.setdefault(trial, {})[step] = value
    steps: dict[Any, list[int]] = {}
    for trial, run in runs.items():
        if len(run) > len(steps.get(size := trial[AXES.index("batch_size")], [])):
            steps[size] = list(run)
    steps = {size: at[::-1][::every][::-1] for size, at in steps.items()}  # the last is among them
    return {
        "of": column,
        "step": FINE if share else 1,
        "steps": {str(size): at for size, at in steps.items()},
        "values": [
            [
                _run(runs.get((*key(row), seed), {}), steps.get(row["batch_size"], []), share)
                for seed in seeds
            ]
            for row in rows
        ],
    }


def _run(run: Mapping[int, float], steps: Sequence[int], share: bool) -> list[float | int | None]:
    """A trial's values at some steps, up to the last that it has."""
    values = [_point(run.get(step), share) for step in steps]
    while values and values[-1] is None:
        values.pop()
    return values


def _point(value: float | None, share: bool) -> float | int | None:
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return round(value / FINE) if share else float(f"{value:.4g}")


def _short(value: Any) -> Any:
    """A number in few digits, null where there is none."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, float):
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    return value if isinstance(value, (int, str)) else _plain(value)


def _plain(value: Any) -> Any:
    """A numpy or pandas number as Python's own; null for pandas' missing value."""
    return value.item() if hasattr(value, "item") else None
