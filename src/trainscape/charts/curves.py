"""Learning curves of chosen cells: thin lines for the seeds, the optimizer's name at their end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.analysis import AXES, metric, records
from trainscape.charts._axes import apart, colour
from trainscape.charts._chart import Chart, made, on, signals, sized
from trainscape.figures.values import score
from trainscape.numerals import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from trainscape.analysis import Row
    from trainscape.workloads import Metric

HEIGHT = 300
SEEDS = 5  # lines of a cell
POINTS = 40  # evaluations of a line: more are not seen
ROOM = 1.16  # the axis of epochs is this much longer than the run
LEAST = 1e-4  # of an error: none at all has no logarithm
POOREST = 0.05  # of the evaluations
APART = 12  # least CSS pixels between two labels
OWN = AXES[1:]


def curves(
    workload: str, found: Mapping[str, Any], evaluations: pd.DataFrame, optimizers: Sequence[str]
) -> Chart | None:
    """Each optimizer at its best cell, on the grid's seeds.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
        evaluations: rows of curves.csv of the validation split.
        optimizers: their labels, in the study's order.
    """
    chosen = {row["optimizer"]: row["cell"] for row in found["optimizers"]}
    if not chosen:
        return None
    judged = metric(workload)
    own = evaluations[evaluations["workload"] == workload]
    rows = [
        line for name in optimizers if name in chosen for line in _lines(own, chosen[name], judged)
    ]
    if not rows:
        return None
    share = judged.unit == "fraction"
    log = min(row["value"] for row in rows) > 0
    domain = _domain([row["value"] for row in rows], log=log)
    ends = _ends(rows, domain, judged, log=log)
    last = max(row["epoch"] for row in rows)
    base = on(rows, "rows")
    look: dict[str, Any] = {
        "color": colour(optimizers),
        "opacity": alt.condition(
            "optimizer === '' || datum.optimizer === optimizer", alt.value(0.8), alt.value(0.12)
        ),
    }
    # names stand to the right of the last evaluation
    x = alt.X(
        "epoch:Q",
        title="epochs",
        scale=alt.Scale(domain=[0, last * ROOM], nice=False),
        axis=alt.Axis(grid=False, tickCount=8),
    )
    scale = alt.Scale(
        type="log" if log else "linear", domain=domain, reverse=share, clamp=True, nice=False
    )
    y = alt.Y(
        "value:Q",
        title=f"validation {judged.name}",
        scale=scale,
        axis=alt.Axis(
            labelExpr="format(100 * (1 - datum.value), '.4~r') + '%'"
            if share
            else "format(datum.value, '.3~r')",
            tickCount=6,
        ),
    )
    tips = [alt.Tooltip(f"{name}:N") for name in ("optimizer", "setting", "seed", "epoch", "shown")]
    lines = base.mark_line(strokeWidth=0.8).encode(x=x, y=y, detail="line:N", **look)
    means = base.mark_line(strokeWidth=2.4).encode(
        x=x, y=alt.Y("mean(value):Q", scale=scale), **look
    )
    reach = base.mark_point(opacity=0, size=50, filled=True).encode(x=x, y=y, tooltip=tips)
    labels = (
        on(ends, "ends")
        .mark_text(align="left", dx=6, fontSize=11)
        .encode(x=x, y=alt.Y("at:Q", scale=scale), text="optimizer:N", **look)
    )
    chart = alt.layer(lines, means, reach, labels).add_params(*signals({"optimizer": ""}))
    told = "; ".join(f"{row['optimizer']} ends at {row['shown']}" for row in ends)
    caption = (
        "Every optimizer at its best setting by validation, a thin line for each seed of the grid"
        f"{f', {SEEDS} at most' if _more(own) else ''}. Thick: their mean."
        + (" The axis is logarithmic in the errors." if share and log else "")
    )
    words = f"Validation {judged.name} by epoch on {workload}: {told}."
    return made("curves", sized(chart, HEIGHT), words, caption)


def _more(evaluations: pd.DataFrame) -> bool:
    return bool(evaluations["seed"].nunique() > SEEDS)


def _lines(evaluations: pd.DataFrame, cell: Mapping[str, Any], judged: Metric) -> list[Row]:
    """A point for each evaluation and seed; of a share its error, for a logarithmic axis."""
    named = evaluations[(evaluations[list(OWN)] == [cell[axis] for axis in OWN]).all(axis=1)]
    share = judged.unit == "fraction"
    setting = f"batch {cell['batch_size']}, lr {number(cell['lr'])}, {cell['schedule']}"
    found = []
    for seed, group in list(named.groupby("seed"))[:SEEDS]:
        points = records(group)
        every = max(1, -(-len(points) // POINTS))
        for point in [p for i, p in enumerate(reversed(points)) if i % every == 0][::-1]:
            value = point["metric"]
            if value is None:
                continue
            found.append(
                {
                    "optimizer": cell["optimizer"],
                    "setting": setting,
                    "seed": seed,
                    "line": f"{cell['optimizer']} {seed}",
                    "epoch": round(point["epoch"], 3),
                    "value": float(f"{max(1 - value, LEAST) if share else value:.4g}"),
                    "shown": score(value, judged, unit=True),
                }
            )
    return found


def _domain(values: Sequence[float], *, log: bool) -> list[float]:
    """From the least to all but the poorest evaluations, which would flatten the rest."""
    ordered = sorted(values)
    top = ordered[math.ceil((1 - POOREST) * (len(ordered) - 1))]
    bottom = ordered[0]
    if log:
        return [bottom / 1.1, top * 1.1]
    pad = 0.05 * (top - bottom) or 1.0
    return [bottom - pad, top + pad]


def _ends(rows: Sequence[Row], domain: Sequence[float], judged: Metric, *, log: bool) -> list[Row]:
    """Where each optimizer's name stands: at the mean of its last values, apart from the others."""
    scale, back = (math.log, math.exp) if log else (float, float)
    low, high = (scale(end) for end in domain)
    found = []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        last = max(row["epoch"] for row in own)
        values = [row["value"] for row in own if row["epoch"] == last]
        mean = sum(values) / len(values)
        truth = 1 - mean if judged.unit == "fraction" else mean
        place = min(max((scale(mean) - low) / (high - low), 0.0), 1.0)
        found.append(
            {
                "optimizer": name,
                "epoch": last,
                "place": place,
                "shown": score(truth, judged, unit=True),
            }
        )
    found.sort(key=lambda row: row["place"])
    places = apart([row.pop("place") for row in found], APART / HEIGHT, 1.0)
    return [
        {**row, "at": back(low + place * (high - low))}
        for row, place in zip(found, places, strict=True)
    ]
