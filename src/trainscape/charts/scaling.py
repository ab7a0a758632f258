"""How the best learning rate follows the batch size: the best rates, α, and the rules of thumb."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.analysis import ALL, RULES, overall
from trainscape.charts._axes import colour, ended_shape, logarithmic, rising
from trainscape.charts._chart import Chart, made, on, signals, sized
from trainscape.figures.answers.told import alpha
from trainscape.numerals import hundredths, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row

    Found = Mapping[str, Any]
    Rows = list[dict[str, Any]]

HEIGHT = 240  # CSS pixels
ROOM = 1.25  # factor of batch sizes beyond those of the grid
LEAST = 12.0  # factor of rates that the axis spans at least
AIR = 1.3  # factor of rates above and below the points
SHOWN = {"linear": "linear", "square-root": "√", "none": "none"}  # rules of thumb with a line
SIDES = {"highest": "ends its axis, so the best may be higher", None: ""}
SIDES["lowest"] = "ends its axis, so the best may be lower"
CHOSEN = "datum.optimizer === optimizer && datum.schedule === schedule"
# With all schedules each has its points.
POINTS = f"datum.optimizer === optimizer && (schedule === '{ALL}' || datum.schedule === schedule)"


def lr_scaling(workload: str, found: Found, order: Sequence[str]) -> Chart | None:
    """The best rate of each batch size, the line that α gives, and those of rules of thumb.

    Its signals: ``optimizer`` and ``schedule``, which may be all of them.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
        order: all optimizers: a colour each.
    """
    fits = found["scaling"]
    if not any(row["exponent"] is not None for row in fits):
        return None
    sizes = sorted({row["batch_size"] for row in found["rates"]})
    x = logarithmic("batch", "batch size", sizes, ROOM)
    judge = "validation" if found["validated"] else "training"
    title = "best learning rate (peak)"
    y, hue = rising("lr", title), colour(order)
    tips = [
        alt.Tooltip("schedule:N"),
        alt.Tooltip("batch:Q", title="batch", format="d"),
        alt.Tooltip("rate:N", title="best lr"),
    ]
    spans = [_span(own) for row in fits if (own := _points(found, row))]
    span = max([LEAST, *spans]) * AIR**2
    lines = _chosen("lines", [line for row in fits for line in _lines(found, row)])
    rules = _chosen("rules", [rule for row in fits for rule in _rules(found, row, sizes)])
    ends = _chosen("ends", [end for row in fits for end in _ends(found, row, span)])
    said = _chosen("alphas", [{**_names(row), "words": alpha(row)} for row in fits])
    points = on(_rates(found), "rates").transform_filter(POINTS)
    inside, ended = (points.transform_filter(f"datum.ended {is_} ''") for is_ in ("===", "!=="))
    chart = alt.layer(
        lines.mark_area(color="var(--band)").encode(x=x, y=rising("low", title), y2="high:Q"),
        rules.mark_line(strokeDash=[2, 3], strokeWidth=1.2, color="var(--muted)").encode(
            x=x, y=y, detail="rule:N"
        ),
        rules.transform_filter("datum.last")
        .mark_text(align="left", dx=4, fill="var(--muted)")
        .encode(x=x, y=y, text="rule:N"),
        points.mark_line(strokeWidth=1, opacity=0.4).encode(
            x=x, y=y, detail="schedule:N", color=hue
        ),
        lines.mark_line(strokeWidth=2.5, color="currentColor").encode(x=x, y=y),
        inside.mark_point(filled=True, size=48, opacity=1).encode(
            x=x, y=y, color=hue, tooltip=tips
        ),
        ended.mark_point(size=80, strokeWidth=2, opacity=1, fill="var(--paper)").encode(
            x=x, y=y, color=hue, shape=ended_shape(), tooltip=[*tips, alt.Tooltip("ended:N")]
        ),
        said.mark_text(align="right", baseline="bottom", fill="currentColor").encode(
            x=alt.value("width"), y=alt.value(-4), text="words:N"
        ),
        # nobody sees these: they keep the axis equally long for all, so that slopes compare
        ends.mark_point(opacity=0).encode(y=y),
    ).add_params(*signals(start(found)))
    return made(
        "lr-scaling",
        sized(chart, HEIGHT),
        f"The best learning rate over batch sizes on {workload}. Twice the batch: "
        f"{'; '.join(_said(row) for row in overall(fits))}.",
        f"Points: the best lr of each batch size and schedule by the last {judge} loss; an open "
        "triangle ends its axis. "
        "Line: lr ∝ batch^α, shaded by α's 95% interval. Dotted: rules of thumb.",
    )


def start(found: Found) -> dict[str, Any]:
    """What is chosen at first: the optimizer of the setting to take, with all its schedules."""
    known = {row["optimizer"]: row for row in overall(found["scaling"])}
    taken = found["chosen"]["cell"]["optimizer"] if found["chosen"] else ""
    order = [*known.values(), *found["scaling"]]
    order.sort(key=lambda row: row is not known.get(taken))
    return _names(next(row for row in order if row["exponent"] is not None))


def _chosen(name: str, rows: Rows) -> alt.Chart:
    return on(rows, name).transform_filter(CHOSEN)


def _points(found: Found, fit: Row) -> list[Row]:
    """The best rates that a fit rests on."""
    return [
        row
        for row in found["rates"]
        if row["optimizer"] == fit["optimizer"] and fit["schedule"] in (ALL, row["schedule"])
    ]


def _rates(found: Found) -> Rows:
    return [
        {
            "optimizer": row["optimizer"],
            "schedule": row["schedule"],
            "batch": row["batch_size"],
            "lr": row["lr"],
            "rate": number(row["lr"]),
            "side": row["side"] or "",
            "ended": SIDES[row["side"]],
        }
        for row in found["rates"]
    ]


def _span(rates: Sequence[Row]) -> float:
    values = [row["lr"] for row in rates]
    return float(max(values) / min(values))


def _middle(values: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def _through(rates: Sequence[Row], slope: float, size: float) -> float:
    """The rate at a batch size, on a line of a slope through the middle of the points."""
    centre = _middle([row["batch_size"] for row in rates])
    return float(f"{_middle([row['lr'] for row in rates]) * (size / centre) ** slope:.5g}")


def _names(fit: Row) -> dict[str, Any]:
    return {"optimizer": fit["optimizer"], "schedule": fit["schedule"]}


def _lines(found: Found, fit: Row) -> Rows:
    """The line of a fit; with the lines of α's bounds, where it has two."""
    rates = _points(found, fit)
    if fit["exponent"] is None:
        return []
    sizes = sorted(row["batch_size"] for row in rates)
    rows: Rows = []
    for size in (sizes[0], _middle(sizes), sizes[-1]):
        row = {**_names(fit), "batch": size, "lr": _through(rates, fit["exponent"], size)}
        if fit["low"] is not None and fit["high"] is not None:
            row |= {end: _through(rates, fit[end], size) for end in ("low", "high")}
        rows.append(row)
    return rows


def _rules(found: Found, fit: Row, sizes: Sequence[int]) -> Rows:
    ends = sizes[0], sizes[-1] * ROOM
    rates = _points(found, fit)
    if not rates:
        return []
    return [
        {
            **_names(fit),
            "rule": name,
            "batch": size,
            "lr": _through(rates, RULES[rule], size),
            "last": size == ends[1],
        }
        for rule, name in SHOWN.items()
        for size in ends
    ]


def _ends(found: Found, fit: Row, span: float) -> Rows:
    """Both ends of the axis of rates."""
    values = [row["lr"] for row in _points(found, fit) or found["rates"]]
    middle = math.sqrt(min(values) * max(values))
    return [{**_names(fit), "lr": middle * span**half} for half in (-0.5, 0.5)]


def _said(row: Row) -> str:
    """What twice the batch does to the best rate, in words."""
    if row["factor"] is None:
        return f"{row['optimizer']} not known"
    low, high = row["factor_low"], row["factor_high"]
    if low is None and high is None:
        within = "no bounds"
    elif low is None or high is None:
        within = f"at most {hundredths(high)}" if low is None else f"at least {hundredths(low)}"
    else:
        within = f"{hundredths(low)} to {hundredths(high)}"
    return f"{row['optimizer']} lr × {hundredths(row['factor'])} ({within})"
