"""The few numbers that a commit is compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis._best import best, edge
from trainscape.analysis._summary import grouped
from trainscape.results.tables import Row, records

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


def nested(rows: list[Row], value: Callable[[list[Row]], Row]) -> dict[str, Any]:
    """``{workload: {optimizer: {batch size: value(rows)}}}``, batch sizes as text, for JSON."""
    tree: dict[str, Any] = {}
    for group in grouped(rows, ("workload", "optimizer", "batch_size")):
        first = group[0]
        branch = tree.setdefault(first["workload"], {}).setdefault(first["optimizer"], {})
        branch[str(first["batch_size"])] = value(group)
    return tree


def metrics(summary: pd.DataFrame) -> dict[str, Any]:
    """For each workload, optimizer and batch size the best cell (``results/metrics.json``).

    The best lr and schedule are chosen by the validation metric; the rest is read off that cell.
    Where nothing could be chosen (all cells diverged, or no validation split and more than one
    cell), the cell's numbers are null. ``edge`` says that the best lr ends its optimizer's axis.

    Args:
        summary: as :func:`trainscape.analysis.summary` makes it.
    """
    rows = records(summary)
    return nested(rows, lambda group: _choice(group, rows))


def choose(group: list[Row]) -> Row | None:
    """The best cell of a group, or its only one: that is no choice and needs no validation."""
    return group[0] if len(group) == 1 else best(group)


def _choice(group: list[Row], rows: list[Row]) -> Row:
    chosen = choose(group)
    taken = chosen or dict.fromkeys(group[0])
    return {
        "lr": taken["lr"],
        "schedule": taken["schedule"],
        "edge": None if chosen is None else edge(chosen, rows) is not None,
        "val_metric": taken["val_metric_mean"],
        "val_metric_std": taken["val_metric_std"],
        "test_metric": taken["test_metric_mean"],
        "test_metric_std": taken["test_metric_std"],
        "train_loss": taken["train_loss_mean"],
        "steps_to_target": taken["steps_to_target"],
        "reached": taken["reached"],
        "cells": len(group),
        "diverged_share": sum(row["diverged"] for row in group)
        / sum(row["seeds"] for row in group),
    }
