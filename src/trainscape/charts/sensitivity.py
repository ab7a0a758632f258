"""How far the learning rate may be off: the metric over rates, and the rates that do as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trainscape.analysis import metric
from trainscape.charts._axes import LINE, across, colour, logarithmic, shape, upwards
from trainscape.charts._chart import Chart, made, on, signals, sized
from trainscape.figures.answers.told import over_rates
from trainscape.figures.values import points, score
from trainscape.numerals import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row
    from trainscape.charts._axes import Upwards
    from trainscape.workloads import Metric

    Found = Mapping[str, Any]
    Rows = list[dict[str, Any]]

HEIGHT = 260  # CSS pixels, at least
BAR = 24  # of an optimizer's line of the lower chart
ROOM = 1.25  # factor of rates beyond those of the grid
FADED, PALE = 0.3, 0.65  # opacity of marks and of names that are not chosen
# Each optimizer at its own best batch size, or all at one.
IN_SLICE = "batch === 0 ? datum.own : datum.batch === batch"
CHOSEN = "focus === '' || datum.optimizer === focus"


def sensitivity(workload: str, found: Found, order: Sequence[str]) -> Chart | None:
    """The validation metric over rates, a line an optimizer, with the span of the seeds.

    Its signals: ``batch``, a batch size or 0 for each optimizer's best; ``focus``, the optimizer
    whose rates within the margin are shaded, or none.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
        order: all optimizers: a colour and a shape each.
    """
    rates, own = _rates(found), _own(found)
    if len(rates) < 2 or not own:
        return None
    judged = metric(workload)
    drawn = [rate for row in found["sensitivity"] for rate in row["rates"] if _known(rate)]
    up = upwards([rate[name] for rate in drawn for name in ("mean", "least", "most")], judged)
    slices = [row for row in found["sensitivity"] if any(map(_known, row["rates"]))]
    spots = [point for row in slices for point in _points(row, own, up, judged)]
    height = max(HEIGHT, LINE * len(order))
    names = _names(slices, own, up, height)
    x = logarithmic("lr", "learning rate (peak)", rates, ROOM)
    least = " (less is better)" * (judged.direction == "min")
    title = f"validation {judged.name}{' (logarithmic in the errors)' if up.errors else least}"
    y = up.encoded("y", title)
    hue, form = colour(order), shape(order)
    faded, pale = (alt.condition(CHOSEN, alt.value(1), alt.value(by)) for by in (FADED, PALE))
    tips = [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("batch:Q", title="batch", format="d"),
        alt.Tooltip("rate:N", title="lr"),
        alt.Tooltip("schedule:N"),
        alt.Tooltip("value:N", title=f"validation {judged.name}"),
        *([alt.Tooltip("seeds:N", title="over seeds")] if found["grid"]["seeds"] > 1 else []),
    ]
    shown = on(spots, "points").transform_filter(IN_SLICE)
    ends = on(names, "names").transform_filter(IN_SLICE)
    safe = (
        on(_safe(found, own, rates), "safe")
        .transform_filter(IN_SLICE)
        .transform_filter("datum.optimizer === focus")
        .mark_rect(color="var(--band)")
        .encode(x=alt.X("from:Q"), x2="to:Q")
    )
    line = {"detail": [alt.Detail("optimizer:N"), alt.Detail("stretch:N")], "color": hue}
    band = shown.mark_area().encode(
        x=x,
        y=up.encoded("low", title),
        y2="high:Q",
        opacity=alt.condition("datum.optimizer === focus", alt.value(0.25), alt.value(0)),
        **line,
    )
    lines = shown.mark_line(strokeWidth=2).encode(x=x, y=y, opacity=faded, **line)
    dots = shown.mark_point(filled=True, size=42).encode(
        x=x, y=y, color=hue, shape=form, opacity=faded
    )
    reach = shown.mark_point(opacity=0, filled=True, size=350, cursor="pointer").encode(
        x=x, y=y, tooltip=tips
    )
    beside = {"x": alt.value("width"), "y": y, "color": hue, "opacity": pale}
    marks = ends.mark_point(filled=True, size=42, xOffset=8).encode(shape=form, **beside)
    texts = ends.mark_text(align="left", dx=15, limit=120, cursor="pointer").encode(
        text="optimizer:N", **beside
    )
    chart = alt.layer(safe, band, lines, dots, marks, texts, reach).add_params(*_params(found))
    return made(
        "sensitivity",
        sized(chart, height),
        f"Validation {judged.name} over learning rates on {workload}, each optimizer at its best "
        f"batch size: {_bests(found, own, judged)}.",
        "Each rate with its best schedule; a band spans the seeds. A line ends or breaks where a "
        "seed has no value.",
        "Click a point to open its cell, a name to highlight an optimizer.",
    )


def safe_rates(workload: str, found: Found, order: Sequence[str]) -> Chart | None:
    """For each optimizer the rates within the margin of its best, which a circle marks.

    Its signals are those of :func:`sensitivity`.

    Args:
        workload: its name.
        found: what :mod:`trainscape.answers` found of it.
        order: all optimizers: a colour and a shape each.
    """
    rates, own = _rates(found), _own(found)
    rows = _safe(found, own, rates)
    if len(rates) < 2 or not rows:
        return None
    faded, pale = (alt.condition(CHOSEN, alt.value(1), alt.value(by)) for by in (FADED, PALE))
    x = logarithmic("low", "learning rate (peak)", rates, ROOM)
    y = alt.Y("optimizer:N", title=None, sort=alt.SortField("order"))
    base = on(rows, "safe").transform_filter(IN_SLICE)
    tips = [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("batch:Q", title="batch", format="d"),
        alt.Tooltip("range:N", title="lr"),
        alt.Tooltip("best:N", title="best"),
    ]
    hue = colour(order)
    bars = base.mark_bar(size=8).encode(x=x, x2="high:Q", y=y, color=hue, opacity=faded)
    circles = base.mark_point(
        shape="circle", filled=True, size=45, fill="var(--paper)", stroke="currentColor"
    ).encode(x=alt.X("at:Q"), y=y, opacity=faded)
    texts = base.mark_text(align="left", dx=6).encode(
        x=alt.value("width"), y=y, text="factor:N", opacity=pale
    )
    arrows = [
        base.transform_filter(f"datum.open_{end}")
        .mark_point(shape=form, filled=True, size=90, xOffset=offset)
        .encode(x=alt.X(f"{end}:Q"), y=y, color=hue, opacity=faded)
        for end, form, offset in (("low", "triangle-left", -5), ("high", "triangle-right", 5))
    ]
    reach = across(base, y, BAR, tips)
    chart = alt.layer(bars, *arrows, circles, texts, reach).add_params(*_params(found))
    told = "; ".join(f"{row['optimizer']} {row['range']}" for row in rows if row["own"])
    return made(
        "safe-rates",
        sized(chart, BAR * len({row["optimizer"] for row in rows})),
        f"Learning rates that do as well as the best on {workload}, each optimizer at its best "
        f"batch size: {told}.",
        f"Bars: rates within {points(found['margin'], metric(workload).unit)} of the optimizer's "
        "best, which the circle marks; at the right the highest over the lowest. An arrow: the "
        "grid ends before the bar does.",
    )


def start(found: Found) -> str:
    """The optimizer that is chosen at first: the most forgiving one, or none."""
    most = found["most_forgiving"]
    return most["optimizer"] if most else ""


def _params(found: Found) -> list[alt.Parameter]:
    return signals({"batch": 0, "focus": start(found)})


def _known(rate: Row) -> bool:
    return rate["mean"] is not None


def _rates(found: Found) -> list[float]:
    return sorted({rate["lr"] for row in found["sensitivity"] for rate in row["rates"]})


def _own(found: Found) -> dict[str, int]:
    """The batch size at which each optimizer is shown if none is chosen."""
    return {name: row["batch_size"] for name, row in over_rates(found).items()}


def _points(row: Row, own: Mapping[str, int], up: Upwards, judged: Metric) -> Rows:
    """The rates of one optimizer and batch size; ``stretch`` counts the gaps before each."""
    found: Rows = []
    stretch = 0
    for rate in row["rates"]:
        if not _known(rate):
            stretch += 1
            continue
        found.append(
            {
                **_slice(row, own),
                "stretch": stretch,
                "lr": rate["lr"],
                **{at: up.at(rate[of]) for at, of in PLACES.items()},
                "rate": number(rate["lr"]),
                "schedule": rate["schedule"],
                "value": score(rate["mean"], judged, unit=True),
                "seeds": f"{score(rate['least'], judged)} to {score(rate['most'], judged)}",
            }
        )
    return found


PLACES = {"y": "mean", "low": "least", "high": "most"}


def _slice(row: Row, own: Mapping[str, int]) -> dict[str, Any]:
    """What a filter needs to know."""
    name, size = row["optimizer"], row["batch_size"]
    return {"optimizer": name, "batch": size, "own": own.get(name) == size}


def _names(rows: Sequence[Row], own: Mapping[str, int], up: Upwards, height: float) -> Rows:
    """A name beside the end of each line, so placed that none covers another."""
    slices = [[row for row in rows if own.get(row["optimizer"]) == row["batch_size"]]]
    sizes = sorted({row["batch_size"] for row in rows})
    slices += [[row for row in rows if row["batch_size"] == size] for size in sizes]
    found: Rows = []
    for rank, some in enumerate(slices):
        last = [next(r["mean"] for r in reversed(row["rates"]) if _known(r)) for row in some]
        for row, place in zip(some, up.beside(last, height), strict=True):
            # a name of the first slice belongs to no batch size
            batch = 0 if rank == 0 else row["batch_size"]
            found.append(
                {"optimizer": row["optimizer"], "batch": batch, "own": rank == 0, "y": place}
            )
    return found


def _safe(found: Found, own: Mapping[str, int], rates: Sequence[float]) -> Rows:
    """The rates within the margin of every optimizer and batch size, the widest first."""
    rows: Rows = []
    for row in found["sensitivity"]:
        width = row["width"]
        if width is None:
            continue
        low, high = width["low"], width["high"]
        signs = "≤ " * width["open_low"], "≥ " * width["open_high"]
        rows.append(
            {
                **_slice(row, own),
                **width,
                "from": rates[0] / ROOM if width["open_low"] else low,
                "to": rates[-1] * ROOM if width["open_high"] else high,
                "at": row["best"],
                "order": low / high,
                "range": f"{signs[0]}{number(low)} to {signs[1]}{number(high)}",
                "best": number(row["best"]),
                "factor": f"× {number(high / low, 2)}",
            }
        )
    return rows


def _bests(found: Found, own: Mapping[str, int], judged: Metric) -> str:
    said = []
    for row in found["sensitivity"]:
        if own.get(row["optimizer"]) == row["batch_size"] and row["best"] is not None:
            top = next(rate for rate in row["rates"] if rate["lr"] == row["best"])
            value = score(top["mean"], judged, unit=True)
            said.append(f"{row['optimizer']} best at {number(row['best'])} with {value}")
    return "; ".join(said)
