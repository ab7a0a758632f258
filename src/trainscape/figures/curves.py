"""Learning curves, one panel per batch size.

With a validation split a line shows each schedule at its best learning rate; without one, where
nothing is selected, every learning rate of one schedule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import seaborn as sns

from trainscape.analysis import Row, best, frame, grouped, key, metric
from trainscape.figures import panels
from trainscape.figures.articles.limits import limits
from trainscape.figures.values import number, ticks

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
        histories: the rows of the validation split's curves, by :func:`key` of their cell.
    """
    schedules = list(dict.fromkeys(row["schedule"] for row in cells))
    judged = metric(cells[0]["workload"])
    drawn = chosen(cells)
    found = [point["metric"] for row in drawn for point in histories[key(row)]]
    limits = _limits(found, judged.direction)
    figure, made = _panels(title, cells)
    for size, axes in made.items():
        shown = [cell for cell in drawn if cell["batch_size"] == size]
        for cell in shown:
            look = panels.line_look(schedules.index(cell["schedule"]), len(schedules))
            name = f"{cell['schedule']}, lr {number(cell['lr'])}"
            _line(axes, histories[key(cell)], "metric", name, look)
        if not shown:
            panels.nothing_to_show(axes)
        _set_axes(axes, judged, limits)
        panels.legend(axes, loc="lower right" if judged.direction == "max" else "upper right")
    _name_axes(list(made.values()), f"validation {judged.name}")
    return figure


def loss_curves_figure(
    title: str,
    cells: Sequence[Row],
    among: Sequence[Row],
    histories: Mapping[tuple[object, ...], list[Row]],
) -> Figure:
    """The training loss against epochs of every learning rate: nothing is selected.

    All panels, of all optimizers and schedules, have the same axes.

    Args:
        title: stands above.
        cells: the summary rows of one workload, optimizer and schedule.
        among: those of all of the workload's optimizers and schedules.
        histories: the rows of the training split's curves, by :func:`key` of their cell.
    """
    rates = sorted({row["lr"] for row in cells})
    names = [f"lr {label}" for label in ticks(rates)]
    looks = [panels.line_look(rank, len(rates)) for rank in range(len(rates))]
    points = [point for row in among for point in histories.get(key(row), ())]
    losses = [point["loss"] for point in points]
    figure, made = _panels(title, cells, right=panels.legend_width(names))
    for size, axes in made.items():
        own = [row for row in cells if row["batch_size"] == size and key(row) in histories]
        for cell in own:
            _line(axes, histories[key(cell)], "loss", None, looks[rates.index(cell["lr"])])
        if not own:
            panels.nothing_to_show(axes)
        axes.set_xlim(*limits(point["epoch"] for point in points))
        axes.set_ylim(*_limits(losses, "min"))
        if losses and min(losses) > 0:
            panels.log_axis(axes, "y")
    last = list(made.values())[:COLUMNS][-1]  # of the first row, where there is room beside it
    for name, look in zip(names, looks, strict=True):
        last.plot([], [], label=name, **look)  # a rate may have no line in this panel
    panels.legend(last)
    _name_axes(list(made.values()), "training loss")
    return figure


def _panels(
    title: str, cells: Sequence[Row], right: float = panels.MARGIN["right"]
) -> tuple[Figure, dict[int, Axes]]:
    """A figure with a panel for each batch size."""
    sizes = sorted({row["batch_size"] for row in cells})
    figure, made = panels.make(
        title, len(sizes), (2.3, 1.55), columns=COLUMNS, gap=(0.22, 0.5), right=right
    )
    for axes, size in zip(made, sizes, strict=True):
        panels.heading(axes, f"batch size {size}")
    return figure, dict(zip(sizes, made, strict=True))


def _name_axes(made: Sequence[Axes], value: str) -> None:
    """Name the axes of the panels at the left and at the bottom, against epochs."""
    for index, axes in enumerate(made):
        leftmost, lowest = index % COLUMNS == 0, index + COLUMNS >= len(made)
        axes.tick_params(labelleft=leftmost)
        panels.name_axes(axes, "epochs" if lowest else "", value if leftmost else "")


def _line(
    axes: Axes, history: Sequence[Row], value: str, label: str | None, look: Mapping[str, Any]
) -> None:
    """The seeds' mean of a column against epochs, in a band from the least to the most."""
    sns.lineplot(
        frame(history, ("epoch", value)),
        x="epoch",
        y=value,
        ax=axes,
        errorbar=("pi", 100),  # from the least to the most
        err_kws={"alpha": 0.22, "linewidth": 0},
        label=label,
        legend=False,
        **look,
    )


def _set_axes(axes: Axes, judged: Metric, limits: tuple[float, float]) -> None:
    axes.set_ylim(*limits)
    if judged.direction == "min" and limits[0] > 0:
        panels.log_axis(axes, "y")
    panels.metric_marks(axes, judged)


def _limits(values: Sequence[float], better: str) -> tuple[float, float]:
    """The range shown, without the poorest evaluations; ``better`` is ``max`` or ``min``."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if better == "max":
        low = max(low, float(np.quantile(values, POOREST)))
    else:
        high = min(high, float(np.quantile(values, 1 - POOREST)))
    margin = 0.04 * (high - low) or 0.05 * (abs(high) or 1.0)
    bottom = low - margin if low <= 0 or better == "max" else low * 0.96
    return bottom, high + margin
