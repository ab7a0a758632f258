"""What changed between two versions, as one self-contained page.

It is laid out as the report is, by the same styles and scripts; its map shows changes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from trainscape.analysis.changes import name
from trainscape.charts.changes import shifts
from trainscape.figures.values import signed, ticks
from trainscape.files import write_text
from trainscape.numerals import number
from trainscape.report import _changes as words
from trainscape.report._assets import script, style
from trainscape.report._map import Field, Still
from trainscape.report._runtime import packed, runtime
from trainscape.report._write import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.analysis.changes import Cell, Change, Comparison, Diff, Said
    from trainscape.charts import Chart

STYLES = ("base", "map", "table", "changes")
SCRIPTS = ("core", "charts", "grid", "table", "changes", "page")
HALF = 5  # colours on either side of the one for no change
TICKS = (-1, -0.25, 0, 0.25, 1)  # of the colour bar, as shares of the change that ends it
FURTHEST = 0.98  # of the cells that changed: the colours reach to the change of so many
LONG = 16  # values of an axis that the chart has lines for
FIRST = 6  # changes that are listed on the first screen
ORDER: tuple[Said, ...] = ("worse", "better", "undecided", "new", "gone", "same", "same bytes")
AXES = ("optimizer", "batch_size", "lr", "schedule")
SCALED, PLAIN = ("change", "low", "high"), ("before", "after", "p")  # numbers of a cell
DIGITS = 5  # of a number in the table: more than is shown anywhere


@dataclass(frozen=True)
class Part:
    """What the template shows of one comparison.

    Args:
        name: tells it from the others, in words.
        heading: what came of it.
        identity: what is equal byte for byte, and how the rest was compared.
        counts: of cells, by verdict; those that none has are left out.
        chart: the mean shifts, if any number changed.
        shifts: as a table.
        unit: what changes are counted in.
        top: the largest changes, with their intervals.
        cells: better and worse, for readers without a script.
        more: how many cells are not among these.
        shown: the still map; None where nothing changed, and of confirmed cells, which are few
            and lie far apart.
    """

    name: str
    heading: str
    identity: str
    counts: dict[Said, int]
    chart: Chart | None
    shifts: list[list[str]]
    unit: str
    top: list[list[str]]
    cells: list[list[str]]
    more: int
    shown: Still | None


def write(made: Diff, path: Path) -> None:
    """Write the page.

    Args:
        made: what changed.
        path: the file to write.
    """
    parts = [_part(found, made) for found in made.comparisons]
    html = (
        environment()
        .get_template("changes.html.j2")
        .render(
            made=made,
            finding=words.finding(made),
            facts=words.facts(made),
            parts=parts,
            times=words.time_words(made),
            steps=words.time_lines(made),
            css=style(*STYLES),
            js=script(*SCRIPTS),
            data=packed(_data(made, parts)),
            runtime=runtime(),
        )
    )
    write_text(path, html)


def _part(found: Comparison, made: Diff) -> Part:
    settled = words.settled(found)
    cells, more = words.listed(found, "worse", "better")
    about = [words.identity(found), "" if settled else words.method(found)]
    return Part(
        called(found, made),
        words.heading(found),
        " ".join(filter(None, about)),
        {verdict: found.counts[verdict] for verdict in ORDER if found.counts[verdict]},
        None if settled else _chart(found),
        [] if settled else words.shift_lines(found),
        words.units(found),
        words.cell_lines(found, cells[:FIRST]),
        words.cell_lines(found, cells),
        more,
        _still(found) if _mapped(found) else None,
    )


def _mapped(found: Comparison) -> bool:
    return found.table != "confirm" and not words.settled(found)


def called(found: Comparison, made: Diff) -> str:
    """What tells a comparison from the others of the page."""
    several = sum(other.workload == found.workload for other in made.comparisons) > 1
    return f"{found.workload}, {words.TABLES[found.table]}" if several else found.workload


def _size(found: Comparison) -> float:
    """What a change is multiplied with to be shown: fractions in points."""
    return 100.0 if found.unit == "fraction" else 1.0


def _chart(found: Comparison) -> Chart | None:
    """The mean shifts; none where no number changed. Long axes stand in the table alone."""
    size, lines = _size(found), words.shift_lines(found)
    values = Counter(shift.axis for shift in found.shifts)
    rows = [
        {
            "label": f"{line[0]}, {shift.verdict}",
            "axis": shift.axis,
            "value": shift.value,
            "cells": shift.cells,
            "mean": size * shift.change,
            "low": None if shift.low is None else size * shift.low,
            "high": None if shift.high is None else size * shift.high,
            "change": " ".join(filter(None, [line[2], line[3] and f"({line[3]})"])),
            "verdict": shift.verdict,
        }
        for line, shift in zip(lines, found.shifts, strict=False)
        if values[shift.axis] <= LONG
    ]
    unit = "points" if found.unit == "fraction" else found.unit
    chart = shifts(rows, size * found.margin, unit, found.metric, found.direction)
    left = [f"{count} of {words.AXES[axis]}" for axis, count in values.items() if count > LONG]
    if chart is None or not left:
        return chart
    return replace(chart, caption=f"{chart.caption} In numbers, below: {', '.join(left)}.")


def _limit(found: Comparison) -> float:
    """The change that has the last colour."""
    moved = sorted(abs(c.change or 0.0) for c in found.cells if c.verdict in ("better", "worse"))
    return (moved[int(FURTHEST * (len(moved) - 1))] if moved else 0.0) or found.margin or 1.0


def _short(value: float, found: Comparison) -> str:
    """A change in as few characters as a field has room for."""
    return signed(value, found.unit, 2)


def _look(change: Change, found: Comparison, limit: float) -> str:
    """How a field looks: classes of ``style/map.css``."""
    if change.verdict in ("new", "gone"):
        return "lost"
    if change.change is None:
        return "lost plain"
    if change.verdict == "undecided":
        return "unsure"
    if change.verdict in ("same", "same bytes"):
        return "same"
    good = change.change if found.direction == "max" else -change.change
    # by the root, so that a quarter of the largest change has half of the colours
    step = math.ceil(HALF * math.sqrt(min(1.0, abs(good) / limit)))
    return f"d{HALF + (step if good > 0 else -step)}"


def _field(change: Change, found: Comparison, limit: float) -> Field:
    look = _look(change, found, limit)
    if change.verdict in ("new", "gone"):
        return Field(change.verdict, "", look)
    if change.change is None:
        return Field("no value", "", look)
    text = _short(change.change, found)
    if change.verdict == "undecided":
        return Field(f"{text}?", "", look)
    return Field(text, "bytes" if change.verdict == "same bytes" else change.verdict, look)


def _spoken(change: Change, found: Comparison) -> str:
    """All that is known of a cell's change, in words."""
    values = [_value(value, found) for value in (change.before, change.after)]
    if change.change is None:
        return ", ".join(filter(None, [change.verdict, *values]))
    within = words.interval(change, found.unit)
    said = f"{words.moved(change.change, found.unit)}{within and f' ({within})'}, {change.verdict}"
    return f"{said}; {values[0]} → {values[1]}" if all(values) else said


def _value(value: float | None, found: Comparison) -> str:
    if value is None:
        return ""
    if found.unit == "fraction":
        return f"{100 * value:.1f}%"
    return f"{number(value)} {found.unit}".rstrip()


def _still(found: Comparison) -> Still:
    """The map of the part that the page opens with, as it stands without a script."""
    optimizer, schedule = _opening(found)
    limit = _limit(found)
    coloured = any(change.verdict in ("better", "worse") for change in found.cells)
    own = {
        change.cell[2:4]: _field(change, found, limit)
        for change in found.cells
        if (change.cell[1], change.cell[4]) == (optimizer, schedule)
    }
    sizes, rates = _values(own, 0)[::-1], _values(own, 1)
    good = 1 if found.direction == "max" else -1
    return Still(
        f"{optimizer}, {schedule}: change of test {found.metric}",
        f"in {words.units(found)}, by the mean over seeds",
        ticks(rates),
        [
            (str(size), [own.get((size, rate), Field("", "", "none")) for rate in rates])
            for size in sizes
        ],
        [_short(good * share * limit, found) for share in TICKS] if coloured else [],
        2 * HALF + 1,
        "d",
    )


def _values(cells: Any, place: int) -> list[Any]:
    return sorted({cell[place] for cell in cells})


def _opening(found: Comparison) -> tuple[str, str]:
    """The optimizer and schedule with the most cells that are better or worse."""
    told: dict[tuple[str, str], int] = {}
    for change in found.cells:
        facet = change.cell[1], change.cell[4]
        told[facet] = told.get(facet, 0) + (change.verdict in ("better", "worse"))
    return max(told, key=lambda facet: told[facet])


def _data(made: Diff, parts: Sequence[Part]) -> str:
    """All that the page's script knows, in the form of the report's data."""
    several = len(made.comparisons) > 1
    units = {words.units(found) for found in made.comparisons}
    tree = {
        "name": "changes",
        "names": {},
        "columns": _columns(several, f"change, {units.pop()}" if len(units) == 1 else "change"),
        "workloads": [
            _comparison(found, part) for found, part in zip(made.comparisons, parts, strict=True)
        ],
        "specs": {part.name: {"shifts": part.chart.vega} for part in parts if part.chart},
    }
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _columns(several: bool, change: str) -> list[dict[str, str]]:
    """The columns of the table of all cells; the script knows them by their kinds."""
    asked = [
        ("workload", "of", "which comparison", "text"),
        ("optimizer", "optimizer", "optimizer", "text"),
        ("batch_size", "batch", "examples in a step", "size"),
        ("lr", "lr", "peak learning rate", "number"),
        ("schedule", "schedule", "schedule", "text"),
        ("verdict", "verdict", "what happened to the cell", "said"),
        ("change", change, "of the test metric, mean over seeds", "change"),
        ("low", "low", "lower end of the change's 95% interval", "change"),
        ("high", "high", "upper end of the change's 95% interval", "change"),
        ("before", "before", "test metric in the version before", "score"),
        ("after", "after", "test metric in the version after", "score"),
        ("p", "p", "adjusted for the number of cells", "number"),
    ]
    names = ("key", "title", "about", "kind")
    return [dict(zip(names, row, strict=True)) for row in asked[0 if several else 1 :]]


def _comparison(found: Comparison, part: Part) -> dict[str, Any]:
    rows = sorted(found.cells, key=lambda c: (ORDER.index(c.verdict), -abs(c.change or 0.0)))
    cells = [change.cell for change in found.cells]
    axes: dict[str, list[Any]] = {
        "optimizer": list(dict.fromkeys(cell[1] for cell in cells)),
        "batch_size": _values(cells, 2),
        "lr": _values(cells, 3),
        "schedule": list(dict.fromkeys(cell[4] for cell in cells)),
    }
    limit, size = _limit(found), _size(found)
    fields = [_field(row, found, limit) for row in rows]
    return {
        "name": part.name,
        "metric": {"name": found.metric, "unit": found.unit, "direction": found.direction},
        "axes": axes,
        "cells": {
            **{axis: [axes[axis].index(row.cell[k]) for row in rows] for k, axis in _places()},
            "digest": [name(row.cell) for row in rows],  # names it in a link
            "verdict": [row.verdict for row in rows],
            **{of: [_scaled(getattr(row, of), size) for row in rows] for of in SCALED},
            **{of: [_scaled(getattr(row, of), 1) for row in rows] for of in PLAIN},
            "field": [asdict(field) for field in fields],
            "words": [_spoken(row, found) for row in rows],
        },
        "confirmed": {},
        "map": part.shown
        and {
            "grid": [_lines(cells, optimizer, axes) for optimizer in axes["optimizer"]],
            "opening": dict(zip(("optimizer", "schedule"), _opening(found), strict=True)),
            "about": part.shown.about,
            "ticks": part.shown.ticks,
        },
    }


def _places() -> list[tuple[int, str]]:
    """The axes with their places in a cell."""
    return list(enumerate(AXES, 1))


def _lines(cells: Sequence[Cell], optimizer: str, axes: dict[str, list[Any]]) -> dict[str, Any]:
    """The batch sizes and rates of an optimizer, as places on the axes."""
    own = [cell for cell in cells if cell[1] == optimizer]
    return {
        axis: [axes[axis].index(value) for value in _values(own, place)]
        for axis, place in (("batch_size", 2), ("lr", 3))
    }


def _scaled(value: float | None, size: float) -> float | None:
    return None if value is None else float(f"{size * value:.{DIGITS}g}")
