"""Axes and scales that several charts share: learning rates, batch sizes, a metric, optimizers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import altair as alt

from trainscape.charts._chart import colours, on, shapes
from trainscape.figures.values import score, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.workloads import Metric

MARKS = (1, 2, 5)  # of a decade
FACTOR = 10.0  # values that span it are shown on a logarithmic scale
AIR = 0.04  # of an axis' length, beyond what is drawn
LINE = 13  # CSS pixels from a name to the next


def logarithmic(name: str, title: str, marks: Sequence[float], room: float) -> alt.X:
    """A logarithmic axis to the right, with a mark at each value of the grid.

    Args:
        name: of the column.
        title: stands below.
        marks: rising.
        room: factor that the axis goes on beyond the marks.
    """
    axis = alt.Axis(
        values=list(marks),
        labelExpr=_named(marks, ticks(marks)),
        labelOverlap="greedy",
        grid=False,
    )
    domain = [marks[0] / room, marks[-1] * room]
    scale = alt.Scale(type="log", domain=domain, nice=False)
    return alt.X(f"{name}:Q", title=title, scale=scale, axis=axis)


def rising(name: str, title: str, ends: Sequence[float] = ()) -> alt.Y:
    """A logarithmic axis upwards with marks at 1, 2 and 5.

    Args:
        name: of the column.
        title: stands beside it.
        ends: of the axis; without them it is as long as what is shown.
    """
    first = "slice(format(datum.value, 'e'), 0, 1)"
    marked = f"indexof({[str(mark) for mark in MARKS]}, {first}) >= 0"
    small, large = "format(datum.value, '.0e')", "format(datum.value, '.3~s')"
    usual = f"datum.value < 1000 ? format(datum.value, '.3~r') : {large}"
    axis = alt.Axis(
        labelExpr=f"{marked} ? (datum.value < 0.001 ? {small} : {usual}) : ''",
        gridOpacity=alt.condition(marked, alt.value(1), alt.value(0)),
        tickOpacity=alt.condition(marked, alt.value(1), alt.value(0)),
        tickCount=6,
    )
    scale = alt.Scale(type="log", nice=False, domain=list(ends) if ends else alt.Undefined)
    return alt.Y(f"{name}:Q", title=title, scale=scale, axis=axis)


def no_change(margin: float) -> list[alt.Chart]:
    """The band that counts as no difference, and zero: layers behind differences."""
    band = on([{"low": -margin, "high": margin}]).mark_rect(color="var(--band)")
    zero = on([{"at": 0}]).mark_rule(color="var(--muted)")
    return [band.encode(x="low:Q", x2="high:Q"), zero.encode(x="at:Q")]


def across(base: alt.Chart, y: alt.Y, size: float, tips: Sequence[alt.Tooltip]) -> alt.Chart:
    """An invisible mark over all of each row: a click beside its thin line counts, too.

    Args:
        base: the rows.
        y: where they stand.
        size: of a row, in CSS pixels.
        tips: what a pointer over it shows.
    """
    reach: alt.Chart = base.mark_bar(opacity=0, size=size, cursor="pointer").encode(
        y=y, x=alt.value(0), x2=alt.value("width"), tooltip=list(tips)
    )
    return reach


def colour(order: Sequence[str], legend: alt.Legend | None = None) -> alt.Color:
    """Optimizers by colour, the same everywhere on the page."""
    scale = alt.Scale(domain=list(order), range=colours(order))
    return alt.Color("optimizer:N", title=None, scale=scale, legend=legend)


def shape(order: Sequence[str], legend: alt.Legend | None = None) -> alt.Shape:
    """Optimizers by shape: colour alone tells nothing to some readers."""
    scale = alt.Scale(domain=list(order), range=shapes(order))
    return alt.Shape("optimizer:N", title=None, scale=scale, legend=legend)


def ended_shape() -> alt.Shape:
    """The way in which a best rate that ends its axis may go on."""
    scale = alt.Scale(domain=["highest", "lowest"], range=["triangle-up", "triangle-down"])
    return alt.Shape("side:N", scale=scale, legend=None)


def _named(marks: Sequence[float], names: Sequence[str]) -> str:
    """An expression for the name of a mark: Vega writes numbers in its own way."""
    return f"{list(names)}[indexof({[float(mark) for mark in marks]}, datum.value)]"


@dataclass(frozen=True)
class Upwards:
    """An axis upwards for values of a metric.

    For shares of which more is better it is logarithmic in the errors: 99% and 98% are as far apart
    as 90% and 80%. Other values are logarithmic where they span a factor of ten.

    Args:
        errors: whether a value's place is that of one minus it.
        log: whether places are logarithmic.
        low: the least place.
        high: the greatest.
        floor: the least place that is drawn: that of a share without errors.
        marks: places with a mark.
        names: the marks' names.
    """

    errors: bool
    log: bool
    low: float
    high: float
    floor: float
    marks: Sequence[float]
    names: Sequence[str]

    def at(self, value: float) -> float:
        """The place of a value."""
        return max(1 - value, self.floor) if self.errors else value

    def encoded(self, name: str, title: str) -> alt.Y:
        """The axis, for a column of places."""
        axis = alt.Axis(values=list(self.marks), labelExpr=_named(self.marks, self.names))
        scale = alt.Scale(
            type="log" if self.log else "linear",
            domain=[self.low, self.high],
            reverse=self.errors,
            nice=False,
            zero=False,
            clamp=True,
        )
        return alt.Y(f"{name}:Q", title=title, scale=scale, axis=axis)

    def beside(self, values: Sequence[float], height: float) -> list[float]:
        """Places for names beside values, no two nearer than a line.

        Args:
            values: what the names stand for.
            height: of the axis, in CSS pixels.
        """
        up = [self._share(self.at(value)) * height for value in values]
        return [self._place(one / height) for one in apart(up, LINE, height)]

    def _share(self, place: float) -> float:
        """How far up a place is, as a share of the height."""
        change = math.log if self.log else float
        low, high = change(self.low), change(self.high)
        share = (change(place) - low) / (high - low)
        return 1 - share if self.errors else share

    def _place(self, share: float) -> float:
        change = math.log if self.log else float
        low, high = change(self.low), change(self.high)
        found = low + (1 - share if self.errors else share) * (high - low)
        return math.exp(found) if self.log else found


def upwards(values: Sequence[float], judged: Metric) -> Upwards:
    """An axis that holds values of a metric.

    Args:
        values: at least one.
        judged: the metric.
    """
    errors = judged.unit == "fraction" and judged.direction == "max"
    places = [1 - value for value in values] if errors else list(values)
    floor = min((place for place in places if place > 0), default=0.01) / 2 if errors else 0.0
    places = [max(place, floor) for place in places] if errors else places
    low, high = min(places), max(places)
    log = errors or (low > 0 and high / low >= FACTOR)
    if log:
        high = max(high, low * 1.1)
        air = (high / low) ** AIR
        low, high = low / air, high * air
        marks = _log_marks(low, high)
    else:
        air = AIR * (high - low) or 0.1 * abs(high) or 0.1
        low, high = low - air, high + air
        marks = _even_marks(low, high)
    named = [1 - mark for mark in marks] if errors else marks
    return Upwards(errors, log, low, high, floor, marks, [_name(one, judged) for one in named])


def _name(value: float, judged: Metric) -> str:
    if judged.unit == "fraction":
        return f"{100 * value:.6g}%"
    return score(value, judged)


def _log_marks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    several = high / low > 1e3
    found = [
        float(f"{step}e{decade}")
        for decade in decades
        for step in (MARKS[:1] if several else MARKS)
    ]
    return [mark for mark in found if low <= mark <= high] or [math.sqrt(low * high)]


def _even_marks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next(one for k in (*MARKS, 10) if (one := k * decade) >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def apart(places: Sequence[float], least: float, length: float) -> list[float]:
    """Places moved so that no two are nearer than ``least``, in the same order, on the axis.

    Where there is no room for all they share the length evenly.

    >>> apart([50, 51, 10], 10, 100)
    [50, 60, 10]
    """
    if not places:
        return []
    order = sorted(range(len(places)), key=lambda k: places[k])
    least = min(least, length / max(1, len(places) - 1))
    found = list(places)
    for before, after in pairwise(order):
        found[after] = max(found[after], found[before] + least)
    beyond = length
    for k in reversed(order):
        found[k] = beyond = min(found[k], beyond)
        beyond -= least
    return found
