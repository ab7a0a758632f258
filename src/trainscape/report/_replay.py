"""How many cells the simulated searches needed: the table, and the words around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import BAND, Row, goal, metric, needed
from trainscape.figures.values import number, score
from trainscape.report._table import Column, Field, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.analysis import Goal, Replayed
    from trainscape.workloads import Metric

TARGETS = {"error": "one standard error", "margin": "the margin"}
TITLE = "How many cells would a search have needed?"


def lead(cells: Sequence[Row], replayed: Replayed) -> str:
    """What was simulated, and what counts as near enough.

    Args:
        cells: the summary rows of one workload.
        replayed: the simulated searches.
    """
    aim = goal(cells, replayed.margin)
    if aim is None:
        return "No cell came to its end with every seed, so there is nothing to search for."
    judged = metric(aim.best["workload"])
    near = [
        f"{TARGETS[target]} ({_metric_difference(size, judged)}; {_count(aim.within[target])})"
        for target in TARGETS
        if (size := aim.tolerance(target)) is not None
    ]
    return (
        f"Each method searched the {aim.cells} finished cells by look-ups, one after the other. "
        f"A run is there as soon as the validation {judged.name} of the best cell that it found is "
        f"within {' or '.join(near)} of the grid's best."
    )


def _metric_difference(size: float, judged: Metric) -> str:
    if judged.unit == "fraction":
        return f"{number(100 * size, 2)} points"
    return f"{number(size, 2)} {judged.unit}".rstrip()


def _count(count: int | None) -> str:
    return "1 cell is" if count == 1 else f"{count} cells are"


def caption(cells: Sequence[Row], replayed: Replayed) -> str:
    """What the figure shows, and the medians."""
    aim = goal(cells, replayed.margin)
    if aim is None:
        return "No cell came to its end with every seed."
    low, high = (f"{100 * share:.0f}%" for share in BAND)
    panels = (
        "Left, the distance to the grid's best validation metric: the runs' median, in a band "
        f"from their {low} to their {high} quantile, linear up to the lower of the two marks and "
        "logarithmic above. Right, the share of runs that are near enough."
    )
    return f"{panels} {_medians(aim, replayed)}"


def _medians(aim: Goal, replayed: Replayed) -> str:
    target = "error" if aim.error is not None else "margin"
    found: dict[str, Any] = needed(replayed.table)[aim.best["workload"]]
    medians = [
        f"{method} {median or 'more than ' + str(row['budget'])}"
        for method, row in found.items()
        for median in [row[target]["median"]]
    ]
    return f"Cells until half of the runs are within {TARGETS[target]}: {', '.join(medians)}."


def table(cells: Sequence[Row], replayed: Replayed) -> Table | None:
    """A row per method; None if the grid has no best cell.

    Args:
        cells: the summary rows of one workload.
        replayed: the simulated searches.
    """
    aim = goal(cells, replayed.margin)
    if aim is None:
        return None
    found: dict[str, Any] = needed(replayed.table)[aim.best["workload"]]
    targets = [target for target in TARGETS if aim.within[target] is not None]
    rows = [
        [
            Field(method),
            Field(str(row["runs"]), numeric=True),
            *(f for target in targets for f in _target_fields(row[target], row["budget"])),
            _regret_field(row["test_regret"], metric(aim.best["workload"])),
        ]
        for method, row in found.items()
    ]
    return Table(_columns(targets), rows)


def _columns(targets: Sequence[str]) -> list[Column]:
    def column(key: str, title: str, about: str) -> Column:
        return Column(key, title, about, lambda row, _: str(row[key]), key != "method")

    columns = [
        column("method", "method", "what proposes the cells"),
        column("runs", "runs", "simulated searches"),
    ]
    for target in targets:
        near = f"within {TARGETS[target]}"
        columns += [
            column("median", f"{near}: median", "cells, with the 95% confidence interval"),
            column("most", "9 in 10 by", "cells until nine in ten runs are there"),
            column("never", "never", "runs that are not there within the budget"),
        ]
    about = "median over the runs: test metric of the grid's best − test metric of the cell found"
    return [*columns, column("test", "test given up", about)]


def _target_fields(row: Row, budget: int) -> list[Field]:
    beyond = f"> {budget}"
    median = beyond if row["median"] is None else str(row["median"])
    if row["low"] is not None:
        median += f" ({row['low']}–{beyond if row['high'] is None else row['high']})"
    most = beyond if row["most"] is None else str(row["most"])
    return [Field(text, numeric=True) for text in (median, most, f"{100 * row['never']:.0f}%")]


def _regret_field(regret: float | None, judged: Metric) -> Field:
    return Field("–" if regret is None else score(regret, judged, unit=True), numeric=True)
