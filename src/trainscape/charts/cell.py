"""One cell: what every seed came to, and how it got there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.charts._chart import Chart, made, on, sized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Rows = Sequence[Mapping[str, Any]]

LIFTS = 4  # seeds of one value that lie beside each other, upward or downward
LETTER = 6.5  # CSS pixels that a letter of a name takes
ROW = 26  # CSS pixels of a split's line of seeds
HEIGHT = 190


def seeds(values: Rows, means: Rows, title: str) -> Chart | None:
    """A dot for every seed, a line for each split, and the mean with its interval.

    Args:
        values: ``of``, the split; ``value``; ``seed``; ``lift``, how far it is moved aside. The
            page's script puts other cells' here.
        means: ``of``, ``mean``, ``low`` and ``high``, the last two null without an interval.
        title: of the axis.
    """
    if not values:
        return None
    room = LETTER * max(len(row["of"]) for row in means)  # another font may be wider than Vega's
    y = alt.Y("of:N", title=None, sort=None, axis=alt.Axis(minExtent=room))
    x = alt.Scale(zero=False, nice=True)
    dots = (
        on(values, "seeds")
        .mark_point(filled=True, size=46, opacity=0.55, color="var(--accent)")
        .encode(
            y=y,
            yOffset=alt.YOffset("lift:Q", scale=alt.Scale(domain=[-LIFTS, LIFTS])),
            x=alt.X("value:Q", title=title, scale=x, axis=alt.Axis(tickCount=5)),
            tooltip=[alt.Tooltip(f"{name}:N") for name in ("seed", "told")],
        )
    )
    base = on(means, "means").encode(y=y, tooltip=alt.Tooltip("told:N", title="mean"))
    bars = base.mark_rule(color="currentColor", strokeWidth=2).encode(
        x=alt.X("low:Q", title=title), x2="high:Q"
    )
    ticks = base.mark_tick(color="currentColor", thickness=2.5, size=14).encode(x="mean:Q")
    return made(
        "cell-seeds",
        sized(alt.layer(bars, dots, ticks), alt.Step(ROW)),
        "Seeds: " + "; ".join(f"{row['of']} {row['told']}" for row in means) + ".",
        "A dot is a seed; the line is the mean with its 95% interval over seeds.",
    )


def curves(
    points: Rows, means: Rows, title: str, *, target: float | None = None, log: bool = False
) -> Chart | None:
    """How the seeds of a cell got there: thin lines, and their mean.

    Args:
        points: ``step``, ``value`` and ``seed``; the page's script puts other cells' here.
        means: ``step`` and ``value``, of the steps that every seed came to.
        title: of the axis.
        target: the value to reach; none without a validation split.
        log: whether the values are drawn by their logarithm.
    """
    if not points:
        return None
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False, nice=True)
    x = alt.X("step:Q", title="step", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5))
    y = alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    own = on(points, "curves")
    lines = own.mark_line(strokeWidth=1, opacity=0.45, color="var(--accent)").encode(
        x=x, y=y, detail="seed:N"
    )
    reach = own.mark_point(filled=True, size=60, opacity=0).encode(
        x=x, y=y, tooltip=[alt.Tooltip(f"{name}:N") for name in ("seed", "step", "told")]
    )
    mean = on(means, "mean").mark_line(strokeWidth=2.5, color="var(--accent)").encode(x=x, y=y)
    layers = [lines, mean, reach]
    if target is not None:
        goal = on([{"value": target}]).mark_rule(color="var(--muted)", strokeDash=[5, 4])
        layers.insert(0, goal.encode(y=alt.Y("value:Q", title=title)))
    return made(
        "cell-curves",
        sized(alt.layer(*layers), HEIGHT),
        f"Learning curves of every seed: {title} by step.",
        "Thin: a seed. Thick: their mean." + (" Dashed: the target." if target is not None else ""),
    )
