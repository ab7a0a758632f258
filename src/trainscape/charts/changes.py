"""Mean shifts between two versions: of all cells, and along each axis, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.charts._axes import across, no_change
from trainscape.charts._chart import Chart, made, on, sized

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW = 21  # CSS pixels of a line
# Worse and better by colour and by shape; what is neither is hollow.
LOOKS = {
    "better": ("var(--better)", "triangle-right"),
    "worse": ("var(--worse)", "triangle-left"),
    "same": ("var(--muted)", "circle"),
    "undecided": ("var(--muted)", "circle"),
}


def shifts(
    rows: Sequence[dict[str, Any]], margin: float, unit: str, metric: str, direction: str
) -> Chart | None:
    """Each pool of cells with its mean shift, the band that counts as none behind them.

    Args:
        rows: ``label``, ``axis``, ``value``, ``cells``, ``mean``, ``low`` and ``high`` as numbers,
            ``change`` in words, ``verdict``; in the order in which they stand.
        margin: what counts as no change.
        unit: of all of these numbers.
        metric: its name.
        direction: ``max`` or ``min``: whether more is better.
    """
    if not rows:
        return None
    order = [row["label"] for row in rows]
    right = "better" if direction == "max" else "worse"
    title = f"{unit or 'change'} of test {metric}, right is {right}"
    base = on(list(rows), "rows")
    y = alt.Y("label:N", title=None, sort=order, axis=alt.Axis(labelLimit=190, ticks=False))
    tips = [
        alt.Tooltip("label:N", title="cells of"),
        alt.Tooltip("cells:Q", title="cells"),
        alt.Tooltip("change:N", title="mean change"),
        alt.Tooltip("verdict:N"),
    ]
    verdicts = list(LOOKS)
    forms = [form for _, form in LOOKS.values()]
    if direction == "min":  # the triangle points to where the change goes
        forms[0], forms[1] = forms[1], forms[0]
    hue = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=verdicts, range=[colour for colour, _ in LOOKS.values()]),
        legend=None,
    )
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=verdicts, range=forms), legend=None)
    known = "datum.verdict === 'better' || datum.verdict === 'worse'"
    x = alt.X(  # the title ends where the axis does: on a phone it is longer than that
        "low:Q",
        axis=alt.Axis(title=title, titleAnchor="end", tickCount=6),
        scale=alt.Scale(nice=True, zero=True),
    )
    bars = base.mark_rule(strokeWidth=2).encode(y=y, x=x, x2="high:Q", color=hue)
    points = base.mark_point(size=60, opacity=1, strokeWidth=1.5).encode(
        y=y,
        x=alt.X("mean:Q"),
        color=hue,
        shape=shape,
        fill=alt.condition(known, hue, alt.value("var(--paper)")),
    )
    chart = alt.layer(*no_change(margin), bars, points, across(base, y, ROW, tips))
    told = "; ".join(f"{row['label']} {row['change']}" for row in rows)
    within = f"{margin:.3g} {unit}".rstrip()
    return made(
        "shifts",
        sized(chart, ROW * len(rows)),
        f"Mean change of test {metric}: {told}.",
        f"Lines: intervals at the levels that decide the verdicts, which allow for how many are "
        f"looked at. Shaded: within {within} it is no change. Filled: told apart from none.",
    )
