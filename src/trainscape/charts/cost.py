"""What accuracy costs: the test metric against time, or steps, to the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.analysis import AXES, key, metric
from trainscape.charts._axes import colour, shape
from trainscape.charts._chart import Chart, made, on, sized
from trainscape.figures.values import duration, number, score
from trainscape.numerals import UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row
    from trainscape.workloads import Metric

HEIGHT = 300
OWN = AXES[1:]
MOST = 300  # cells of the grid that are drawn, the best of them by validation
COST = {  # by what is counted: the value and its interval
    "seconds": ("time_to_target_s", "time_low_s", "time_high_s"),
    "steps": ("steps_to_target", "steps_low", "steps_high"),
}
# Seconds in words, in Vega's language: in the units of trainscape.numerals.
SPAN = " : ".join(
    f"{f'datum.value < {limit} ? ' if limit else ''}"
    f"format(datum.value / {size}, '.3~r') + ' {unit}'"
    for limit, size, unit in (*UNITS, (None, 3600, "h"))
)
SLACK = 3  # margins below the least finalist at which the axis ends


def cost(
    workload: str,
    found: Mapping[str, Any],
    cells: Sequence[Row],
    times: Mapping[str, Any],
    optimizers: Sequence[str],
) -> Chart | None:
    """Finalists with their intervals among the grid's cells, and the front of what is best.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
        cells: its summary rows, with their times where they were measured.
        times: ``timings.json``.
        optimizers: their labels, in the study's order.
    """
    front = (times.get("pareto") or {}).get(workload) or []
    by = (times.get("pareto_by") or {}).get(workload)
    known = {key(row, OWN): row for row in cells}  # a finalist's own digest is of its fresh seeds
    described = [*found["finalists"], *(found["optimizers"] if not found["finalists"] else [])]
    judged = metric(workload)
    points = [
        point
        for row in described
        if (point := _finalist(row, known.get(key(row["cell"], OWN)), by, judged)) is not None
    ]
    if not points or by is None:
        return None
    certain = {point["digest"] for point in points}
    others = [
        point
        for row in _best(cells, judged)
        if row["digest"] not in certain and (point := _cell(row, by, judged)) is not None
    ]
    at = {point["digest"]: point for point in [*others, *points]}
    line = [at[digest] for digest in front if digest in at]
    worst = (min if judged.direction == "max" else max)(
        p["low" if judged.direction == "max" else "high"] for p in points
    )
    scale = 100 if judged.unit == "fraction" else 1
    edge = worst - (1 if judged.direction == "max" else -1) * SLACK * found["margin"] * scale
    others = [p for p in others if (p["value"] >= edge) == (judged.direction == "max")]
    line = [p for p in line if (p["value"] >= edge) == (judged.direction == "max")]
    unit = "%" if judged.unit == "fraction" else judged.unit
    x = alt.X(
        "cost:Q",
        title="time to the target" if by == "seconds" else "steps to the target",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(labelExpr=SPAN, tickCount=6)
        if by == "seconds"
        else alt.Axis(format="~s", tickCount=6),
    )
    y = alt.Y(
        "value:Q",
        title=f"test {judged.name}{f', {unit}' if unit else ''}",
        scale=alt.Scale(zero=False, nice=True),
    )
    legend = alt.Legend(columns=4)
    look: dict[str, Any] = {
        "color": colour(optimizers, legend),
        "shape": shape(optimizers, legend),
    }
    tips = [alt.Tooltip(f"{name}:N") for name in ("setting", "accuracy", "takes", "rests")]
    grid = on(others, "cells")
    best = on(points, "finalists")
    path = on(line, "front")
    chart = alt.layer(
        path.mark_line(color="var(--muted)", strokeDash=[4, 3], interpolate="step-after").encode(
            x=x, y=y
        ),
        grid.mark_point(size=26, opacity=0.45, strokeWidth=1, cursor="pointer").encode(
            x=x, y=y, tooltip=tips, **look
        ),
        best.mark_rule(strokeWidth=1.2).encode(x=x, y="low:Q", y2="high:Q", color=look["color"]),
        best.mark_rule(strokeWidth=1.2).encode(x="soon:Q", x2="late:Q", y=y, color=look["color"]),
        best.mark_point(size=70, filled=True, opacity=1, cursor="pointer").encode(
            x=x, y=y, tooltip=tips, **look
        ),
    )
    told = "; ".join(f"{p['setting']}: {p['accuracy']} in {p['takes']}" for p in points[:8])
    caption = (
        "Filled: settings on fresh seeds, with 95% intervals. "
        if found["finalists"]
        else "Filled: the best of every optimizer, with 95% intervals. "
    ) + (
        "Open: cells of the grid. Dashed: no other setting is both sooner and better, by what was "
        "measured; noise moves settings on and off it."
    )
    words = f"Test {judged.name} and cost on {workload}: {told}."
    return made("cost", sized(chart, HEIGHT), words, caption, "Click one to see it.")


def _best(cells: Sequence[Row], judged: Metric) -> list[Row]:
    """The cells that reached the target, the best by validation first."""
    reached = [
        row for row in cells if row["steps_to_target"] and row["val_metric_mean"] is not None
    ]
    sign = -1 if judged.direction == "max" else 1
    reached.sort(key=lambda row: (sign * row["val_metric_mean"], row["digest"]))
    return reached[:MOST]


def _cell(row: Row, by: str, judged: Metric) -> dict[str, Any] | None:
    """A cell of the grid, on the seeds that chose."""
    takes = row.get(COST[by][0])
    value = row["test_metric_mean"]
    if not takes or value is None:
        return None
    return {
        **_named(row, row["digest"], takes, by),
        "value": _scaled(value, judged),
        "accuracy": score(value, judged, unit=True),
        "rests": f"{row['seeds']} seeds of the grid",
    }


def _finalist(row: Row, cell: Row | None, by: str | None, judged: Metric) -> dict[str, Any] | None:
    """A setting with intervals, at the cost that its cell has in the grid."""
    if cell is None or by is None:
        return None
    takes, soon, late = (cell.get(name) for name in COST[by])
    if not takes:
        return None
    test = row["test"]
    low, high = (test["mean"] if test[end] is None else test[end] for end in ("low", "high"))
    return {
        **_named(row["cell"], cell["digest"], takes, by),
        "value": _scaled(test["mean"], judged),
        "low": _scaled(low, judged),
        "high": _scaled(high, judged),
        "soon": soon or takes,
        "late": late or takes,
        "accuracy": f"{score(test['mean'], judged, unit=True)} "
        f"({score(low, judged)} to {score(high, judged)})",
        "rests": "fresh seeds",
    }


def _named(cell: Mapping[str, Any], digest: str, takes: float, by: str) -> dict[str, Any]:
    return {
        "optimizer": cell["optimizer"],
        "digest": digest,
        "setting": f"{cell['optimizer']}, batch {cell['batch_size']}, lr {number(cell['lr'])}, "
        f"{cell['schedule']}",
        "cost": float(f"{takes:.4g}"),
        "takes": duration(takes) if by == "seconds" else f"{number(takes)} steps",
    }


def _scaled(value: float, judged: Metric) -> float:
    return float(f"{100 * value if judged.unit == 'fraction' else value:.5g}")
