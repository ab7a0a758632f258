"""How the best learning rate follows the batch size: a panel an optimizer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from trainscape.analysis import ALL, RULES, Row
from trainscape.figures import panels
from trainscape.figures.answers import small
from trainscape.figures.answers.told import alpha
from trainscape.figures.style import INK, MUTED, PAPER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Points = list[tuple[float, float]]

ROOM = 1.6  # factor of the rate above and below the points
LEAST = 12.0  # factor that an axis of rates spans at least
OPEN = {"highest": "^", "lowest": "v"}
RULE = "rules: linear, square root, none, inverse"


def lr_scaling(title: str, rows: Sequence[Row], rates: Sequence[Row]) -> Figure:
    """The best lr of each batch size and schedule, and the line that α gives, by optimizer.

    All panels span the same factor of rates, so that slopes can be compared. An open triangle is a
    best rate at an end of the axis: the true one may lie beyond. Dotted lines have the slopes of
    the rules of thumb.

    Args:
        title: stands above.
        rows: of :func:`trainscape.analysis.scaling`, of one workload.
        rates: of :func:`trainscape.analysis.best_rates`, of the same.
    """
    optimizers = list(dict.fromkeys(row["optimizer"] for row in rows))
    schedules = list(dict.fromkeys(row["schedule"] for row in rows if row["schedule"] != ALL))
    labels = [*schedules, "batch^α", RULE]
    figure, every = small.each(title, optimizers, labels)
    span = max([LEAST, *(_span(_of(rates, name)) for name in optimizers)]) * ROOM**2
    for axes, name in zip(every, optimizers, strict=False):
        own = _of(rates, name)
        chosen = _one(_of(rows, name))
        small.heading(axes, name, alpha(chosen))
        if not own:
            small.empty(axes, "fewer than two\nbatch sizes")
            continue
        _panel(axes, own, schedules, span)
        _line(axes, own, chosen)
    small.name(every, "batch size", "best lr")
    handles = [_mark(rank, len(schedules)) for rank in range(len(schedules))]
    handles += [Line2D([], [], color=INK, linewidth=1.6)]
    handles += [Line2D([], [], color=MUTED, linestyle=":", linewidth=1)]
    small.legend(figure, handles, labels)
    return figure


def _of(rows: Sequence[Row], optimizer: str) -> list[Row]:
    return [row for row in rows if row["optimizer"] == optimizer]


def _one(rows: Sequence[Row]) -> Row:
    """The row over all schedules, or that of the only one that has an exponent."""
    known = [row for row in rows if row["exponent"] is not None]
    return next((row for row in rows if row["schedule"] == ALL), (known or list(rows))[0])


def _span(rates: Sequence[Row]) -> float:
    """The highest of rates over the lowest."""
    values = [row["lr"] for row in rates]
    return float(max(values) / min(values)) if values else 1.0


def _middle(values: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def _mark(rank: int, count: int) -> Line2D:
    look = {**panels.line_look(rank, count), "linewidth": 0.8}
    return Line2D([], [], marker="o", markersize=3.4, **look)


def _panel(axes: Axes, rates: Sequence[Row], schedules: Sequence[str], span: float) -> None:
    """Points by schedule, and the slopes of the rules of thumb behind them."""
    small.sizes(axes, sorted({row["batch_size"] for row in rates}))
    values = [row["lr"] for row in rates]
    middle = math.sqrt(min(values) * max(values))
    axes.set_yscale("log")
    axes.set_ylim(middle / math.sqrt(span), middle * math.sqrt(span))
    small.log_marks(axes, "y")
    _rules(axes, rates)
    for rank, schedule in enumerate(schedules):
        own = [row for row in rates if row["schedule"] == schedule]
        if own:
            _points(axes, own, {**panels.line_look(rank, len(schedules)), "linewidth": 0.8})


def _points(axes: Axes, rates: Sequence[Row], look: dict[str, Any]) -> None:
    """The best rates of one schedule, those at an end of the axis as open triangles."""
    points = [(row["batch_size"], row["lr"]) for row in rates]
    inside = [number for number, row in enumerate(rates) if not row["side"]]
    axes.plot(*zip(*points, strict=True), marker="o", markersize=3.2, markevery=inside, **look)
    for side, marker in OPEN.items():
        ended = [point for point, row in zip(points, rates, strict=True) if row["side"] == side]
        if ended:
            style = {"color": look["color"], "markersize": 5, "markerfacecolor": PAPER}
            axes.plot(*zip(*ended, strict=True), marker, **style)


def _rules(axes: Axes, rates: Sequence[Row]) -> None:
    """A dotted line of each rule's slope through the middle of the points."""
    ends = axes.get_xlim()
    lines = [(ends, _through(rates, slope, ends)) for slope in RULES.values()]
    xs = [x for line, _ in lines for x in (*line, math.nan)]
    ys = [y for _, line in lines for y in (*line, math.nan)]
    axes.plot(xs, ys, ":", color=MUTED, linewidth=0.8, alpha=0.7, zorder=1)


def _line(axes: Axes, rates: Sequence[Row], row: Row) -> None:
    """What α says: a line through the middle of the points."""
    if row["exponent"] is not None:
        sizes = [rate["batch_size"] for rate in rates]
        ends = min(sizes), max(sizes)
        heights = _through(rates, row["exponent"], ends)
        axes.plot(ends, heights, color=INK, linewidth=1.6, solid_capstyle="butt")


def _through(rates: Sequence[Row], slope: float, sizes: Sequence[float]) -> list[float]:
    """The rates at batch sizes, on a line of a slope through the middle of the points."""
    centre = _middle([rate["batch_size"] for rate in rates])
    middle = _middle([rate["lr"] for rate in rates])
    return [middle * (size / centre) ** slope for size in sizes]
