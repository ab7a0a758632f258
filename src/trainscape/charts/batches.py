"""How large a batch pays: steps to the target over batch sizes, the fit, and its knee."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.charts._axes import colour, ended_shape, logarithmic, rising
from trainscape.charts._chart import Chart, made, on, signals, sized
from trainscape.figures.answers.told import shown, words
from trainscape.numerals import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row

    Found = Mapping[str, Any]
    Rows = list[dict[str, Any]]

HEIGHT = 240  # CSS pixels
ROOM = 1.25  # factor of batch sizes beyond those of the grid, and of steps above the most
BELOW = 2.0  # factor of steps below the fewest
POINTS = 40  # of a curve
CHOSEN = "datum.optimizer === optimizer && datum.schedule === schedule"


def batch_scaling(workload: str, found: Found, order: Sequence[str]) -> Chart | None:
    """Steps to the target at the best rate, perfect scaling, the fitted curve and B_crit.

    Its signals: ``optimizer`` and ``schedule``.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
        order: all optimizers: a colour each.
    """
    fits = found["critical"]
    if not _told(found):
        return None
    sizes = sorted({row["batch_size"] for row in found["steps"]})
    left, right = sizes[0] / ROOM, sizes[-1] * ROOM
    x = logarithmic("batch", "batch size", sizes, ROOM)
    counts = [point["steps_at_best"] for row in fits for point in _steps(found, row)]
    least, most = min(counts) / BELOW, max(counts) * ROOM
    y = rising("steps", "steps to the target", [least, most])
    hue = colour(order)
    tips = [
        alt.Tooltip("batch:Q", title="batch", format="d"),
        alt.Tooltip("count:N", title="steps to the target"),
        alt.Tooltip("ended:N", title="best lr"),
    ]
    knees = _chosen("fits", [_knee(row, left, right) for row in fits])
    known = knees.transform_filter("isValid(datum.critical)")
    curve = (
        known.transform_calculate(part=f"sequence(0, {POINTS + 1})")
        .transform_flatten(["part"])
        .transform_calculate(batch=f"{left} * pow({right / left}, datum.part / {POINTS})")
        .transform_calculate(steps="datum.least * (1 + datum.critical / datum.batch)")
        .transform_filter(f"datum.steps < {most}")
    )
    steps = _chosen("steps", [point for row in fits for point in _points(found, row)])
    ideal = [end for row in fits for end in _perfect(found, row, right, least)]
    perfect = _chosen("perfect", ideal)
    chart = alt.layer(
        knees.transform_filter("datum.from < datum.to")
        .mark_rect(color="var(--band)")
        .encode(x=alt.X("from:Q"), x2="to:Q"),
        known.transform_filter(f"datum.critical < {right} && datum.critical > {left}")
        .mark_rule(strokeDash=[5, 3], strokeWidth=1.5, color="var(--accent)")
        .encode(x=alt.X("critical:Q")),
        perfect.mark_line(strokeDash=[2, 3], strokeWidth=1.2, color="var(--muted)").encode(
            x=x, y=y
        ),
        perfect.transform_filter("datum.middle")
        .mark_text(align="right", dx=-4, dy=9, fill="var(--muted)")
        .encode(x=x, y=y, text=alt.value("perfect scaling")),
        curve.mark_line(strokeWidth=2, color="currentColor").encode(x=x, y=y),
        steps.transform_filter("datum.side === ''")
        .mark_point(filled=True, size=55, opacity=1)
        .encode(x=x, y=y, color=hue, tooltip=tips),
        steps.transform_filter("datum.side !== ''")
        .mark_point(size=80, strokeWidth=2, opacity=1, fill="var(--paper)")
        .encode(x=x, y=y, color=hue, shape=ended_shape(), tooltip=tips),
        knees.mark_text(align="right", baseline="bottom", fill="var(--accent)").encode(
            x=alt.value("width"), y=alt.value(-4), text="words:N"
        ),
    ).add_params(*signals(start(found)))
    told = "; ".join(
        f"{row['optimizer']} with {row['schedule']} {words(row)}" for row in _told(found)
    )
    return made(
        "batch-scaling",
        sized(chart, HEIGHT),
        f"Steps to the target over batch sizes on {workload}: {told}.",
        "Points: at the best lr of each batch size; an open triangle where that lr ends its axis. "
        "Line: S_min(1 + B_crit/B). Shaded: the 95% interval of B_crit, the dashed line.",
    )


def start(found: Found) -> dict[str, Any]:
    """What is chosen at first: the optimizer of the setting to take, and what tells most of it."""
    taken = found["chosen"]["cell"]["optimizer"] if found["chosen"] else ""
    known = _told(found)
    return _names(min(known, key=lambda row: (row["critical"] is None, row["optimizer"] != taken)))


def _told(found: Found) -> list[Row]:
    """For each optimizer the fit that tells most, of those that have a line of steps."""
    return shown([row for row in found["critical"] if len(_steps(found, row)) > 1])


def _chosen(name: str, rows: Rows) -> alt.Chart:
    return on(rows, name).transform_filter(CHOSEN)


def _names(fit: Row) -> dict[str, Any]:
    return {"optimizer": fit["optimizer"], "schedule": fit["schedule"]}


def _steps(found: Found, fit: Row) -> list[Row]:
    """Steps at the best rate of each batch size that reaches the target."""
    return [
        row
        for row in found["steps"]
        if all(row[name] == fit[name] for name in ("optimizer", "schedule"))
        and row["steps_at_best"] is not None
    ]


def _points(found: Found, fit: Row) -> Rows:
    return [
        {
            **_names(fit),
            "batch": row["batch_size"],
            "steps": row["steps_at_best"],
            "count": number(row["steps_at_best"]),
            "side": row["side"] or "",
            "ended": f"the {row['side']} of its axis" if row["side"] else "inside its axis",
        }
        for row in _steps(found, fit)
    ]


def _perfect(found: Found, fit: Row, right: float, least: float) -> Rows:
    """The line on which twice the batch takes half the steps, from the smallest batch.

    Args:
        found: what was found of the workload.
        fit: whose line it is.
        right: the end of the axis of batch sizes.
        least: the fewest steps that are shown.
    """
    steps = _steps(found, fit)
    if not steps:
        return []
    first = min(steps, key=lambda row: row["batch_size"])
    size, most = first["batch_size"], first["steps_at_best"]
    last = min(right, most * size / least)
    middle = math.sqrt(size * last)
    return [
        {**_names(fit), "batch": at, "steps": most * size / at, "middle": at == middle}
        for at in (size, middle, last)
    ]


def _knee(fit: Row, left: float, right: float) -> dict[str, Any]:
    """B_crit in words, and its interval as far as the axis goes."""
    high = right if fit["high"] is None else fit["high"]
    bounded = bool(fit["low"]) or fit["high"] is not None
    return {
        **_names(fit),
        "critical": fit["critical"],
        "least": fit["least_steps"],
        "from": max(fit["low"] or left, left) if bounded else right,
        "to": min(high, right),
        "words": words(fit),
    }
