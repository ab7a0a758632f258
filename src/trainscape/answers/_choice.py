"""The setting to take: which cells cannot be told from the best, and which of them it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape.analysis import AXES, key
from trainscape.answers._intervals import of_seeds, of_test
from trainscape.statistics.tied import Choice, Places, Tied, choose, room, tied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from trainscape.analysis import Cells, Row

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]

OWN = AXES[1:]  # what names a cell within its workload


def member_of(grid: Cells) -> Flags:
    """Which cells of a grid its own seeds do not tell from the best, (C,)."""
    return tied(grid.values("val_metric"), grid.scale(), ~grid.complete).member


def choice(grid: Cells, near: Flags, final: Cells, margin: float) -> tuple[Tied, Choice | None]:
    """The cells that cannot be told from the best, and the one to take.

    Args:
        grid: all cells, on the seeds that the finalists were chosen by.
        near: :func:`member_of` it.
        final: the cells that are compared: the finalists on fresh seeds, or all.
        margin: what makes no difference in practice, in the metric's unit.
    """
    values = final.values("val_metric")
    found = tied(values, final.scale(), ~final.complete)
    return found, choose(values, final.scale(), found, _places(grid, near, final), margin)


def described(
    final: Cells, index: int, examples: Mapping[str, Floats], among: int = 1
) -> dict[str, Any]:
    """A cell as plain data: what it is, and what it comes to with its intervals.

    Args:
        final: all that were trained on these seeds.
        index: of the cell.
        examples: by digest, each test example's metric.
        among: from how many cells it was chosen by validation on these seeds.
    """
    row = final.rows[index]
    return {
        "cell": {axis: row[axis] for axis in OWN},
        "digest": row["digest"],
        "steps": row["steps"],
        "steps_to_target": _median(final, index),
        "validation": of_seeds(final, index, "val", among),
        "test": of_test(final, index, examples.get(row["digest"])),
    }


def members(final: Cells, found: Tied) -> list[dict[str, Any]]:
    """The tied cells, the best first; cells of equal means in the order of their names."""
    values = {name: final.values(f"{name}_metric").mean(1) for name in ("val", "test")}
    rows, sign = final.rows, final.scale().sign
    chosen = [int(i) for i in np.flatnonzero(found.member)]
    chosen.sort(key=lambda i: (-sign * round(float(values["val"][i]), 9), *key(rows[i], OWN)))
    return [
        {
            "cell": {axis: rows[i][axis] for axis in OWN},
            "digest": rows[i]["digest"],
            "validation": float(values["val"][i]),
            "test": float(values["test"][i]),
        }
        for i in chosen
    ]


def rate_range(grid: Cells, near: Flags, chosen: Row) -> list[float]:
    """The rates around a cell's that the grid's own seeds do not tell from the best.

    Of its optimizer, batch size and schedule. Few of these are finalists, so fresh seeds do not
    tell; the grid's tell less.
    """
    line = _line(chosen)
    known = {row["lr"]: bool(near[i]) for i, row in enumerate(grid.rows) if _line(row) == line}
    rates = sorted(known)
    low = high = rates.index(chosen["lr"])
    if not known[chosen["lr"]]:
        return [chosen["lr"]]
    while low > 0 and known[rates[low - 1]]:
        low -= 1
    while high + 1 < len(rates) and known[rates[high + 1]]:
        high += 1
    return rates[low : high + 1]


def _places(grid: Cells, near: Flags, final: Cells) -> Places:
    """What else is known of the cells that are compared; room is that of the whole grid."""
    lines = {line: number for number, line in enumerate(dict.fromkeys(map(_line, grid.rows)))}
    numbers = np.array([lines[_line(row)] for row in grid.rows])
    rates = np.array([row["lr"] for row in grid.rows])
    rooms = dict(zip(map(_name, grid.rows), room(near, numbers, rates), strict=True))
    rows = final.rows
    return Places(
        steps=np.array([np.nan if row["steps"] is None else row["steps"] for row in rows]),
        room=np.array([rooms[_name(row)] for row in rows]),
        batch=np.array([row["batch_size"] for row in rows], dtype=np.float64),
        lr=np.array([row["lr"] for row in rows]),
        label=[" ".join(map(str, _name(row))) for row in rows],
    )


def _line(row: Row) -> tuple[object, ...]:
    return key(row, ("optimizer", "batch_size", "schedule"))


def _name(row: Row) -> tuple[object, ...]:
    return key(row, OWN)


def _median(final: Cells, index: int) -> float | None:
    """The median steps to target, one that never reached it counting as later than all."""
    steps = final.values("steps_to_target")[index]
    middle = float(np.median(np.where(np.isnan(steps), np.inf, steps)))
    return middle if np.isfinite(middle) else None
