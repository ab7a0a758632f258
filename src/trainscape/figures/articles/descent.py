"""Descents of a few parameters: the way over the function, and rate, loss and weight by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm

from trainscape.analysis import Row, grouped
from trainscape.errors import UserError
from trainscape.figures import panels
from trainscape.figures.style import MUTED
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Heights = Callable[[NDArray[np.float64]], NDArray[np.float64]]

ACROSS = 81  # points of the function along each axis
LEVELS = 12


def path(title: str, rows: Sequence[Row], heights: Heights) -> Figure:
    """The way of the parameters: over contours if they are two, along the curve if it is one.

    Args:
        title: stands above.
        rows: paths of one workload and schedule; the first seed's are drawn.
        heights: the function: points (N, D) to values (N,).

    Raises:
        UserError: there are more than two parameters.
    """
    names = parameters(rows)
    if len(names) > 2:
        raise UserError(
            f"figures: 'path' draws one or two parameters, {rows[0]['workload']!r} has "
            f"{len(names)}; remove it"
        )
    own = [row for row in rows if row["seed"] == rows[0]["seed"]]
    groups = grouped(sorted(own, key=lambda row: row["lr"]), ("batch_size", "lr"))
    labels = list(dict.fromkeys(row["optimizer"] for row in own))
    right = panels.legend_width(labels)
    figure, made = panels.make(title, len(groups), (3.6, 2.4), columns=2, right=right)
    for axes, group in zip(made, groups, strict=True):
        (_contours if len(names) == 2 else _curve)(axes, own, heights)
        for run in grouped(group, ("optimizer",)):
            points = np.array([[row[name] for name in names] for row in run])
            seen = points[np.isfinite(points).all(1)]
            up = seen[:, 1] if len(names) == 2 else heights(seen)
            rank = labels.index(run[0]["optimizer"])
            look = {**panels.line_look(rank, len(labels)), "linestyle": "-", "linewidth": 1.1}
            axes.plot(seen[:, 0], up, marker="o", markersize=2.4, label=labels[rank], **look)
        panels.heading(axes, f"lr {number(group[0]['lr'])}")
    panels.legend(made[min(len(made), 2) - 1])
    return figure


def parameters(rows: Sequence[Row]) -> list[str]:
    """The columns that hold parameters, in order."""
    return [key for key in rows[0] if key[1:].isdigit()]


def _span(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """Points over the middle nine tenths of what was visited, and a margin: runaways are cut."""
    values = np.array([row[name] for row in rows])
    low, high = np.quantile(values, (0.005, 0.995))
    margin = 0.12 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, ACROSS)


def _contours(axes: Axes, rows: Sequence[Row], heights: Heights) -> None:
    x, y = (_span(rows, name) for name in parameters(rows))
    points = np.stack(np.meshgrid(x, y), axis=-1)
    z = heights(points.reshape(-1, 2)).reshape(ACROSS, ACROSS)
    z = z - z.min() + 1e-6 * (z.max() - z.min())  # above 0, for logarithmic levels
    levels = np.geomspace(z.max() / 1e4, z.max(), LEVELS)
    axes.contour(x, y, z, levels, colors=[MUTED], linewidths=0.6, alpha=0.6, norm=LogNorm())
    axes.grid(False)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    panels.name_axes(axes, "w0", "w1")


def _curve(axes: Axes, rows: Sequence[Row], heights: Heights) -> None:
    x = _span(rows, parameters(rows)[0])
    axes.plot(x, heights(x[:, None]), color=MUTED, linewidth=0.9)
    panels.name_axes(axes, "w", "loss")


def decay(title: str, rows: Sequence[Row]) -> Figure:
    """Rate, loss and parameters after each step, one line per schedule and lr.

    Args:
        title: stands above.
        rows: those of one workload and optimizer.
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
        if name in ("rate", "loss"):
            panels.log_axis(axes, "y")
        panels.name_axes(axes, "step", "")
        panels.heading(axes, f"{words} after the step")
    panels.legend(made[-1])
    return figure


def _label(row: Row, runs: Sequence[Sequence[Row]]) -> str:
    """The schedule, and the lr where there is more than one."""
    several = len({run[0]["lr"] for run in runs}) > 1
    return f"{row['schedule']}, lr {number(row['lr'])}" if several else str(row["schedule"])
