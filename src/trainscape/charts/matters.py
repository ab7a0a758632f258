"""What matters: the share of the variance between cells that each axis explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.charts._chart import Chart, made, on, shapes, sized

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW = 24  # CSS pixels of a component's line
MOST = 10  # components that are drawn
REGIONS = {
    "grid": "all cells of the grid",
    "best lr": "each combination at its best lr",
    "search": "the cells that the search trained",
}


def matters(workload: str, found: Mapping[str, Any]) -> Chart | None:
    """Dots with their intervals, the largest share first.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
    """
    known = [row for row in found["importance"] if row["share"] is not None]
    regions = [region for region in REGIONS if sum(r["region"] == region for r in known) > 1]
    if not regions:
        return None
    first = sorted(
        (row for row in known if row["region"] == regions[0]),
        key=lambda row: (-row["share"], row["component"]),
    )
    shown = [row["component"] for row in first[:MOST]]
    rows = [
        {
            "component": row["component"],
            "between": REGIONS[row["region"]],
            **{name: _percent(row[name]) for name in ("share", "low", "high")},
            "interval": _interval(row),
        }
        for row in known
        if row["region"] in regions and row["component"] in shown
    ]
    names = [REGIONS[region] for region in regions]
    base = on(rows, "rows")
    # rows of two regions lie one below the other, so that neither covers the other
    y = alt.Y("component:N", title=None, sort=shown, axis=alt.Axis(labelLimit=240))
    beside = alt.YOffset("between:N", sort=names)
    legend = alt.Legend(direction="vertical", labelLimit=300) if len(names) > 1 else None
    colour = alt.Color(
        "between:N",
        title=None,
        scale=alt.Scale(
            domain=names, range=["var(--accent)", "var(--c2)", "var(--c3)"][: len(names)]
        ),
        legend=legend,
    )
    shape = alt.Shape(
        "between:N",
        title=None,
        scale=alt.Scale(domain=names, range=shapes(names)),
        legend=legend,
    )
    x = alt.X("low:Q", title="share of the variance between cells, %", axis=alt.Axis(tickCount=6))
    tips = [alt.Tooltip(f"{name}:N") for name in ("component", "between", "interval")]
    bars = base.mark_rule(strokeWidth=2).encode(
        y=y, yOffset=beside, x=x, x2="high:Q", color=colour, tooltip=tips
    )
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        y=y, yOffset=beside, x="share:Q", color=colour, shape=shape, tooltip=tips
    )
    height = ROW * len(shown) * max(1.0, 0.75 * len(names))
    chart = sized(alt.layer(bars, points), height)
    told = "; ".join(f"{row['component']} {row['interval']}" for row in rows[:MOST])
    caption = (
        "Shares of how settings differ, on a scale where noise is even, with 95% intervals. "
        "“optimizer × lr” is what the two do together, beyond each alone."
    )
    return made("matters", chart, f"Shares of the variance on {workload}: {told}.", caption)


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _interval(row: Mapping[str, Any]) -> str:
    text = f"{100 * row['share']:.1f}%"
    if row["low"] is None:
        return text
    return f"{text} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
