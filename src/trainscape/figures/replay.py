"""Simulated searches: how far from the grid's best they are, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import Row, goal, grouped, metric, records
from trainscape.figures import panels
from trainscape.figures.style import MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Goal, Replayed
    from trainscape.workloads import Metric

    Methods = Sequence[tuple[str, list[Row]]]  # every method and its rows of the table


def replay_figure(workload: str, cells: Sequence[Row], replayed: Replayed) -> Figure:
    """Regret of the best so far, and the share of runs that are near enough, by cells trained.

    Args:
        workload: its name.
        cells: its summary rows.
        replayed: the simulated searches.
    """
    table = [row for row in records(replayed.table) if row["workload"] == workload]
    methods = [(rows[0]["method"], rows) for rows in grouped(table, ("method",))]
    figure, (left, right) = panels.make(f"{workload}: searches on the finished grid", 2, (3.1, 2.3))
    aim = goal(cells, replayed.margin)
    if aim is None:
        panels.nothing_to_show(left)
        panels.nothing_to_show(right)
    else:
        _regrets(left, methods, aim, metric(workload))
        _shares(right, methods, aim)
    for axes in (left, right):
        axes.set_xlim(1, max([2, *(row["cells"] for row in table)]))
    return figure


def _regrets(axes: Axes, methods: Methods, aim: Goal, judged: Metric) -> None:
    """Logarithmic above the smaller tolerance and linear below, so that zero can be shown."""
    panels.heading(axes, "best so far below the grid's best")
    for rank, (method, rows) in enumerate(methods):
        look = panels.line_look(rank, len(methods))
        across, low, high = _known(rows, "regret_low", "regret_high")
        band = {"color": look["color"], "alpha": 0.08, "linewidth": 0}
        axes.fill_between(across, low, high, step="post", **band)
        axes.plot(*_known(rows, "regret_median"), label=method, drawstyle="steps-post", **look)
    tolerances = [size for name in ("error", "margin") if (size := aim.tolerance(name))]
    axes.set_yscale("symlog", linthresh=min(tolerances))
    medians = [row["regret_median"] or 0 for _, rows in methods for row in rows]
    axes.set_ylim(0, 2 * max([*medians, *tolerances]))
    for words, size in ((" 1 s.e.", aim.error), (" margin", aim.margin)):
        if size:
            axes.axhline(size, color=MUTED, linewidth=0.7)
            right = axes.get_yaxis_transform()  # across in shares of the panel
            axes.text(1, size, words, transform=right, fontsize=7, color=MUTED, va="center")
    panels.metric_marks(axes, judged)
    panels.name_axes(axes, "cells trained", f"regret, validation {judged.name}")


def _known(rows: Sequence[Row], *columns: str) -> list[list[float]]:
    """The cells trained and ``columns``, where they have values."""
    known = [row for row in rows if all(row[column] is not None for column in columns)]
    return [[row[column] for row in known] for column in ("cells", *columns)]


def _shares(axes: Axes, methods: Methods, aim: Goal) -> None:
    target, words = ("error", "one standard error") if aim.error else ("margin", "the margin")
    panels.heading(axes, f"runs within {words} of it")
    for rank, (method, rows) in enumerate(methods):
        label = f"{method} ({rows[0]['runs']} runs)"
        look = panels.line_look(rank, len(methods))
        across = [row["cells"] for row in rows]
        share = [row[f"within_{target}"] / row["runs"] for row in rows]
        axes.plot(across, share, label=label, drawstyle="steps-post", **look)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f}%")
    panels.name_axes(axes, "cells trained", "")
    panels.legend(axes, loc="lower right")
