"""Optimizers against one of them: paired differences with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.analysis import metric
from trainscape.charts._axes import across, no_change
from trainscape.charts._chart import Chart, made, on, signals, sized
from trainscape.figures.values import points, signed
from trainscape.numerals import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.workloads import Metric

ROW = 26  # CSS pixels of an optimizer's line


def forest(workload: str, found: Mapping[str, Any]) -> Chart | None:
    """Each optimizer's paired difference to the reference, which a reader may change.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
    """
    if len(found["optimizers"]) < 2:
        return None
    judged = metric(workload)
    share = judged.unit == "fraction"
    scale = 100 if share else 1
    settings = {row["optimizer"]: row["cell"] for row in found["optimizers"]}
    rows = [
        _row(reference, row, settings[row["optimizer"]], judged, scale)
        for reference, family in found["against"].items()
        for row in [*family, {"optimizer": reference, "difference": None, "verdict": "reference"}]
    ]
    chosen = found["optimizers"][0]["optimizer"]
    unit = "points" if share else judged.unit
    title = f"{unit or 'difference'} of test {judged.name}, right is better"
    margin = found["margin"] * scale
    base = on(rows, "rows").transform_filter("datum.reference === reference")
    base = base.add_params(*signals({"reference": chosen}))
    y = alt.Y("label:N", title=None, sort=alt.SortField("order"))
    tips = [alt.Tooltip(f"{name}:N") for name in ("optimizer", "difference", "verdict", "setting")]
    x = alt.X("low:Q", title=title, scale=alt.Scale(nice=True, zero=True))
    bars = base.mark_rule(strokeWidth=2, color="currentColor").encode(
        y=y, x=x, x2="high:Q", tooltip=tips
    )
    dots = base.mark_point(filled=True, size=70, color="var(--accent)", opacity=1).encode(
        y=y, x=alt.X("mean:Q"), tooltip=tips
    )
    chart = alt.layer(*no_change(margin), bars, dots, across(base, y, ROW, tips))
    told = "; ".join(
        f"{row['optimizer']} {row['difference']}, {row['verdict']}"
        for row in rows
        if row["reference"] == chosen
    )
    return made(
        "forest",
        sized(chart, ROW * len(found["optimizers"]), resize=True),
        f"Paired differences in test {judged.name} to {chosen}: {told}.",
        "Lines: 95% intervals that hold for all at once. Shaded: within "
        f"{points(found['margin'], judged.unit)} it makes no difference.",
        "Click an optimizer to compare with it.",
    )


def _row(
    reference: str, row: Mapping[str, Any], cell: Mapping[str, Any], judged: Metric, scale: int
) -> dict[str, Any]:
    """What the chart needs of an optimizer; differences are such that positive is better."""
    apart = row["difference"] or {"mean": 0.0, "low": None, "high": None}
    mean, low, high = (apart[name] for name in ("mean", "low", "high"))
    known = row["difference"] and low is not None
    told = signed(mean, judged.unit)
    return {
        "reference": reference,
        "optimizer": row["optimizer"],
        "label": f"{row['optimizer']}, {row['verdict']}",
        "order": -mean,
        **{name: None if value is None else scale * value for name, value in apart.items()},
        "difference": (
            f"{told} ({signed(low, judged.unit)} to {signed(high, judged.unit)})"
            if known
            else "the reference"
            if row["difference"] is None
            else told
        ),
        "verdict": row["verdict"],
        "setting": f"batch {cell['batch_size']}, lr {number(cell['lr'])}, {cell['schedule']}",
    }
