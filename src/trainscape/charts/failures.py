"""Where training fails: the share of trials that diverged or are no better than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.charts._chart import Chart, made, on, sized
from trainscape.figures.values import ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.analysis import Row

ROW = 24  # CSS pixels of an optimizer's line
MANY = 24  # rates beyond which a field is too narrow for its number


def failures(workload: str, cells: Sequence[Row], optimizers: Sequence[str]) -> Chart | None:
    """One strip: optimizers by learning rate, over all batch sizes and schedules.

    Args:
        workload: its name.
        cells: summary rows of it.
        optimizers: their labels, in the study's order.
    """
    rows = [row for name in optimizers for row in _of([c for c in cells if c["optimizer"] == name])]
    if not any(row["lost"] for row in rows):
        return None
    rates = sorted({row["rate"] for row in rows})
    labels = ticks(rates)
    rows = [{**row, "lr": labels[rates.index(row["rate"])]} for row in rows]
    base = on(rows, "rows")
    x = alt.X(
        "lr:O", title="learning rate", sort=labels, axis=alt.Axis(labelAngle=0, labelOverlap=True)
    )
    y = alt.Y("optimizer:N", title=None, sort=list(optimizers))
    tips = [
        alt.Tooltip(f"{name}:N") for name in ("optimizer", "lr", "failed", "diverged", "trials")
    ]
    # Colours by value, not the page's: a number on a field can be read on a light and a dark page.
    fields = base.mark_rect(stroke="var(--paper)", strokeWidth=1).encode(
        x=x,
        y=y,
        color=alt.Color(
            "lost:Q",
            legend=None,
            scale=alt.Scale(domain=[0, 1], range=["#f1e9e4", "#8c2414"]),
        ),
        tooltip=tips,
    )
    layers = [fields]
    if len(labels) <= MANY:
        layers.append(
            base.transform_filter("datum.lost > 0")
            .mark_text(fontSize=10)
            .encode(
                x=x,
                y=y,
                text="share:N",
                color=alt.condition("datum.lost > 0.5", alt.value("#ffffff"), alt.value("#1c2128")),
                tooltip=tips,
            )
        )
    chart = sized(alt.layer(*layers), ROW * len(optimizers))
    worst = sorted((r for r in rows if r["lost"]), key=lambda r: -r["lost"])[:8]
    told = "; ".join(f"{r['optimizer']} at {r['lr']} {r['share']}" for r in worst)
    caption = (
        "Share of the trials of all batch sizes and schedules that diverged, or came to their end "
        "no better than chance. An empty field: none."
    )
    return made("failures", chart, f"Trials that failed on {workload}: {told}.", caption)


def _of(cells: Sequence[Row]) -> list[dict[str, Any]]:
    """An optimizer's trials by learning rate."""
    found: dict[float, dict[str, Any]] = {}
    for cell in cells:
        own = found.setdefault(
            cell["lr"],
            {
                "optimizer": cell["optimizer"],
                "rate": cell["lr"],
                "failed": 0,
                "diverged": 0,
                "trials": 0,
            },
        )
        own["failed"] += cell["failed"] or 0
        own["diverged"] += cell["diverged"]
        own["trials"] += cell["seeds"]
    return [_shared(row) for _, row in sorted(found.items())]


def _shared(row: dict[str, Any]) -> dict[str, Any]:
    lost = (row["failed"] + row["diverged"]) / row["trials"]
    return {**row, "lost": round(lost, 4), "share": f"{100 * lost:.0f}%"}
