"""How forgiving optimizers are beside their best cells, and which of them is the most so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape import workloads
from trainscape.answers._intervals import rounded
from trainscape.answers._rates import ends
from trainscape.statistics.draws import generator, interval
from trainscape.statistics.forgiving import (
    Basin,
    basins,
    expected_best,
    resampled_widths,
    safe_rate,
    sensitivity,
)
from trainscape.workloads import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trainscape.analysis import Row
    from trainscape.answers._laid import Laid

    Floats = NDArray[np.float64]

DRAWN = 5  # settings that somebody tries at random
NOT_KNOWN: dict[str, Any] = dict.fromkeys(
    ("width", "width_edge", "sensitivity", "five", "safe", "safe_value")
)


def forgiving(own: Laid, best: Row, margin: float, *, whole: bool) -> dict[str, Any]:
    """What happens beside an optimizer's best cell, at that cell's batch size.

    Args:
        own: the optimizer's cells.
        best: its best cell.
        margin: what makes no difference in practice, in the metric's unit.
        whole: whether all of its cells were trained.
    """
    trials = [row for rows in own.cells.trials for row in rows]
    lost = sum(row["status"] != "ok" or row["failed"] == 1 for row in trials) / len(trials)
    if not whole:
        return {**NOT_KNOWN, "lost": rounded(lost)}
    sign, lr = own.cells.scale().sign, np.array(own.rates)
    means = own.means("val_metric")
    losses = own.means("val_loss")[own.sizes.index(best["batch_size"])]
    basin = _basin(own, best, margin)
    capped = np.where(np.isnan(losses), np.inf, losses).min(0)
    slope = sensitivity(
        np.where(np.isfinite(capped), capped, np.nan), lr, _at_start(best["workload"])
    )
    safe = safe_rate(means, lr, sign)
    enough = len(own.cells) >= DRAWN
    return {
        "width": None if basin is None else rounded(basin.decades),
        "width_edge": None if basin is None else basin.open_low or basin.open_high,
        "sensitivity": None if slope is None else rounded(slope.value),
        "five": rounded(_best_of(means, sign, best["workload"])) if enough else None,
        "safe": None if safe is None else safe.lr,
        "safe_value": None if safe is None else rounded(safe.worst),
        "lost": rounded(lost),
    }


def most_forgiving(
    grid: Mapping[str, Laid], rows: Sequence[Row], margin: float
) -> dict[str, Any] | None:
    """The optimizer whose rate may be off the furthest, at the batch size where it is best.

    Those that are worse than the reference are left out: a wide range around a poor best is no
    merit. Equal widths are told apart by the lower sensitivity, then by name.

    How wide a range is hangs on means over seeds, so the seeds are drawn again, of each optimizer
    on its own (:func:`trainscape.statistics.draws.resampled`). ``decades`` is the width,
    ``decades_low`` and ``decades_high`` are its 95% interval. ``clear`` says that this lies above
    those of all others, and that none of their ranges goes on beyond the grid. That it is the
    widest in most resamples would not do: the range that looks widest is so partly by luck
    (docs/calibration.md). Not in any of it: that the metric is taken to be straight between the
    rates of the grid.

    Args:
        grid: the cells of each optimizer, on the seeds that the finalists were chosen by.
        rows: as :func:`trainscape.answers._optimizers.optimizers` makes them.
        margin: what makes no difference in practice, in the metric's unit.

    Returns:
        None where fewer than two optimizers have a range to compare, or all are of no width.
    """
    known: list[tuple[float, float, str, Row, Basin]] = []
    for row in rows:
        found = _basin(grid[row["optimizer"]], row["cell"], margin)
        if found is not None and row["verdict"] != "worse":
            slope = row["forgiving"]["sensitivity"]
            rank = -round(found.decades, 6), math.inf if slope is None else slope
            known.append((*rank, row["optimizer"], row, found))
    known.sort(key=lambda one: one[:3])
    if len(known) < 2 or not known[0][0] < 0:
        return None
    widths = [_resampled(grid[name], row["cell"], margin) for _, _, name, row, _ in known]
    first, *others = (_told(*one[2:], own) for one, own in zip(known, widths, strict=True))
    seeds = all(own is not None for own in widths)
    apart = seeds and first["decades_low"] > max(other["decades_high"] for other in others)
    ended = not any(other["open_low"] or other["open_high"] for other in others)
    return {**first, "clear": apart and ended}


def _told(name: str, row: Row, basin: Basin, widths: Floats | None) -> dict[str, Any]:
    """An optimizer's range as plain data."""
    low, high = (math.nan, math.nan) if widths is None else interval(widths)
    return {
        "optimizer": name,
        "batch_size": row["cell"]["batch_size"],
        **ends(basin),
        "decades": rounded(basin.decades),
        "decades_low": rounded(low),
        "decades_high": rounded(high),
    }


def _resampled(own: Laid, cell: Row, margin: float) -> Floats | None:
    """The width at a cell's batch size in each resample of the seeds; None for one seed."""
    values = own.values("val_metric")[own.sizes.index(cell["batch_size"])]
    if values.shape[-1] < 2:
        return None
    draw = generator("width", own.rows[0]["workload"], own.rows[0]["optimizer"])
    sign, lr = own.cells.scale().sign, np.array(own.rates)
    # rounded: other machines' last bits make no range wider than an equal one
    return np.round(resampled_widths(np.moveaxis(values, -1, 0), lr, margin, draw, sign), 6)


def _basin(own: Laid, best: Row, margin: float) -> Basin | None:
    """The rates within the margin at a cell's batch size, each with its best schedule."""
    at = own.sizes.index(best["batch_size"])
    means, sign = own.means("val_metric")[at : at + 1], own.cells.scale().sign
    return basins(means, np.array(own.rates), margin, sign)[0]


def _best_of(means: Floats, sign: int, workload: str) -> float:
    chance = workloads.registry.get(workload).chance
    return expected_best(means, DRAWN, sign, math.nan if chance is None else chance)


def _at_start(workload: str) -> float | None:
    """The loss of a constant prediction, where it is known: of cross-entropy −log(chance)."""
    entry = workloads.registry.get(workload)
    known = entry.loss is cross_entropy and entry.chance
    return -math.log(entry.chance) if known and entry.chance else None
