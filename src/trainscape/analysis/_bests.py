"""The best cell of each optimizer and batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis._best import best, edge
from trainscape.analysis._summary import grouped
from trainscape.results.tables import Row, frame, records

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

BEST = (
    *("workload", "optimizer", "batch_size", "lr", "schedule", "edge"),
    *("val_metric_mean", "val_metric_std", "test_metric_mean", "test_metric_std"),
    *("train_loss_mean", "steps_to_target", "reached", "cells", "diverged_share", "digest"),
)


def nested(rows: list[Row], value: Callable[[list[Row]], Row]) -> dict[str, Any]:
    """``{workload: {optimizer: {batch size: value(rows)}}}``, batch sizes as text, for JSON."""
    tree: dict[str, Any] = {}
    for group in grouped(rows, ("workload", "optimizer", "batch_size")):
        first = group[0]
        branch = tree.setdefault(first["workload"], {}).setdefault(first["optimizer"], {})
        branch[str(first["batch_size"])] = value(group)
    return tree


def bests(summary: pd.DataFrame) -> pd.DataFrame:
    """For each workload, optimizer and batch size the best cell (``results/best.csv``).

    The best lr and schedule are chosen by the validation metric; the rest is read off that cell.
    Where nothing could be chosen (all cells diverged, or no validation split and more than one
    cell), the cell's values are null. ``edge`` says at which end of its optimizer's axis the best
    lr is, if at one.

    Args:
        summary: as :func:`trainscape.analysis.summary` makes it.
    """
    rows = records(summary)
    groups = grouped(rows, ("workload", "optimizer", "batch_size"))
    return frame([_choice(group, rows) for group in groups], BEST)


def choose(group: list[Row]) -> Row | None:
    """The best cell of a group, or its only one: that is no choice and needs no validation."""
    return group[0] if len(group) == 1 else best(group)


def _choice(group: list[Row], rows: list[Row]) -> Row:
    chosen, first = choose(group), group[0]
    taken = chosen or dict.fromkeys(first)
    return {
        **{name: taken[name] for name in BEST if name in first},
        **{name: first[name] for name in ("workload", "optimizer", "batch_size")},
        "edge": None if chosen is None else edge(chosen, rows),
        "cells": len(group),
        "diverged_share": sum(row["diverged"] for row in group)
        / sum(row["seeds"] for row in group),
    }
