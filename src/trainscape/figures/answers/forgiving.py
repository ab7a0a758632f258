"""How far a learning rate may be off: the metric over rates, and which rates do as well."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE

from trainscape.analysis import metric
from trainscape.figures import panels
from trainscape.figures.answers import small
from trainscape.figures.answers.told import over_rates
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
BESIDE = (-0.085, -0.015)  # of the width: the line that a name at the left stands for
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
    over = over_rates(found)
    known = {name: over[name] for name in order if name in over}
    looks = {name: _look(order.index(name), len(order)) for name in known}
    figure, upper, lower = _panels(f"{workload}: how far the learning rate may be off", list(known))
    if not known:
        small.empty(upper, NONE)
        lower.set_axis_off()
        return figure
    rates = [rate["lr"] for own in known.values() for rate in own["rates"]]
    for axes in (upper, lower):
        axes.set_xscale("log")
        axes.set_xlim(min(rates) / 1.25, max(rates) * 1.25)
        panels.log_axis(axes, "x")
    better = 1 if judged.direction == "max" else -1
    for name, own in known.items():
        _line(upper, own["rates"], looks[name])
    _limits(upper, [own["rates"] for own in known.values()], found["margin"], better)
    panels.metric_marks(upper, judged)
    panels.heading(upper, f"validation {judged.name}, at the best batch size of each")
    _bars(lower, known, looks)
    panels.heading(lower, "rates within the margin of the best")
    panels.name_axes(lower, "learning rate", "")
    return figure


def _panels(title: str, names: Sequence[str]) -> tuple[Figure, Axes, Axes]:
    """Two panels under each other, with room for names at the left of the lower one."""
    left = max(0.62, 0.5 + LETTER * max(map(len, names), default=0))
    strip = ROW * max(1, len(names))
    size = max(left + WIDTH + 0.16, panels.title_width(title)), BOTTOM + strip + GAP + HEIGHT + TOP
    figure = panels.titled_figure(title, *size)
    upper = panels.place(figure, left, BOTTOM + strip + GAP, WIDTH, HEIGHT)
    lower = panels.place(figure, left, BOTTOM, WIDTH, strip)
    for axes in (upper, lower):
        axes.tick_params(length=0, which="both")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True)
        axes.set_axisbelow(True)
    return figure, upper, lower


def _look(rank: int, count: int) -> dict[str, Any]:
    return {**panels.line_look(rank, count), "linewidth": 1.3}


def _line(axes: Axes, rates: Sequence[Row], look: dict[str, Any]) -> None:
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
    known = [rate for line in lines for rate in line if rate["mean"] is not None]
    means = [better * rate["mean"] for rate in known]
    most = max(better * rate["most" if better > 0 else "least"] for rate in known)
    worst = max(min(means), max(means) - SHOWN * margin)
    room = 0.04 * (most - worst) or margin
    axes.set_ylim(*sorted((better * (worst - room), better * (most + room))))


def _bars(axes: Axes, known: Mapping[str, Row], looks: Mapping[str, Any]) -> None:
    """A bar from the lowest to the highest rate within the margin, the best rate marked."""
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_yticks(range(len(known)), list(known))
    axes.tick_params(axis="y", pad=24, labelcolor=MUTED)
    axes.grid(False, axis="y")
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for place, (name, own) in enumerate(known.items()):
        axes.plot(BESIDE, [place, place], **beside, **looks[name])
        if own["width"] is not None:
            _bar(axes, own, place, looks[name]["color"])


def _bar(axes: Axes, own: Row, place: int, color: str) -> None:
    """The rates within the margin; an arrow where the grid ends before they do."""
    width = own["width"]
    axes.plot(
        [width["low"], width["high"]],
        [place, place],
        color=color,
        linewidth=5,
        solid_capstyle="butt",
    )
    for end, mark in (("low", CARETLEFTBASE), ("high", CARETRIGHTBASE)):
        if width[f"open_{end}"]:
            axes.plot(width[end], place, marker=mark, color=color, markersize=7, clip_on=False)
    axes.plot(own["best"], place, "o", color=INK, markerfacecolor=PAPER, markersize=4.2)
