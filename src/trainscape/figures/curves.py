"""Learning curves: one panel per batch size, one line per schedule at its best learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import seaborn as sns

from trainscape.analysis import Row, best, frame, grouped, key, metric
from trainscape.figures import panels
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.workloads import Metric

COLUMNS = 2
POOREST = 0.05  # of the evaluations: the first ones must not flatten all that follows


def chosen(cells: Sequence[Row]) -> list[Row]:
    """The cells that are drawn: for each batch size and schedule the best lr by validation."""
    groups = grouped(cells, ("batch_size", "schedule"))
    return [row for row in map(best, groups) if row is not None]


def curves_figure(
    title: str, cells: Sequence[Row], histories: Mapping[tuple[object, ...], list[Row]]
) -> Figure:
    """The validation metric against epochs: the seeds' mean in a band from the least to the most.

    Args:
        title: the optimizer's label.
        cells: the summary rows of one workload and optimizer.
        histories: the rows of the curves, by :func:`key` of their cell.
    """
    sizes = sorted({row["batch_size"] for row in cells})
    schedules = list(dict.fromkeys(row["schedule"] for row in cells))
    judged = metric(cells[0]["workload"])
    drawn = chosen(cells)
    limits = _limits([p["val_metric"] for row in drawn for p in histories[key(row)]], judged)
    figure, made = panels.make(title, len(sizes), (2.3, 1.55), columns=COLUMNS, gap=(0.22, 0.5))
    for index, (axes, size) in enumerate(zip(made, sizes, strict=True)):
        panels.heading(axes, f"batch size {size}")
        shown = [cell for cell in drawn if cell["batch_size"] == size]
        for cell in shown:
            _line(axes, cell, histories[key(cell)], schedules)
        if not shown:
            panels.nothing_to_show(axes)
        _set_axes(axes, judged, limits)
        leftmost, lowest = index % COLUMNS == 0, index + COLUMNS >= len(sizes)
        axes.tick_params(labelleft=leftmost)
        panels.name_axes(
            axes, "epochs" if lowest else "", f"validation {judged.name}" if leftmost else ""
        )
        panels.legend(axes, loc="lower right" if judged.direction == "max" else "upper right")
    return figure


def _line(axes: Axes, cell: Row, history: Sequence[Row], schedules: Sequence[str]) -> None:
    look = panels.line_look(schedules.index(cell["schedule"]), len(schedules))
    sns.lineplot(
        frame(history, ("epoch", "val_metric")),
        x="epoch",
        y="val_metric",
        ax=axes,
        errorbar=("pi", 100),  # from the least to the most
        err_kws={"alpha": 0.22, "linewidth": 0},
        label=f"{cell['schedule']}, lr {number(cell['lr'])}",
        **look,
    )


def _set_axes(axes: Axes, judged: Metric, limits: tuple[float, float]) -> None:
    axes.set_ylim(*limits)
    if judged.direction == "min" and limits[0] > 0:
        panels.log_axis(axes, "y")
    panels.metric_marks(axes, judged)


def _limits(values: Sequence[float], judged: Metric) -> tuple[float, float]:
    """The range shown, without the poorest evaluations."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if judged.direction == "max":
        low = max(low, float(np.quantile(values, POOREST)))
    else:
        high = min(high, float(np.quantile(values, 1 - POOREST)))
    margin = 0.04 * (high - low) or 0.05 * (abs(high) or 1.0)
    bottom = low - margin if low <= 0 or judged.direction == "max" else low * 0.96
    return bottom, high + margin
