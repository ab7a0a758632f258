"""Learning-rate range tests: one figure per optimizer, one line per batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import RangeCurve, Row
from trainscape.figures import panels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

HEADROOM = 1.3  # how far the axes go beyond the curves' ends, as a factor

Limits = tuple[float, float, float, float]  # least and highest rate, least and highest loss


def ranges_figure(
    optimizer: str, tests: Sequence[Row], curves: Mapping[str, RangeCurve]
) -> Picture:
    """The smoothed loss against the rate, both axes logarithmic where every loss is above zero.

    Args:
        optimizer: its label; its tests are drawn.
        tests: the range tests of one workload, whose figures share their axes.
        curves: the tests' curves, by digest; those that end too early may be missing.
    """
    none = RangeCurve([], [], 0)
    known = {row["digest"]: curves.get(row["digest"], none) for row in tests}
    limits, tests = _limits(tests, known), [row for row in tests if row["optimizer"] == optimizer]
    figure, (axes,) = panels.make(optimizer, size=(3.1, 2.1), top=panels.NARROW_TOP)
    best = [row["best_lr"] for row in tests]
    for rank, row in enumerate(tests):
        curve = known[row["digest"]]
        rates, losses = curve.rates[curve.first :], curve.losses[curve.first :]
        look = panels.line_look(rank, len(tests))
        axes.plot(rates, losses, label=str(row["batch_size"]), **look)
        _mark(axes, row, curve, look["color"], best[:rank].count(row["best_lr"]))
    axes.axis(limits)
    panels.log_axis(axes, "x")
    if limits[2] > 0:
        panels.log_axis(axes, "y")
    panels.name_axes(axes, "learning rate", "training loss, smoothed")
    panels.legend(axes, loc="lower left", title="batch size", title_fontsize=7.5)
    return figure


def _mark(axes: Axes, row: Row, curve: RangeCurve, colour: str, below: int) -> None:
    """A dot at the suggestion, and a triangle for the grid's best above ``below`` other ones."""
    if row["suggestion"] is not None:
        height = curve.losses[curve.rates.index(row["suggestion"])]
        axes.plot([row["suggestion"]], [height], "o", color=colour, markersize=5, zorder=3)
    if row["best_lr"] is not None:
        height = 0.03 + 0.05 * below  # in shares of the panel
        upwards = axes.get_xaxis_transform()
        axes.plot([row["best_lr"]], [height], "^", color=colour, markersize=5.5, transform=upwards)


def _limits(tests: Sequence[Row], curves: Mapping[str, RangeCurve]) -> Limits:
    """What all figures of a workload show: losses a little beyond the starts and the minima."""
    found = [curves[row["digest"]] for row in tests]
    usable = [curve for curve in found if curve.minimum is not None]
    if not usable:
        return 0.1, 1.0, 0.1, 1.0
    left = min(curve.rates[curve.first] for curve in usable)
    right = max(curve.rates[-1] for curve in usable)
    low = min(min(curve.losses[curve.first :]) for curve in usable)
    high = max(curve.losses[curve.first] for curve in usable)
    if low > 0:
        return left / HEADROOM, right * HEADROOM, low / HEADROOM, high * HEADROOM
    margin = (HEADROOM - 1) * (high - low) or 1.0
    return left / HEADROOM, right * HEADROOM, low - margin, high + margin
