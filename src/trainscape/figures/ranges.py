"""Learning-rate range tests: one figure per optimizer, one line per batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import seaborn as sns
from matplotlib.ticker import LogLocator, NullFormatter

from trainscape.analysis import RangeCurve, Row
from trainscape.figures.curves import STYLES
from trainscape.figures.style import RC, canvas, panel
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

PANEL = (3.1, 2.1)  # inches
LEFT, RIGHT, BOTTOM, TOP = 0.6, 0.14, 0.46, 0.4
HEADROOM = 1.3  # what is shown beyond the curves' ends, as a factor

Limits = tuple[float, float, float, float]


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
    with mpl.rc_context(RC):
        figure = canvas(LEFT + PANEL[0] + RIGHT, BOTTOM + PANEL[1] + TOP)
        axes = panel(figure, LEFT, BOTTOM, *PANEL)
        _frame(axes, limits)
        palette = sns.color_palette("colorblind", max(6, len(tests)))
        best = [row["best_lr"] for row in tests]
        for rank, row in enumerate(tests):
            curve = known[row["digest"]]
            axes.plot(
                curve.rates[curve.first :],
                curve.losses[curve.first :],
                color=palette[rank],
                linewidth=1.4,
                linestyle=(0, STYLES[rank % len(STYLES)] or None),
                label=str(row["batch_size"]),
            )
            _marks(axes, row, curve, palette[rank], best[:rank].count(row["best_lr"]))
        _words(figure, axes, optimizer)
    return figure


def _marks(
    axes: Axes, row: Row, curve: RangeCurve, colour: tuple[float, float, float], below: int
) -> None:
    """A dot at the suggestion, and a triangle for the grid's best above ``below`` other ones."""
    if row["suggestion"] is not None:
        height = curve.losses[curve.rates.index(row["suggestion"])]
        axes.plot([row["suggestion"]], [height], "o", color=colour, markersize=5, zorder=3)
    if row["best_lr"] is not None:
        height = 0.03 + 0.05 * below  # in shares of the panel
        upwards = axes.get_xaxis_transform()
        axes.plot([row["best_lr"]], [height], "^", color=colour, markersize=5.5, transform=upwards)


def _words(figure: Picture, axes: Axes, title: str) -> None:
    axes.legend(
        loc="lower left",
        title="batch size",
        title_fontsize=7.5,
        handlelength=1.8,
        borderpad=0.1,
        labelspacing=0.25,
    )
    across, up = figure.get_size_inches()
    place = (0.12 / across, 1 - 0.2 / up)
    figure.text(*place, title, fontweight="bold", fontsize=9.5, va="center")


def _frame(axes: Axes, limits: Limits) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if limits[2] > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: number(value))
    axes.axis(limits)
    axes.grid(True)
    axes.tick_params(length=0, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("learning rate", labelpad=2)
    axes.set_ylabel("training loss, smoothed", labelpad=3)


def _limits(tests: Sequence[Row], curves: Mapping[str, RangeCurve]) -> Limits:
    """What all figures of a workload show: of losses, a little beyond the starts and the minima."""
    own = [curves[row["digest"]] for row in tests]
    counting = [curve for curve in own if curve.minimum is not None]
    if not counting:
        return 0.1, 1.0, 0.1, 1.0
    left = min(curve.rates[curve.first] for curve in counting)
    right = max(curve.rates[-1] for curve in counting)
    low = min(min(curve.losses[curve.first :]) for curve in counting)
    high = max(curve.losses[curve.first] for curve in counting)
    if low > 0:
        return left / HEADROOM, right * HEADROOM, low / HEADROOM, high * HEADROOM
    margin = (HEADROOM - 1) * (high - low) or 1.0
    return left / HEADROOM, right * HEADROOM, low - margin, high + margin
