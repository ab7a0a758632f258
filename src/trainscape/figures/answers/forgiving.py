"""How far a learning rate may be off: the metric over rates, and which rates do as well."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from trainscape.analysis import metric
from trainscape.figures import panels
from trainscape.figures.answers import small
from trainscape.figures.style import INK, MUTED, PAPER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Row

WIDTH, HEIGHT = 3.2, 1.75  # inches of the upper panel
ROW, GAP = 0.23, 0.34
BOTTOM, TOP = 0.42, 0.56
LETTER = 0.076
SHOWN = 16  # margins below the best: what is worse is cut off, so that good rates differ
NONE = "no optimizer has a setting without failures"


def safe_rate(workload: str, found: Mapping[str, Any], order: Sequence[str]) -> Figure:
    """The validation metric over rates, a line an optimizer; below, the rates within the margin.

    Each optimizer is shown at its best batch size, each rate with its best schedule. Bands span the
    seeds. A bar with an arrow goes on beyond the rates of the grid.

    Args:
        workload: its name.
        found: as :mod:`trainscape.answers` makes it.
        order: of the optimizers: a colour each.
    """
    judged = metric(workload)
    known = {row["optimizer"]: row["forgiving"]["over"] for row in found["optimizers"]}
    names = [name for name in order if known.get(name)]
    left = max(0.62, 0.46 + LETTER * max(map(len, names), default=0))
    strip = ROW * max(1, len(names))
    size = left + WIDTH + 0.16, BOTTOM + strip + GAP + HEIGHT + TOP
    figure = panels.titled_figure(f"{workload}: how far the learning rate may be off", *size)
    upper = panels.place(figure, left, BOTTOM + strip + GAP, WIDTH, HEIGHT)
    lower = panels.place(figure, left, BOTTOM, WIDTH, strip)
    for axes in (upper, lower):
        axes.tick_params(length=0, which="both")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True)
        axes.set_axisbelow(True)
    if not names:
        small.empty(upper, NONE)
        lower.set_axis_off()
        return figure
    rates = [rate["lr"] for name in names for rate in known[name]["rates"]]
    for axes in (upper, lower):
        axes.set_xscale("log")
        axes.set_xlim(min(rates) / 1.25, max(rates) * 1.25)
        panels.log_axis(axes, "x")
    looks = {name: _look(order.index(name), len(order)) for name in names}
    better = 1 if judged.direction == "max" else -1
    for name in names:
        _line(upper, known[name]["rates"], looks[name], better)
    _limits(upper, [known[name]["rates"] for name in names], found["margin"], better)
    panels.metric_marks(upper, judged)
    panels.heading(upper, f"validation {judged.name}, at the best batch size of each")
    _bars(lower, {name: known[name] for name in names}, looks, better)
    panels.heading(lower, "rates within the margin of the best")
    panels.name_axes(lower, "learning rate", "")
    return figure


def _look(rank: int, count: int) -> dict[str, Any]:
    return {**panels.line_look(rank, count), "linewidth": 1.3}


def _line(axes: Axes, rates: Sequence[Row], look: dict[str, Any], better: int) -> None:
    """Mean and span over the seeds; a gap where trials diverged."""
    for stretch in _stretches(rates):
        lrs = [rate["lr"] for rate in stretch]
        axes.plot(lrs, [rate["mean"] for rate in stretch], marker="o", markersize=3, **look)
        least, most = ([rate[end] for rate in stretch] for end in ("least", "most"))
        axes.fill_between(lrs, least, most, color=look["color"], alpha=0.13, linewidth=0)


def _stretches(rates: Sequence[Row]) -> list[list[Row]]:
    """Neighbouring rates with a value."""
    found: list[list[Row]] = []
    for before, rate in pairwise([{"mean": None}, *rates]):
        if rate["mean"] is not None:
            if before["mean"] is None:
                found.append([])
            found[-1].append(rate)
    return found


def _limits(axes: Axes, lines: Sequence[Sequence[Row]], margin: float, better: int) -> None:
    """From the best to so many margins below it, or to the worst if that is nearer."""
    means = [better * rate["mean"] for line in lines for rate in line if rate["mean"] is not None]
    most = [
        better * (rate["most"] if better > 0 else rate["least"])
        for line in lines
        for rate in line
        if rate["mean"] is not None
    ]
    worst = max(min(means), max(means) - SHOWN * margin)
    room = 0.04 * (max(most) - worst) or margin
    axes.set_ylim(*sorted((better * (worst - room), better * (max(most) + room))))


def _bars(axes: Axes, known: Mapping[str, Row], looks: Mapping[str, Any], better: int) -> None:
    """A bar from the lowest to the highest rate within the margin, the best rate marked."""
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_yticks(range(len(known)), list(known))
    axes.grid(False, axis="y")
    low, high = axes.get_xlim()
    for place, (name, own) in enumerate(known.items()):
        look = looks[name]
        axes.plot(
            [-0.085, -0.015],
            [place, place],
            transform=axes.get_yaxis_transform(),
            clip_on=False,
            **look,
        )
        if own["low"] is None:
            continue
        ends = [own["low"], own["high"]]
        axes.plot(ends, [place, place], color=look["color"], linewidth=5, solid_capstyle="butt")
        for end, opened, marker, edge in (
            (own["low"], own["open_low"], "<", low),
            (own["high"], own["open_high"], ">", high),
        ):
            if opened:
                axes.plot(end, place, marker, color=look["color"], markersize=8, clip_on=False)
        best = max(
            (rate for rate in own["rates"] if rate["mean"] is not None),
            key=lambda rate: better * rate["mean"],
        )
        axes.plot(best["lr"], place, "o", color=INK, markerfacecolor=PAPER, markersize=4.2)
    axes.tick_params(axis="y", pad=24, labelcolor=MUTED)
