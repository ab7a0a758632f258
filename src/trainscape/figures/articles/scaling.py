"""Which rule relates the best learning rate to the batch size: exponents beside the rules' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import ALL, RULES, Row
from trainscape.figures import panels
from trainscape.figures.style import INK, MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 0.17  # inches for one optimizer and schedule
ARROW = 0.4  # of α: how far the line to a missing bound goes


def lr_scaling(title: str, rows: Sequence[Row]) -> Figure:
    """The exponent α of lr ∝ batch^α with its interval, by optimizer and schedule.

    A square is the mean over the schedules. Dotted lines are the rules of thumb. A hollow point has
    best rates at the end of the axis; an arrow stands where they leave α without a bound.

    Args:
        title: stands above.
        rows: those of one workload.
    """
    optimizers = list(dict.fromkeys(row["optimizer"] for row in rows))
    schedules = list(dict.fromkeys(row["schedule"] for row in rows))
    pitch = LINE * (len(schedules) + 1)
    size = 3.9, max(1.0, pitch * len(optimizers))
    figure, (axes,) = panels.make(
        title,
        size=size,
        left=panels.legend_width(optimizers) - 0.3,
        right=panels.legend_width(schedules),
    )
    _rules(axes)
    for row in rows:
        if row["exponent"] is not None:
            rank = schedules.index(row["schedule"])
            y = optimizers.index(row["optimizer"]) + (rank + 1) / (len(schedules) + 1)
            mean = row["schedule"] == ALL
            color = INK if mean else panels.line_look(rank, len(schedules))["color"]
            label = row["schedule"] if row["optimizer"] == optimizers[0] else None
            _interval(axes, row, y, color)
            axes.plot(
                row["exponent"],
                y,
                "s" if mean else "o",
                markersize=4,
                color=color,
                fillstyle="none" if row["edges"] else "full",
                label=label,
            )
    axes.set_yticks([i + 0.5 for i in range(len(optimizers))], optimizers)
    axes.set_ylim(len(optimizers), 0)
    axes.grid(False)
    panels.name_axes(axes, "α of best lr ∝ batch size^α", "")
    panels.legend(axes)
    return figure


def _interval(axes: Axes, row: Row, y: float, color: str) -> None:
    """A line from bound to bound; an arrow where there is none."""
    for bound, sign, arrow in (("low", -1, "<"), ("high", 1, ">")):
        known = row[bound] is not None
        end = row[bound] if known else row["exponent"] + sign * ARROW
        axes.plot([row["exponent"], end], [y, y], color=color, linewidth=1.5)
        if not known:
            axes.plot(end, y, arrow, color=color, markersize=4)


def _rules(axes: Axes) -> None:
    """A dotted line for every rule of thumb, with its name above."""
    for name, exponent in RULES.items():
        axes.axvline(exponent, color=MUTED, linestyle=":", linewidth=1.1)
        axes.annotate(
            name,
            (exponent, 1.01),
            xycoords=("data", "axes fraction"),
            fontsize=7.5,
            color=MUTED,
            ha="center",
            va="bottom",
        )
