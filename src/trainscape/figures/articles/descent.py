"""Descents of a few parameters: their path over the function; rate, loss and weights by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm

from trainscape.analysis import Row, grouped
from trainscape.errors import UserError
from trainscape.figures import panels
from trainscape.figures.articles.limits import limits
from trainscape.figures.style import MUTED
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Heights = Callable[[NDArray[np.float64]], NDArray[np.float64]]

ACROSS = 81  # points at which the function is evaluated along each axis
LEVELS = 12  # contours


def path(title: str, rows: Sequence[Row], among: Sequence[Row], heights: Heights) -> Figure:
    """The parameters step by step: over the contours of two, along the curve of one.

    All panels, of all schedules, have the same axes.

    Args:
        title: stands above.
        rows: the paths of one workload and schedule; those of the first seed are drawn.
        among: the paths of all of the workload's schedules.
        heights: the function: from points (N, D) to values (N,).

    Raises:
        UserError: there are more than two parameters.
    """
    names = parameters(rows)
    if len(names) > 2:
        raise UserError(
            f"figures: 'path' draws one or two parameters, {rows[0]['workload']!r} has "
            f"{len(names)}; remove it"
        )
    drawn = [row for row in rows if row["seed"] == rows[0]["seed"]]
    visited = _points([row for row in among if row["seed"] == rows[0]["seed"]], names)
    groups = grouped(sorted(drawn, key=lambda row: row["lr"]), ("batch_size", "lr"))
    labels = list(dict.fromkeys(row["optimizer"] for row in drawn))
    right = panels.legend_width(labels)
    figure, made = panels.make(title, len(groups), (3.6, 2.4), columns=2, right=right)
    for axes, group in zip(made, groups, strict=True):
        (_contours if len(names) == 2 else _curve)(axes, visited, heights)
        for run in grouped(group, ("optimizer",)):
            points = _points(run, names)
            up = points[:, 1] if len(names) == 2 else heights(points)
            rank = labels.index(run[0]["optimizer"])
            look = {**panels.line_look(rank, len(labels)), "linestyle": "-", "linewidth": 1.1}
            axes.plot(points[:, 0], up, marker="o", markersize=2.4, label=labels[rank], **look)
        panels.heading(axes, f"lr {number(group[0]['lr'])}")
    panels.legend(made[min(len(made), 2) - 1])
    return figure


def parameters(rows: Sequence[Row]) -> list[str]:
    """The columns that hold parameters of these rows, in order.

    Another workload of the study may have more of them: its columns are empty here.
    """
    columns = [name for name in rows[0] if name[1:].isdigit()]
    return [name for name in columns if any(row[name] is not None for row in rows)]


def _points(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float64]:
    """The parameters after each step, without steps after which one is not a finite number."""
    points: NDArray[np.float64] = np.array([[r[name] for name in names] for r in rows], dtype=float)
    return points[np.isfinite(points).all(axis=1)]


def _axis_points(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evenly spaced points over 99% of ``values`` and a margin: runaways are cut off."""
    low, high = np.quantile(values, (0.005, 0.995))
    margin = 0.12 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, ACROSS)


def _contours(axes: Axes, visited: NDArray[np.float64], heights: Heights) -> None:
    """The function of two parameters, over what was visited."""
    x, y = _axis_points(visited[:, 0]), _axis_points(visited[:, 1])
    points = np.stack(np.meshgrid(x, y), axis=-1)
    z = heights(points.reshape(-1, 2)).reshape(ACROSS, ACROSS)
    z = z - z.min() + 1e-6 * (z.max() - z.min())  # above 0, for logarithmic levels
    levels = np.geomspace(z.max() / 1e4, z.max(), LEVELS)
    axes.contour(x, y, z, levels, colors=[MUTED], linewidths=0.6, alpha=0.6, norm=LogNorm())
    axes.grid(False)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    panels.name_axes(axes, "w0", "w1")


def _curve(axes: Axes, visited: NDArray[np.float64], heights: Heights) -> None:
    """The function of one parameter, over what was visited."""
    x = _axis_points(visited[:, 0])
    up = heights(x[:, None])
    axes.plot(x, up, color=MUTED, linewidth=0.9)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(*limits(up))
    panels.name_axes(axes, "w", "loss")


def decay(title: str, rows: Sequence[Row], among: Sequence[Row]) -> Figure:
    """Rate, loss and parameters after each step, one line per schedule and lr.

    The axes are the same for all optimizers, and those of parameters for all parameters.

    Args:
        title: stands above.
        rows: those of one workload and optimizer.
        among: those of all of the workload's optimizers.
    """
    names = parameters(rows)
    titles = {"rate": "learning rate", "loss": "loss"} | {
        name: "w" if len(names) == 1 else name for name in names
    }
    runs = grouped(rows, ("batch_size", "lr", "schedule"))
    labels = [_label(run[0], runs) for run in runs]
    right = panels.legend_width(labels)
    figure, made = panels.make(title, len(titles), (2.5, 2.2), right=right)
    for axes, (name, words) in zip(made, titles.items(), strict=True):
        for rank, run in enumerate(runs):
            look: dict[str, Any] = panels.line_look(rank, len(runs))
            axes.plot([r["step"] for r in run], [r[name] for r in run], label=labels[rank], **look)
        log = name in ("rate", "loss")
        alike = [name] if log else names
        axes.set_xlim(*limits(row["step"] for row in among))
        axes.set_ylim(*limits((row[one] for row in among for one in alike), log=log))
        if log:
            panels.log_axis(axes, "y")
        panels.name_axes(axes, "step", "")
        panels.heading(axes, f"{words} after the step")
    panels.legend(made[-1])
    return figure


def _label(row: Row, runs: Sequence[Sequence[Row]]) -> str:
    """The schedule, and the lr where there is more than one."""
    several = len({run[0]["lr"] for run in runs}) > 1
    return f"{row['schedule']}, lr {number(row['lr'])}" if several else str(row["schedule"])
